"""Runs at the board's raw REPL, after a soft reset: imports package after package, in the order in
which they need one another, and prints the heap that each takes; then uses them.
"""

# mypy: ignore-errors

import gc
import json


def _say(value):
    print(json.dumps(value))


def _used():
    gc.collect()
    return gc.mem_alloc()


def _cost(rows):
    before = _used()
    out = []
    for name, modules in rows:
        for module in modules:
            __import__(module)
        now = _used()
        out.append([name, now - before])
        before = now
    return out


def _kernels():
    # 2 samples, 3 features, 2 neurons; products and sums that every float32 holds exactly.
    from array import array

    from engram.backend import kernels

    y = array("f", (0, 0, 0, 0))
    x = array("f", (1, 2, 3, -1, 0.5, 4))
    w = array("f", (0.5, -1, 2, 1, 1, -0.25))
    kernels.dense_fwd(y, x, w, array("f", (0.25, -8)), 2, 3, 2)
    kernels.relu_fwd(y, y)
    return [kernels.__name__, [round(v * 10000) for v in y]]


def _learn(model):
    # A model of one dense layer, in RAM: a store of RAM too, nothing of the board's is touched.
    import io

    from engram.continual.learner import Learner
    from engram.nn.model import ModelSpec
    from engram.opener import open_flash
    from engram.store import Checkpoints
    from engram.store.blockdev import RamFlash

    spec = ModelSpec(io.BytesIO(model))
    flash = RamFlash(8, 512, 16)
    store, region, model_id = open_flash(spec, flash, 16, None)
    learner = Learner(spec, store, Checkpoints(region, 16, model_id), batch=4, lr=0.1)
    for i in range(8):
        learner.observe(bytes((200 * (i & 1), 200 - 200 * (i & 1), 10, i)), i & 1)
    losses = [row["loss"] for row in learner.steps(4)]
    learner.end_session()
    generation = learner.save()
    x = bytes((200, 0, 10, 1))
    return [losses[0], losses[-1], learner.predict(x)[0], generation]
