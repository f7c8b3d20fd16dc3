"""Files and calls between the host's link and the real agent, over a good and a bad cable."""

import os
import struct
import threading
import time
from binascii import crc32

import pytest

from engram.link import calls, wire
from engram_host.errors import DeviceError, LinkError, LinkLost
from engram_host.line import link as link_module
from engram_host.line.link import Link, Timing
from link.faulty import Faults, FaultyTransport, stubborn

QUICK = Timing(resend=0.05, resend_most=0.2, silence=8, hello=0.25, prompt=1.0)


def connect(board, transport=None, timing=QUICK, **options):
    link = Link(transport or board.transport, timing=timing, **options)
    link.open()
    return link


# --- the agent ----------------------------------------------------------------------------------


def test_the_agent_is_started_at_the_repl_and_then_found(board):
    facts = connect(board).open()
    assert facts["board"] == "fake" and facts["known"] is False
    assert board.starts == 1


def test_an_agent_whose_code_takes_long_to_load_is_waited_for(board):
    board.load_s = 2 * QUICK.prompt
    assert connect(board).call("list") == []
    assert board.starts == 1


def test_a_board_without_the_library_is_told_at_once_with_the_command_to_run(board):
    """Whoever waited for the silence to end would wait for an hour."""
    board.library = False
    with pytest.raises(LinkError, match="run `engram install --port fake board`"):
        connect(board, timing=QUICK._replace(silence=3600))


def test_an_interrupt_brings_the_repl_back(board):
    link = connect(board)
    link.leave_to_repl()
    with pytest.raises(LinkLost, match="ended in the middle"):
        link.call("info")
    assert link.open()["known"] is False  # started again, with nothing of before
    assert board.starts == 2


def test_a_repeated_request_is_answered_from_memory(board):
    """The same seq twice acts once: else an answer lost on its way would count a sample twice."""
    link = connect(board)
    request = {"name": "a.bin", "size": 8, "crc": crc32(b"12345678")}
    link.request(wire.PUT_OPEN, str(request).replace("'", '"').encode())
    frame = wire.encode(wire.PUT_DATA, link._seq + 1, struct.pack("<I", 0) + b"1234")
    board.transport.write(frame + frame)
    assert link.request(wire.PUT_DATA, struct.pack("<I", 0) + b"1234")[1] == struct.pack("<I", 4)
    assert link.request(wire.PUT_DATA, struct.pack("<I", 4) + b"5678")[1] == struct.pack("<I", 8)
    link.request(wire.PUT_CLOSE)
    assert link.get("a.bin") == b"12345678"


def test_a_new_session_is_not_answered_from_the_memory_of_the_old(board):
    connect(board).call("list")
    second = connect(board)  # begins with the same sequence number
    assert "board" in second.call("info")


def test_an_error_on_the_board_is_told_and_the_agent_goes_on(board):
    link = connect(board)
    pattern = "expected a file on the board, got no file 'nothing'"
    with pytest.raises(DeviceError, match=pattern) as error:
        link.get("nothing")
    assert error.value.kind == "CommandError"
    with pytest.raises(DeviceError, match="expected one of .*, got 'dance'"):
        link.call("dance")
    with pytest.raises(DeviceError) as error:
        link.call("info", colour="red")
    assert error.value.kind == "TypeError"
    with pytest.raises(DeviceError, match="does not know message 0x3f"):
        link.request(0x3F)
    assert link.call("list") == []


def test_a_full_heap_is_told_with_what_is_left(board, monkeypatch):
    def full(device):
        raise MemoryError("memory allocation failed, allocating 91 bytes")

    monkeypatch.setitem(calls.CALLS, "full", full)
    link = connect(board)
    words = r"allocating 91 bytes; \d+ bytes of heap are free, in pieces.*a smaller --batch"
    with pytest.raises(DeviceError, match=words):
        link.call("full")
    assert link.call("list") == []


