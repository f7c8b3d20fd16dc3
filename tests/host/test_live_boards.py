"""The whole line on virtual boards: command, link, supervisor, terminal, MicroPython, agent."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from engram_host import api, boards, samples, virtual
from engram_host.errors import LinkLost, PortError, VirtualBoardError
from engram_host.virtual.place import Place
from host.command import run

pytestmark = [pytest.mark.board, pytest.mark.usefixtures("own_boards")]

KB = 1000
RATE_WANTED = 50 * KB  # bytes a second over the terminal of the unix board
MARGIN = 3  # this much faster, so that a busy computer does not decide


@pytest.fixture
def unix():
    virtual.stop("unix")
    api.start("unix", fresh=True)
    return "unix"


def engram(*args, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "engram_host", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


# --- the link -----------------------------------------------------------------------------------


def test_a_board_is_started_found_and_left_as_it_is(name):
    virtual.stop(name)
    with api.connect(name) as board:  # a name as port starts it
        facts = board.info()
        assert (facts["board"], facts["runtime"][:11]) == (name, "micropython")
    with api.connect(name) as board:
        assert board.link.counts["damaged"] == 0  # no REPL echoed: the agent was still there
        assert board.link.max_payload == boards.load(name).max_payload_bytes


def test_the_link_is_faster_than_it_must_be(unix):
    data = os.urandom(100_000)
    with api.connect(unix) as board:
        rates = []
        for way in (lambda: board.link.put("r.bin", data), lambda: board.link.get("r.bin")):
            start = time.monotonic()
            way()
            rates.append(len(data) / (time.monotonic() - start))
        assert board.link.get("r.bin") == data
    print(f"put {rates[0] / KB:.0f} kB/s, get {rates[1] / KB:.0f} kB/s")
    assert min(rates) > MARGIN * RATE_WANTED, rates


def test_a_file_with_every_byte_arrives(name):
    data = bytes(range(256)) * 40 + b"\x03\x04\x1c\x1a~}\r\n" * 100
    with api.connect(name) as board:
        assert board.put("every.bin", data) is True
        assert board.get("every.bin") == data
        assert board.put("every.bin", data) is False


def test_an_interrupt_on_the_line_brings_the_repl_back_and_a_transfer_goes_on(name):
    data, hits = os.urandom(12_000), []

    def press(count):
        if not hits and count > 5_000:
            hits.append(count)
            board.link.leave_to_repl()

    with api.connect(name) as board:
        assert board.link.put("m.bin", data, press) is True
        assert board.link.get("m.bin") == data
        board.link.leave_to_repl()
        with pytest.raises(LinkLost, match="ended in the middle"):
            board.info()


# --- learning -----------------------------------------------------------------------------------


def test_a_board_learns_saves_and_remembers_across_a_power_cut(name, model, some, data, tmp_path):
    test = samples.make(data.x_test[:120], data.y_test[:120])
    with api.connect(name) as board:
        api.push_model(board, model, lr=0.03)
        learned = api.learn(board, some([5], 48), epochs=3, log=tmp_path / "l.jsonl")
        after = api.eval(board, test)
        assert after["right"][5] > 0.7 * after["total"][5] > 0
        assert learned.steps[0]["source"] == {"unix": "host", "qemu_m4f": "icount"}[name]
        assert all(step["total"] > step["phases"]["forward"] > 0 for step in learned.steps)
        assert learned.steps[0]["ram_bytes"] > 10_000
    virtual.kill(name)
    with api.connect(name) as board:
        result = api.push_model(board, model)
        assert result["session"] == 1 and board.store_info()["store"]["live"] == 48
        assert api.eval(board) == after  # the test samples were in flash, too


def test_a_power_cut_while_learning_is_told_and_loses_nothing_acknowledged(
    name, model, some, tmp_path
):
    with api.connect(name) as board:
        api.push_model(board, model)

        def cut(step):
            if step["step"] == 2:
                virtual.kill(name)

        with pytest.raises(PortError, match=f"{name} went away while it was in use"):
            api.learn(board, some([5], 48), epochs=50, log=tmp_path / "l.jsonl", on_step=cut)
    last = json.loads((tmp_path / "l.jsonl").read_text().splitlines()[-1])
    assert last["kind"] == "summary" and "went away" in last["error"]
    with api.connect(name) as board:
        assert api.push_model(board, model)["session"] == 0
        assert board.store_info()["store"]["live"] == 48


def test_ctrl_c_stops_at_the_next_step(name, model, some, tmp_path):
    path, log = tmp_path / "fives.npz", tmp_path / "l.jsonl"
    fives = some([5], 48)
    np.savez(path, x=fives.x, y=fives.y)
    assert run("push", "model", model, "--port", name).exit_code == 0
    child = engram("learn", path, "--epochs", 3000, "--port", name, "--log", log)
    end = time.monotonic() + 30
    while not (log.exists() and log.read_text().count('"step"') > 10):
        assert child.poll() is None and time.monotonic() < end, child.communicate()
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)
    assert child.returncode == 130 and not out and "Traceback" not in err
    assert re.search(r"stopped after step \d+; the board is ready", " ".join(err.split()))
    with api.connect(name) as board:
        assert board.link.counts["damaged"] == 0  # the agent was still there
        assert board.info()["learner"]["session"] == 0
        assert api.learn(board, some([5], 1), log=log).summary["stopped"] is False


# --- flash images -------------------------------------------------------------------------------


def test_flash_is_saved_loaded_and_blank_when_wanted(name, tmp_path):
    image = tmp_path / "flash.img"
    with api.connect(name) as board:
        board.put("a.bin", b"kept")
    assert run("stop", name, "--save", image).exit_code == 0
    assert image.stat().st_size == boards.load(name).flash.data_bytes
    assert run("start", name, "--fresh").exit_code == 0
    with api.connect(name) as board:
        assert board.files() == {}
    result = run("start", name, "--flash", image)
    assert result.exit_code == 1 and "runs already" in " ".join(result.stderr.split())
    run("stop", name)
    result = json.loads(run("start", name, "--flash", image, "--json").stdout)
    assert result["board"] == name and result["tty"] == str(Place.of(name).tty)
    with api.connect(name) as board:
        assert board.get("a.bin") == b"kept"


def test_firmware_that_is_not_built_is_told(tmp_path, monkeypatch):
    board = boards.home() / "boards" / "unix" / "board.toml"
    (tmp_path / "boards" / "unix").mkdir(parents=True)
    (tmp_path / "boards" / "unix" / "board.toml").write_text(board.read_text())
    monkeypatch.setenv("ENGRAM_HOME", str(tmp_path))
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path / "state"))
    with pytest.raises(VirtualBoardError, match="`engram build unix` makes it"):
        api.info("unix")


# --- the REPL -----------------------------------------------------------------------------------

SCRIPT = """\
import engram
x = 6 * 7
x
for i in range(2):
    print("line", i)

