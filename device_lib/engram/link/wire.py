"""Frames of the serial link and the table of messages. Pure: bytes in, bytes out, for both ends.

    frame   "~" stuffed(body) "\n"
    body    type u8 | seq u8 | payload length u16 | payload | crc32 u32      (little endian)

The CRC covers everything before it. Stuffing replaces each byte of SPECIAL by 0x7D and a code, so
that a frame holds no "~" but its first and no newline but its last (a reader that lost its place
finds the next frame), no 0x03 (it stays the interrupt key), and no 0x0D, 0x11, 0x13 (terminals
change or eat them).

The host asks, the device answers; a request is repeated with the same `seq` until its answer is
in, and the device answers a repeated one from memory. Bytes between frames are console output.
"""

import struct
from binascii import crc32

from ..errors import WireError

VERSION = 2
START = b"~"
END = b"\n"

# Requests, host to device. Capital letters: readable in a dump, and never in need of stuffing.
HELLO = 0x48  # "H"  JSON {"engram", "session"}              -> OK JSON
CALL = 0x43  # "C"  JSON {"f": name, "a": {arguments}}       -> OK or MORE: JSON
NEXT = 0x4E  # "N"  u32 offset into the answer of a CALL      -> OK or MORE
PUT_OPEN = 0x4F  # "O"  JSON {"name", "size", "crc"}    -> OK JSON {"have", "crc", "same", "space"}
PUT_DATA = 0x50  # "P"  u32 offset, bytes                     -> OK u32 bytes held now
PUT_CLOSE = 0x51  # "Q"  nothing                              -> OK JSON {"size", "crc"}
GET_DATA = 0x47  # "G"  u32 offset, u16 count, file name      -> OK bytes
FLASH_DATA = 0x46  # "F"  u32 offset, u16 count: replay region -> OK bytes, to its unit's end
SAMPLES = 0x53  # "S"  u8 sink, u32 offset, bytes of samples  -> OK JSON

# Answers, device to host.
OK = 0x6B  # "k"
MORE = 0x6D  # "m"  u32 length of the whole answer, its first or next part
ERROR = 0x65  # "e"  JSON {"error": type name, "message"}
BROKEN = 0x62  # "b"  text: the frame that came was not valid; ask again (seq means nothing)
BEAT = 0x77  # "w"  still working on the request with this seq

NAMES = {
    HELLO: "HELLO",
    CALL: "CALL",
    NEXT: "NEXT",
    PUT_OPEN: "PUT_OPEN",
    PUT_DATA: "PUT_DATA",
    PUT_CLOSE: "PUT_CLOSE",
    GET_DATA: "GET_DATA",
    FLASH_DATA: "FLASH_DATA",
    SAMPLES: "SAMPLES",
    OK: "OK",
    MORE: "MORE",
    ERROR: "ERROR",
    BROKEN: "BROKEN",
    BEAT: "BEAT",
}
REQUESTS = (HELLO, CALL, NEXT, PUT_OPEN, PUT_DATA, PUT_CLOSE, GET_DATA, FLASH_DATA, SAMPLES)

# What the device does with the samples of a SAMPLES frame. Samples follow one another with nothing
# between them. One consists of
#
#   label    u8; 254 where the model tells no classes apart
#   input    its elements, uint8 or float32 as the model takes them
#   targets  float32 values, as many as the call "opened" says; none where the model regresses
#            nothing, so that a sample ends with its input then
OBSERVE = 0  # label, input, targets: learn from it later
EVALUATE = 1  # label, input, targets: compare the prediction with them
PREDICT = 2  # input alone: answer with the prediction
WATCH = 3  # input alone: answer with what the watch says, [score or null, mean, state]
#
# A stream that was begun with "raw" has windows of float32 for the model's front end in the place
# of inputs: the board makes the inputs.

PART = ".part"  # ends the name of a file on the board while it is being received
PUSHED = ".new"  # behind the name of a model, until it opens

_HEAD = "<BBH"
_HEAD_BYTES = 4
_CRC_BYTES = 4
OVERHEAD = _HEAD_BYTES + _CRC_BYTES

_STUFFED = 0x20  # what the code behind an escape is XORed with
# 0x7D goes first when stuffing; none of the codes is itself special.
_STUFF = (
    (b"\x7d", b"\x7d]"),
    (b"\x03", b"\x7d#"),
    (b"\x0a", b"\x7d*"),
    (b"\x0d", b"\x7d-"),
    (b"\x11", b"\x7d1"),
    (b"\x13", b"\x7d3"),
    (b"\x7e", b"\x7d^"),
)
SPECIAL = b"".join(pair[0] for pair in _STUFF)


def frame_limit(max_payload):
    """Length of the longest frame with `max_payload` bytes of payload: every byte stuffed."""
    return 2 * (max_payload + OVERHEAD) + len(START) + len(END)


def encode(kind, seq, payload=b""):
    """The frame of one message. payload: bytes, at most 65535 of them."""
    head = struct.pack(_HEAD, kind, seq, len(payload))
    crc = crc32(payload, crc32(head)) & 0xFFFFFFFF
    body = b"".join((head, payload, struct.pack("<I", crc)))
    for byte, code in _STUFF:
        body = body.replace(byte, code)
    return b"".join((START, body, END))


def decode(line):
    """(type, seq, payload) of the last frame in `line`, which runs up to and including a newline.

    What stands before the last "~" is a frame that was cut short, or console output: not looked
    at. Raises WireError if there is no whole, intact frame.
    """
    start = line.rfind(START)
    if start < 0:
        raise WireError(
            "expected a frame that starts with '~', got %d bytes without one" % len(line)
        )
    if line[-1:] != END:
        raise WireError("a frame ends with a newline, this one of %d bytes does not" % len(line))
    end = len(line) - 1
    if line[end - 1 : end] == b"\r":  # a console that turns \n into \r\n
        end -= 1
    body = _unstuffed(line, start + 1, end)
    if len(body) < OVERHEAD:
        raise WireError("expected a frame of at least %d bytes, got %d" % (OVERHEAD, len(body)))
    kind, seq, length = struct.unpack_from(_HEAD, body, 0)
    if length != len(body) - OVERHEAD:
        raise WireError(
            "expected the announced payload of %d bytes, got %d" % (length, len(body) - OVERHEAD)
        )
    end = len(body) - _CRC_BYTES
    expected = struct.unpack_from("<I", body, end)[0]
    if crc32(body[:end]) & 0xFFFFFFFF != expected:
        raise WireError("checksum of a frame of %d bytes does not match" % len(body))
    return kind, seq, bytes(body[_HEAD_BYTES:end])


def _unstuffed(line, at, end):
    """Bytes `at` to `end` of a line as they were before they were stuffed, a memoryview.

    From escape to escape: a board reads a frame once, where replace() would read it seven times.
    """
    out, n = memoryview(bytearray(end - at)), 0
    line_view, escape = memoryview(line), _STUFF[0][0]
    while True:
        stop = line.find(escape, at, end)
        last = end if stop < 0 else stop
        out[n : n + last - at] = line_view[at:last]
        n += last - at
        if stop < 0:
            return out[:n]
        at = stop + 2
        byte = line[stop + 1] ^ _STUFFED if at <= end else 0
        if byte not in SPECIAL:
            raise WireError("a frame of %d bytes has an escape that means nothing" % len(line))
        out[n] = byte
        n += 1
