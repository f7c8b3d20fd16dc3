"""The f32 adaptive stage: forward, backward and update of the layers that learn."""

from array import array

from ..backend import kernels
from ..compat import bytes_of
from .buffers import activation_names, first_trained, gradient_names
from .geometry import elems, geom
from .ops import ADAPTIVE_OPS, parameter_elems, parameters


class _Dense:
    """Dense over `rows` rows; a 1x1 convolution is this over B*H*W rows."""

    def __init__(self, layer, batch, x, out, dx, dout, params, grads):
        positions = elems(layer["in"]) // layer["in"][-1] if layer["op"] == "conv2d" else 1
        self.n = elems(layer["in"]) // positions
        self.m = elems(layer["out"]) // positions
        self.rows = batch * positions
        self.x, self.out, self.dx, self.dout = x, out, dx, dout
        self.w, self.b = params
        self.dw, self.db = grads

    def fwd(self):
        kernels.dense_fwd(self.out, self.x, self.w, self.b, self.rows, self.n, self.m)

    def bwd(self):
        if len(self.dw):
            kernels.dense_bwd_dw(self.dw, self.db, self.dout, self.x, self.rows, self.n, self.m)
        else:
            _bias_bwd(self)
        if self.dx is not None:
            kernels.dense_bwd_dx(self.dx, self.dout, self.w, self.rows, self.n, self.m)


def _bias_bwd(layer):
    """db += dout.sum(0) over its rows: weight gradients of no inputs."""
    kernels.dense_bwd_dw(layer.dw, layer.db, layer.dout, layer.dw, layer.rows, 0, layer.m)


class _Head(_Dense):
    """The classifier: a dense layer of which the first classes are in use.

    .room   w, b, out, dw, db, dout with the rows of all classes that there is room for
    """

    def __init__(self, *args):
        super().__init__(*args)
        self.room = (self.w, self.b, self.out, self.dw, self.db, self.dout)

    def resize(self, classes):
        """Uses the rows of `classes` classes."""
        w, b, out, dw, db, dout = self.room
        self.m = classes
        self.w, self.b, self.out = w[: classes * self.n], b[:classes], out[: self.rows * classes]
        if dw is not None:
            self.dw, self.db = dw[: classes * self.n], db[:classes]
            self.dout = dout[: self.rows * classes]


class _Conv2d:
    def __init__(self, layer, batch, x, out, dx, dout, params, grads):
        self.geom = geom(layer)
        self.batch = batch
        self.m = layer["out"][2]
        self.rows = batch * elems(layer["out"]) // self.m
        self.x, self.out, self.dx, self.dout = x, out, dx, dout
        self.w, self.b = params
        self.dw, self.db = grads

    def fwd(self):
        kernels.conv2d_fwd(self.out, self.x, self.w, self.b, self.geom, self.batch)

    def bwd(self):
        if len(self.dw):
            kernels.conv2d_bwd_dw(self.dw, self.db, self.dout, self.x, self.geom, self.batch)
        else:
            _bias_bwd(self)
        if self.dx is not None:
            kernels.conv2d_bwd_dx(self.dx, self.dout, self.w, self.geom, self.batch)


class _Relu:
    def __init__(self, layer, batch, x, out, dx, dout, params, grads):
        self.x, self.out, self.dx, self.dout = x, out, dx, dout

    def fwd(self):
        kernels.relu_fwd(self.out, self.x)

    def bwd(self):
        if self.dx is not None:
            kernels.relu_bwd_dx(self.dx, self.dout, self.out)


class _GlobalAvgPool:
    def __init__(self, layer, batch, x, out, dx, dout, params, grads):
        self.channels = layer["in"][2]
        self.positions = elems(layer["in"]) // self.channels
        self.batch = batch
        self.x, self.out, self.dx, self.dout = x, out, dx, dout

    def fwd(self):
        kernels.global_avgpool_fwd(self.out, self.x, self.batch, self.positions, self.channels)

    def bwd(self):
        if self.dx is not None:
            kernels.global_avgpool_bwd_dx(
                self.dx, self.dout, self.batch, self.positions, self.channels
            )


def _layer_class(layer):
    if layer["op"] == "conv2d" and _is_pointwise(layer):
        return _Dense
    return _LAYERS[layer["op"]]


def _is_pointwise(layer):
    return (
        list(layer["kernel"]) == [1, 1]
        and list(layer["stride"]) == [1, 1]
        and list(layer["pad"]) == [0, 0, 0, 0]
    )


_LAYERS = {
    "conv2d": _Conv2d,
    "dense": _Dense,
    "relu": _Relu,
    "global_avgpool": _GlobalAvgPool,
}


