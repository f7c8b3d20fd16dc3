"""The host's end of the link: sends requests, repeats them until answered, resumes transfers.

The host has all the timers. Whatever the cable does to the bytes, a request is carried out once
and its answer is intact, or an error says that it is not known: never wrong data.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import struct
import time
from binascii import crc32
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from engram import places
from engram.link import wire
from engram_host.errors import DeviceError, LinkError, LinkLost, PortError
from engram_host.line import room
from engram_host.line.frames import Damage, Event, Frame, Splitter, Text
from engram_host.line.patience import Patience
from engram_host.line.transport.base import Transport

START_AGENT = b"import engram.link.agent as a; a.serve()"
PROMPT = b">>> "
_RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n>"
REPL_SIGNS = (PROMPT, b"raw REPL; CTRL-B to exit", b"\n=== ")  # friendly, raw, paste mode
INTERRUPT = b"\x03"
ENTER_RAW_REPL, LEAVE_RAW_REPL = b"\x01", b"\x02"
SOFT_RESET = b"\x04"  # at the REPL
HARD_RESET = b"import machine; machine.reset()"

_DEFAULT_PAYLOAD = 1024
_COUNTS_BYTES = 192  # of the answer to a frame of samples, beside what it says of each
_LOST_ADVICE = "what was saved is in the board's flash; open the model again and go on from there"


class Timing(NamedTuple):
    """Seconds. The defaults suit boards; tests on a bad cable use shorter ones."""

    resend: float = 1.0  # silence before the first resend; doubles each time
    resend_most: float = 8.0
    silence: float = 40.0  # without a sign of life: the board does not answer
    hello: float = 0.7  # for an agent that runs already
    prompt: float = 3.0  # for a REPL to show its prompt
    revivals: int = 20  # times a transfer starts the agent again before it gives up


Progress = Callable[[int], None]  # called with the number of bytes done so far


def ignore(_: Any) -> None:
    """A callback that does nothing."""


class Link:
    """A conversation with the agent of one board.

    on_text gets console output of the board (bytes) as it comes.
    """

    def __init__(
        self,
        transport: Transport,
        on_text: Callable[[bytes], None] = ignore,
        timing: Timing | None = None,
    ) -> None:
        self.transport = transport
        self.on_text = on_text
        self.timing = timing or Timing()
        self.max_payload = _DEFAULT_PAYLOAD
        self.board = ""
        self.counts = {"requests": 0, "resent": 0, "damaged": 0, "beats": 0}
        self._conversation = ""
        self._seq = 0
        self._splitter = Splitter(wire.frame_limit(0xFFFF))
        self._events: deque[Event] = deque()
        self._text = b""  # end of the console output, to find a prompt and to quote in errors

    # --- opening ---------------------------------------------------------------------------

    def open(self) -> dict[str, Any]:
        """Find the agent, or start it at the REPL. Returns what it says of itself.

        Raises LinkError if there is neither an agent nor a MicroPython prompt.
        """
        on_text, self.on_text = self.on_text, ignore  # the REPL's echo is not for the user
        try:
            return self._open()
        finally:
            self.on_text = on_text

    def find(self) -> dict[str, Any] | None:
        """The greeting of a running agent; None if no agent runs. Interrupts nothing."""
        self._conversation = secrets.token_hex(4)
        self._text = b""
        answer = self._hello(self.timing.hello)
        if answer is not None:
            self._agree(answer)
        return answer

    @property
    def heard(self) -> bytes:
        """The bytes outside frames since the last request, with an unfinished line."""
        return self._text + self._splitter.pending

    def _open(self) -> dict[str, Any]:
        answer = self.find()
        if answer is not None:
            return answer
        self._start_agent()
        # Code in files takes seconds to load; a REPL that is back echoes, which is seen at once.
        answer = self._hello(self.timing.prompt, self.timing.silence)
        if answer is None and b"MemoryError" in self._text:  # of a program that was interrupted
            self._empty_heap()
            self._start_agent()
            answer = self._hello(self.timing.prompt, self.timing.silence)
        if answer is None:
            raise LinkError(self._no_agent())
        self._agree(answer)
        return answer

    def _agree(self, answer: dict[str, Any]) -> None:
        """Begin with an agent. Raises LinkError when it speaks another protocol."""
        if answer["engram"] != wire.VERSION:
            raise LinkError(
                f"expected protocol {wire.VERSION}, got {answer['engram']} from the board; "
                "build and install firmware and host from the same version"
            )
        self.max_payload = int(answer["max_payload"])
        self.board = answer["board"]
        self._seq = 0

    def close(self) -> None:
        """Leave the agent running, so that the next command finds it and its model."""
        self.transport.close()

    def leave_to_repl(self) -> None:
        """End the agent; the board is at its REPL."""
        self.transport.write(INTERRUPT)

    def soft_reset(self) -> dict[str, Any]:
        """Restart MicroPython, which empties its heap, and the agent. Returns as open()."""
        on_text, self.on_text = self.on_text, ignore
        try:
            self._empty_heap()
        finally:
            self.on_text = on_text
        return self.open()

    def _empty_heap(self) -> None:
        """A soft reset to the REPL. From the raw REPL: main.py, which may hold memory or never
        end, does not run then."""
        self.enter_repl()
        self.transport.write(ENTER_RAW_REPL)
        if not self._wait_text(_RAW_BANNER, self.timing.prompt):
            raise LinkError(self._no_prompt())
        self._text = b""
        self.transport.write(SOFT_RESET)
        if not self._wait_text(_RAW_BANNER, self.timing.silence):
            raise LinkError(self._no_prompt())
        self._text = b""
        self.transport.write(LEAVE_RAW_REPL)
        if not self._wait_prompt(self.timing.prompt):
            raise LinkError(self._no_prompt())

    def reboot(self) -> None:
        """Reset the board, as its button does: boot.py and main.py run. Returns when it has
        begun to. Raises LinkError where the board says that it cannot."""
        on_text, self.on_text = self.on_text, ignore
        try:
            self.enter_repl()
            self._text = b""
            self.transport.write(HARD_RESET + b"\r")
            with contextlib.suppress(PortError):  # a port over USB goes away
                self._wait_prompt(self.timing.prompt)  # main.py may never end
        finally:
            self.on_text = on_text
        if b"Error: " in self._text:
            raise LinkError(
                f"expected {self.transport.name} to reset, got {_quote(self._text)}; "
                "press its reset button"
            )

    def _hello(self, wait_s: float, most_s: float = 0.0) -> dict[str, Any] | None:
        """The agent's answer, None if there is none; a busy agent that beats is waited for.

        wait_s: how long an agent that is idle may take. most_s: how long one may take to start.
        """
        frame = _hello_frame(self._conversation)
        now = time.monotonic()
        give_up, send_at = now + max(wait_s, most_s), now
        while (now := time.monotonic()) < give_up:
            if now >= send_at:
                self.transport.write(b"\n" + frame)  # the newline ends whatever was cut short
                send_at = now + wait_s / 2.5
            event = self._next_event(min(give_up, send_at, now + 0.02))
            if _asked(self._conversation) in self.heard:
                return None  # it was echoed: a REPL listens, no agent
            if isinstance(event, Frame):
                if event.kind == wire.BEAT:
                    give_up = max(give_up, time.monotonic() + max(wait_s, 2.0))
                elif event.kind == wire.OK:
                    answer = _loads(event.payload)
                    if isinstance(answer, dict) and answer.get("session") == self._conversation:
                        return answer
        return None

    def enter_repl(self) -> None:
        """Interrupt what runs and reach the friendly REPL. Raises LinkError if no prompt comes."""
        self._text = b""
        self.transport.write(b"\r" + INTERRUPT + INTERRUPT)
        self._wait_quiet(self.timing.hello / 4)
        self._text = b""
        # What was sent to a busy program is at the REPL now: it may have left a bracket open.
        self.transport.write(INTERRUPT + LEAVE_RAW_REPL + b"\r")
        if not self._wait_prompt(self.timing.prompt):
            raise LinkError(self._no_prompt())
        self._wait_quiet(self.timing.hello / 4)

    def _start_agent(self) -> None:
        """Type the line that starts the agent at the REPL."""
        self.enter_repl()
        self._text = b""
        self.transport.write(START_AGENT + b"\r")

    def _wait_quiet(self, quiet_s: float) -> None:
        end = time.monotonic() + self.timing.prompt
        while time.monotonic() < end and self._next_event(time.monotonic() + quiet_s):
            pass

    def _wait_prompt(self, wait_s: float) -> bool:
        return self._wait_text(PROMPT, wait_s)

    def _wait_text(self, mark: bytes, wait_s: float) -> bool:
        """Whether the board prints a text in time."""
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            if mark in self._text:
                return True
            self._next_event(end)
        return mark in self._text

    def _no_prompt(self) -> str:
        text = _quote(self._text) if self._text else "nothing"
        return (
            f"expected a MicroPython prompt '>>> ' on {self.transport.name}, got {text}; check "
            "the port, reset the board, and see that it runs MicroPython"
        )

    def _no_agent(self) -> str:
        failure = re.search(rb"(ImportError|AttributeError): [^\r\n]*", self._text)
        if failure:
            return (
                f"{self.transport.name} runs MicroPython without the engram library, or with one "
                f"that lacks something ({failure[0].decode()}); flash firmware that has it, or "
                f"run `engram install --port {self.transport.name}`"
            )
        return (
            f"expected the agent on {self.transport.name}, which was started, to answer, got "
            f"{_quote(self._text)}"
        )

    # --- requests --------------------------------------------------------------------------

    def request(self, kind: int, payload: bytes = b"") -> tuple[int, bytes]:
        """Send one message and wait for its answer: (OK or MORE, payload).

        Raises DeviceError (the board refused), LinkLost (the agent ended), LinkError (silence).
        """
        self._seq = self._seq % 255 + 1
        frame = wire.encode(kind, self._seq, payload)
        self.counts["requests"] += 1
        self._text = b""
        self.transport.write(frame)
        wait_s = self.timing.resend
        patience = Patience(self.transport, self.timing.silence)
        resend_at = time.monotonic() + wait_s
        broken_left = 8  # complaints answered at once; more of them wait for the timer
        while True:
            event = self._next_event(resend_at)
            now = time.monotonic()
            if isinstance(event, Frame):
                if event.seq == self._seq and event.kind in (wire.OK, wire.MORE, wire.ERROR):
                    return self._answer(event)
                if event.kind == wire.BEAT:
                    self.counts["beats"] += 1
                    patience.heard()
                    resend_at = now + self.timing.resend_most
                elif event.kind == wire.BROKEN and broken_left:
                    broken_left -= 1
                    resend_at = now
            elif any(sign in self._text for sign in REPL_SIGNS):
                raise LinkLost(
                    f"the agent on {self.transport.name} ended in the middle (the REPL is back: "
                    f"{_quote(self._text)}); {_LOST_ADVICE}"
                )
            if now >= resend_at:
                if patience.is_over():
                    raise LinkError(
                        f"{wire.NAMES[kind]}: expected an answer from {self.transport.name}, got "
                        f"none for {self.timing.silence:.0f} s; reset the board and try again"
                    )
                self.counts["resent"] += 1
                self.transport.write(b"\r\n" + frame)  # makes a REPL show its prompt
                resend_at = now + wait_s
                wait_s = min(2 * wait_s, self.timing.resend_most)

    def _answer(self, frame: Frame) -> tuple[int, bytes]:
        if frame.kind != wire.ERROR:
            return frame.kind, frame.payload
        error = _loads(frame.payload)
        raise DeviceError(error["error"], error["message"])

    def _next_event(self, until: float) -> Event | None:
        """The next thing that came, or None at `until` (time.monotonic)."""
        while not self._events:
            rest_s = until - time.monotonic()
            data = self.transport.read(max(0.0, rest_s))
            if not data and rest_s <= 0:
                return None
            self._events.extend(self._splitter.feed(data))
        event = self._events.popleft()
        if isinstance(event, Text):
            self._text = (self._text + event.data)[-4096:]
            self.on_text(event.data)
        elif isinstance(event, Damage):
            self.counts["damaged"] += 1
        return event

    def call(self, function: str, **arguments: Any) -> Any:
        """Call a function of the agent's table by name; arguments and answer are JSON."""
        request = json.dumps({"f": function, "a": arguments}).encode()
        if len(request) > self.max_payload:
            raise LinkError(
                f"expected arguments of {function} of at most {self.max_payload} bytes, "
                f"got {len(request)}"
            )
        kind, answer = self.request(wire.CALL, request)
        if kind == wire.OK:
            return _loads(answer)
        total = struct.unpack_from("<I", answer)[0]
        parts = bytearray(answer[4:])
        while len(parts) < total:
            _, answer = self.request(wire.NEXT, struct.pack("<I", len(parts)))
            parts += answer[4:]
        return _loads(bytes(parts))

    # --- files -----------------------------------------------------------------------------

    def put(self, name: str, data: bytes, progress: Progress = ignore) -> bool:
        """Send a file. False if the board had it already. Goes on where an earlier try ended.

        What broken transfers of other files have left is removed first. Raises NoRoom, before
        anything is sent, when the board's file system has no room for it.
        """
        return self._revived(lambda: self._put_once(name, data, progress))

    def _put_once(self, name: str, data: bytes, progress: Progress) -> bool:
        remote = self._put_open(name, data)
        if remote["same"]:
            progress(len(data))
            return False
        at = _kept(remote, data)
        if "space" in remote:  # of a file system; flash has slots
            self._make_room(name, data, remote, at)
        progress(at)
        most = self.max_payload - 4
        while at < len(data):
            block = struct.pack("<I", at) + data[at : at + most]
            _, answer = self.request(wire.PUT_DATA, block)
            at = struct.unpack("<I", answer)[0]
            progress(at)
        self.request(wire.PUT_CLOSE)
        return True

    def _make_room(self, name: str, data: bytes, remote: dict[str, Any], at: int) -> None:
        """Removes what broken transfers have left, but the `at` bytes of this file. Raises NoRoom
        where a board's file system has no room for it."""
        files = self._files()
        own = name + wire.PART if at else None
        leftovers = [part for part in files if part.endswith(wire.PART) and part != own]
        for part in leftovers:
            self.call("remove", name=part)
            del files[part]
        if leftovers:
            remote = self._put_open(name, data)
        room.check({name: len(data)}, remote["space"], files)

    def _files(self) -> dict[str, int]:
        """{name: bytes} of the board's file system; models in flash are not in it."""
        rows = self.call("list")
        return {name: size for name, size in rows if not name.startswith(places.IN_FLASH)}

    def need_room(self, payloads: Mapping[str, bytes]) -> None:
        """Raises NoRoom unless the board's file system has room for all these files together."""
        files = self._files()
        missing = {n: len(data) for n, data in payloads.items() if not self.has(n, data, files)}
        room.check(missing, self.call("info")["fs"], files)

    def has(self, name: str, data: bytes, files: Mapping[str, int]) -> bool:
        """Whether a board whose files have these sizes holds exactly this file."""
        if files.get(name) != len(data):
            return False
        return bool(self.call("stat", name=name)["crc"] == crc32(data))

    def _put_open(self, name: str, data: bytes) -> dict[str, Any]:
        facts = {"name": name, "size": len(data), "crc": crc32(data)}
        _, answer = self.request(wire.PUT_OPEN, json.dumps(facts).encode())
        return _loads(answer)  # type: ignore[no-any-return]

    def get(self, name: str, progress: Progress = ignore) -> bytes:
        """Fetch a file, checked by its CRC as it stands on the board."""
        data = bytearray()
        return self._revived(lambda: self._get_rest(name, data, progress))

    def _get_rest(self, name: str, data: bytearray, progress: Progress) -> bytes:
        stat = self.call("stat", name=name)
        while len(data) < stat["size"]:
            ask = struct.pack("<IH", len(data), self.max_payload) + name.encode()
            _, part = self.request(wire.GET_DATA, ask)
            if not part:
                break
            data += part
            progress(len(data))
        if len(data) != stat["size"] or crc32(data) != stat["crc"]:
            content = f"{len(data)} bytes with crc32 {crc32(data):08x}"
            data.clear()
            raise LinkError(
                f"{name}: expected {stat['size']} bytes with crc32 {stat['crc']:08x}, got "
                f"{content}; the file changed meanwhile, fetch it again"
            )
        return bytes(data)

    def _revived(self, transfer: Callable[[], Any]) -> Any:
        """A transfer, started again (it resumes) whenever the agent had to be started again."""
        for _ in range(self.timing.revivals):
            try:
                return transfer()
            except LinkLost:
                self.open()
        return transfer()

    # --- samples ---------------------------------------------------------------------------

    def samples(
        self,
        sink: int,
        samples: Iterable[bytes],
        progress: Progress = ignore,
        answer_bytes: int = 0,
        out: list[Any] | None = None,
        raw: bool = False,
        on_answer: Callable[[dict[str, Any]], None] = ignore,
        block: int = 0,
    ) -> dict[str, Any]:
        """Stream samples (each as engram.link.wire says) to the learner.

        answer_bytes: most that the board's answer has for a sample, so that no more of them are
        sent at a time than a frame has room to answer; 0: as many as go into a frame. out: gets
        the predictions as they come, before progress is called; None: a new list. raw: samples
        have windows for the model's front end. on_answer: gets the answer to each frame, and may
        call functions of the board. block: a frame ends wherever so many samples do, so that its
        answer comes before the next one is looked at; 0: frames are as long as they can be.

        Returns {"n", "right", "stored", "units", "receive", "flash_write", "out", "marks"}: how
        many arrived, how many were predicted right, how many were stored, what they took by the
        board's counter, what receiving and what writing them took, all predictions, and all marks
        (none unless the board marks phases).
        progress counts samples. Raises DeviceError at the first one the board refuses.
        """
        about = {"raw": True} if raw else {}  # boards of version 0.1 do not know it
        size = self.call("samples_begin", sink=sink, **about)["sample_bytes"]
        offset = 0
        rows = bytearray()
        out = [] if out is None else out
        marks: list[Any] = []
        last: dict[str, Any] = {"n": 0, "right": 0, "stored": 0, "units": 0}
        last.update(receive=0, flash_write=0)
        room = self.max_payload - 5
        if answer_bytes:
            count = (self.max_payload - _COUNTS_BYTES) // answer_bytes
            room = min(room, max(1, count) * size)
        count = room // size  # whole samples where they fit
        while count and block % count:
            count -= 1
        room = count * size or room
        for sample in samples:
            if len(sample) != size:
                raise LinkError(f"expected samples of {size} bytes, got one of {len(sample)}")
            rows += sample
            while len(rows) >= room:
                last = self._send_samples(sink, offset, bytes(rows[:room]), out, progress)
                on_answer(last)
                marks += last.get("marks", ())
                offset += room
                del rows[:room]
        if rows:
            last = self._send_samples(sink, offset, bytes(rows), out, progress)
            on_answer(last)
            marks += last.get("marks", ())
        return {**last, "out": out, "marks": marks}

    def _send_samples(
        self, sink: int, offset: int, data: bytes, out: list[Any], progress: Progress
    ) -> dict[str, Any]:
        _, answer = self.request(wire.SAMPLES, struct.pack("<BI", sink, offset) + data)
        result: dict[str, Any] = _loads(answer)
        out.extend(result["out"])
        progress(result["n"])
        return result


