"""Inputs of a program on a PC: arrays of any shape, as numpy, torch or an image library has them.
"""

import io
import os

import numpy

from ..errors import DataError

_DTYPES = {"uint8": numpy.uint8, "float32": numpy.float32}


def flat(x, dtype, elems):
    """An input as a flat C-ordered buffer of `elems` items of `dtype`.

    x: what numpy makes an array of, such as any buffer. Converted: float64 and float16 to float32,
    integers from 0 to 255 to uint8. Raises DataError.
    """
    array = converted(numpy.asarray(x), dtype)
    if array.size != elems or array.dtype != dtype:
        raise DataError(
            "expected an input of %d %s, got %s; give an array of that dtype and as many elements"
            % (elems, dtype, described(array))
        )
    return memoryview(numpy.ascontiguousarray(array).reshape(-1))


def converted(array, dtype):
    """The array as `dtype` where that loses nothing but digits of a float, else as it is."""
    kind = array.dtype.kind
    whole = dtype == "uint8" and kind in "iu" and array.size
    if (dtype == "float32" and kind == "f") or (whole and 0 <= array.min() <= array.max() <= 255):
        return array.astype(_DTYPES[dtype])
    return array


def described(array):
    """Shape and dtype of an array, as "6x6x2 float64"."""
    return "%s %s" % ("x".join([str(n) for n in array.shape]) or "one", array.dtype)


def npz(name):
    """The streams of the arrays x, y and, where there is one, targets of an .npz file: as
    npy.Samples takes them. None where there is no file of that name, with or without its ending.

    Raises DataError where it lacks x or y.
    """
    name = os.fspath(name)
    path = name if name.endswith(".npz") else name + ".npz"
    if not os.path.isfile(path):
        return None
    with numpy.load(path, allow_pickle=False) as file:
        if "x" not in file or "y" not in file:
            raise DataError(
                "%s: expected arrays x and y, got %s" % (path, ", ".join(file.files) or "none")
            )
        return [_stream(file[key]) for key in ("x", "y", "targets") if key in file]


def _stream(array):
    """An array as an .npy file in memory, of a dtype that boards have where it can be."""
    dtype = "float32" if array.dtype.kind == "f" else "uint8"
    out = io.BytesIO()
    numpy.save(out, numpy.ascontiguousarray(converted(array, dtype)), allow_pickle=False)
    out.seek(0)
    return out
