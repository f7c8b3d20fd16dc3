"""Bytes in the place of int32 numbers, for the kernels in Python: windows of one block of memory.

tests/device/definition_check.py tries them on MicroPython, which has to copy.
"""

from array import array

import kernels_check as cases
import pytest

from kernels.common import NUMPY, PYTHON, rows

LIST = rows()
BUILDERS = [
    pytest.param(builder, written, shapes, id=builder.__name__)
    for builder, written, _, shapes in cases.CASES
    if {"L", "l"} & set(LIST[cases.kernel_name(builder)][0])
]


def window(numbers, code="B"):
    """The bytes of int32 numbers, in a block with other things."""
    block = memoryview(bytearray(8 + 4 * len(numbers)))
    view = block[4:-4]
    view[:] = numbers.tobytes()
    return view.cast(code)


@pytest.mark.parametrize("kernels", [NUMPY, PYTHON])
@pytest.mark.parametrize("code", ["B", "b"])
@pytest.mark.parametrize(("builder", "written", "shapes"), BUILDERS)
def test_windows_give_the_same_bytes(kernels, builder, written, shapes, code):
    kernel = getattr(kernels, cases.kernel_name(builder))
    shape = cases.misuse_shape(shapes)
    expected = builder(cases.Source(True), *shape)
    args = [
        window(a, code) if isinstance(a, array) and a.typecode == "i" else a
        for a in builder(cases.Source(True), *shape)
    ]
    assert kernel(*args) == kernel(*expected)
    for result, target in zip(args[:written], expected, strict=False):
        assert bytes(result) == bytes(target)


@pytest.mark.parametrize("kernels", [NUMPY, PYTHON])
def test_bytes_are_refused_where_they_are_no_numbers(kernels):
    def refused(why, name, i, value):
        builder, _, _, shapes = next(c for c in cases.CASES if c[0].__name__ == name)
        args = list(builder(cases.Source(True), *cases.misuse_shape(shapes)))
        args[i] = value
        argument = LIST[name][1][i]
        with pytest.raises((TypeError, ValueError), match=f"^{name}: {argument}: {why}"):
            getattr(kernels, name)(*args)

    int32 = r"expected an int32 buffer \(array 'i'\), got typecode 'B'"
    pattern = r"expected a writable int32 buffer \(array 'i'\), got "
    refused(int32, "dense_s8", 3, bytes(21))
    refused("expected 5 elements for its shape, got 6", "dense_s8", 3, bytes(24))
    refused("entry 0: expected -128 to 127, got 131072", "dense_s8", 6, bytes([0, 0, 2, 0]) * 4)
    refused(pattern + "typecode 'B'", "draw_batch", 1, bytearray(13))
    refused(pattern + "a read-only one", "draw_batch", 1, bytes(12))
    refused(pattern + "a read-only one", "draw_batch", 1, memoryview(bytes(12)))
    refused("expected a float32 .*, got typecode 'B'", "dense_fwd", 1, bytearray(24))
