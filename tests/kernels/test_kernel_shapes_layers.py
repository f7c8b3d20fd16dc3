"""The kernels beyond the first families over shapes that hypothesis thinks of."""

import math
from array import array
from fractions import Fraction

import kernels_check as cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import tflite_reference as tflite
from kernels.common import BACKENDS, NUMPY, C
from kernels.shapes import frames, geometries, held_to_the_definition

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)
FAST = [C, NUMPY]  # held to the definition
ON = pytest.mark.parametrize("kernels", BACKENDS)
# gradients of averages round; every other one of these is exact on inputs k / 64
WINDOWS = "depthwise_fwd depthwise_bwd_dx depthwise_bwd_dw conv2d_t_fwd conv2d_t_bwd_dx".split()
WINDOWS += "conv2d_t_bwd_dw maxpool_fwd maxpool_bwd_dx avgpool_fwd maxpool_s8 conv2d_t_s8".split()


def of(name):
    """(builder, written buffers) of a kernel's row of cases."""
    return next(case[:2] for case in cases.CASES if case[0].__name__ == name)


@pytest.mark.parametrize("kernels", FAST)
@given(B=st.integers(0, 4), geom=geometries())
@SETTINGS
def test_windows(kernels, B, geom):
    for name in WINDOWS:
        held_to_the_definition(kernels, *of(name), (B, *geom))


@pytest.mark.parametrize("kernels", FAST)
@given(B=st.integers(0, 3), K=st.integers(1, 40))
@SETTINGS
def test_softmax_s8(kernels, B, K):
    held_to_the_definition(kernels, *of("softmax_s8"), (B, K))


@pytest.mark.parametrize("kernels", FAST)
@given(P=st.integers(0, 9), left=st.integers(0, 5), C=st.integers(0, 6), right=st.integers(0, 5))
@SETTINGS
def test_channels(kernels, P, left, C, right):
    for name in ("scale_shift_fwd", "scale_shift_bwd_dx", "scale_shift_bwd_dw"):
        held_to_the_definition(kernels, *of(name), (P, C))
    shape = P, left + C + right, right + C + left, left, right, C
    held_to_the_definition(kernels, *of("copy_channels"), shape)
    held_to_the_definition(kernels, *of("copy_channels_s8"), shape)


@pytest.mark.parametrize("kernels", FAST)
@given(B=st.integers(0, 5), K=st.integers(1, 12))
@SETTINGS
def test_softmax_gradients(kernels, B, K):
    held_to_the_definition(kernels, *of("softmax_bwd_dx"), (B, K))


@pytest.mark.parametrize("kernels", FAST)
@given(shape=frames())
@SETTINGS
def test_padding(kernels, shape):
    for name in ("pad_fwd", "pad_bwd_dx", "pad_s8"):
        held_to_the_definition(kernels, *of(name), shape)


# ---- what the shapes mean ---------------------------------------------------------------------


@ON
def test_one_dimension_is_a_height_of_one(kernels):
    """A 1-D convolution over W steps of C channels is conv2d with H = R = OH = 1."""
    W, channels, K, S = 11, 3, 4, 5
    rng = np.random.default_rng(1)
    x, w = rng.integers(-8, 8, (1, W, channels)), rng.integers(-8, 8, (K, S, channels))
    geom = array("i", [1, W, channels, K, 1, S, 1, 1, 0, 2, 1, 1, 1, W])
    out = array("f", bytes(4 * W * K))
    kernels.conv2d_fwd(out, array("f", x.ravel()), array("f", w.ravel()), None, geom, 1)
    target = np.zeros((W, K))
    for k in range(K):
        for c in range(channels):
            target[:, k] += np.convolve(x[0, :, c], w[k, ::-1, c], "same")
    np.testing.assert_array_equal(np.reshape(out, (W, K)), target)