print("no newline", end="")
"""


def test_lines_are_piped_to_the_repl(name):
    child = engram("repl", "--port", name, stdin=subprocess.PIPE)
    out, err = child.communicate(SCRIPT, timeout=60)
    assert child.returncode == 0, err
    assert out == (
        ">>> import engram\n>>> x = 6 * 7\n>>> x\n42\n"
        '>>> for i in range(2):\n...     print("line", i)\nline 0\nline 1\n'
        '>>> print("no newline", end="")\nno newline\n'
    )
    child = engram("repl", "--port", name, stdin=subprocess.PIPE)
    out, err = child.communicate("x\n1/0\n", timeout=60)
    assert child.returncode == 1
    assert out.startswith(">>> x\n42\n>>> 1/0\nTraceback") and "ZeroDivisionError" in out


def test_a_person_can_talk_to_the_repl(unix):
    keys, screen = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "engram_host", "repl", "--port", unix],
        stdin=screen,
        stdout=screen,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen = read_until(keys, b">>> ")
    os.write(keys, b"6*7\r")
    seen = read_until(keys, b"42\r\n>>> ")
    os.write(keys, b"while True: pass\r\r")
    time.sleep(0.3)
    os.write(keys, b"\x03")  # goes to the board, not to the command
    assert b"KeyboardInterrupt" in read_until(keys, b">>> ")
    os.write(keys, b"\x1d")
    _, err = child.communicate(timeout=10)
    assert child.returncode == 0 and "Ctrl-] leaves" in err, seen
    os.close(keys)
    os.close(screen)


def read_until(fd, mark, seconds=20):
    seen, end = b"", time.monotonic() + seconds
    while not seen.endswith(mark):
        assert time.monotonic() < end, seen
        if select.select([fd], [], [], 0.2)[0]:
            seen += os.read(fd, 4096)
    return seen


def test_what_the_board_prints_is_shown_to_the_user(unix):
    text = bytearray()
    with api.connect(unix) as board:
        board.link.leave_to_repl()
        board.link.enter_repl()
        board.link.transport.write(
            b"import engram.link.calls as c; c.CALLS['hi'] = lambda d: print('hi there')\r"
        )
        board.link.open()
        board.link.on_text = text.extend
        assert board.link.call("hi") is None
    assert text == b"hi there\r\n"


def test_a_heap_in_pieces_is_emptied_by_a_soft_reset(tmp_path):
    """Where a second learner finds no room in one piece, the board is reset and opens it then."""
    virtual.stop("qemu_m4f")
    api.start("qemu_m4f", fresh=True)
    model = boards.home() / "examples" / "digits" / "digits_float.safetensors"
    calibration = tmp_path / "c.npz"
    x = np.random.default_rng(0).integers(0, 17, (64, 8, 8, 1)).astype(np.uint8)
    np.savez(calibration, x=x, y=np.zeros(64, np.uint8))
    api.convert(model, calibration, tmp_path / "digits.safetensors")
    with api.connect("qemu_m4f") as device:
        api.push_model(device, tmp_path / "digits.safetensors", lr=0.03)
        facts = device.link.soft_reset()
        assert facts["board"] == "qemu_m4f" and device.info()["learner"] is None
        for batch in (26, 22, 27, 20, 24):  # no two fit side by side
            assert device.open(batch=batch, lr=0.01)["batch"] == batch
        assert device.reset(seed=3)["session"] == 0
        assert device.info()["options"] == {"batch": 24, "lr": 0.01, "seed": 3}
