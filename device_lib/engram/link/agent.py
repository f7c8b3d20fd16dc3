"""The device end of the link: a table message -> function, and the loop that answers.

    >>> import engram.link.agent as a; a.serve()

The host types that line at the REPL. Ctrl-C (0x03, which no frame contains) ends the loop and the
REPL is back. The agent starts nothing by itself and has no timer: it answers, once for each
request.
"""

import json
import struct
import sys

from ..compat import heap_free, ticks_diff, ticks_ms
from ..errors import CommandError, WireError
from . import wire
from .calls import SLICES, Device, call_of
from .files import Files

MAX_PAYLOAD_BYTES = 1024  # unless the board says otherwise
_BEAT_MS = 250


class Agent:
    """One conversation with a host.

    rx: has readline(limit) -> bytes. tx: has write(bytes). board: the module `engram_board`.
    """

    def __init__(self, rx, tx, board):
        self.rx = rx
        self.tx = tx
        self.max_payload = getattr(board, "MAX_PAYLOAD_BYTES", MAX_PAYLOAD_BYTES)
        self.files = Files(board.FS_ROOT, board, self.beat)
        self.device = Device(board, self.files, self.beat)
        self.conversation = None
        self.seq = None  # of the last request that was answered
        self.reply = b""  # and the frame that answered it
        self.answer = b""  # JSON of the last CALL, for NEXT
        self.beaten_ms = ticks_ms()

    def serve(self):
        """Answer until 0x03 or the end of the input."""
        limit = wire.frame_limit(self.max_payload)
        try:
            while True:
                line = self.rx.readline(limit)
                if not line:
                    break
                try:
                    self.receive(line)
                except MemoryError:  # not in what was asked for: in the answer, or a broken frame
                    self.device.measure()  # collects; the host asks again
                self.device.busy += ticks_diff(self.device.board.counter(), self.device.arrival)
        except KeyboardInterrupt:
            pass
        finally:
            self.files.close()
            self.device.leave()

    def receive(self, line):
        """Act on one line: answer a request, repeat an answer, report a broken frame."""
        device = self.device
        counter = device.board.counter
        device.arrival = counter()
        if device.marker:
            device.marker.receiving()
        try:
            kind, seq, payload = wire.decode(line)
        except WireError as e:
            if line.strip():
                self.tx.write(wire.encode(wire.BROKEN, 0, str(e).encode()))
            return
        if kind == wire.HELLO:
            self.tx.write(wire.encode(wire.OK, seq, self._hello(payload)))
            return
        if seq != self.seq:
            self.reply = b""
            device.decoding = ticks_diff(counter(), device.arrival)
            self.beaten_ms = ticks_ms()
            self.reply = self._act(kind, seq, payload)
            self.seq = seq
            if device.marker:
                device.marker.rest()
        self.tx.write(self.reply)

    def beat(self):
        """Called by work that may take long: tells the host, now and then, that it goes on."""
        if ticks_diff(ticks_ms(), self.beaten_ms) >= _BEAT_MS:
            self.beaten_ms = ticks_ms()
            self.tx.write(wire.encode(wire.BEAT, 0))

    def _hello(self, payload):
        """A new conversation forgets the last answer; the same one (a repeated HELLO) keeps it."""
        request = json.loads(payload)
        known = request["session"] == self.conversation  # its name in every version
        if not known:
            self.conversation = request["session"]
            self.seq = None
            self.reply = b""
        return json.dumps(
            {
                "engram": wire.VERSION,
                "session": self.conversation,
                "known": known,
                "max_payload": self.max_payload,
                "board": self.device.board.NAME,
            }
        ).encode()

    def _act(self, kind, seq, payload):
        """The frame that answers one request. Whatever goes wrong becomes an ERROR frame."""
        try:
            if kind not in _HANDLERS:
                raise CommandError(
                    "this board's agent (protocol %d) does not know message 0x%02x; "
                    "update the board or the host" % (wire.VERSION, kind)
                )
            reply_kind, reply = _HANDLERS[kind](self, payload)
        except Exception as e:  # an agent that dies loses the board: report, go on
            self.answer = b""
            self.device.measure()  # collects what the failed request left
            reply_kind = wire.ERROR
            reply = json.dumps({"error": type(e).__name__, "message": _words(e)}).encode()
            reply = reply if len(reply) <= self.max_payload else _shortened(e, self.max_payload)
        return wire.encode(reply_kind, seq, reply)

    def _part(self, offset):
        """The answer of the last CALL from `offset` on, as much as one frame takes."""
        if offset == 0 and len(self.answer) <= self.max_payload:
            return wire.OK, self.answer
        part = self.answer[offset : offset + self.max_payload - 4]
        return wire.MORE, struct.pack("<I", len(self.answer)) + part


def _words(e):
    """The text of an exception; of a full heap also the free bytes. The host adds advice."""
    if not isinstance(e, MemoryError):
        return str(e)
    return "%s; %d bytes of heap are free, in pieces" % (e, heap_free())


def _shortened(e, limit):
    """An error message that would not fit in a frame, cut."""
    text = _words(e)[: limit // 8] + " ..."
    return json.dumps({"error": type(e).__name__, "message": text}).encode()


def _call(agent, payload):
    request = json.loads(payload)
    name = request["f"]
    agent.answer = b""  # the last one's room is free for the work
    if name not in SLICES:
        agent.device.measure()  # collects: what stays lies low, one large hole stays free
    function = call_of(agent.device, name)
    agent.answer = json.dumps(function(agent.device, **request["a"])).encode()
    return agent._part(0)


def _next(agent, payload):
    return agent._part(struct.unpack("<I", payload)[0])


def _put_open(agent, payload):
    return wire.OK, json.dumps(agent.files.put_open(**json.loads(payload))).encode()


def _put_data(agent, payload):
    offset = struct.unpack_from("<I", payload, 0)[0]
    count = agent.files.put_data(offset, memoryview(payload)[4:])
    return wire.OK, struct.pack("<I", count)


def _put_close(agent, payload):
    return wire.OK, json.dumps(agent.files.put_close()).encode()


def _get_data(agent, payload):
    offset, count = struct.unpack_from("<IH", payload, 0)
    name = str(payload[6:], "utf-8")
    return wire.OK, agent.files.get_data(name, offset, min(count, agent.max_payload))


def _flash_data(agent, payload):
    offset, count = struct.unpack("<IH", payload)
    return wire.OK, agent.device.flash_data(offset, min(count, agent.max_payload))


def _samples(agent, payload):
    sink, offset = struct.unpack_from("<BI", payload, 0)
    result = agent.device.need_samples().take(sink, offset, memoryview(payload)[5:])
    return wire.OK, json.dumps(result).encode()


_HANDLERS = {
    wire.CALL: _call,
    wire.NEXT: _next,
    wire.PUT_OPEN: _put_open,
    wire.PUT_DATA: _put_data,
    wire.PUT_CLOSE: _put_close,
    wire.GET_DATA: _get_data,
    wire.FLASH_DATA: _flash_data,
    wire.SAMPLES: _samples,
}


def serve(rx=None, tx=None, board=None):
    """Answer the host on this board's serial console until Ctrl-C."""
    if board is None:
        import engram_board as board
    Agent(rx or sys.stdin.buffer, tx or sys.stdout.buffer, board).serve()
