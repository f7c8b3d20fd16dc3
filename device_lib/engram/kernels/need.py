"""The checks of single arguments: an int, a buffer, an entry of one.

Each raises ValueError or TypeError that names the kernel, the argument, what was expected and what
came, in the words of the C kernels.
"""

import struct
from array import array

TYPES = {  # letter: words, typecodes, bytes per element
    "F": ("a writable float32 buffer (array 'f')", "f", 4),
    "f": ("a float32 buffer (array 'f')", "f", 4),
    "o": ("a float32 buffer (array 'f') or None", "f", 4),
    "B": ("a writable 8-bit buffer (bytearray, array 'b' or 'B')", "bBc", 1),
    "b": ("an 8-bit buffer (bytes, bytearray, array 'b' or 'B')", "bBc", 1),
    "H": ("a writable uint16 buffer (array 'H')", "H", 2),
    "h": ("a uint16 buffer (array 'H')", "H", 2),
    "L": ("a writable int32 buffer (array 'i')", "il", 4),
    "l": ("an int32 buffer (array 'i')", "il", 4),
}

# Bytes an element -> a buffer of one, to compare with a memoryview that does not tell.
_WIDE = {1: memoryview(bytearray(1)), 2: memoryview(array("H", (0,)))}
_WIDE[4] = memoryview(array("i", (0,)))


def _refuse_type(kernel, name, expected, value):
    raise TypeError("%s: %s: expected %s, got %s" % (kernel, name, expected, value))


def integer(kernel, name, value, least):
    """An int, not a bool, of at least `least`."""
    if type(value) is int and least <= value < 1 << 30:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        _refuse_type(kernel, name, "an int", type(value).__name__)
    if not -(1 << 30) <= value < 1 << 30:
        raise ValueError("%s: %s: expected an int from -2**30 to 2**30 - 1" % (kernel, name))
    if value < least:
        raise ValueError(
            "%s: %s: expected an int of at least %d, got %d" % (kernel, name, least, value)
        )


def _typecode(buf):
    """The typecode of a buffer on MicroPython; None for a memoryview, which hides its own."""
    if isinstance(buf, array):
        return str(buf[0:0])[7]  # "array('f')"
    return "B" if isinstance(buf, (bytes, bytearray)) else None


def _difference(view, codes, size, is_output):
    """The words that say how a memoryview without a format differs from these typecodes, or None.

    An empty copy between two views compares the widths of their elements on MicroPython, and
    fails on a read-only view; an element that is read from a view is a float or an int.
    """
    try:
        if is_output:
            view[0:0] = _WIDE[size][0:0]
        else:
            _WIDE[size][0:0] = view[0:0]
    except ValueError:
        return "elements of another size"
    except TypeError:
        return "a read-only one"
    if len(view) and isinstance(view[0], float) != (codes == "f"):
        return "elements of another type"
    return None


def _stand_in(kernel, letter, name, buf, view, code):
    """A stand-in for a buffer without the letter's typecode: the buffer itself where MicroPython
    hides a type that is right, int32 numbers where the buffer holds their bytes. Else TypeError.
    """
    words, codes, size = TYPES[letter]
    if isinstance(buf, str):  # MicroPython views it
        _refuse_type(kernel, name, words, "str")
    is_output = letter < "a"
    difference = "typecode '%s'" % code if code else _difference(view, codes, size, is_output)
    if not difference:
        return buf
    if letter in "Ll" and len(view) % 4 == 0:
        if code in TYPES["b"][1] if code else not _difference(view, "B", 1, is_output):
            if hasattr(view, "cast"):
                return view.cast("i")
            return _Numbers(view) if is_output else array("i", bytes(view))
    _refuse_type(kernel, name, words, difference)


class _Numbers:
    """The int32 numbers in a memoryview of bytes, to read and to write."""

    def __init__(self, view):
        self._view = view

    def __len__(self):
        return len(self._view) // 4

    def __getitem__(self, i):
        return struct.unpack_from("<i", self._view, 4 * i)[0]

    def __setitem__(self, i, v):
        struct.pack_into("<i", self._view, 4 * i, v)


def is_float32(buf, letter):
    """Whether a buffer is right for a letter of float32: the quick answer for most buffers.

    False where only `buffer` can tell: always on MicroPython, whose buffers name no type.
    """
    if letter not in "Ffo":
        return False
    if isinstance(buf, memoryview):
        return getattr(buf, "format", None) == "f" and not buf.readonly
    return isinstance(buf, array) and getattr(buf, "typecode", None) == "f"


def buffer(kernel, letter, name, buf):
    """A buffer of the letter's type.

    Returns it, or numbers: 8-bit buffers of whole int32 elements are taken for letters L and l.
    """
    words, codes, _ = TYPES[letter]
    try:
        view = memoryview(buf)
    except TypeError:
        if letter == "o" and buf is None:
            return None
        _refuse_type(kernel, name, words, type(buf).__name__)
    result = buf
    code = getattr(view, "format", None) or _typecode(buf)
    if code is None or code not in codes or code == "l" and getattr(view, "itemsize", 4) != 4:
        result = view = _stand_in(kernel, letter, name, buf, view, code)
    if letter < "a" and getattr(view, "readonly", isinstance(buf, bytes)):
        _refuse_type(kernel, name, words, "a read-only one")
    return result


def length(kernel, name, buf, expected):
    """A buffer of so many elements."""
    if len(buf) != expected:
        raise ValueError(
            "%s: %s: expected %d elements for its shape, got %d"
            % (kernel, name, expected, len(buf))
        )


def entry(kernel, name, buf, i, low, high):
    """Element i of buf is from low to high."""
    if not low <= buf[i] <= high:
        raise ValueError(
            "%s: %s: entry %d: expected %d to %d, got %d" % (kernel, name, i, low, high, buf[i])
        )


def expect(kernel, name, right, words):
    """A condition on a value of argument `name`, and the message where the value breaks it."""
    if not right:
        raise ValueError("%s: %s: expected %s" % (kernel, name, words))


def finite(v):
    return v - v == 0
