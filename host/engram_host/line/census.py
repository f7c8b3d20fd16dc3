"""A look at a serial port: board, firmware, Engram, free RAM. A running program goes on.

The census listens first: a board that prints by itself is busy and left alone. Then it sends a
HELLO. An agent of Engram answers it; a prompt takes it for a line with an error. Only where that
line shows a prompt does the census enter the raw REPL; the interpreter is not restarted.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from threading import Thread
from typing import Any

from engram_host.errors import HostError, LinkError, PortError
from engram_host.line.link import PROMPT, Link, Timing
from engram_host.line.transport.base import Transport
from engram_host.line.transport.serial_port import SerialTransport

AGENT = "agent"  # Engram's, it answers
AT_PROMPT = "prompt"
BUSY = "busy"  # it prints, or takes no notice
IN_USE = "in use"  # by another program of this computer
SILENT = "no answer"

STATES = (AGENT, AT_PROMPT, BUSY, IN_USE, SILENT)

_LISTEN_S = 0.3
_LISTEN_MOST_S = 1.0  # to a board that goes on printing
_TIMING = Timing(resend=0.5, silence=3.0)
_ANSWER_S = 3.0
_LIMIT_S = 10.0  # for a port, its opening too
_ENTER_RAW, _LEAVE_RAW, _RUN, _INTERRUPT = b"\x01", b"\x02", b"\x04", b"\x03"
_RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n>"
_CONTINUED = re.compile(rb"\r\n\.\.\. *$")
_PIECE_BYTES, _PIECE_S = 64, 0.01  # a UART's buffer may be small
_CODE = """\
import gc,json,os,sys
gc.collect()
d={"system":sys.implementation.name,"version":".".join(str(p) for p in sys.implementation[1][:3])}
d["machine"]=getattr(sys.implementation,"_machine",sys.platform)
d["free_bytes"]=gc.mem_free()
try:
 import engram_firmware as f
 d["firmware_board"]=f.BOARD
 d["firmware_engram"]=f.VERSION
except ImportError:
 pass
try:
 import engram
 d["engram"]=engram.__version__
except (ImportError,AttributeError):
 pass
print(json.dumps(d))
"""


def survey(urls: Iterable[str], limit_s: float = _LIMIT_S) -> dict[str, dict[str, Any]]:
    """URL of a port -> what is there, all ports at once; none holds us longer than limit_s."""
    states: dict[str, dict[str, Any]] = {}

    def work(url: str) -> None:
        states[url] = look(url)

    todo = {url: Thread(target=work, args=(url,), daemon=True) for url in urls}
    for thread in todo.values():
        thread.start()
    end = time.monotonic() + limit_s
    for thread in todo.values():
        thread.join(max(0.0, end - time.monotonic()))
    late = {"state": SILENT, "why": f"nothing within {limit_s:.0f} s"}
    return {url: dict(states.get(url, {**late, "port": url})) for url in todo}


def look(url: str, baud: int = 115200) -> dict[str, Any]:
    """The facts of a port: `port`, `state` (one of STATES), `why` where there are no others, else

    `system` with `version`, `machine`, `free_bytes` of the heap, and where it is there `engram`
    (version of the library), `board` (the agent's name for it), `firmware_board` and
    `firmware_engram` (of a firmware of `engram build`). Raises nothing.
    """
    try:
        transport = SerialTransport(url, baud)
    except PortError as e:
        state = IN_USE if "another program" in str(e) else SILENT
        return {"port": url, "state": state, "why": str(e)}
    try:
        return {"port": url, **_ask(transport)}
    except HostError as e:
        return {"port": url, "state": SILENT, "why": str(e)}
    finally:
        transport.close()


def _ask(transport: Transport) -> dict[str, Any]:
    text = _listen(transport)
    if text and not text.rstrip().endswith(PROMPT.rstrip()):
        return {"state": BUSY, "why": "a program runs and prints"}
    link = Link(transport, timing=_TIMING)
    if link.find() is not None:
        info = link.call("info")
        system, _, version = info["runtime"].partition(" ")
        return {
            "state": AGENT,
            "system": system,
            "version": version,
            "free_bytes": info["heap"]["free_bytes"],
            "engram": info["engram"],
            "board": info["board"],
        }
    if not link.heard:
        why = "it takes no notice: a program runs, or this is no MicroPython"
        return {"state": SILENT, "why": why}
    transport.write(b"\r")  # the HELLO was echoed: at a prompt this ends the line, in error
    if not _ends_in_prompt(transport):
        return {"state": BUSY, "why": "a program runs and reads"}
    return {"state": AT_PROMPT, **_told(_run(transport, _CODE))}


def _told(text: str) -> dict[str, Any]:
    """The answer of _CODE: the last line, because a timer of the board may print before it."""
    try:
        return dict(json.loads(text.strip().rpartition("\n")[2]))
    except ValueError:
        raise LinkError(f"the board was asked and printed {text[-200:]!r}") from None


def _listen(transport: Transport) -> bytes:
    """Reads until the board is silent for _LISTEN_S: a banner may come in pieces."""
    end = time.monotonic() + _LISTEN_MOST_S
    text = b""
    while time.monotonic() < end and (part := transport.read(_LISTEN_S)):
        text += part
    return text


def _ends_in_prompt(transport: Transport) -> bool:
    """Whether a prompt comes: that of a new line, or the one to go on with an open bracket."""
    end = time.monotonic() + _ANSWER_S
    text = b""
    while (rest_s := end - time.monotonic()) > 0:
        text += transport.read(rest_s)
        if text.endswith(PROMPT) or _CONTINUED.search(text):
            return True
    return False


def _run(transport: Transport, code: str) -> str:
    """Run code at the raw REPL of a board that shows a prompt, and leave it; what it printed."""
    transport.write(_INTERRUPT + _ENTER_RAW)  # the first ends a line that is begun
    if not _read_until(transport, _RAW_BANNER, _ANSWER_S).endswith(_RAW_BANNER):
        raise LinkError("expected a raw REPL, got none; reset the board")
    data = code.encode() + _RUN
    for at in range(0, len(data), _PIECE_BYTES):
        transport.write(data[at : at + _PIECE_BYTES])
        time.sleep(_PIECE_S)
    answer = _read_until(transport, b"\x04>", _ANSWER_S)
    transport.write(_LEAVE_RAW)
    _read_until(transport, PROMPT, _ANSWER_S)  # else the next to open the port hears the rest
    text, _, error = answer.removeprefix(b"OK").partition(b"\x04")
    if not answer.startswith(b"OK") or error != b"\x04>":
        raise LinkError(f"the board was asked and answered {answer[-200:]!r}")
    return text.decode()


def _read_until(transport: Transport, mark: bytes, limit_s: float) -> bytes:
    """Reads until the bytes end in mark, or the time is over."""
    end = time.monotonic() + limit_s
    text = b""
    while not text.endswith(mark) and (rest_s := end - time.monotonic()) > 0:
        text += transport.read(rest_s)
    return text
