"""A board on this computer: a REPL and the real agent in a thread, a directory as its flash."""

import threading
import time
from pathlib import Path

from engram.compat import ticks_us
from engram.link import agent
from engram_host.line.transport.memory import DeviceEnd, MemoryTransport

RAW = b"raw REPL; CTRL-B to exit\r\n>"


class BoardFacts:
    """What the module `engram_board` says on a board."""

    NAME = "fake"
    PROGRAM_BYTES = 256
    COUNTER_KIND = "host"
    COUNTER_UNIT = "us"
    MAX_PAYLOAD_BYTES = 1024

    def __init__(self, root: Path, store=None):
        self.FS_ROOT = str(root)
        self._store = store

    def store_device(self):
        return self._store

    def counter(self):
        return ticks_us()

    def memory(self):
        return {}


class FakeBoard:
    """Runs until its transport is closed. `.starts` counts how often the agent was started.

    .load_s: seconds that its code takes to load. .library: False for a board without Engram.
    .full: a program holds the heap, until a soft reset from the raw REPL, which .resets counts.
    """

    def __init__(self, facts: BoardFacts):
        self.facts = facts
        self.starts = 0
        self.load_s = 0.0
        self.library = True
        self.full = False
        self.resets = 0
        self.transport = MemoryTransport("fake board")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        self.transport.close()
        self._thread.join(10)
        assert not self._thread.is_alive(), "the fake board did not end"

    def _run(self):
        console = self.transport.device
        while not console.ended:
            try:
                line = self._prompt(console)
                if b"a.serve()" in line and not self.library:
                    console.write(b"ImportError: no module named 'engram'\r\n")
                elif b"a.serve()" in line and self.full:
                    console.write(b"MemoryError: memory allocation failed\r\n")
                elif b"a.serve()" in line:
                    self.starts += 1
                    time.sleep(self.load_s)
                    agent.serve(console, console, self.facts)
                elif line.strip():
                    console.write(b"SyntaxError: invalid syntax\r\n")
            except KeyboardInterrupt:
                console.write(b"\r\n")

    def _prompt(self, console: DeviceEnd) -> bytes:
        """One line typed at a friendly REPL, with echo."""
        console.write(b">>> ")
        line = b""
        while True:
            byte = console.read(1)
            if byte == b"\x01":
                self._raw(console)
                return b""
            if byte in (b"", b"\r"):
                console.write(b"\r\n")
                return line
            if byte >= b" ":
                line += byte
                console.write(byte)

    def _raw(self, console: DeviceEnd) -> None:
        """The raw REPL, as far as soft resets go."""
        console.write(RAW)
        while (byte := console.read(1)) not in (b"", b"\x02"):
            if byte == b"\x04":
                self.full, self.resets = False, self.resets + 1
                console.write(b"OK\r\nMPY: soft reboot\r\n" + RAW)
