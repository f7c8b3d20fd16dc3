"""Models that regress, on any host: alone and beside classes, every optimiser, parts of a batch.

"exact" lines must be equal everywhere; numbers of "close" lines may differ by the float32
tolerance that the caller states. A step runs with the heap locked where there is a lock.
"""

import gc
import io
from binascii import crc32

import tiny_model
from engram import Learner, ModelSpec
from engram.compat import bytes_of
from engram.store import Checkpoints, RamFlash, ReplayStore, regions
from learning import close, step_locked

PAGE = 16
FLASH = RamFlash(24, 1024, PAGE)
ROOM = []  # for the arena of the next learner, kept in one piece: a board's heap falls into pieces
ROOM_BYTES = 24 * 1024
ALL = ("classes", "place", "size")
PARTS = {"classes": (0, 0), "place": (0, 2), "size": (2, 3)}  # of tiny_model.target()

# name: (outputs, options of the learner)
CASES = (
    ("both", ALL, {}),
    ("alone", ("place",), {}),
    ("two", ("size", "place"), {}),
    ("adam", ALL, {"optimiser": "adam", "lr": 0.01}),
    ("sgd", ("place",), {"optimiser": "sgd", "weight_decay": 0.01}),
    ("micro", ALL, {"micro": 2}),
    ("clipped", ALL, {"micro": 4, "clip": 0.25}),
    ("one", ("place",), {"batch": 1, "optimiser": "sgd"}),
    ("head", ALL, {"scope": "head"}),
    ("biases", ALL, {"scope": "head,all.b", "optimiser": "adam", "lr": 0.01}),
    ("last", ("place",), {"scope": "last:2"}),
    ("node", ALL, {"scope": "a2,size"}),
    ("channels", ALL, {"scope": "a2.in:0+2-4,a0.out:norm:0.5,size.in:norm:0.5,place"}),
    ("partial", ALL, {"keep": (0.2, 0.8), "skip": 0.25}),
    ("finetune", ("place",), {"strategy": "finetune"}),
    ("kept", ("place",), {"policy": "reservoir", "budget": 14}),
)


def open_learner(outputs, **options):
    spec = ModelSpec(io.BytesIO(tiny_model.with_outputs(*outputs)))
    store, checkpoints = regions(FLASH, 128 + spec.parameter_bytes, PAGE)
    store = ReplayStore(store, PAGE, spec.latent_id, spec.latent_elems, targets=spec.targets)
    checkpoints = Checkpoints(checkpoints, PAGE, spec.model_id)
    usual = {"batch": 8, "lr": 0.05, "seed": 3, "budget": 20, "policy": "balanced"}
    options = dict(usual, **options)
    gc.collect()
    ROOM.clear()
    return Learner(spec, store, checkpoints, **options)


def keep_room():
    gc.collect()
    ROOM.append(bytearray(ROOM_BYTES))


def answer(outputs, label, i):
    """What the model should say of tiny_model.sample(label, i), as observe() takes it."""
    target, values = tiny_model.target(label, i), []
    for name in outputs:
        first, end = PARTS[name]
        values += target[first:end]
    return (label, values) if "classes" in outputs else values


def samples(outputs, labels, first, n):
    for label in labels:
        for i in range(first, first + n):
            yield tiny_model.sample(label, i), answer(outputs, label, i)


def learn(learner, name):
    """A learning run: which records each step has, and its losses."""
    picks, losses, rights = 0, [], []
    for record in learner.steps(3):
        picks = crc32(bytes(learner.slots), picks)
        if learner.targets:
            picks = crc32(bytes(bytes_of(learner.stage.targets)), picks)
        losses.append(record["loss"])
        rights.append(record["acc"] is None)
    print("exact", name, "picks %08x" % (picks & 0xFFFFFFFF), sum(rights), len(rights))
    close(name + "-losses", losses)
    step_locked(learner)


def show(name, result):
    """A result of evaluate()."""
    for key in sorted(result):
        if isinstance(result[key], dict):
            show(name + "-" + key, result[key])
        elif isinstance(result[key], float):
            close(name + "-" + key, [result[key]])
        else:
            print("exact", name, key, result[key])


def said(answer):
    """The numbers of an answer that are close, without the label."""
    if isinstance(answer, dict):
        return [value for name in sorted(answer) for value in said(answer[name])]
    return list(answer[1:]) if isinstance(answer, tuple) else answer


def check(name, outputs, options):
    for block in range(FLASH.blocks):
        FLASH.ioctl(6, block)
    learner = open_learner(outputs, **options)
    facts = learner.info()
    print("exact", name, facts["targets"], facts["scope"], facts["micro"], facts["optimiser"])
    print("exact", name, [(o["name"], o["objective"], o["values"]) for o in facts["outputs"]])
    for labels in ((0, 1), (2,), (3,)):
        for x, y in samples(outputs, labels, 0, 8):
            learner.observe(x, y)
        learn(learner, name)
        learner.end_session()
    print("exact", name, "kept %08x" % (crc32(bytes(learner.store.labels)) & 0xFFFFFFFF))
    close(name + "-params", learner.stage.params)
    show(name, learner.evaluate(samples(outputs, range(4), 100, 3)))
    close(name + "-predict", said(learner.predict(tiny_model.sample(2, 50))))
    learner.save()
    before = bytes(bytes_of(learner.stage.params))
    learner = None
    keep_room()
    again = open_learner(outputs, **options)
    print("exact", name, "load", again.load(), again.session, len(again.store))
    print("exact", name, "reloaded", bytes(bytes_of(again.stage.params)) == before)


def main():
    for name, outputs, options in CASES:
        keep_room()
        check(name, outputs, options)


if __name__ == "__main__":
    main()
