"""What is on a port: prompts and agents are asked, running programs and silent ports are left."""

import os
import pty
import threading
import time
import tty

import pytest

from engram_host import boards, build, virtual
from engram_host.line import census, ports
from engram_host.line.transport.serial_port import SerialTransport


class Port:
    """A pseudo-terminal with a program at its other end. heard: what came to the program."""

    def __init__(self, says=b"", every_s=None, answer=None):
        self.far, near = pty.openpty()
        tty.setraw(self.far)
        tty.setraw(near)
        self.url, self.near, self.heard, self.open = os.ttyname(near), near, b"", True
        os.write(self.far, says)
        if answer:
            threading.Thread(target=self._serve, args=(answer,), daemon=True).start()
        if every_s:
            threading.Thread(target=self._print, args=(every_s,), daemon=True).start()

    def _print(self, every_s):
        while self.open:
            os.write(self.far, b"loss 0.25\r\n")
            time.sleep(every_s)

    def _serve(self, answer):
        while self.open:
            try:
                data = os.read(self.far, 4096)
            except OSError:
                return
            self.heard += data
            os.write(self.far, answer(data))

    def close(self):
        self.open = False
        os.close(self.far)
        os.close(self.near)


@pytest.fixture
def port():
    port_list = []

    def make(**behaviour):
        port_list.append(Port(**behaviour))
        return port_list[-1]

    yield make
    for one in port_list:
        one.close()


def test_a_port_that_says_nothing_is_left_after_a_second(port, monkeypatch):
    waits, read = [], census.SerialTransport.read

    def reading(transport, timeout):
        waits.append(timeout)
        return read(transport, timeout)

    monkeypatch.setattr(census.SerialTransport, "read", reading)
    state = census.look(port().url)
    assert state["state"] == census.SILENT and "no MicroPython" in state["why"]
    assert 0 < sum(waits) < 4


def test_a_program_that_prints_is_busy_and_hears_nothing(port):
    one = port(every_s=0.02, answer=lambda data: b"")
    state = census.look(one.url)
    assert (state["state"], one.heard) == (census.BUSY, b"")


def test_a_program_that_echoes_lines_is_not_interrupted(port):
    one = port(answer=lambda data: data)
    state = census.look(one.url)
    assert state["state"] == census.BUSY
    assert b"\x03" not in one.heard and b"\x01" not in one.heard


def test_a_prompt_that_comes_in_pieces_is_no_program_that_prints(port):
    one = port()

    def greet():
        for part in (b"MicroPython v1.25.0\r\n", b">>> "):
            time.sleep(0.1)
            os.write(one.far, part)

    threading.Thread(target=greet, daemon=True).start()
    assert census.look(one.url)["state"] == census.SILENT  # and nothing more came


def test_a_port_that_another_program_holds_is_told(port):
    one = port()
    holder = SerialTransport(one.url)
    state = census.look(one.url)
    holder.close()
    assert state["state"] == census.IN_USE and "another program" in state["why"]


def test_a_port_that_is_not_there_is_told(tmp_path):
    assert census.look(str(tmp_path / "tty"))["state"] == census.SILENT


def test_a_board_that_answers_nonsense_at_its_prompt_is_told(port):
    one = port(answer=lambda data: b"\r\n>>> " if data.endswith(b"\r") else data[:1])
    state = census.look(one.url)
    assert state["state"] == census.SILENT and "raw REPL" in state["why"]


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (b'tick\r\n{"system": "micropython", "version": "1.25.0"}\r\n', census.AT_PROMPT),
        (b"no JSON\r\n", census.SILENT),
    ],
)
def test_what_a_board_prints_beside_its_answer_is_no_matter(port, text, state):
    raw = []

    def answer(data):
        if b"\x01" in data:
            raw.append(True)
            return b"\r\nraw REPL; CTRL-B to exit\r\n>"
        if data.endswith(b"\x04"):
            return b"OK" + text + b"\x04\x04>"
        if data[-1:] in (b"\r", b"\x02"):
            return b"\r\n>>> "
        return b"" if raw else data[:1]

    facts = census.look(port(answer=answer).url)
    assert facts["state"] == state
    assert facts.get("system") == "micropython" or "no JSON" in facts["why"]


def test_a_port_that_hangs_does_not_hold_the_others(port, monkeypatch):
    stuck, ready = port().url, port().url
    end = threading.Event()
    passed_over = {"state": census.SILENT, "why": "no MicroPython"}

    def look(url):
        if url == stuck:
            end.wait()
        return passed_over

    monkeypatch.setattr(census, "look", look)
    state = census.survey([stuck, ready], limit_s=2)  # returns while the one still hangs
    end.set()
    assert state[stuck]["why"] == "nothing within 2 s" and state[ready] == passed_over


# ---------------------------------------------------------------- boards

LOOP = b'exec("import time\\nwhile True: time.sleep_ms(5)")\r'


@pytest.fixture
def board(tmp_path, monkeypatch):
    """A running unix board of this test's own; its port."""
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path))
    facts = boards.load("unix")
    if not facts.artefact.exists():
        build.build(facts)
    status = virtual.start("unix", facts.command)
    yield str(status.tty)
    virtual.stop("unix")


@pytest.mark.board
def test_a_board_is_asked_at_its_prompt_again_and_again(board):
    for _ in range(12):  # the HELLO's random part may open a bracket
        state = census.look(board)
        assert state["state"] == census.AT_PROMPT, state
    assert state["engram"] and state["system"] == "micropython" and state["free_bytes"] > 100_000
    assert state["version"].count(".") == 2 and "firmware_board" not in state


@pytest.mark.board
def test_what_was_assigned_at_the_prompt_is_still_there(board):
    transport = SerialTransport(board)
    transport.write(b"kept = 41\r\n")
    time.sleep(0.3)
    transport.close()
    census.look(board)
    transport = SerialTransport(board)
    transport.write(b"print(kept + 1)\r\n")
    assert b"42" in census._read_until(transport, b"42\r\n>>> ", 3)
    transport.close()


@pytest.mark.board
def test_an_agent_tells_its_board(board):
    transport = SerialTransport(board)
    census.Link(transport).open()
    transport.close()
    state = census.look(board)
    assert (state["state"], state["board"]) == (census.AGENT, "unix") and state["free_bytes"] > 0


@pytest.mark.board
def test_a_program_that_runs_goes_on(board):
    transport = SerialTransport(board)
    transport.write(LOOP)
    time.sleep(0.5)
    transport.read(0.5)
    transport.close()
    assert census.look(board)["state"] in (census.SILENT, census.BUSY)
    transport = SerialTransport(board)
    transport.write(b"\x03")
    assert b"KeyboardInterrupt" in census._read_until(transport, b">>> ", 3)
    transport.close()


@pytest.mark.board
def test_virtual_boards_that_run_are_among_the_ports(board):
    assert [p for p in ports.virtual_ports() if p["port"] == board] == [
        {"port": board, "description": "virtual board unix"}
    ]