def test_a_heap_too_full_for_a_frame_is_no_end_of_the_agent(board, monkeypatch):
    link = connect(board)
    count = board.starts
    decode, failures = wire.decode, []

    def first_fails(line):
        if not failures and threading.current_thread() is board._thread:
            failures.append(line)
            raise MemoryError("memory allocation failed, allocating 1148 bytes")
        return decode(line)

    monkeypatch.setattr(wire, "decode", first_fails)
    assert link.call("list") == [] and failures
    assert board.starts == count


def test_console_output_reaches_the_user(board):
    text = bytearray()
    link = connect(board, on_text=text.extend)
    text.clear()
    board.transport.device.write(b"hello from the board\r\n")
    link.call("list")
    assert text == b"hello from the board\r\n"


def test_a_long_answer_comes_in_parts(board, tmp_path):
    for i in range(100):
        (tmp_path / f"a_rather_long_file_name_number_{i:03d}").write_bytes(b"x" * i)
    link = connect(board)
    assert [size for _, size in link.call("list")] == list(range(100))


def test_no_board_at_all_is_told():
    from engram_host.line.transport.memory import MemoryTransport

    link = Link(MemoryTransport("nothing"), timing=Timing(hello=0.1, prompt=0.1))
    with pytest.raises(LinkError, match="expected .* prompt '>>> ' on nothing, got nothing"):
        link.open()


def test_a_board_that_beats_is_waited_for_and_asked_no_more(board, monkeypatch):
    """Long work is done once, however short the host's patience."""
    work = []

    def slow(device):
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            device.beat()
            time.sleep(0.01)
        work.append(1)
        return "done"

    monkeypatch.setitem(calls.CALLS, "slow", slow)
    link = connect(board, timing=QUICK._replace(resend_most=0.6, silence=0.8))
    assert link.call("slow") == "done" and work == [1]
    assert link.counts["beats"] >= 3 and link.counts["resent"] <= 3
    assert link.call("list") == []  # answers to what was asked too often are passed over


def test_a_board_that_says_nothing_is_given_up_and_may_come_back(board, monkeypatch):
    monkeypatch.setitem(calls.CALLS, "stuck", lambda device: time.sleep(1.0))
    link = connect(board, timing=QUICK._replace(silence=0.4))
    pattern = "CALL: expected an answer from fake board, got none for 0 s; reset"
    with pytest.raises(LinkError, match=pattern):
        link.call("stuck")
    time.sleep(0.7)
    assert link.call("list") == []


def test_numbers_that_json_has_not_are_read():
    """MicroPython writes nan and inf; a loss may be one. Text stays as it is."""
    value = link_module._loads(b'{"a": [nan, -inf, inf], "b": "a nan, inf"}')
    assert str(value) == "{'a': [nan, -inf, inf], 'b': 'a nan, inf'}"


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 1020, 1021, 5000])
def test_a_file_arrives_as_it_was(board, tmp_path, size):
    link, data, seen = connect(board), os.urandom(size), []
    assert link.put("deep/er/file.bin", data, seen.append) is True
    assert (tmp_path / "deep/er/file.bin").read_bytes() == data
    assert link.get("deep/er/file.bin") == data
    assert seen[-1] == size and seen == sorted(seen)


def test_a_file_that_is_there_is_not_sent_again(board):
    link = connect(board)
    link.put("m.bin", b"a" * 5000)
    before = link.counts["requests"]
    assert link.put("m.bin", b"a" * 5000) is False
    assert link.counts["requests"] == before + 1


def test_a_file_replaces_the_one_before_it_only_when_it_is_whole(board, tmp_path):
    link = connect(board)
    link.put("m.bin", b"old")
    interrupted(link, "m.bin", b"new" * 1000, at=1500)
    assert (tmp_path / "m.bin").read_bytes() == b"old"
    link.put("m.bin", b"new" * 1000)
    assert (tmp_path / "m.bin").read_bytes() == b"new" * 1000
    assert not (tmp_path / "m.bin.part").exists()


def interrupted(link, name, data, at):
    """A transfer that the user stops after `at` bytes."""

    def stop(count):
        if count >= at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        link.put(name, data, stop)


