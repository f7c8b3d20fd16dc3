"""The plan against the heap of 32-bit boards: within 1 %, for models of different shape.

Ours have a stack for the frames of Python calls. MicroPython's own ports, of which the Pico's is
one, keep them on the heap; they are not counted, as a learner does not hold them.
"""

import pathlib

import pytest
import tiny_model

from engram_host import demo
from engram_host.datasets import digits
from firmware.ready import ready
from hosts import BoardHost

MEASURE = """
import gc, engram, engram_board
device = engram_board.store_device()
for block in range(device.ioctl(4, 0)):
    device.ioctl(6, block)
learner = engram.open({name!r}, engram_board, batch={batch})
x = bytearray(learner.input_elems)
for i in range(40):
    x[i % len(x)] = i
    learner.observe(x, i % 4)
steps = learner.steps()
next(steps)
print(learner.planned_bytes, learner.heap_growth())
"""


@pytest.fixture(scope="module", params=("qemu_m4f", "virtual_pico"))
def board(request, tmp_path_factory):
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    ready(request.param)
    place = tmp_path_factory.mktemp("models")
    (place / "tiny.safetensors").write_bytes(tiny_model.model_bytes())
    demo.prepare(place, digits(), demo.load_settings())
    host = BoardHost(request.param, place / "state")
    host.start()
    for name in ("tiny.safetensors", "digits.safetensors"):
        host.put(pathlib.Path(place / name))
    yield host
    host.stop()


@pytest.mark.board
@pytest.mark.slow
@pytest.mark.parametrize(
    "name, batch", [("digits", 16), ("digits", 4), ("tiny", 16), ("tiny", 2)]
)
def test_planned_is_measured(board, name, batch):
    board.transport.enter_raw_repl(soft_reset=True)
    told = board.exec(MEASURE.format(name=name + ".safetensors", batch=batch))
    planned, measured = (int(word) for word in told.split())
    print(f"{name}, batch {batch}: planned {planned}, measured {measured}")
    assert planned == pytest.approx(measured, rel=0.01)
