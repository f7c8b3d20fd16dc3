"""`engram install` on the stock firmware of the emulated Pico: its own littlefs, USB and time.

Installing takes half a minute of the board's time, so that one board goes through it all.
"""

import shutil

import numpy as np
import pytest

from engram_host import api, boards, build, virtual
from engram_host.errors import PortError
from install.cutting import Cut, install

pytestmark = [pytest.mark.board, pytest.mark.slow]

NAME = "virtual_pico_stock"
SAMPLES = 12


@pytest.fixture
def pico(stock):
    """pico(): a transport to the board, started where it is off; its flash stays."""
    board = boards.load(NAME)
    missing = [program for program in build.TOOLS[board.kind] if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: host/bootstrap/debian.sh pico installs them")
    if not board.artefact.exists():
        pytest.skip(f"no firmware of {NAME}: `engram build {NAME}` makes it in half a minute")
    return lambda: stock(NAME)


def test_from_blank_flash_through_a_power_cut_to_a_learner(pico, tmp_path):
    result = install(pico(), dry_run=True)
    assert (result["board"]["arch"], result["kernels"]["arch"]) == ("armv6m", "armv6m")
    assert result["board"]["file_system"]["kind"] == "VfsLfs2"
    assert result["before"] == "nothing" and not result["kept"] and len(result["send"]) > 5

    with pytest.raises(PortError):
        install(Cut(pico(), 120_000, lambda: virtual.kill(NAME)))
    mended = install(pico())
    assert mended["before"] == "Engram 0.1.0, cut off in the middle"
    assert mended["kept"] and mended["send"]
    assert sorted(mended["send"]) != sorted(result["send"])
    assert mended["self_test"] == {"kernels": "_engram_small", "learner": True}

    again = install(pico())
    assert (again["send"], again["stale"], again["before"]) == ([], [], "Engram 0.1.0")
    assert again["store"] == mended["store"]
    assert again["free_bytes"] == mended["free_bytes"]

    pico().close()
    _learn(tmp_path)
    virtual.kill(NAME)
    pico().close()
    with api.connect(NAME) as board:
        board.need_open(batch=4)
        assert board.store_info()["store"]["live"] == SAMPLES
        assert board.info()["board"] == NAME


def _learn(folder):
    """Opens a model on the board, which gives signs of life meanwhile, and learns a little."""
    model = folder / "digits.safetensors"
    calibration = folder / "c.npz"
    x = np.random.default_rng(0).integers(0, 17, (64, 8, 8, 1)).astype(np.uint8)
    np.savez(calibration, x=x, y=np.zeros(64, np.uint8))
    api.convert(
        boards.home() / "examples" / "digits" / "digits_float.safetensors", calibration, model
    )
    x = np.random.default_rng(1).integers(0, 17, (SAMPLES, 8, 8, 1)).astype(np.uint8)
    data = folder / "x.npz"
    np.savez(data, x=x, y=np.arange(SAMPLES, dtype=np.uint8) % 3)
    with api.connect(NAME) as board:
        api.push_model(board, model, batch=4, lr=0.02)
        assert board.link.counts["beats"] >= 5
        assert len(api.learn(board, data, epochs=1).steps) == SAMPLES // 4
        assert board.store_info()["store"]["live"] == SAMPLES
