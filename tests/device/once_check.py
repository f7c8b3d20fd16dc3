"""ncm and slda take each record once on any host: runs repeated, stopped, from a saved state.

All lines must be equal everywhere: how many samples of each class the means have. strategies_check
has the learner and its flash.
"""

import gc

import tiny_model
from strategies_check import alike, blank, observe, open_learner, run, twin


def counts(learner):
    return [int(n) for n in learner.strategy._counts]


def damage(learner, flash, slot):
    """Spoils a byte of a record."""
    store = learner.store
    unit, index = slot // store._slots_per_unit, slot % store._slots_per_unit
    at = store._first_at + index * store._slot_bytes + store._slot_bytes // 2
    flash.data[unit * flash.erase_bytes + at] ^= 0x10


def check(name):
    flash = blank()
    learner = open_learner(flash, name)
    observe(learner, (0, 1))
    learner.save()
    run(learner)
    print("exact", name, "a run of 20", counts(learner))
    run(learner)
    print("exact", name, "again", counts(learner))
    learner.load()
    print("exact", name, "back", counts(learner))
    run(learner)
    observe(learner, (2,))
    run(learner)
    print("exact", name, "10 more", counts(learner))

    learner.end_session()
    observe(learner, (0, 3))
    steps = learner.steps(1)
    next(steps)
    steps.close()
    print("exact", name, "stopped", counts(learner))
    other = twin(learner, flash, name)
    for each in (learner, other):
        run(each)
        print("exact", name, "went on", counts(each))
    print("exact", name, "alike", alike(learner, other))

    observe(learner, (4,))
    slot = learner.current_slots()[-3]
    damage(learner, flash, slot)
    run(learner)
    print("exact", name, "one of 10 damaged", counts(learner))
    observe(learner, (4,))
    run(learner)
    print("exact", name, "and 10", counts(learner))
    print("exact", name, "knows", learner.predict(tiny_model.sample(0, 90))[0])


def main():
    for name in ("ncm", "slda"):
        gc.collect()
        check(name)


if __name__ == "__main__":
    main()
