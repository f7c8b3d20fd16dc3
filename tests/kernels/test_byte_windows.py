"""Bytes in the place of wider elements: windows of one block that holds several types."""

from array import array

import kernels_check as cases
import pytest

from kernels.common import C, rows

LIST = rows()
WIDE = {"F": 4, "f": 4, "o": 4, "L": 4, "l": 4, "H": 2, "h": 2}
BUILDERS = [
    pytest.param(builder, written, shapes, id=builder.__name__)
    for builder, written, _, shapes in cases.CASES
    if WIDE.keys() & set(LIST[cases.kernel_name(builder)][0])
]


def window(buf, code="B", shift=0):
    """The bytes of a buffer, `shift` bytes behind an aligned address."""
    room = memoryview(bytearray(8 + memoryview(buf).nbytes))
    view = room[shift : shift + memoryview(buf).nbytes]
    view[:] = memoryview(buf).cast("B")
    return view.cast(code)


@pytest.mark.parametrize("kernels", [C])
@pytest.mark.parametrize("code", ["B", "b"])
@pytest.mark.parametrize(("builder", "written", "shapes"), BUILDERS)
def test_windows_give_the_same_bytes(kernels, builder, written, shapes, code):
    kernel = getattr(kernels, cases.kernel_name(builder))
    shape = cases.misuse_shape(shapes)
    expected = builder(cases.Source(False), *shape)
    args = [
        window(a, code) if isinstance(a, array) else a
        for a in builder(cases.Source(False), *shape)
    ]
    assert kernel(*args) == kernel(*expected)
    for result, target in zip(args[:written], expected, strict=False):
        assert bytes(result) == bytes(target)


@pytest.mark.parametrize("kernels", [C])
@pytest.mark.parametrize("name", ["dense_fwd", "dense_s8", "draw_batch"])
def test_what_is_not_whole_elements_is_refused(kernels, name):
    """Each wide argument in turn: a byte too long, and a byte off."""
    builder, _, _, shapes = next(c for c in cases.CASES if c[0].__name__ == name)
    letters, names, _ = LIST[name]
    args = builder(cases.Source(True), *cases.misuse_shape(shapes))
    for i, letter in enumerate(letters):
        if letter not in WIDE:
            continue
        for bad, why in (
            (bytearray(memoryview(args[i]).nbytes + 1), "typecode 'B'"),
            (window(args[i], shift=1), "one that is not aligned to its elements"),
        ):
            wrong = (*args[:i], bad, *args[i + 1 :])
            with pytest.raises(TypeError, match=f"^{name}: {names[i]}: expected .*, got {why}"):
                getattr(kernels, name)(*wrong)


@pytest.mark.parametrize("kernels", [C])
def test_read_only_bytes_are_not_written(kernels):
    with pytest.raises(TypeError, match="relu_fwd: out: .*got a read-only one"):
        kernels.relu_fwd(bytes(8), bytes(8))
    out = bytearray(8)
    kernels.relu_fwd(out, array("f", (2, -2)).tobytes())
    assert array("f", bytes(out)).tolist() == [2, 0]


@pytest.mark.parametrize("kernels", [C])
def test_windows_of_two_types_must_not_share_memory(kernels):
    arena = memoryview(bytearray(64))
    kernels.relu_fwd(arena[0:16], arena[16:32])
    with pytest.raises(ValueError, match="relu_fwd: out: must not share memory with x"):
        kernels.relu_fwd(arena[0:16], arena[12:28])
    with pytest.raises(ValueError, match="dense_s8: out: must not share memory with mult"):
        out, x, w, bias = arena[0:1], arena[40:42], arena[42:44], arena[4:8]
        q = array("i", (0, 0, -128, 127))
        kernels.dense_s8(out, x, w, bias, arena[0:4], arena[8:12], q, 1, 2, 1)