@ON
@pytest.mark.parametrize("layer", ["conv2d", "depthwise"])
@pytest.mark.parametrize("H", [1, 7])
def test_dilation_is_zeros_between_the_taps(kernels, layer, H):
    """Forward, and both gradients; along one axis too."""
    W, channels, R, S, down, right = 9, 5, min(H, 3), 3, 2, 3
    K = 6 if layer == "conv2d" else channels
    R_wide, S_wide = (R - 1) * down + 1, (S - 1) * right + 1
    pad_top, pad_left = R_wide // 2, S_wide // 2

    def ints(*shape):
        return np.random.default_rng(3).integers(-8, 8, shape).astype(np.float32)

    w = ints(K, R, S, channels) if layer == "conv2d" else ints(R, S, channels)
    axes = list(w.shape)
    axes[-3:-1] = R_wide, S_wide
    wide = np.zeros(axes, np.float32)
    wide[..., ::down, ::right, :] = w
    x, dout = ints(H, W, channels), ints(H, W, K)

    def passes(w, taps, dilation):
        shape = H, W, channels, K, *taps, 1, 1, pad_top, pad_left, *dilation, H, W
        geom = array("i", shape)
        out, dx, dw, db = (np.zeros(n, np.float32) for n in (dout.size, x.size, w.size, K))
        getattr(kernels, f"{layer}_fwd")(out, x.ravel(), w.ravel(), None, geom, 1)
        getattr(kernels, f"{layer}_bwd_dx")(dx, dout.ravel(), w.ravel(), geom, 1)
        getattr(kernels, f"{layer}_bwd_dw")(dw, db, dout.ravel(), x.ravel(), geom, 1)
        return out, dx, dw.reshape(w.shape)

    out, dx, dw = passes(w, (R, S), (down, right))
    same_out, same_dx, same_dw = passes(wide, (R_wide, S_wide), (1, 1))
    np.testing.assert_array_equal(out, same_out)
    np.testing.assert_array_equal(dx, same_dx)
    np.testing.assert_array_equal(dw, same_dw[..., ::down, ::right, :])
    assert out.any() and dx.any() and dw.any()


@ON
def test_a_window_over_everything_is_a_global_pool(kernels):
    B, H, W, channels = 2, 3, 5, 4
    x = array("f", np.random.default_rng(2).permutation(B * H * W * channels))
    geom = array("i", [H, W, channels, channels, H, W, H, W, 0, 0, 1, 1, 1, 1])
    images = np.reshape(x, (B, H * W, channels))
    out, other = array("f", bytes(4 * B * channels)), array("f", bytes(4 * B * channels))
    kernels.maxpool_fwd(out, x, geom, B)
    np.testing.assert_array_equal(np.reshape(out, (B, channels)), images.max(1))
    kernels.avgpool_fwd(out, x, geom, B)
    kernels.global_avgpool_fwd(other, x, B, H * W, channels)
    assert out == other


@ON
def test_a_transposed_convolution_undoes_the_shape(kernels):
    """A kernel of 2 with a stride of 2 paints each input pixel as a 2 x 2 tile."""
    geom = array("i", [4, 4, 1, 1, 2, 2, 2, 2, 0, 0, 1, 1, 2, 2])
    out = array("f", bytes(64))
    tile, bias = array("f", [1, 2, 3, 4]), array("f", [0.5])
    kernels.conv2d_t_fwd(out, array("f", [1, 10, 100, 1000]), tile, bias, geom, 1)
    target = np.kron([[1, 10], [100, 1000]], [[1, 2], [3, 4]]) + 0.5
    np.testing.assert_array_equal(np.reshape(out, (4, 4)), target)


@ON
def test_a_pool_shows_nan_and_takes_the_first_of_equals(kernels):
    nan = float("nan")
    geom = array("i", [1, 6, 1, 1, 1, 3, 1, 3, 0, 0, 1, 1, 1, 2])
    x = array("f", [1, nan, 5, 2, 2, 1])
    out, dx = array("f", [0, 0]), array("f", bytes(24))
    kernels.maxpool_fwd(out, x, geom, 1)
    assert np.isnan(out[0]) and out[1] == 2
    kernels.maxpool_bwd_dx(dx, array("f", [3, 4]), x, geom, 1)
    assert dx.tolist() == [0, 3, 0, 4, 0, 0]


@ON
def test_a_window_that_steps_over_the_input_is_empty(kernels):
    geom = array("i", [1, 1, 1, 1, 1, 2, 1, 1, 0, 1, 1, 2, 1, 1])  # taps at -1 and 1
    one, out, byte = array("f", [7]), array("f", [9]), bytearray(1)
    for call in (kernels.maxpool_fwd, kernels.avgpool_fwd):
        call(out, one, geom, 1)
        assert out[0] == 0
        out[0] = 9
    kernels.maxpool_bwd_dx(out, one, one, geom, 1)
    assert out[0] == 0
    kernels.maxpool_s8(byte, b"\7", geom, array("i", [0, 0, -5, 5]), 1)
    assert byte[0] == 256 - 5


@ON
def test_gradients_are_accumulated_and_clipped(kernels):
    total, limit = array("f", [0]), array("f", [5])
    parts = array("f", [3, 0]), array("f", [4]), array("f", [12])
    for part in parts:
        kernels.sum_squares(total, part)
    assert total[0] == 169
    for part in parts:
        kernels.clip_norm(part, total, limit)
    clipped = [v for part in parts for v in part]
    assert clipped == pytest.approx([15 / 13, 0, 20 / 13, 60 / 13])
    kernels.clip_norm(parts[0], array("f", [25]), limit)  # just as long as allowed
    assert parts[0][0] == pytest.approx(15 / 13)
    y = array("f", [1, 2])
    kernels.axpy_f32(y, array("f", [10, 20]), array("f", [0.5]))
    assert list(y) == [6, 12]


