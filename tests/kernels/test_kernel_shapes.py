"""Kernels over shapes that hypothesis thinks of: ones, odd sizes, strides, paddings, dilation."""

import math
import struct
from array import array

import kernels_check as cases
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.kernels import python as definition
from kernels import tflite_reference as tflite
from kernels.common import BACKENDS, NUMPY, C
from kernels.shapes import SETTINGS, geometries, held_to_the_definition

FAST = [C, NUMPY]  # held to the definition
@pytest.mark.parametrize("kernels", FAST)
@given(B=st.integers(0, 6), N=st.integers(0, 20), M=st.integers(0, 13))
@SETTINGS
def test_dense(kernels, B, N, M):
    held_to_the_definition(kernels, cases.dense_fwd, 1, (B, N, M))
    held_to_the_definition(kernels, cases.dense_bwd_dx, 1, (B, N, M))
    held_to_the_definition(kernels, cases.dense_bwd_dw, 2, (B, N, M))
    held_to_the_definition(kernels, cases.dense_s8, 1, (B, N, M))


@pytest.mark.parametrize("kernels", FAST)
@given(B=st.integers(0, 5), geom=geometries())
@SETTINGS
def test_convolution(kernels, B, geom):
    held_to_the_definition(kernels, cases.conv2d_fwd, 1, (B, *geom))
    held_to_the_definition(kernels, cases.conv2d_bwd_dx, 1, (B, *geom))
    held_to_the_definition(kernels, cases.conv2d_bwd_dw, 2, (B, *geom))
    held_to_the_definition(kernels, cases.conv2d_s8, 1, (B, *geom))
    held_to_the_definition(kernels, cases.depthwise_s8, 1, (B, *geom))
    held_to_the_definition(kernels, cases.avgpool_s8, 1, (B, *geom))


# ---- int8 against the specification --------------------------------------------------------

multipliers = st.integers(1 << 30, 2**31 - 1)


@st.composite
def int8_layers(draw, outputs, inputs, weights):
    """x, w, bias, mult, shift, q of a valid layer: accumulators stay below 2**26."""
    low = draw(st.integers(-128, 127))
    q = [
        draw(st.integers(-128, 127)),
        draw(st.integers(-128, 127)),
        low,
        draw(st.integers(low, 127)),
    ]

    def each(strategy, typecode="i"):
        return array(typecode, draw(st.lists(strategy, min_size=outputs, max_size=outputs)))

    return (
        draw(st.binary(min_size=inputs, max_size=inputs)),
        draw(st.binary(min_size=weights, max_size=weights)),
        each(st.integers(-(2**24), 2**24)),
        each(multipliers),
        each(st.integers(-20, 4)),
        array("i", q),
    )


@pytest.mark.parametrize("kernels", BACKENDS)
@given(data=st.data(), B=st.integers(1, 2), geom=geometries())
@SETTINGS
def test_conv2d_s8_is_tflite(kernels, data, B, geom):
    X, Y, W, K = cases.sizes(geom, B)
    x, w, bias, mult, shift, q = data.draw(int8_layers(K, X, W))
    out = bytearray(Y)
    kernels.conv2d_s8(out, x, w, bias, mult, shift, array("i", geom), q, B)
    assert out == tflite.conv2d(x, w, bias, mult, shift, geom, q, B)


