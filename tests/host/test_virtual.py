"""The supervisor of virtual boards, with a child that only echoes."""

import hashlib
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import serial

from engram_host import boards, virtual
from engram_host.errors import VirtualBoardError
from engram_host.virtual import place
from engram_host.virtual.place import Place

CHILD = Path(__file__).with_name("fake_child.py")


@pytest.fixture(autouse=True)
def private_state(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path / "state"))
    yield
    virtual.stop("fake")


def child(how="echo"):
    return lambda flash: ([sys.executable, str(CHILD), how], {"FLASH": str(flash)})


def read(port, n, timeout_s=10):
    """n bytes from an open tty, or what came in time."""
    data, end = bytearray(), time.monotonic() + timeout_s
    while len(data) < n and (rest_s := end - time.monotonic()) > 0:
        if select.select([port], [], [], rest_s)[0]:
            data += os.read(port, 65536)
    return bytes(data)


def gone(pid):
    """Whether a process has ended (a zombie has, where no init collects it)."""
    end = time.monotonic() + 2
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def open_tty(status):
    return os.open(status.tty, os.O_RDWR | os.O_NOCTTY)


def test_a_board_lives_on_after_the_command_that_started_it():
    status = virtual.start("fake", child())
    assert virtual.status("fake") == status
    assert status.supervisor != os.getpid() and os.getpgid(status.child) == status.child
    for text in (b"one", b"two"):  # clients come and go
        port = open_tty(status)
        os.write(port, text)
        assert read(port, 3 + 7 * (text == b"one")).endswith(text)
        os.close(port)


def test_pyserial_opens_it():
    bytes_of_a_terminal = b"\x00\x03\x04\x11\x13\x1a\x1c\x7f\xff\r\n"  # here they mean nothing
    with serial.serial_for_url(str(virtual.start("fake", child()).tty), timeout=5) as port:
        port.write(bytes_of_a_terminal)
        assert port.read_until(bytes_of_a_terminal).endswith(bytes_of_a_terminal)


def test_stop_ends_both_processes_and_takes_the_tty_away():
    status = virtual.start("fake", child())
    assert virtual.stop("fake") is True
    assert gone(status.supervisor) and gone(status.child)
    assert not status.tty.is_symlink() and virtual.status("fake") is None
    assert virtual.stop("fake") is False


def test_a_child_that_does_not_want_to_end_is_killed(monkeypatch):
    status = virtual.start("fake", child("sleep"))
    assert virtual.stop("fake")
    assert "signal SIGKILL" in Place.of("fake").log.read_text()
    assert gone(status.child)


def test_a_power_cut_and_a_new_start():
    first = virtual.start("fake", child())
    virtual.kill("fake")
    assert virtual.status("fake") is None
    assert "ended with signal SIGKILL" in Place.of("fake").log.read_text()
    second = virtual.start("fake", child())
    assert second.child != first.child
    with pytest.raises(VirtualBoardError, match="other does not run"):
        virtual.kill("other")


def test_a_board_that_ends_by_itself_is_told():
    with pytest.raises(VirtualBoardError, match="the child ended with exit code 3"):
        virtual.start("fake", child("die"))
    assert "no such firmware" in Place.of("fake").log.read_text()
    assert virtual.status("fake") is None


def test_a_program_that_is_not_there_is_told():
    with pytest.raises(VirtualBoardError, match="No such file"):
        virtual.start("fake", lambda flash: (["/nonexistent/emulator"], {}))


def test_it_is_not_started_twice():
    virtual.start("fake", child())
    with pytest.raises(VirtualBoardError, match="runs already"):
        virtual.start("fake", child())
    assert virtual.ensure("fake", child()) == virtual.status("fake")