class AdaptiveStage:
    """The layers that learn, over windows of the arena.

    .x        (batch, latent) float32: the dequantized latents of a batch
    .known    classes that the head tells apart
    .logits   (batch, known), .dlogits the gradient of the loss by them
    .params   all parameters in one float32 window
    .trained  those of the layers that learn: the last ones of params
    .grads, .velocity   of what learns: of .trained, or of its biases
    .head, .single_head   the last layer over a batch, over one sample

    spec: ModelSpec, whose initial parameters are read here. arena: Arena. batch: int. depth:
    layers with parameters that learn, counted from the head; None: all. biases: of those layers
    only the biases learn, and no weight has a gradient.
    """

    def __init__(self, spec, arena, batch, depth=None, biases=False):
        adaptive = spec.graph["adaptive"]
        self._first = first_trained(adaptive, depth)
        self._biases = biases
        still = sum([parameter_elems(layer, ADAPTIVE_OPS) for layer in adaptive[: self._first]])
        self.params = arena.f32("params")
        self.trained = self.params[still:]
        self.grads = arena.f32("grads")
        self.velocity = arena.f32("velocity")
        self._read(spec)
        self.forward_layers, learning = self.bind(spec, arena, batch, True)
        self.single_layers, _ = self.bind(spec, arena, 1, False)
        self.backward_layers = tuple(reversed(self.forward_layers[learning:]))
        self.head, self.single_head = self.forward_layers[-1], self.single_layers[-1]
        whole = ((self.trained, self.velocity, self.grads),)
        self._pieces = self._bias_pieces() if biases else whole
        self.x = arena.f32("a0")
        self.single_x = arena.f32("a0", 0, spec.latent_elems)
        self._probabilities = arena.f32("d%d" % len(adaptive), 0, spec.classes)
        self.resize(spec.known)

    def resize(self, classes):
        """Lets the head tell `classes` classes apart. New ones start with weights of zero."""
        self.known = classes
        self.head.resize(classes)
        self.single_head.resize(classes)
        self.logits, self.dlogits = self.head.out, self.head.dout
        self.single_logits = self.single_head.out
        self.probabilities = self._probabilities[:classes]

    def _read(self, spec):
        """The initial parameters from the model file, one tensor behind the other."""
        start = 0
        for layer in spec.graph["adaptive"]:
            for name, _, shape in parameters(layer, ADAPTIVE_OPS):
                window = self.params[start : start + spec.file.elems(name)]
                spec.file.read_into(name, bytes_of(window))
                start += elems(shape)

    def _bias_pieces(self):
        pieces, at = [], 0
        for layer in reversed(self.backward_layers):
            if getattr(layer, "db", None) is not None:
                size = len(layer.db)
                pieces.append((layer.b, self.velocity[at : at + size], layer.db))
                at += size
        return tuple(pieces)

    def bind(self, spec, arena, batch, train, trained=None):
        """Layers over the windows of a batch, and how many of them do not learn.

        train: with gradients. trained: other parameters of the layers that learn. All that are
        bound share activations and gradients: one set at a time is in use.
        """
        adaptive = spec.graph["adaptive"]
        values, grads = activation_names(adaptive), gradient_names(adaptive, self._first)
        learning = 0
        bound = []
        source, start, at = self.params, 0, 0
        for i, layer in enumerate(adaptive):
            if i == self._first:
                learning = len(bound)
                if trained is not None:
                    source, start = trained, 0
            learns = train and i >= self._first
            own, grads_of = [], []
            for _, _, shape in parameters(layer, ADAPTIVE_OPS):
                size = elems(shape)
                own.append(source[start : start + size])
                start += size
                if self._biases and len(shape) > 1:
                    size = 0
                grads_of.append(self.grads[at : at + size] if learns else None)
                at += size if i >= self._first else 0
            if layer["op"] == "flatten":
                continue

            def window(name, shape):
                return name and arena.f32(name, 0, batch * elems(shape))

            bound.append(
                (_Head if i == len(adaptive) - 1 else _layer_class(layer))(
                    layer,
                    batch,
                    window(values[i], layer["in"]),
                    window(values[i + 1], layer["out"]),
                    window(grads[i] if train else None, layer["in"]),
                    window(grads[i + 1] if train else None, layer["out"]),
                    own or None,
                    grads_of or None,
                )
            )
        return tuple(bound), learning

    def forward(self):
        """logits = the stage at x, for a whole batch."""
        for layer in self.forward_layers:
            layer.fwd()

    def forward_single(self):
        """single_logits = the stage at single_x."""
        for layer in self.single_layers:
            layer.fwd()

    def backward(self):
        """grads += the gradient by the parameters, from dlogits."""
        for layer in self.backward_layers:
            layer.bwd()

    def update(self, hyper):
        """One SGD step. hyper: array('f') [learning rate, momentum, weight decay]."""
        for values, velocity, grads in self._pieces:
            kernels.sgd_step(values, velocity, grads, hyper)
        kernels.zero_f32(self.grads)

    def start(self):
        """Forgets velocity and gradients."""
        kernels.zero_f32(self.velocity)
        kernels.zero_f32(self.grads)


def hyperparameters(lr, momentum, weight_decay):
    """array('f') as sgd_step takes it."""
    return array("f", (lr, momentum, weight_decay))