@pytest.mark.parametrize("kernels", BACKENDS)
@given(data=st.data(), B=st.integers(1, 2), geom=geometries())
@SETTINGS
def test_depthwise_s8_is_tflite(kernels, data, B, geom):
    geom = cases.channelwise(geom)
    X, Y, W, channels = cases.sizes(geom, B)
    x, w, bias, mult, shift, q = data.draw(int8_layers(channels, X, W // channels))
    out = bytearray(Y)
    kernels.depthwise_s8(out, x, w, bias, mult, shift, array("i", geom), q, B)
    assert out == tflite.depthwise(x, w, bias, mult, shift, geom, q, B)


@pytest.mark.parametrize("kernels", BACKENDS)
@given(data=st.data(), B=st.integers(1, 2), geom=geometries())
@SETTINGS
def test_conv2d_t_s8_is_tflite(kernels, data, B, geom):
    Y, X, W, _ = cases.sizes(geom, B)  # from the small to the whole
    x, w, bias, mult, shift, q = data.draw(int8_layers(geom[2], X, W))
    out = bytearray(Y)
    kernels.conv2d_t_s8(out, x, w, bias, mult, shift, array("i", geom), q, B)
    assert out == tflite.transposed(x, w, bias, mult, shift, geom, q, B)


@pytest.mark.parametrize("kernels", BACKENDS)
@given(data=st.data(), B=st.integers(1, 3), N=st.integers(1, 30), M=st.integers(1, 9))
@SETTINGS
def test_dense_s8_is_tflite(kernels, data, B, N, M):
    x, w, bias, mult, shift, q = data.draw(int8_layers(M, B * N, M * N))
    out = bytearray(B * M)
    kernels.dense_s8(out, x, w, bias, mult, shift, q, B, N, M)
    assert out == tflite.fully_connected(x, w, bias, mult, shift, q, B, N, M)


@pytest.mark.parametrize("kernels", BACKENDS)
@given(data=st.data(), B=st.integers(1, 2), geom=geometries(dilation=1))
@SETTINGS
def test_avgpool_s8_is_tflite(kernels, data, B, geom):
    geom = cases.channelwise(geom)
    X, Y, _, _ = cases.sizes(geom, B)
    x, _, _, _, _, q = data.draw(int8_layers(1, X, 0))
    out = bytearray(Y)
    kernels.avgpool_s8(out, x, array("i", geom), q, B)
    assert out == tflite.average_pool(x, geom, q, B)


def conv2d_of_a_bias(kernels, *args):
    """The pixel of a pointwise layer whose input is 0."""
    pixel = array("i", [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1])
    *args, q = args
    kernels.conv2d_s8(args[0], b"\0", b"\0", *args[1:], pixel, q, 1)


def dense_of_a_bias(kernels, out, bias, mult, shift, q):
    kernels.dense_s8(out, b"", b"", bias, mult, shift, q, 1, 0, 1)


def requantized(kernels, acc, mult, shift, kernel=conv2d_of_a_bias):
    """One accumulator through a kernel, clamped to int8."""
    out = bytearray(1)
    numbers = (array("i", [v]) for v in (acc, mult, shift))
    kernel(kernels, out, *numbers, array("i", [0, 0, -128, 127]))
    return struct.unpack("b", out)[0]


def any_accumulator(test):
    """The test, given accumulators and factors of which some are far outside of a model's."""
    values = given(
        acc=st.integers(-(2**31), 2**31 - 1),
        mult=multipliers | st.integers(0, 9),
        shift=st.integers(-31, 0),
    )
    return settings(max_examples=400, deadline=None, derandomize=True)(values(test))


@pytest.mark.parametrize("kernels", BACKENDS)
@any_accumulator
def test_requantization_is_tflite(kernels, acc, mult, shift):
    target = tflite.multiply_by_quantized_multiplier(acc, mult, shift)
    assert requantized(kernels, acc, mult, shift) == min(max(target, -128), 127)


@pytest.mark.parametrize("kernels", BACKENDS)
@any_accumulator
def test_a_dense_layer_rounds_once(kernels, acc, mult, shift):
    target = tflite.rounded_once(acc, mult, shift)
    result = requantized(kernels, acc, mult, shift, dense_of_a_bias)
    assert result == min(max(target, -128), 127)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_a_dense_layer_rounds_halves_upwards(kernels):
    half = 1 << 30  # times one half
    # 1.25, which two roundings make 2; then halves, and a factor above 1
    for acc, shift, target in ((5, -1, 1), (6, -1, 2), (-6, -1, -1), (-3, 0, -1), (3, 0, 2)):
        assert requantized(kernels, acc, half, shift, dense_of_a_bias) == target
    assert requantized(kernels, -5, 3 << 28, 1, dense_of_a_bias) == -4  # of -3.75


@pytest.mark.parametrize("kernels", BACKENDS)
def test_requantization_rounds_halves_away_from_zero(kernels):
    half = 1 << 30  # times one half
    for acc, shift, target in ((6, -1, 2), (-6, -1, -2), (2, -1, 1), (-2, -1, -1), (3, 0, 2)):
        # the second rounding is of 3, -3, 1, -1 halves; the first, of 1.5, is upwards
        assert requantized(kernels, acc, half, shift) == target
    assert requantized(kernels, -3, half, 0) == math.ceil(-1.5)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("M", [1, 4])
def test_a_sum_at_the_end_of_int32_is_clamped_not_wrapped(kernels, M):
    """A multiplier of nearly 1 leaves no room for a zero point to be added."""
    for acc, zero_point, target in ((2**31 - 1, 5, 127), (-(2**31), -5, 128)):
        out = bytearray(M)
        layer = (array("i", [v] * M) for v in (acc, 2**31 - 1, 0))
        q = array("i", [0, zero_point, -128, 127])
        kernels.dense_s8(out, b"", b"", *layer, q, 1, 0, M)
        assert out == bytes([target] * M)


@pytest.mark.parametrize("kernels", FAST)
@given(data=st.data(), B=st.integers(1, 2), N=st.integers(1, 5), M=st.integers(1, 5))
@SETTINGS
def test_even_an_invalid_model_gives_the_same_bytes(kernels, data, B, N, M):
    """Accumulators that wrap, multipliers below one half, shifts to the left."""

    def numbers(low, high):
        return array("i", data.draw(st.lists(st.integers(low, high), min_size=M, max_size=M)))

    x, w = data.draw(st.binary(min_size=B * N, max_size=B * N)), bytes(M * N)
    layer = numbers(-(2**31), 2**31 - 1), numbers(0, 2**31 - 1), numbers(-31, 30)
    q = array("i", [data.draw(st.integers(-128, 127)), 5, -128, 127])
    result, target = bytearray(B * M), bytearray(B * M)
    kernels.dense_s8(result, x, w, *layer, q, B, N, M)
    definition.dense_s8(target, x, w, *layer, q, B, N, M)
    assert result == target