@pytest.mark.parametrize("kernels", [C])
def test_long_sums_of_squares_keep_their_digits(kernels):
    """The bound is (64 + n / 64) units in the last place; adding one by one would lose more."""
    x, total = array("f", [0.1]) * 100_000, array("f", [0])
    kernels.sum_squares(total, x)
    target = 100_000 * float(np.float32(0.1)) ** 2
    assert abs(total[0] - target) < (64 + 100_000 / 64) * 2**-24 * target


# ---- int8 against the specification --------------------------------------------------------

multipliers = st.integers(1 << 30, 2**31 - 1)
zero_points = st.integers(-128, 127)


@st.composite
def activation_ranges(draw):
    low = draw(st.integers(-128, 127))
    return [low, draw(st.integers(low, 127))]


@ON
@given(data=st.data(), B=st.integers(1, 2), geom=geometries(dilation=1))
@SETTINGS
def test_maxpool_s8_is_tflite(kernels, data, B, geom):
    geom = cases.channelwise(geom)
    X, Y, _, _ = cases.sizes(geom, B)
    x = data.draw(st.binary(min_size=X, max_size=X))
    q = array("i", [0, 0, *data.draw(activation_ranges())])
    out = bytearray(Y)
    kernels.maxpool_s8(out, x, array("i", geom), q, B)
    assert out == tflite.max_pool(x, geom, q, B)


@ON
@given(data=st.data(), n=st.integers(0, 40))
@SETTINGS
def test_add_s8_is_tflite(kernels, data, n):
    a, b = (data.draw(st.binary(min_size=n, max_size=n)) for _ in range(2))
    q = [data.draw(zero_points) for _ in range(3)] + data.draw(activation_ranges())
    q.append(data.draw(st.integers(0, 20)))
    for _ in range(3):
        q += data.draw(multipliers), data.draw(st.integers(-31, 0))
    out = bytearray(n)
    kernels.add_s8(out, a, b, array("i", q))
    assert out == tflite.add(a, b, q)


@ON
def test_add_s8_adds(kernels):
    """TFLite's own way to its parameters, and the real sums that come out of them."""

    def parts(real):
        mantissa, exponent = math.frexp(real)
        return round(mantissa * 2**31), exponent

    scales, zeros = (0.05, 0.11, 0.13), (-3, 17, 5)
    twice = 2 * max(scales[:2])
    q = [*zeros, -128, 127, 20, *parts(scales[0] / twice), *parts(scales[1] / twice)]
    q += parts(twice / (2**20 * scales[2]))
    a, b = (array("b", range(-100, 100)), array("b", [v * 37 % 201 - 100 for v in range(200)]))
    out = array("b", bytes(200))
    kernels.add_s8(out, a, b, array("i", q))
    real = scales[0] * (np.array(a) - zeros[0]) + scales[1] * (np.array(b) - zeros[1])
    target = np.clip(real / scales[2] + zeros[2], -128, 127)
    assert np.abs(out - target).max() <= 0.5 + 1e-4


@ON
@given(
    x=st.binary(max_size=50),
    mult=multipliers,
    shift=st.integers(-31, 8),
    ends=activation_ranges(),
    zeros=st.tuples(zero_points, zero_points),
)
@SETTINGS
def test_requantize_s8_is_tflite(kernels, x, mult, shift, ends, zeros):
    q = array("i", [*zeros, *ends])
    out = bytearray(len(x))
    kernels.requantize_s8(out, x, array("i", [mult]), array("i", [shift]), q)
    assert out == tflite.requantize(x, mult, shift, q)


def softmax_table(scale):
    """The exponentials of TensorFlow Lite for an input of this scale, and beta 1."""
    mantissa, exponent = math.frexp(scale * 2**26)
    multiplier, left_shift = round(mantissa * 2**31), exponent
    diff_min = -math.floor(31 * 2.0 ** (26 - left_shift))
    return tflite.softmax_exponentials(multiplier, left_shift, diff_min)


@ON
@given(data=st.data(), B=st.integers(1, 3), K=st.integers(1, 300), power=st.floats(-8, 0))
@SETTINGS
def test_softmax_s8_is_tflite(kernels, data, B, K, power):
    table = softmax_table(2.0**power)
    x = data.draw(st.binary(min_size=B * K, max_size=B * K))
    out = bytearray(B * K)
    kernels.softmax_s8(out, x, array("i", table), B, K)
    assert out == tflite.softmax(x, table, B, K)


@pytest.mark.parametrize("scale", [1 / 256, 0.05, 0.25, 1.0])
def test_the_exponentials_of_tflite_are_exponentials(scale):
    """So that what the kernel is held to is a softmax."""
    target = np.exp(-scale * np.arange(256)) * 2**31
    np.testing.assert_allclose(softmax_table(scale), target, rtol=0, atol=512)


