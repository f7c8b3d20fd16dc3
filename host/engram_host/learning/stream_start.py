"""Where a stream begins on a board: anew, after what it learned before, or in the middle.

A board that has learned goes on from there. It tests the classes that it knows together with the
new stream's classes, as a session that is over, so that forgetting counts them too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from engram_host.device import Device
from engram_host.errors import DeviceError, InputError
from engram_host.learning import streams
from engram_host.learning.streams import Stream


class Start(NamedTuple):
    """stream: with the classes learned before as its first session, where they are tested; own:
    number of its first own session. done: sessions that the board has learned; sent: samples of
    the next one that it has stored."""

    stream: Stream
    own: int
    done: int
    sent: int


class Tests(NamedTuple):
    """How the tests were cut: as streams.load() takes them."""

    file: Path | str | None
    per_class: int | None
    seed: int


def start(
    device: Device,
    learner: dict[str, Any],
    stream: Stream,
    number: int,
    tests: Tests,
    *,
    abandon: bool,
    say: Callable[[str], None],
) -> Start:
    """Begins a stream on the board, or finds where it is in it.

    number: of the stream and its settings. abandon: leave another stream that was interrupted.
    say: told where it goes on. Raises InputError where another one was interrupted.
    """
    state = device.stream()
    if state["id"] == number and not abandon:
        return _resumed(device, stream, tests, say)
    sessions = state.get("sessions", 0)
    if state["id"] and state["done"] < sessions and not abandon:
        raise InputError(
            f"expected the stream that this board is in the middle of ({state['done']} of "
            f"{sessions} sessions learned), got one of other samples or settings (the options of "
            "`engram push` count too); give that one again to go on with it, --abandon to leave "
            "it as it is and begin this one, or --fresh to forget all that was learned"
        )
    if not learner["session"]:
        device.begin_stream(number, sessions=len(stream.sessions))
        return Start(stream, 0, 0, 0)
    whole = streams.with_known(stream, _classes(state.get("brought", "")), *tests)
    known = {"known": state["brought"]} if whole else {}
    device.begin_stream(number, sessions=len((whole or stream).sessions), **known)
    session = learner["session"]
    say(f"goes on from what was learned in {session} session{'s' if session > 1 else ''}")
    return Start(whole or stream, 1, 1, 0) if whole else Start(stream, 0, 0, 0)


def _resumed(
    device: Device, stream: Stream, tests: Tests, say: Callable[[str], None]
) -> Start:
    device.reopen()
    state = device.stream()
    known = _classes(state.get("known", ""))
    whole = streams.with_known(stream, known, *tests) if known else None
    own, done, sent = (1 if whole else 0), state["done"], state["sent"]
    if sent is None:
        sent = _begun_again(device, say)
    if done > own or sent:
        say(f"goes on after {done - own} of {len(stream.sessions)} sessions")
    return Start(whole or stream, own, done, sent)


def _classes(digits: str) -> list[int]:
    """The classes of hexadecimal digits with a bit for each."""
    bits = bytes.fromhex(digits)
    return [c for c in range(8 * len(bits)) if bits[c // 8] >> c % 8 & 1]


def _begun_again(device: Device, say: Callable[[str], None]) -> int:
    """The session under way from its first sample on: the board stores a choice of them, and
    cannot tell which were sent."""
    try:
        count = device.forget_current()
    except DeviceError as e:  # a library of before 0.2
        raise InputError(
            "this board was cut off in this stream, but cannot tell how far it is; "
            "--fresh starts over"
        ) from e
    say(f"begins the session under way again: its {count} stored samples are sent anew")
    return 0