def test_two_commands_may_want_it_at_once():
    states = []
    threads = [
        threading.Thread(target=lambda: states.append(virtual.ensure("fake", child())))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states == [virtual.status("fake")] * 4


def test_a_stale_pid_file_is_not_believed():
    place = Place.of("fake")
    place.pid.write_text(f"{os.getpid()} {os.getpid()}\n")
    assert virtual.status("fake") is None
    assert virtual.start("fake", child()).supervisor != os.getpid()


def test_a_name_cannot_lead_elsewhere():
    with pytest.raises(VirtualBoardError, match="expected the name of a board"):
        virtual.status("../other")


def test_the_flash_file_is_prepared_before_the_start():
    seen = []
    virtual.start("fake", child(), prepare=lambda flash: seen.append(flash))
    assert seen == [Place.of("fake").flash]


def test_no_byte_is_lost_and_the_rate_is_over_a_megabyte_a_second():
    status = virtual.start("fake", child())
    port = open_tty(status)
    read(port, 7)
    data = os.urandom(6_000_000)
    writer = threading.Thread(target=lambda: _write_all(port, data))
    start = time.monotonic()
    writer.start()
    echo = read(port, len(data), timeout_s=30)
    seconds = time.monotonic() - start
    writer.join()
    os.close(port)
    assert hashlib.sha256(echo).digest() == hashlib.sha256(data).digest()
    assert len(data) / seconds > 1e6, f"{len(data) / seconds / 1e6:.2f} MB/s there and back"


def _write_all(port, data):
    while data:
        data = data[os.write(port, data[:65536]) :]


def test_output_that_nobody_reads_waits():
    """A flood with nobody listening stops neither the supervisor nor loses a byte."""
    status = virtual.start("fake", child("flood"))
    time.sleep(0.5)
    assert virtual.status("fake") == status
    port = open_tty(status)
    text = b"hello\r\n" + bytes(range(256)) * 12000
    assert read(port, len(text)) == text
    os.write(port, b"still there")
    assert read(port, 11) == b"still there"
    os.close(port)


def test_the_command_that_starts_it_leaves_no_zombie_and_no_open_pipe():
    """`engram start | cat` must end: the supervisor holds none of the command's descriptors."""
    code = (
        "from engram_host import virtual; import sys;"
        f"child = [sys.executable, {str(CHILD)!r}, 'echo'];"
        "print(virtual.start('fake', lambda flash: (child, {})).name)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, timeout=20, text=True, check=True
    )
    assert result.stdout == "fake\n"


# ---------------------------------------------------------------- whose board it is


@pytest.fixture
def checkouts(tmp_path, monkeypatch):
    """Two checkouts of the same name, on a computer where ENGRAM_STATE is not set."""
    monkeypatch.delenv("ENGRAM_STATE")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("one", "two"):
        (tmp_path / name / "engram" / "boards").mkdir(parents=True)
    return [tmp_path / name / "engram" for name in ("one", "two")]


def test_two_checkouts_share_no_board(checkouts, monkeypatch):
    states = []
    try:
        for checkout in checkouts:
            monkeypatch.setenv("ENGRAM_HOME", str(checkout))
            assert virtual.status("fake") is None
            states.append(virtual.start("fake", child()))
            assert virtual.status("fake") == states[-1]
        first, second = states
        assert first.tty != second.tty and first.child != second.child
        assert Place.of("fake").flash.parent.parent.name.startswith("engram-")
    finally:
        for checkout in checkouts:
            monkeypatch.setenv("ENGRAM_HOME", str(checkout))
            virtual.stop("fake")


def test_a_board_is_found_again_by_any_name_of_its_checkout(checkouts, monkeypatch, tmp_path):
    (tmp_path / "link").symlink_to(checkouts[0])
    places = []
    for path in (checkouts[0], tmp_path / "link", checkouts[0] / ".." / "engram"):
        monkeypatch.setenv("ENGRAM_HOME", str(path))
        places.append(place.root())
    assert places == [places[0]] * 3 and tmp_path in places[0].parents


def test_an_installation_has_boards_of_its_environment(checkouts, monkeypatch, tmp_path):
    monkeypatch.setattr(place, "home", lambda: tmp_path / "engram_host" / boards.INSTALLED)
    roots = []
    for name in ("env-a", "env-b", "env-a"):
        monkeypatch.setattr(sys, "prefix", str(tmp_path / name))
        roots.append(place.root())
    assert roots[0] == roots[2] != roots[1] and roots[0].name.startswith("env-a-")


def test_a_place_that_is_named_is_taken(checkouts, monkeypatch, tmp_path):
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path / "here"))
    assert place.root() == tmp_path / "here"
