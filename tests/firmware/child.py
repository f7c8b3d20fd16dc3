"""A virtual board as a bare child process: bytes in, bytes out, and its raw REPL."""

import contextlib
import os
import select
import subprocess
import time

from engram_host import boards

PROMPT = b">>> "
TIMEOUT_S = 20


class Child:
    """One running board. Use as a context manager; flash is its flash file."""

    def __init__(self, name, flash):
        self.board = boards.load(name)
        argv, environment = self.board.command(flash)
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, **environment},
        )
        self.banner = self.read_until(PROMPT)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.kill()

    def kill(self):
        """SIGKILL: no chance to put anything in order. Returns the output not yet read."""
        self.process.kill()
        return self.process.communicate()[0]

    def write(self, data):
        self.process.stdin.write(data)

    def read_until(self, end, timeout_s=TIMEOUT_S):
        """All output up to and with `end`; AssertionError with what came when it does not."""
        output = b""
        limit = time.monotonic() + timeout_s
        while not output.endswith(end):
            left = limit - time.monotonic()
            ready = left > 0 and select.select([self.process.stdout], [], [], left)[0]
            data = os.read(self.process.stdout.fileno(), 1) if ready else b""
            assert data, f"expected {end!r}, the board said {output!r}"
            output += data
        return output

    # ------------------------------------------------------------ raw REPL

    def enter_raw(self):
        self.write(b"\r\x03\x03\x01")
        self.read_until(b"raw REPL; CTRL-B to exit\r\n>")

    def begin(self, code):
        """Start a program; its output is next."""
        self.write(code.encode() + b"\x04")
        assert self.read_until(b"OK") == b"OK"

    def end(self, timeout_s=TIMEOUT_S):
        """(output, error) of the program that was begun, as text with plain newlines."""
        output = self.read_until(b"\x04", timeout_s)[:-1]
        error = self.read_until(b"\x04>")[:-2]
        return output.decode().replace("\r\n", "\n"), error.decode().replace("\r\n", "\n")

    def run(self, code, timeout_s=TIMEOUT_S):
        """Run a program to its end and return what it printed; AssertionError if it raised."""
        self.begin(code)
        output, error = self.end(timeout_s)
        assert error == "", error
        return output

    def value(self, expression):
        """The value of an expression, by way of its repr."""
        return eval(self.run(f"print(repr(({expression})))"))

    def soft_reset(self):
        self.write(b"\x04")
        self.read_until(b"soft reboot\r\nraw REPL; CTRL-B to exit\r\n>")

    def hard_reset(self):
        self.begin("import machine; machine.reset()")
        self.read_until(PROMPT)
        self.enter_raw()


@contextlib.contextmanager
def children():
    """start(name, flash): a board at its raw REPL; all of them end with the block."""
    offspring = []

    def start(name, flash):
        child = Child(name, flash)
        offspring.append(child)
        child.enter_raw()
        return child

    yield start
    for child in offspring:
        if child.process.poll() is None:
            child.kill()
