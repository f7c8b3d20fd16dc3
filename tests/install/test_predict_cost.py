"""What an answer costs where library and kernels are .mpy files, against firmware of ours."""

import numpy as np
import pytest

from engram_host import api, boards
from engram_host.install.raw_repl import RawRepl
from install.test_install_board import install

pytestmark = [pytest.mark.board, pytest.mark.slow]

ANSWERS = 100
MOST = 2.0  # times the instructions of firmware with Engram built in
# Collections of the heap are in it: the board that has the library in RAM has more of them.
CODE = """
import engram, engram_board
learner = engram.open(engram_board.FS_ROOT + "/model.safetensors", batch=8, micro=1)
x = bytes([7 * i % 17 for i in range(64)])
learner.predict(x)
start = engram_board.counter()
for _ in range({n}):
    learner.predict(x)
print((engram_board.counter() - start) % (1 << 30) // {n})
"""


@pytest.fixture
def model(tmp_path):
    """The digits network, with its int8 convolutions calibrated on noise."""
    calibration, model = tmp_path / "c.npz", tmp_path / "digits.safetensors"
    x = np.random.default_rng(1).integers(0, 17, (64, 8, 8, 1)).astype(np.uint8)
    np.savez(calibration, x=x, y=np.zeros(64, np.uint8))
    floats = boards.home() / "examples" / "digits" / "digits_float.safetensors"
    api.convert(floats, calibration, model)
    return model


def test_an_answer_costs_at_most_twice_as_much(stock, model):
    units = {}
    for name in ("qemu_m4f", "qemu_m4f_stock"):
        line = stock(name)
        if name.endswith(boards.STOCK):
            assert install(line)["kernels"]["modules"] == {"_engram_small": "armv7emsp"}
        line.close()
        with api.connect(name) as device:
            api.push_model(device, model, batch=8, micro=1)
        repl = RawRepl(stock(name))
        repl.enter()
        repl.reset()
        units[name] = int(repl.run(CODE.format(n=ANSWERS)))
    assert 50_000 < units["qemu_m4f"] < units["qemu_m4f_stock"] <= MOST * units["qemu_m4f"], units