def test_a_transfer_goes_on_where_it_ended(board):
    data, seen = os.urandom(20000), []
    interrupted(connect(board), "m.bin", data, at=12000)
    link = connect(board)
    assert link.put("m.bin", data, seen.append) is True
    assert seen[0] >= 12000
    assert link.get("m.bin") == data


def test_the_part_of_another_file_is_not_gone_on_with(board):
    data, seen = os.urandom(20000), []
    interrupted(connect(board), "m.bin", os.urandom(20000), at=12000)
    link = connect(board)
    link.put("m.bin", data, seen.append)
    assert seen[0] == 0
    assert link.get("m.bin") == data


def test_a_transfer_survives_an_interrupt_on_the_board(board):
    """A 0x03 on the line ends the agent; the transfer starts it again and goes on."""
    data, link = os.urandom(20000), connect(board)
    hits = []

    def press(count):
        if len(hits) < 3 and count > 5000 * (len(hits) + 1):
            hits.append(count)
            board.transport.write(b"\x03")

    assert link.put("m.bin", data, press) is True
    assert link.get("m.bin") == data
    assert board.starts == 4


def test_a_part_damaged_in_flash_is_thrown_away(board, tmp_path):
    data, link = os.urandom(5000), connect(board)

    def spoil(count):
        if count == len(data):
            part = tmp_path / "m.bin.part"
            first = bytes([data[0] ^ 1])
            part.write_bytes(first + part.read_bytes()[1:] + data[part.stat().st_size :])

    pattern = "expected the announced crc32 .*, got .*; the part is thrown away"
    with pytest.raises(DeviceError, match=pattern):
        link.put("m.bin", data, spoil)
    assert list(tmp_path.iterdir()) == []
    assert link.put("m.bin", data) is True


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../../x", "a//b", ".", "a\\b"])
def test_a_name_cannot_lead_out_of_the_boards_directory(board, name):
    with pytest.raises(DeviceError, match="a file name such as"):
        connect(board).put(name, b"x")


def test_what_is_not_announced_is_refused(board):
    link = connect(board)
    with pytest.raises(DeviceError, match="send PUT_OPEN first"):
        link.request(wire.PUT_DATA, struct.pack("<I", 0) + b"x")
    link.request(wire.PUT_OPEN, b'{"name": "m.bin", "size": 3, "crc": 0}')
    with pytest.raises(DeviceError, match="expected the announced 3 bytes, got 4"):
        link.request(wire.PUT_DATA, struct.pack("<I", 0) + b"1234")
    with pytest.raises(DeviceError, match="expected data for offset 0, got it for 2"):
        link.request(wire.PUT_DATA, struct.pack("<I", 2) + b"3")


def test_files_are_listed_and_removed(board):
    link = connect(board)
    link.put("b.bin", b"12")
    link.put("a/c.bin", b"123")
    assert link.call("list") == [["a/c.bin", 3], ["b.bin", 2]]
    link.call("remove", name="b.bin")
    assert link.call("list") == [["a/c.bin", 3]]
    with pytest.raises(DeviceError, match="no file 'b.bin'"):
        link.call("remove", name="b.bin")


# --- a bad cable --------------------------------------------------------------------------------

ONE = 0.12
FAULTS = {
    "drop": Faults(drop=ONE),
    "cut": Faults(cut=ONE),
    "flip": Faults(flip=ONE),
    "lose": Faults(lose=ONE),
    "double": Faults(double=ONE),
    "delay": Faults(delay=ONE),
    "glue": Faults(glue=ONE),
    "every": Faults(*[0.02] * 7),
}
GOOD = Faults()


@pytest.mark.parametrize("way", ["to device", "to host", "both"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_transfer_over_a_bad_cable_arrives_unharmed(board, fault, way):
    faults = FAULTS[fault]
    cable = FaultyTransport(
        board.transport,
        seed=hash((len(fault), len(way))),
        to_device=GOOD if way == "to host" else faults,
        to_host=GOOD if way == "to device" else faults,
    )
    link = Link(cable, timing=QUICK)
    stubborn(link.open)
    data = os.urandom(10_000)
    assert link.put("m.bin", data) is True
    assert link.get("m.bin") == data
    assert cable.done, "this cable was good: the test tested nothing"
