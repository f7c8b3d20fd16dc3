"""Every strategy and every policy on any host: new classes in the middle, a saved state resumed.

"exact" lines must be equal everywhere: which records each batch and the store have, what is
predicted. "close" lines may differ by the float32 tolerance that the caller states. Steps run with
the heap locked where there is a lock.
"""

import gc
import io
from binascii import crc32

import tiny_model
from engram import Learner, ModelSpec
from engram.compat import collect_often
from engram.continual.policies import NAMES as POLICIES
from engram.continual.policies import policy_class
from engram.continual.config import saved_bytes
from engram.continual.strategies import NAMES
from engram.store import Checkpoints, RamFlash, ReplayStore, regions
from learning import close, step_locked

PAGE = 16
CLASSES = 6
SESSIONS = ((0, 1), (2, 5), (1, 3))  # 5 leaves a class without samples before it
FLASHES = [RamFlash(24, 1024, PAGE) for _ in range(2)]  # once: a board's heap falls into pieces


ROOM = []  # for the arena of a second learner, kept in one piece


def blank():
    if not ROOM:
        gc.collect()
        ROOM.append(bytearray(24 * 1024))
    flash = FLASHES[0]
    for block in range(flash.blocks):
        flash.ioctl(6, block)
    return flash


def open_learner(flash, strategy, policy="balanced", budget=20):
    collect_often()  # as engram.open() does: what is left of opening lies together
    spec = ModelSpec(io.BytesIO(tiny_model.model_bytes()))
    spec.widen(CLASSES)
    state_bytes = 32 + 4 * CLASSES + saved_bytes(spec, strategy)
    state_bytes += policy_class(policy).saved_bytes(CLASSES)
    store, checkpoints = regions(flash, state_bytes, PAGE)
    return Learner(
        spec,
        ReplayStore(store, PAGE, spec.latent_id, spec.latent_elems),
        Checkpoints(checkpoints, PAGE, spec.model_id),
        batch=8, lr=0.05, seed=3, budget=budget, classes=CLASSES, strategy=strategy,
        policy=policy,
    )


def observe(learner, labels):
    for label in labels:
        for i in range(10):
            learner.observe(tiny_model.sample(label % 4, 10 * label + i), label)


def run(learner):
    """A learning run; crc32 of its picks and the losses of its steps."""
    picks, losses = 0, []
    steps = learner.steps(2)
    for record in steps:
        picks = crc32(bytes(learner.labels), crc32(bytes(learner.slots), picks))
        losses.append(record["loss"])
        if len(losses) == 1:
            step_locked(learner)
    return picks & 0xFFFFFFFF, losses


def twin(learner, flash, strategy):
    """A second learner in the state that the first one saves, over a copy of its flash."""
    learner.save()
    copy = FLASHES[1]
    copy.data[:] = flash.data
    ROOM.clear()
    other = open_learner(copy, strategy)
    other.load()
    return other


def alike(a, b):
    """Whether two learners would save the same state."""
    a.save()
    b.save()
    return all([bytes(x) == bytes(y) for x, y in zip(a.state.parts, b.state.parts)])


def check_strategy(name):
    flash = blank()
    learner = open_learner(flash, name)
    for labels in SESSIONS:
        observe(learner, labels)
        picks, losses = run(learner)
        print("exact", name, "picks %08x" % picks, learner.stage.known)
        close(name + "-losses", losses)
        if labels == SESSIONS[1]:
            other = twin(learner, flash, name)  # before the session has ended
        learner.end_session()
    params = learner.stage.params
    for at in range(0, len(params), 32):
        close(name + "-params", params[at : at + 32])
    answers = [learner.predict(tiny_model.sample(c % 4, 10 * c + 90))[0] for c in range(CLASSES)]
    print("exact", name, "predict", answers)
    other.end_session()
    observe(other, SESSIONS[2])
    run(other)
    other.end_session()
    print("exact", name, "resumed", alike(learner, other))


def check_policy(name):
    learner = open_learner(blank(), "head", name, 40)
    for labels in SESSIONS:
        observe(learner, labels)
        run(learner)
        learner.end_session()
        store = learner.store
        pairs = [(a, b) for a, b in zip(store.labels, store.sessions) if a != 255]
        print("exact", name, len(pairs), "%08x" % crc32(bytes(store.labels)), pairs)
        print("exact", name, list(learner.brought), learner.skipped)


def main():
    for name in NAMES:
        gc.collect()
        check_strategy(name)
    for name in POLICIES:
        gc.collect()
        check_policy(name)


if __name__ == "__main__":
    main()
