"""`engram install` on stock firmware: what is there then, cut installs, stale files, refusals."""


import numpy as np
import pytest

from engram_host import api, boards, virtual
from engram_host.errors import DeviceError, InstallError, PortError
from engram_host.install import facts, files
from engram_host.install.transfer import MANIFEST, Transfer
from install.cutting import Cut, install
from tidy import tree

pytestmark = pytest.mark.board

UNIX = "unix_stock"


# ---------------------------------------------------------------- the raw REPL


def test_code_runs_and_errors_are_told(repl):
    board = repl(UNIX)
    assert board.run("print(6 * 7)") == "42\n"
    assert board.run("x = '" + "y" * 5000 + "'\nprint(len(x))") == "5000\n"
    with pytest.raises(DeviceError, match=r"no such thing \(ValueError on the board\)"):
        board.run("raise ValueError('no such thing')")
    with pytest.raises(DeviceError, match="SyntaxError"):
        board.run("x = = 1")
    assert board.run("print('well')") == "well\n"


def test_code_goes_without_raw_paste_mode_too(repl):
    board = repl(UNIX)
    board._paste = False
    assert board.run("print(sum(range(100)))\n" + "# x\n" * 200) == "4950\n"


def test_what_runs_can_be_talked_to(repl):
    board = repl(UNIX)
    with board.running("import sys\nprint(sys.stdin.readline().strip(), end='')\nprint('!')"):
        board.write(b"abc\n")
        assert board.read(3) == b"abc"
    assert board.printed == "!\n"
    with pytest.raises(DeviceError, match="ZeroDivisionError"), board.running("1 / 0"):
        board.read(1)


# ---------------------------------------------------------------- facts


def test_the_board_says_what_it_is(repl):
    board = facts.ask(repl(UNIX))
    assert (board.name, board.arch, board.abi) == ("micropython", "x64", "6.3")
    assert board.float_bits == 32
    assert board.file_system["block_bytes"] == 4096 and board.file_system["writable"]
    assert board.file_system["total_bytes"] == boards.load(UNIX).flash.data_bytes
    assert board.missing == [] and board.frozen_engram is None
    assert not board.user_module and not board.ulab
    assert board.folder == "/lib" and board.heap["free_bytes"] > 500_000


# ---------------------------------------------------------------- an install


def test_install_then_learn(stock, tmp_path):
    """Whole: from blank flash to a session over the link; what was stored survives a restart."""
    result = install(stock(UNIX))
    assert result["before"] == "nothing" and result["kernels"]["arch"] == "x64"
    assert result["self_test"] == {"kernels": "_engram", "learner": True}
    assert [row["part"] for row in result["parts"]] == [
        "kernels", "core", "store", "continual", "link"
    ]
    assert all(row["heap_bytes"] > 0 for row in result["parts"])
    line = stock(UNIX)
    again = install(line)
    assert (again["send"], again["stale"], again["before"]) == ([], [], "Engram 0.1.0")
    assert again["store"] == result["store"]
    line.close()
    _learn(tmp_path)


def _learn(tmp_path):
    model = boards.home() / "examples" / "digits" / "digits_float.safetensors"
    calibration = tmp_path / "c.npz"
    x = np.random.default_rng(0).integers(0, 17, (64, 8, 8, 1)).astype(np.uint8)
    np.savez(calibration, x=x, y=np.zeros(64, np.uint8))
    api.convert(model, calibration, tmp_path / "digits.safetensors")
    x = np.random.default_rng(1).integers(0, 17, (12, 8, 8, 1)).astype(np.uint8)
    data = tmp_path / "x.npz"
    np.savez(data, x=x, y=np.arange(12, dtype=np.uint8) % 3)
    with api.connect(UNIX) as board:
        api.push_model(board, tmp_path / "digits.safetensors", batch=4, lr=0.02)
        learned = api.learn(board, data, epochs=2)
        assert learned.steps and board.store_info()["store"]["live"] == 12
        board.link.soft_reset()
        board.need_open()
        assert board.store_info()["store"]["live"] == 12


def test_dry_run_changes_nothing(stock, repl):
    result = install(stock(UNIX), dry_run=True)
    assert result["dry_run"] and len(result["send"]) > 5 and result["send_bytes"] > 100_000
    board = repl(UNIX)
    assert board.run("import os\nprint(os.listdir('/'))") == "[]\n"


@pytest.mark.parametrize("most", [9_000, 60_000, 150_000])
def test_a_cut_install_is_seen_and_mended(stock, repl, most):
    with pytest.raises(PortError):
        install(Cut(stock(UNIX), most))
    result = install(stock(UNIX))
    assert result["before"] == "Engram 0.1.0, cut off in the middle"
    assert result["self_test"]["kernels"] == "_engram"
    board = repl(UNIX)
    look = _look(board)
    assert look.manifest["complete"]
    assert not [name for name in look.files if name.endswith(".part")]


def _look(board):
    transfer = Transfer(board, "/lib")
    transfer.begin()
    return transfer.look()