def _kept(part: Mapping[str, Any], data: bytes) -> int:
    """Bytes of a file that its part file on the board begins with; 0 if that is of another."""
    count: int = part["have"]
    return count if count <= len(data) and crc32(data[:count]) == part["crc"] else 0


def _asked(conversation: str) -> bytes:
    """The bytes that are in a HELLO of this conversation and not in its answer."""
    return f'"session": "{conversation}", "salt": '.encode()


def _hello_frame(conversation: str) -> bytes:
    """A HELLO that does no harm where no agent listens.

    A REPL acts on control characters (Ctrl-D resets the board), so the frame must have none; a
    number in it is counted up until that is so.
    """
    for salt in range(100000):
        payload = json.dumps({"engram": wire.VERSION, "session": conversation, "salt": salt})
        frame = wire.encode(wire.HELLO, 0x20, payload.encode())
        if all(byte >= 32 or byte == 0 for byte in frame[:-1]):
            return frame
    raise AssertionError("no harmless HELLO frame exists")


_STRING_OR_NOT_FINITE = re.compile(r'"(?:[^"\\]|\\.)*"|nan|inf')
_SPELLED = {"nan": "NaN", "inf": "Infinity"}


def _loads(payload: bytes) -> Any:
    """JSON as MicroPython writes it: that is JSON but for nan and inf."""
    text = payload.decode()
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(_STRING_OR_NOT_FINITE.sub(lambda m: _SPELLED.get(m[0], m[0]), text))


def _quote(text: bytes, limit: int = 200) -> str:
    """The end of some console output, for an error message."""
    quote = text.decode("utf-8", "replace").strip()
    quote = " ".join(quote.split())
    return repr(quote if len(quote) <= limit else "..." + quote[-limit:])
