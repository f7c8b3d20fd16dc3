"""What a learner refuses: the message, and that nothing changed. The same words on every host."""

import io

import tiny_model
from engram import DataError, EngramError, Learner, ModelSpec, compat
from engram.store import RamFlash
from learner_check import open_learner


def refused(name, action, *args):
    try:
        action(*args)
        print("exact", name, "was accepted")
    except EngramError as e:
        print("exact", name, type(e).__name__, e)


def state(learner):
    return (bytes(learner.stage.params), bytes(learner.store.labels), learner.session)


def main():
    learner = open_learner(RamFlash(32, 1024, 16))
    good = tiny_model.sample(1, 1)
    learner.observe(good, 1)
    before = state(learner)
    refused("short", learner.observe, good[:-1], 1)
    refused("long", learner.observe, good + b"\0", 1)
    refused("floats", learner.observe, tiny_model.as_float(good), 1)
    refused("number", learner.observe, 5, 1)
    refused("nothing", learner.predict, None)
    refused("label high", learner.observe, good, 4)
    refused("label low", learner.observe, good, -1)
    refused("label float", learner.observe, good, 1.0)
    refused("label none", learner.observe, good, None)
    refused("evaluate label", learner.evaluate, [(good, 9)])
    refused("policy", lambda: open_learner(RamFlash(16, 1024, 16), policy="newest"))
    refused("expected new samples", lambda: (learner.end_session(), next(learner.steps())))
    learner.session -= 1
    print("exact unchanged", state(learner) == before)

    spec = ModelSpec(io.BytesIO(tiny_model.model_bytes("float32")))
    floats = Learner(spec, None)
    x = tiny_model.as_float(good)
    print("exact float input", floats.predict(x)[0])
    for name, value in (("nan", float("nan")), ("inf", float("inf"))):
        x[3] = value
        refused(name, floats.predict, x)
    refused("bytes for floats", floats.predict, good)
    refused("no store", floats.observe, tiny_model.as_float(good), 1)
    refused("no checkpoints", floats.save)
    compat.POINTER_BYTES = 4  # the objects of a board with 64 bits are larger
    refused("other model", lambda: Learner(spec, None, available=100))
    try:
        raise DataError("x")
    except EngramError:
        print("exact tree ok")


if __name__ == "__main__":
    main()
