"""`engram demo` on a board with stock firmware that has nothing yet: it installs, says so, begins.

Up to the first session; tests/host/test_demo.py runs a demo to its end.
"""

import pytest

from engram_host import api, boards, demo
from engram_host.datasets import digits

pytestmark = [pytest.mark.board, pytest.mark.slow]

BOARDS = ["unix_stock", "qemu_m0p_stock", "qemu_m7_stock", "virtual_pico_stock"]


@pytest.mark.parametrize("name", BOARDS)
def test_the_demo_installs_and_finds_how_many_samples_fit(name, tmp_path):
    if not boards.load(name).artefact.exists():
        pytest.skip(f"no firmware of {name}: `engram build {name}` makes it")
    settings, messages = demo.load_settings(), []
    model = demo.prepare(tmp_path, digits(), settings)
    board = demo.board.blank_board(name, tmp_path, messages.append, None)
    with board, api.connect(name) as device:
        fitted = demo._fitted(device, model, settings, messages.append)
        info = device.info()
    assert info["board"] == name
    assert info["learner"]["batch"] == settings["learner"]["batch"]
    assert info["learner"]["micro"] == fitted["learner"].get("micro", info["learner"]["micro"])
    assert f"{name} has stock firmware: installing Engram, as `engram install` does" in messages
    message = next(line for line in messages if line.startswith("installed:"))
    assert "bytes of RAM; kernels: the board is" in message
    smaller = [line for line in messages if "too little RAM left for that" in line]
    usual = {**settings["learner"], "budget": fitted["learner"]["budget"]}
    assert bool(smaller) == (fitted["learner"] != usual)
