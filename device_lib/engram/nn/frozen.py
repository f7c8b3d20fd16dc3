"""The int8 frozen stage: one sample in, one int8 latent out. TFLite integer semantics."""

from array import array

from ..backend import kernels
from ..compat import bytes_of
from .geometry import elems, geom
from .ops import FROZEN_OPS, parameters


class _Conv2d:
    def __init__(self, layer, w, bias, mult, shift):
        self.args = (w, bias, mult, shift, geom(layer), array("i", layer["q"]))

    def fwd(self, out, x):
        w, bias, mult, shift, g, q = self.args
        kernels.conv2d_s8(out, x, w, bias, mult, shift, g, q, 1)


class _Depthwise(_Conv2d):
    def fwd(self, out, x):
        w, bias, mult, shift, g, q = self.args
        kernels.depthwise_s8(out, x, w, bias, mult, shift, g, q, 1)


class _Dense:
    def __init__(self, layer, w, bias, mult, shift):
        self.args = (w, bias, mult, shift, array("i", layer["q"]))
        self.n, self.m = elems(layer["in"]), elems(layer["out"])

    def fwd(self, out, x):
        w, bias, mult, shift, q = self.args
        kernels.dense_s8(out, x, w, bias, mult, shift, q, 1, self.n, self.m)


class _AvgPool:
    def __init__(self, layer):
        self.geom = geom(layer)
        self.q = array("i", layer["q"])

    def fwd(self, out, x):
        kernels.avgpool_s8(out, x, self.geom, self.q, 1)


_LAYERS = {
    "conv2d": _Conv2d,
    "depthwise": _Depthwise,
    "dense": _Dense,
    "avgpool": _AvgPool,
    "global_avgpool": _AvgPool,
}


class FrozenStage:
    """Quantized layers in order, over windows of the arena.

    spec: ModelSpec, whose tensors are read here. arena: Arena of plan(spec, ...).
    """

    def __init__(self, spec, arena):
        layers = spec.graph["frozen"]
        self.layers = []
        self.outs = []
        for i, layer in enumerate(layers):
            windows = []
            for name, dtype, _ in parameters(layer, FROZEN_OPS):
                window = arena.i8(name) if dtype == "I8" else arena.i32(name)
                spec.file.read_into(name, window if dtype == "I8" else bytes_of(window))
                windows.append(window)
            self.layers.append(_LAYERS[layer["op"]](layer, *windows))
            if i < len(layers) - 1:
                self.outs.append(arena.i8("f%d" % i))
        self.x = arena.i8("x") if layers else None
        self.quantize = _QUANTIZE[spec.graph["input"]["dtype"]](spec)

    def fwd(self, out, x):
        """out (latent_elems) int8 = the latent of x (input_elems), uint8 or float32."""
        if not self.layers:
            self.quantize(out, x)
            return
        value = self.x
        self.quantize(value, x)
        for i in range(len(self.outs)):
            self.layers[i].fwd(self.outs[i], value)
            value = self.outs[i]
        self.layers[-1].fwd(out, value)


def _from_uint8(spec):
    return kernels.u8_to_s8


def _from_float32(spec):
    qp = spec.quantization("input")

    def quantize(out, x):
        kernels.quantize_s8(out, x, qp)

    return quantize


_QUANTIZE = {"uint8": _from_uint8, "float32": _from_float32}
