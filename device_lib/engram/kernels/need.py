"""What arguments of kernels are held to, one check a function; args says which is whose.

Each raises ValueError or TypeError that names the kernel, the argument, what was expected and what
came, in the words of the C kernels.
"""

from array import array

TYPES = {  # letter: words, typecodes, bytes an element
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


def _refuse_type(kernel, name, expected, got):
    raise TypeError("%s: %s: expected %s, got %s" % (kernel, name, expected, got))


def ints(kernel, *rows):
    """Each row (name, value, least): an int, not a bool, of at least that."""
    for name, value, least in rows:
        if not isinstance(value, int) or isinstance(value, bool):
            _refuse_type(kernel, name, "an int", type(value).__name__)
        if not -(2**30) <= value < 2**30:
            raise ValueError("%s: %s: expected an int from -2**30 to 2**30 - 1" % (kernel, name))
        if value < least:
            raise ValueError(
                "%s: %s: expected an int of at least %d, got %d" % (kernel, name, least, value)
            )


def _typecode(buf, view):
    """What the elements of a buffer are; None for a memoryview on MicroPython, which keeps it."""
    code = getattr(view, "format", None)
    if code is None and isinstance(buf, array):
        return str(buf[0:0])[7]  # "array('f')"
    return "B" if code is None and isinstance(buf, (bytes, bytearray)) else code


def _difference(view, codes, size, written):
    """What tells a memoryview without a format from one of these typecodes, in words, or None.

    MicroPython compares the width of elements before it copies none of them, and a read-only view
    takes not even that; what comes out of it is a float or not.
    """
    try:
        if written:
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


def buffer(kernel, letter, name, buf, expected=None):
    """A buffer of the letter's type with `expected` elements (None: any). Returns its length."""
    if letter == "o" and buf is None:
        return 0
    words, codes, size = TYPES[letter]
    try:
        view = memoryview(buf)
    except TypeError:
        view = None
    if view is None or isinstance(buf, str):  # MicroPython views a str
        _refuse_type(kernel, name, words, type(buf).__name__)
    written = letter < "a"
    code = _typecode(buf, view)
    if code is None:
        other = _difference(view, codes, size, written)
        if other:
            _refuse_type(kernel, name, words, other)
    elif code not in codes or getattr(view, "itemsize", size) != size:
        _refuse_type(kernel, name, words, "typecode '%s'" % code)
    if written and (isinstance(buf, bytes) or getattr(view, "readonly", False)):
        _refuse_type(kernel, name, words, "a read-only one")
    if expected is not None and len(view) != expected:
        raise ValueError(
            "%s: %s: expected %d elements for its shape, got %d"
            % (kernel, name, expected, len(view))
        )
    return len(view)


def entry(kernel, name, buf, i, low, high):
    """Element i of buf is from low to high."""
    if not low <= buf[i] <= high:
        raise ValueError(
            "%s: %s: entry %d: expected %d to %d, got %d" % (kernel, name, i, low, high, buf[i])
        )


def geometry(kernel, geom, channelwise=False):
    """geom describes windows that each start inside the padded input. Returns its entries."""
    buffer(kernel, "l", "geom", geom, 14)
    for i in range(14):
        entry(kernel, "geom", geom, i, 0 if i in (8, 9) else 1, 32767)
    if channelwise:
        entry(kernel, "geom", geom, 3, geom[2], geom[2])
    for axis in range(2):
        reach = (geom[4 + axis] - 1) * geom[10 + axis]
        entry(kernel, "geom", geom, 8 + axis, 0, reach)
        most = (geom[axis] - 1 + geom[8 + axis]) // geom[6 + axis] + 1
        entry(kernel, "geom", geom, 12 + axis, 1, most)
    return tuple(geom)


def expect(kernel, name, right, words):
    """A condition that a value of argument `name` meets, and what to say where it does not."""
    if not right:
        raise ValueError("%s: %s: expected %s" % (kernel, name, words))


def channel_ranges(kernel, P, M, N, to, at, C):
    """C channels of a buffer (P, N) from `at` on go into one (P, M) from `to` on."""
    ints(kernel, ("P", P, 0), ("M", M, 0), ("N", N, 0), ("to", to, 0), ("at", at, 0), ("C", C, 0))
    expect(kernel, "to", to + C <= M, "to + C to be at most M")
    expect(kernel, "at", at + C <= N, "at + C to be at most N")


def frame(kernel, B, H, W, C, OH, OW, top, left):
    """Images (H, W, C) lie inside padded ones (OH, OW, C)."""
    ints(kernel, ("B", B, 0), ("H", H, 0), ("W", W, 0), ("C", C, 0), ("OH", OH, 0), ("OW", OW, 0))
    ints(kernel, ("top", top, 0), ("left", left, 0))
    expect(kernel, "top", top + H <= OH, "top + H to be at most OH")
    expect(kernel, "left", left + W <= OW, "left + W to be at most OW")


def finite(v):
    return v - v == 0


def same(kernel, *rows):
    """Rows (letter, name, buffer): all of the length of the first. Returns that length."""
    n = None
    for letter, name, buf in rows:
        n = buffer(kernel, letter, name, buf, n)
    return n


def scale_and_zero(kernel, qp):
    buffer(kernel, "f", "qp", qp, 2)
    scale, zero_point = qp[0], qp[1]
    if not (scale > 0 and scale - scale == 0 and -128 <= zero_point <= 127):
        zero_point = 0.5
    if zero_point != int(zero_point):
        raise ValueError(
            "%s: qp: expected scale > 0 and an integer zero_point from -128 to 127" % kernel
        )
    return scale, int(zero_point)


def channels(kernel, bias, mult, shift, K):
    for name, buf in (("bias", bias), ("mult", mult), ("shift", shift)):
        buffer(kernel, "l", name, buf, K)
    for k in range(K):
        entry(kernel, "mult", mult, k, 0, 2147483647)
        entry(kernel, "shift", shift, k, -31, 30)


def quantization(kernel, q):
    buffer(kernel, "l", "q", q, 4)
    for i in range(4):
        entry(kernel, "q", q, i, q[2] if i == 3 else -128, 127)
    return tuple(q)
