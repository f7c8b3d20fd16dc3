"""The ways to carry bytes: any URL that pyserial opens, and the cable in memory of the tests."""

import os
import pty
import socket
import threading
import tty

import pytest

from engram_host.errors import PortError
from engram_host.line.transport.memory import MemoryTransport
from engram_host.line.transport.serial_port import SerialTransport


def read(transport, n):
    data = b""
    while len(data) < n and (more := transport.read(5.0)):
        data += more
    return data


def test_a_socket_is_a_serial_port():
    """QEMU, ESP-Link and many others offer one."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def echo():
            line, _ = server.accept()
            with line:
                while data := line.recv(65536):
                    line.sendall(data)

        threading.Thread(target=echo, daemon=True).start()
        transport = SerialTransport(f"socket://127.0.0.1:{server.getsockname()[1]}")
        assert transport.read(0.05) == b""
        data = os.urandom(50_000)
        transport.write(data)
        assert read(transport, len(data)) == data
        transport.close()


def test_a_terminal_that_goes_away_is_told():
    master, slave = pty.openpty()
    tty.setraw(slave)
    transport = SerialTransport(os.ttyname(slave), name="the board")
    os.close(slave)
    os.write(master, b"hello")
    assert read(transport, 5) == b"hello"
    os.close(master)
    with pytest.raises(PortError, match="the board went away while it was in use"):
        for _ in range(3):
            transport.read(0.1)
    with pytest.raises(PortError, match="went away"):
        transport.write(b"x")
    transport.close()
    transport.close()


def test_a_port_has_one_user_at_a_time():
    """Two commands on one line would take each other's answers."""
    master, slave = pty.openpty()
    first = SerialTransport(os.ttyname(slave))
    with pytest.raises(PortError, match="another program uses it"):
        SerialTransport(os.ttyname(slave))
    first.close()
    SerialTransport(os.ttyname(slave)).close()
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("url", ["/dev/nothing", "socket://127.0.0.1:1", "nothing://x", "COM77"])
def test_what_cannot_be_opened_is_told(url):
    with pytest.raises(PortError, match="expected a serial port or the name of a board"):
        SerialTransport(url)


def test_the_cable_in_memory_behaves_as_a_console():
    cable = MemoryTransport()
    cable.write(b"one\ntwo two\nthr")
    assert cable.device.readline() == b"one\n"
    assert cable.device.readline(3) == b"two"
    assert cable.device.read(2) == b" t"
    cable.write(b"ee\x03four\n")
    assert cable.device.readline() == b"wo\n"
    with pytest.raises(KeyboardInterrupt):
        cable.device.readline()
    assert cable.device.readline() == b"four\n"
    cable.device.write(b"answer")
    assert cable.read(1.0) == b"answer" and cable.read(0.01) == b""
    cable.close()
    assert cable.device.readline() == b""
    with pytest.raises(PortError):
        cable.write(b"x")
