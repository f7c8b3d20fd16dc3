"""Every int8 kernel of the frozen stage against onnxruntime's operator for the same layer.

onnx and onnxruntime are an extra, and nowhere but here: `make test-onnx` brings them and runs this
folder. The kernels round as TensorFlow Lite does, twice and halves away from zero, in dense layers
once and halves upwards; onnxruntime multiplies by a float32 scale and rounds once, halves to even.
So results may be one step apart, and only where the real number lies near the middle between two
steps, of dense layers at it.
"""

from array import array

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is an extra: make test-onnx")

from engram_host.convert.quantize import multiplier
from kernels.common import C as KERNELS
from qlinear import graphs, layers
from qlinear.rates import BY_SHIFT, RATES, Rates, double_rounding

LAYERS = 150  # random layers of each kernel
AT_THE_MIDDLE = 0.0  # how near to it numbers lie that one rounding may take elsewhere
LEFT_SHIFT = 20  # of add_s8, as TensorFlow Lite takes it for int8
ADD_REACH = 2.0**-14  # what the three multipliers of add_s8 lose, in steps of the output
ON = pytest.mark.parametrize("kernels", [KERNELS])


@pytest.fixture
def rng(request):
    """Its own random numbers for each test, the same in each run."""
    return np.random.default_rng(sum(map(ord, request.node.originalname)))


def held(rates, apart=1):
    """The bar: at most ``apart`` steps, each difference accounted for, and there was something
    to compare: most outputs are not clamped.
    """
    assert rates.largest <= apart and rates.unexplained == 0
    assert rates.inside > rates.outputs // 3 and rates.inside > 1000


def multipliers(factors):
    """mult and shift (K) of real factors, and the reach of their double rounding."""
    pairs = [multiplier(f) for f in factors]
    mult, shift = (array("i", column) for column in zip(*pairs, strict=True))
    return mult, shift, np.array([double_rounding(max(0, -s)) for s in shift])


def layer(rng, sums, channels):
    """Scales of a layer with weights, from its sums (..., K) without bias."""
    xs, ws = layers.scale(rng), layers.channel_scales(rng, channels)
    bias = rng.integers(-2000, 2001, channels).astype(np.int32)
    yq = layers.output_quantization(rng, (sums + bias) * xs * ws)
    factors = xs * ws.astype(np.float32).astype(np.float64) / yq[0]
    return xs, ws, bias, yq, factors


def with_weights(rng, rates, sums, x_zp, call, reference, channels, once=False):
    """One layer with weights: call(bias, mult, shift, q) and reference(bias, xs, ws, yq)."""
    xs, ws, bias, yq, factors = layer(rng, sums, channels)
    mult, shift, reach = multipliers(factors)
    clamps = layers.activation(rng, yq[1])
    q = array("i", (x_zp, yq[1], *clamps))
    result = call(array("i", bias.tolist()), mult, shift, q)
    target = reference(bias, (xs, x_zp), ws, yq)
    real = (sums + bias) * factors
    rates.compare(result, target, real, yq[1], clamps, AT_THE_MIDDLE if once else reach)


@ON
@pytest.mark.parametrize("kernel", ["conv2d_s8", "depthwise_s8"])
def test_convolution(kernels, kernel, rng):
    depthwise = kernel == "depthwise_s8"
    operator = "QLinearConv, one group a channel" if depthwise else "QLinearConv"
    rates = RATES[kernel, operator] = Rates()
    for _ in range(LAYERS):
        geom, pads = layers.geometry(rng, channelwise=depthwise)
        H, W, C, K, R, S = geom[:6]
        B, x_zp = int(rng.integers(1, 4)), layers.zero_point(rng)
        x = layers.integers(rng, B, H, W, C)
        w = layers.integers(rng, K, R, S, 1 if depthwise else C, low=-127)
        seen = layers.windows(x, geom, pads, x_zp) - x_zp
        sums = np.einsum("bhwcrs,crs->bhwc" if depthwise else "bhwcrs,krsc->bhwk",
                         seen, w[..., 0] if depthwise else w.astype(float))  # fmt: skip
        flat = w[..., 0].transpose(1, 2, 0).tobytes() if depthwise else w.tobytes()

        def call(*args, x=x, w=flat, geom=geom, B=B, shape=sums.shape):
            out = np.zeros(shape, np.int8)
            *parameters, q = args
            getattr(kernels, kernel)(out, x.tobytes(), w, *parameters, array("i", geom), q, B)
            return out

        def reference(bias, xq, ws, yq, x=x, w=w, geom=geom, pads=pads, groups=C):
            return graphs.conv2d(x, w, bias, geom, pads, xq, ws, yq, groups if depthwise else 1)

        with_weights(rng, rates, sums, x_zp, call, reference, K)
    held(rates)


def dense(kernels, x, w):
    def call(bias, mult, shift, q):
        (B, N), M = x.shape, len(w)
        out = np.zeros((B, M), np.int8)
        kernels.dense_s8(out, x.tobytes(), w.tobytes(), bias, mult, shift, q, B, N, M)
        return out

    return call


def pointwise(kernels, x, w):
    """The same layer as a convolution."""

    def call(bias, mult, shift, q):
        (B, N), M = x.shape, len(w)
        out = np.zeros((B, M), np.int8)
        geom = array("i", (B, 1, N, M, 1, 1, 1, 1, 0, 0, 1, 1, B, 1))
        kernels.conv2d_s8(out, x.tobytes(), w.tobytes(), bias, mult, shift, geom, q, 1)
        return out

    return call


