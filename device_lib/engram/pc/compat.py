"""The calls that CPython spells otherwise than MicroPython: the other half of engram.compat."""

import time
import weakref
from array import array

POINTER_BYTES = 4  # of the boards that a PC plans for
_PLAIN = (bytes, bytearray, array)


def const(value):
    return value


def heap_lock():
    """CPython has no heap lock: the test that needs one runs on MicroPython."""


def heap_unlock():
    pass


def forget(names):
    """CPython has room: code stays."""


def forget_below(packages, but):
    """CPython has room: code stays."""


def mapping(stream):
    """The memory of a stream that has it (.mapped), a memoryview; None for others."""
    return getattr(stream, "mapped", None)


def mapped(path):
    """A file as a stream, mapped into memory."""
    return _load("mapped").Mapped.of(path)


def ticks_ms():
    return time.monotonic_ns() // 1000000 & 0x3FFFFFFF


def ticks_us():
    return time.monotonic_ns() // 1000 & 0x3FFFFFFF


def ticks_diff(end, start):
    return ((end - start + 0x20000000) & 0x3FFFFFFF) - 0x20000000


def bytes_of(buf, itemsize=4):
    """A byte window (memoryview) onto the memory of a buffer of 4-byte items, sharing it."""
    view = memoryview(buf).cast("B")
    if len(view) != len(buf) * itemsize:
        raise ValueError("expected items of %d bytes, got others" % itemsize)
    return view


def heap_used():
    """CPython's heap is not a board's: 0, which means not measured."""
    return 0


def heap_free():
    """CPython's heap is not a board's: effectively unlimited."""
    return 1 << 40


def overwrite_stack():
    """CPython counts references."""


def reference(thing):
    """A function that returns the thing as long as somebody else holds it."""
    try:
        return weakref.ref(thing)
    except TypeError:
        return lambda: thing


def held_heap(rest):
    """CPython has room: no piece of its heap is held."""


def collect_often():
    """CPython collects as it likes."""


def collect_rarely():
    pass


def board_of(path, options):
    """The board.FolderBoard of the model file at `path`; takes its options out of `options`."""
    return _load("board").board_of(path, options)


def files_root():
    """Names of files are those of this computer."""
    return ""


def npz(name):
    """The streams of an .npz file of samples, as npy.Samples takes them; None where there is none.
    """
    return _load("arrays").npz(name)


def flat(x, dtype, elems):
    """A flat buffer of an input that is an array of any shape, converted where nothing is lost."""
    if isinstance(x, _PLAIN) or not _is_array(x):
        return x
    return _load("arrays").flat(x, dtype, elems)


def _is_array(x):
    try:
        return hasattr(x, "__array__") or memoryview(x) is not None
    except TypeError:
        return False


def _load(name):
    """A module of this package, loaded when it is needed: it needs more than this one."""
    return __import__("engram.pc." + name, None, None, ("*",))
