"""The process that keeps one virtual board alive: spawns the child, relays, cleans up.

    python -m engram_host.virtual.supervisor DIRECTORY READY_FD ARGV...

Its output is the board's log. When the child ends, it says so there and ends too: a board that
lost its power stays off until someone starts it again.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
import tty
from pathlib import Path

from engram_host.virtual.place import Place, hold_pid
from engram_host.virtual.relay import Relay

_FIRST_OUTPUT_S = 5.0
_GRACE_S = 3.0


def main(directory: str, ready_fd: str, *argv: str) -> int:
    """Fork away from the command that started us, then supervise."""
    if os.fork():
        os._exit(0)
    os.chdir("/")  # keep no directory in use that the user may want to remove
    place, ready = Place(Path(directory)), _Ready(int(ready_fd))
    try:
        return _supervise(place, ready, list(argv))
    except OSError as e:
        _log(f"failed: {e}")
        ready.say(str(e))
        return 1


def _supervise(place: Place, ready: _Ready, argv: list[str]) -> int:
    wake = _wake_on_signal()
    public, public_slave = _terminal()  # our slave stays open, so that clients may come and go
    child_tty, child_slave = _terminal()
    child = _spawn(argv, child_slave)
    os.close(child_slave)
    lock_fd = hold_pid(place, os.getpid(), child.pid)
    _link(place.tty, os.ttyname(public_slave))
    _log(f"started {child.pid}: {' '.join(argv)}")

    relay = Relay(child_tty, public, wake)
    end = relay.wait_output(_FIRST_OUTPUT_S)
    if end != "child":
        ready.say("ready")
        end = relay.run()

    if end == "wake":
        _log("stopping")
        _end(child)
    code = child.wait()
    why = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    _log(f"the child ended with {why}")
    place.tty.unlink(missing_ok=True)
    os.close(lock_fd)  # from here on the board counts as stopped
    ready.say(f"the child ended with {why}")
    return 0


def _wake_on_signal() -> int:
    """A descriptor that becomes readable on SIGTERM.

    Ctrl-C in the user's terminal is not for us.
    """
    wake, signal_fd = os.pipe()
    os.set_blocking(signal_fd, False)
    signal.set_wakeup_fd(signal_fd)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return wake


def _terminal() -> tuple[int, int]:
    """A pseudo-terminal (master, slave) that passes every byte as it is.

    Should the child switch signals on, only Ctrl-C is one, and it throws no bytes away.
    """
    master, slave = os.openpty()
    tty.setraw(slave)
    mode = termios.tcgetattr(slave)
    mode[1] = 0  # no output processing, even if the child (QEMU does) asks for it
    mode[3] |= termios.NOFLSH
    for key in (termios.VQUIT, termios.VSUSP):
        mode[6][key] = b"\0"
    termios.tcsetattr(slave, termios.TCSANOW, mode)
    return master, slave


def _spawn(argv: list[str], slave: int) -> subprocess.Popen[bytes]:
    """The child with `slave` as its controlling terminal; its stderr goes to the log."""

    def take_terminal() -> None:
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    return subprocess.Popen(
        argv,
        stdin=slave,
        stdout=slave,
        start_new_session=True,
        preexec_fn=take_terminal,
    )


def _link(link: Path, target: str) -> None:
    """Make the symbolic link, replacing one that is there in one step."""
    new = link.with_name(link.name + ".new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()


class _Ready:
    """Tells the command that waits for us one word; later ones find nobody waiting."""

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd
        os.set_inheritable(fd, False)

    def say(self, word: str) -> None:
        if self._fd is not None:
            os.write(self._fd, word.encode())
            os.close(self._fd)
            self._fd = None


def _log(line: str) -> None:
    print(time.strftime("%Y-%m-%d %H:%M:%S"), line, flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
