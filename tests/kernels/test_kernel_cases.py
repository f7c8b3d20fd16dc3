"""Every kernel of every backend on the table of cases that all hosts share.

Exact inputs: byte for byte the definition's result. Real inputs: the definition in float64,
within a tolerance stated here.
"""

from array import array

import kernels_check as cases
import numpy as np
import pytest

from engram.kernels import python as definition
from kernels.common import BACKENDS, reference

ALL = [
    pytest.param(*case, shape, id="-".join([case[0].__name__, *map(str, shape)]))
    for *case, shapes in cases.CASES
    for shape in shapes
]
EXACT = [param for param in ALL if param.values[2]]  # exponentials never are
# float32 has 24 bits; the sums below have up to some 50 terms of at most 1 in size.
RTOL, ATOL = 1e-5, 1e-5


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize(("builder", "written", "exact", "shape"), EXACT)
def test_exact_inputs_give_the_bytes_of_the_definition(kernels, builder, written, exact, shape):
    result = cases.run(kernels, builder, written, shape, True)
    assert result == cases.run(definition, builder, written, shape, True)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize(("builder", "written", "exact", "shape"), ALL)
def test_real_inputs_are_close_to_float64(kernels, builder, written, exact, shape):
    name = cases.kernel_name(builder)
    args = list(builder(cases.Source(False), *shape))
    expected = reference(name, args)
    getattr(kernels, name)(*args)
    for result, target in zip(args[:written], expected[:written], strict=True):
        result, target = np.array(result, float), np.array(target, float)
        np.testing.assert_allclose(result, target, rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("name", cases.IN_PLACE)
def test_in_place_where_the_shape_line_says_so(kernels, name):
    builder, written, exact, shapes = next(c for c in cases.CASES if c[0].__name__ == name)
    for shape in shapes:
        args = list(builder(cases.Source(True), *shape))
        getattr(kernels, name)(*args)
        separate = [bytes(a) for a in args[:written]]
        args = list(builder(cases.Source(True), *shape))
        out, read = cases.IN_PLACE[name]
        args[out] = args[read]
        getattr(kernels, name)(*args)
        assert [bytes(a) for a in args[:written]] == separate


def signed(buf):
    """An 8-bit buffer as array('b'), anything else as it is."""
    return array("b", bytes(buf)) if isinstance(buf, (bytes, bytearray)) else buf


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("name", ["conv2d_s8", "quantize_s8", "dequantize_s8", "u8_to_s8"])
def test_signed_and_unsigned_bytes_are_the_same_memory(kernels, name):
    builder, written, _, shapes = next(c for c in cases.CASES if c[0].__name__ == name)
    args = list(builder(cases.Source(True), *shapes[2]))
    other = [signed(a) for a in builder(cases.Source(True), *shapes[2])]
    getattr(kernels, name)(*args)
    getattr(kernels, name)(*other)
    assert [bytes(a) for a in args[:written]] == [bytes(a) for a in other[:written]]


@pytest.mark.parametrize("kernels", BACKENDS)
def test_unaligned_bytes_are_fine_for_8_bit_buffers(kernels):
    builder, written, _, shapes = next(c for c in cases.CASES if c[0].__name__ == "dense_s8")
    args = list(builder(cases.Source(True), *shapes[2]))
    expected = list(args)
    expected[0] = bytearray(args[0])
    definition.dense_s8(*expected)
    for i in range(3):
        room = bytearray(len(args[i]) + 1)
        room[1:] = args[i]
        args[i] = memoryview(room)[1:]
    kernels.dense_s8(*args)
    assert bytes(args[0]) == bytes(expected[0])


@pytest.mark.parametrize("kernels", BACKENDS)
def test_slices_of_an_arena_are_buffers(kernels):
    arena = memoryview(array("f", range(20)))
    kernels.dense_fwd(arena[0:2], arena[4:6], arena[8:12], None, 1, 2, 2)
    assert list(arena[:4]) == [4 * 8 + 5 * 9, 4 * 10 + 5 * 11, 2, 3]


# ---- values the cases do not reach ---------------------------------------------------------


@pytest.mark.parametrize("kernels", BACKENDS)
def test_softmax_of_extreme_logits(kernels):
    x = array("f", [1e30, 0, -1e30, -200, -90, -100, 5, 5, 5])
    out = array("f", bytes(36))
    kernels.softmax_fwd(out, x, 3, 3)
    small = np.exp(-10)
    expected = [1, 0, 0, 0, 1 / (1 + small), small / (1 + small), *[1 / 3] * 3]
    np.testing.assert_allclose(out, expected, rtol=1e-5)
    stats, labels = array("f", [9, 9]), bytes([0, 1, 2])
    kernels.softmax_xent(out, stats, x, labels, 3, 3)
    np.testing.assert_allclose(stats, [np.log1p(small) + np.log(3), 2], rtol=1e-5)
    kernels.softmax_xent(out, stats, x, bytes([2, 0, 0]), 3, 3)
    assert stats[0] == pytest.approx(2e30) and stats[1] == 1


@pytest.mark.parametrize("kernels", BACKENDS)
def test_nan_is_not_hidden(kernels):
    nan = float("nan")
    out = array("f", [1, 1, 1, 1])
    kernels.relu_fwd(out, array("f", [nan, -nan, -0.0, float("inf")]))
    assert np.isnan(out[0]) and np.isnan(out[1])
    assert list(out[2:]) == [0.0, float("inf")] and str(out[2]) == "0.0"
    kernels.softmax_fwd(out, array("f", [0, nan, 1, 2]), 1, 4)
    assert kernels.check_finite(out) > 0
    assert kernels.check_finite(array("f", [nan, float("inf"), -float("inf"), 3.4e38])) == 3


@pytest.mark.parametrize("kernels", BACKENDS)
def test_quantize_rounds_halves_away_and_clamps(kernels):
    inf = float("inf")
    below = np.nextafter(np.float32(0.5), np.float32(0))  # plus one half it rounds to 1
    x = [0.5, -0.5, 1.5, -1.5, 2.5, below, -below, 200, -200, inf, -inf, float("nan"), 1e38]
    out = array("b", bytes(len(x)))
    kernels.quantize_s8(out, array("f", x), array("f", [1, 0]))
    assert list(out) == [1, -1, 2, -2, 3, 0, 0, 127, -128, 127, -128, 0, 127]
    kernels.quantize_s8(out, array("f", x), array("f", [1e-38, -7]))
    assert list(out[-5:]) == [-128, 127, -128, -7, 127]


@pytest.mark.parametrize("kernels", BACKENDS)
def test_quantize_inverts_dequantize(kernels):
    every = array("b", range(-128, 128))
    wide, again = array("f", bytes(1024)), array("b", bytes(256))
    for scale in (0.0078125, 0.1, 3.7e-5, 11.0):
        for zero_point in (-128, -3, 0, 127):
            qp = array("f", [scale, zero_point])
            kernels.dequantize_s8(wide, every, qp)
            kernels.quantize_s8(again, wide, qp)
            assert again == every


@pytest.mark.parametrize("kernels", BACKENDS)
def test_sgd_with_momentum_moves_as_the_formula(kernels):
    p, v = array("f", [1.0]), array("f", [0.0])
    for step in range(3):
        kernels.sgd_step(p, v, array("f", [0.5]), array("f", [0.25, 0.5, 0.0]))
        assert v[0] == (0.5, 0.75, 0.875)[step]
    assert p[0] == 1 - 0.25 * (0.5 + 0.75 + 0.875)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_plain_sgd_is_sgd_without_momentum(kernels):
    start, g = array("f", [1.0, -0.5, 0.25]), array("f", [0.5, 0.25, -1.0])
    p, other = array("f", start), array("f", start)
    for _ in range(3):
        kernels.sgd_plain(p, g, array("f", [0.25, 0.5]))
        kernels.sgd_step(other, array("f", bytes(12)), g, array("f", [0.25, 0.0, 0.5]))
    assert p == other != start


def test_there_is_nothing_to_count_here():
    for param in BACKENDS:
        if param.values[0] is not None:
            assert param.values[0].spent() == 0