@ON
@pytest.mark.parametrize("operator", ["QGemm", "QLinearMatMul"])
def test_dense(kernels, operator, rng):
    rates = RATES["dense_s8", operator] = Rates()
    for _ in range(LAYERS):
        B, N, M = (int(rng.integers(1, top)) for top in (9, 129, 33))
        x, w = layers.integers(rng, B, N), layers.integers(rng, M, N, low=-127)
        x_zp = layers.zero_point(rng)
        sums = (x.astype(float) - x_zp) @ w.astype(float).T
        call = dense(kernels, x, w)
        if operator == "QLinearMatMul":  # its bias is added to the real numbers: leave it out
            xs, ws, bias, yq, factors = layer(rng, sums, M)
            mult, shift, _ = multipliers(factors)
            clamps = layers.activation(rng, yq[1])
            result = call(
                array("i", bytes(4 * M)), mult, shift, array("i", (x_zp, yq[1], *clamps))
            )
            target = graphs.matmul(x, w, (xs, x_zp), ws, yq)
            rates.compare(result, target, sums * factors, yq[1], clamps, AT_THE_MIDDLE)
        else:

            def reference(bias, xq, ws, yq, x=x, w=w):
                return graphs.gemm(x, w, bias, xq, ws, yq)

            with_weights(rng, rates, sums, x_zp, call, reference, M, once=True)
    held(rates)


@ON
@pytest.mark.parametrize("right", range(11))
def test_how_often_by_the_shift_of_the_multiplier(kernels, right, rng):
    """The first rounding leaves 2**-right; the coarser, the more often it misleads the second."""
    rates = BY_SHIFT[right] = Rates()
    N, M = 16, 64
    size = int(np.clip(100 * 2.0**right / 171, 1, 127))
    for _ in range(40):
        x, w = layers.integers(rng, 32, N), layers.integers(rng, M, N, low=-size, high=size)
        sums = x.astype(float) @ w.astype(float).T
        factor = np.float32(2.0**-right * rng.uniform(0.501, 0.999, M)).astype(float)
        mult, shift, reach = multipliers(factor)
        assert set(shift) == {-right}
        result = pointwise(kernels, x, w)(
            array("i", bytes(4 * M)), mult, shift, array("i", (0, 0, -128, 127))
        )
        target = graphs.matmul(x, w, (1.0, 0), factor, (1.0, 0))
        rates.compare(result, target, sums * factor, 0, (-128, 127), reach)
    held(rates)
    assert rates.differ <= 1.5 * double_rounding(right) * rates.inside + 5


@ON
@pytest.mark.parametrize("kernel", ["avgpool_s8", "maxpool_s8"])
def test_pool(kernels, kernel, rng):
    mean = kernel == "avgpool_s8"
    rates = RATES[kernel, "QLinearAveragePool" if mean else "MaxPool"] = Rates()
    for _ in range(LAYERS):
        geom, pads = layers.geometry(rng, True, (1,) if mean else (1, 2))
        B, zp = int(rng.integers(1, 4)), layers.zero_point(rng)
        x = layers.integers(rng, B, *geom[:3])
        seen = layers.windows(x, geom, pads, np.nan)
        real = (np.nanmean if mean else np.nanmax)(seen, axis=(4, 5))
        clamps = layers.activation(rng, int(rng.integers(-128, 30)))
        q = array("i", (zp, zp, *clamps))
        out = np.zeros(real.shape, np.int8)
        getattr(kernels, kernel)(out, x.tobytes(), array("i", geom), q, B)
        if mean:
            target = graphs.average_pool(x, geom, pads, (layers.scale(rng), zp))
            rates.compare(out, target, real - zp, zp, clamps, 0.0)
        else:
            rates.compare(out, graphs.max_pool(x, geom, pads), real, 0, clamps, 0.0)
    held(rates, 1 if mean else 0)


@ON
def test_add(kernels, rng):
    rates = RATES["add_s8", "QLinearAdd"] = Rates()
    for _ in range(LAYERS):
        n = int(rng.integers(1, 500))
        a, b = layers.integers(rng, n), layers.integers(rng, n)
        (az, bz), (sa, sb) = rng.integers(-128, 128, 2), (layers.scale(rng), layers.scale(rng))
        sums = (a - float(az)) * sa + (b - float(bz)) * sb
        so, zp = layers.output_quantization(rng, sums)
        top = 2 * max(sa, sb)
        factors = sa / top, sb / top, top / (so * 2**LEFT_SHIFT)
        parts = [part for f in factors for part in multiplier(f)]
        clamps = layers.activation(rng, zp)
        q = array("i", (int(az), int(bz), zp, *clamps, LEFT_SHIFT, *parts))
        out = np.zeros(n, np.int8)
        kernels.add_s8(out, a.tobytes(), b.tobytes(), q)
        target = graphs.add(a, b, (sa, az), (sb, bz), (so, zp))
        rates.compare(out, target, sums / so, zp, clamps, ADD_REACH)
    held(rates)


@ON
def test_requantize(kernels, rng):
    rates = RATES["requantize_s8", "DequantizeLinear, QuantizeLinear"] = Rates()
    x = np.arange(-128, 128).astype(np.int8)
    for _ in range(LAYERS):
        (xs, xz), (ys, yz) = ((layers.scale(rng, 0.02), layers.zero_point(rng)) for _ in range(2))
        mult, shift, reach = multipliers([xs / ys])
        clamps = layers.activation(rng, yz)
        out = np.zeros(256, np.int8)
        kernels.requantize_s8(out, x.tobytes(), mult, shift, array("i", (xz, yz, *clamps)))
        target = graphs.requantize(x, (xs, xz), (ys, yz))
        rates.compare(out, target, (x - float(xz)) * (xs / ys), yz, clamps, reach[0])
    held(rates)