@ON
@pytest.mark.parametrize("K", [2, 10, 400, 4095])
def test_softmax_s8_is_a_softmax(kernels, K):
    """Within half a step of the real one, and what its sums round; also of many classes."""
    scale = 0.11
    table = [min(2**31 - 1, round(math.exp(-scale * d) * 2**31)) for d in range(256)]
    x = array("b", [(i * i * 37 + 11 * i) % 251 - 125 for i in range(K)])
    for row in (x, array("b", [5] * K)):
        out = array("b", bytes(K))
        kernels.softmax_s8(out, row, array("i", table), 1, K)
        e = np.exp(scale * np.array(row, float))
        target = np.minimum(256 * e / e.sum() - 128, 127)
        assert np.abs(np.array(out) - target).max() <= 0.5 + 1e-3


@ON
def test_a_lookup_table_is_a_function_of_every_value(kernels):
    """tanh as TensorFlow Lite makes its table for int8: the input at 0.04, the output at 1/128."""
    every = array("b", range(-128, 128))
    table = array("b", [min(127, round(128 * math.tanh(0.04 * v))) for v in every])
    out = array("b", bytes(256))
    kernels.lookup_s8(out, every, table)
    assert out == table
    kernels.lookup_s8(out, bytes([128, 255, 0, 127] * 64), table)
    assert out[:4].tolist() == [table[0], table[127], 0, table[255]]


@ON
def test_int8_images_in_a_frame_of_the_zero_point(kernels):
    out = array("b", bytes(12))
    kernels.pad_s8(out, array("b", [1, 2]), array("b", [-7]), 1, 1, 2, 1, 3, 4, 1, 2)
    assert out.tolist() == [-7] * 6 + [1, 2] + [-7] * 4


# ---- packed latents ---------------------------------------------------------------------------

EVERY = bytes(v & 255 for v in range(-128, 128))
BITS = pytest.mark.parametrize("bits", range(1, 9))


def packed(kernels, x, bits):
    out = bytearray(kernels.packed_bytes(len(x), bits))
    kernels.pack_s8(out, x, bits)
    return out


def fields(data, n, bits):
    """The elements of a packed buffer, by its description: one long little-endian number."""
    whole = int.from_bytes(data, "little")
    return [whole >> i * bits & (1 << bits) - 1 for i in range(n)]


@ON
@BITS
def test_packing_is_the_formula(kernels, bits):
    """q = round(a / S) with S = a_max / (2**bits - 1), a = (x + 128) a_max / 255."""
    top = (1 << bits) - 1
    data = packed(kernels, EVERY, bits)
    assert len(data) == 32 * bits
    levels = fields(data, 256, bits)
    assert levels == [round(Fraction(v * top, 255)) for v in range(256)]  # there are no halves
    out = bytearray(256)
    kernels.unpack_s8(out, data, bits)
    assert list(out) == [round(Fraction(v * 255, top)) - 128 & 255 for v in levels]
    scale, zero_point = 0.037, -128
    real, qp = array("f", bytes(1024)), array("f", [scale, zero_point])
    kernels.unpack_f32(real, data, qp, bits)
    step = 255 * qp[0] / top
    np.testing.assert_allclose(real, [v * step for v in levels], rtol=3e-7)


@ON
@BITS
@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 8, 13, 64, 65])
def test_a_packed_latent_comes_back(kernels, bits, n):
    """At most half a step away, and packing it again changes nothing; 8 bits lose nothing."""
    x = bytes(i * 89 + 7 & 255 for i in range(n))
    data = packed(kernels, x, bits)
    assert len(data) == (n * bits + 7) // 8
    if data and n * bits % 8:
        assert data[-1] >> n * bits % 8 == 0
    out = bytearray(n)
    kernels.unpack_s8(out, data, bits)
    half = 255 / (2 * ((1 << bits) - 1))
    for before, after in zip(x, out, strict=True):
        assert abs((before ^ 128) - (after ^ 128)) <= half + 0.5
    assert packed(kernels, out, bits) == data
    if bits == 8:
        assert out == x
        real, same = array("f", bytes(4 * n)), array("f", bytes(4 * n))
        kernels.unpack_f32(real, data, array("f", [0.1, 3]), 8)
        kernels.dequantize_s8(same, x, array("f", [0.1, 3]))
        assert real == same


@ON
def test_packed_sizes(kernels):
    assert [kernels.packed_bytes(n, 5) for n in (0, 1, 2, 8, 9)] == [0, 1, 2, 5, 6]
    assert kernels.packed_bytes(2**30 - 1, 8) == 2**30 - 1
    assert kernels.packed_bytes(2**30 - 1, 7) == ((2**30 - 1) * 7 + 7) // 8