def test_a_damaged_file_is_sent_again_and_stale_ones_go(stock, repl):
    line = stock(UNIX)
    install(line)
    board = repl(UNIX)
    board.run(
        "f = open('/lib/engram/core.pack', 'r+b')\nf.seek(99)\nf.write(b'?')\nf.close()\n"
        "import os\nos.mkdir('/lib/engram/nn')\n"
        "open('/lib/engram/nn/model.py', 'w').close()\n"
        "open('/lib/_engram_int8.mpy', 'w').close()\n"
        "open('/lib/own.py', 'w').close()"
    )
    result = install(board.transport)
    assert result["send"] == ["engram/core.pack"]
    assert result["stale"] == ["_engram_int8.mpy", "engram/nn/model.py"]
    board.enter()
    assert board.run("import os\nprint('own.py' in os.listdir('/lib'))") == "True\n"
    assert "nn" not in board.run("print(os.listdir('/lib/engram'))")


def test_a_store_keeps_its_size_unless_another_is_asked_for(stock):
    assert install(stock(UNIX), store_bytes=65536)["store"]["units"] == 16
    assert install(stock(UNIX))["store"]["units"] == 16
    assert install(stock(UNIX), store="ram", store_bytes=32768)["store"] == {
        "kind": "ram", "units": 8, "erase_bytes": 4096
    }


def test_a_full_file_system_is_told_before_anything_is_sent(stock, repl):
    board = repl(UNIX)
    board.run(
        "f = open('/big', 'wb')\nb = bytes(4096)\nfor _ in range(100): f.write(b)\nf.close()"
    )
    with pytest.raises(InstallError, match=r"expected .* bytes free in the board's file system"):
        install(board.transport)
    board.enter()
    assert board.run("import os\nprint(os.listdir('/'))") == "['big']\n"


def test_a_firmware_with_engram_needs_none(repl):
    board = repl("unix")
    answer = facts.ask(board)
    assert answer.user_module and answer.frozen_engram
    with pytest.raises(InstallError, match="built in.*there is nothing to install"):
        install(board.transport)


def test_wrong_kernels_are_found_by_the_self_test(stock, monkeypatch):
    from engram_host.install import check

    monkeypatch.setattr(check, "_DENSE", [47501, 0, 72500, 0])
    with pytest.raises(InstallError, match="these kernels do not fit this chip"):
        install(stock(UNIX))


def test_messages_are_whole(stock, repl):
    """The texts of errors are in a file: what is raised must be what the source says."""
    install(stock(UNIX))
    board = repl(UNIX)
    with pytest.raises(DeviceError, match=r"expected 1 to 254 classes, got 999"):
        board.run(
            "from engram.nn import reading\n"
            "class Net:\n    head = {'out': [999]}\n"
            "class Spec:\n    classes = 999\n    net = Net\n"
            "reading._check(Spec(), {'input': {'dtype': 'uint8'}})"
        )


def test_python_kernels_where_they_are_asked_for(stock):
    result = install(stock(UNIX), kernels="python")
    assert result["self_test"]["kernels"] == "engram.kernels.python"
    assert result["kernels"]["arch"] is None


# ---------------------------------------------------------------- on an emulated Cortex-M

CORE_BYTES = 45_000  # of heap, the core package as .mpy
FROZEN_BYTES = 8_000  # of heap, `import engram` and the core of firmware of ours


@pytest.mark.slow
def test_a_cortex_m_and_what_the_library_takes_there(stock, repl):
    line = stock("qemu_m4f_stock")
    result = install(line)
    assert result["kernels"]["arch"] == "armv7emsp"
    heap = {row["part"]: row["heap_bytes"] for row in result["parts"]}
    assert heap["core"] <= CORE_BYTES
    assert result["self_test"]["learner"]


@pytest.mark.slow
def test_frozen_it_takes_less(repl):
    from install import heap_table

    board = repl("qemu_m4f")
    heap = heap_table.frozen(board, heap_table.usual())
    assert heap["core"] <= FROZEN_BYTES
    assert heap["core"] <= heap_table.frozen(board, heap_table.whole())["core"]


def test_the_manifest_lists_the_files_of_this_checkout(stock, repl):
    install(stock(UNIX))
    look = _look(repl(UNIX))
    device_files = files.find(("x64",))
    assert look.manifest["engram"] == device_files.version and look.manifest["arch"] == "x64"
    assert look.manifest["files"] == len(look.files)
    assert MANIFEST not in look.files
    assert (tree.ROOT / "device_lib" / "stock" / "engram_board.py").exists()


def test_a_stock_firmware_that_is_missing_is_built_first(tmp_path, monkeypatch, stock):
    """In a new checkout nothing is built: the verb does it, and says so."""
    board, place = boards.load(UNIX), tmp_path / "micropython"
    artefact = board.artefact
    stock(UNIX)  # builds it where no test has before
    virtual.stop(UNIX)

    def build(board, source, say):
        say(f"building the firmware of {board.name}")
        place.symlink_to(artefact)
        return place

    monkeypatch.setattr(boards.Board, "artefact", place)
    monkeypatch.setattr(api.firmware, "build", build)
    messages = []
    assert api.install(UNIX, say=messages.append, dry_run=True)["before"] == "nothing"
    assert messages == [f"building the firmware of {UNIX}"]
    api.install(UNIX, say=messages.append, dry_run=True)
    assert len(messages) == 1, "it is there now"
