"""Reference networks, built in code with seeded random weights: float files, and device models.

NETWORKS names the functions; each returns a Network: the float graph of version 2 under
construction, a way to draw samples, and what its latent is. Nothing here is trained.
"""

import json

import numpy as np

from engram.nn import ops
from engram.nn.geometry import elems
from engram_host.convert import convert, model_file

CALIBRATION = 64  # samples


class Network:
    """A float graph of version 2, node by node.

    shape: of the input, float32. classes: of its samples. Each method returns a node's name.
    """

    def __init__(self, name, shape, classes=4, seed=0):
        self.name, self.classes = name, classes
        self.rng = np.random.default_rng(seed)
        self.shapes = {"input": tuple(shape)}
        self.nodes, self.tensors, self.outputs = [], {}, []
        self.latent = "input"

    def add(self, op, *inputs, name=None, channels=None, **entry):
        """A node with random weights. channels: of the output of a node with weights."""
        name = name or f"{op}{len(self.nodes)}"
        shapes = [self.shapes[value] for value in inputs]
        known = {"op": op, "shapes": shapes, **entry}
        if "kernel" in entry:
            known = {"stride": [1, 1], "pad": [0, 0, 0, 0], **known}
        known.setdefault("out", [0, 0, channels] if len(shapes[0]) == 3 else [channels])
        if op == "dense":
            known["out"] = [channels]
        text = ops.OPS[op][1]
        known.update({word.split(":")[0]: "yes" for word in text.split()})
        known["out"] = ops.OPS[op][0](known, shapes[:2])
        for shape in shapes[2:]:  # sums and concatenations of more
            known["out"] = ops.OPS[op][0](known, [known["out"], shape])
        self.shapes[name] = tuple(known["out"])
        node = {"name": name, "op": op, "in": list(inputs), **entry}
        for key, shape in ops.tensors(known):
            node[key] = f"{name}.{key}"
            self.tensors[node[key]] = self._drawn(key, shape, channels)
        self.nodes.append(node)
        return name

    def _drawn(self, key, shape, channels):
        if key == "scale":
            return self.rng.uniform(0.7, 1.3, shape).astype(np.float32)
        if len(shape) == 1:
            return self.rng.normal(0, 0.05, shape).astype(np.float32)
        spread = np.sqrt(2 * (channels or shape[-1]) / elems(shape))
        return self.rng.normal(0, spread, shape).astype(np.float32)

    def conv(self, x, channels, kernel, stride=1, pad=None, norm=True, relu="relu", **entry):
        """Convolution of a square kernel, batch normalisation, activation."""
        pad = pad or [kernel // 2] * 4
        op = "conv2d" if channels else "depthwise"
        x = self.add(op, x, channels=channels, kernel=[kernel] * 2, stride=[stride] * 2, pad=pad,
                     **entry)  # fmt: skip
        if norm:
            x = self.add("scale_shift", x)
        return self.add(relu, x) if relu else x

    def dense(self, x, units, relu=None, **entry):
        x = self.add("dense", x, channels=units, **entry)
        return self.add(relu, x) if relu else x

    def output(self, node, objective="classify", weight=1.0):
        self.outputs.append({"node": node, "objective": objective, "weight": weight})
        return self

    @property
    def targets(self):
        """float32 values of a target."""
        return sum(
            elems(self.shapes[o["node"]]) for o in self.outputs if o["objective"] == "regress"
        )

    def samples(self, count, seed=1):
        """(x (count, *shape) float32, labels (count)): a pattern for each class, and noise."""
        shape = self.shapes["input"]
        generator = np.random.default_rng(99)
        bright = generator.normal(0, 1.5, (self.classes, *[1] * (len(shape) - 1), shape[-1]))
        patterns = bright + generator.normal(0, 0.7, (self.classes, *shape))
        rng = np.random.default_rng(seed)
        labels = np.arange(count) % self.classes
        x = patterns[labels] + rng.normal(0, 0.3, (count, *shape))
        return x.astype(np.float32), labels

    def write(self, path):
        """Writes the float model file."""
        kinds = [output["objective"] for output in self.outputs]
        graph = {
            "name": self.name,
            "classes": self.classes if "classify" in kinds else 0,
            "input": {"shape": list(self.shapes["input"]), "dtype": "float32"},
            "nodes": self.nodes,
            "latent": self.latent,
            "outputs": self.outputs,
        }
        metadata = {"engram_float": "2", "graph": json.dumps(graph)}
        model_file.write(path, self.tensors, metadata)
        return path

    def convert(self, path):
        """Writes the device model beside its float model; returns the converter's report."""
        samples, _ = self.samples(CALIBRATION, seed=2)
        return convert(self.write(path.with_suffix(".float")), samples, path)


def ds_cnn(learning=1):
    """DS-CNN S of keyword spotting (Zhang et al. 2017): 49 x 10 MFCC, 64 channels, 12 words.

    learning: so many of its four blocks, the last ones, can learn, but for the depthwise
    convolution of the first of them.
    """
    net = Network("ds-cnn-s", (49, 10, 1), classes=12)
    x = net.add("conv2d", "input", channels=64, kernel=[10, 4], stride=[2, 2], pad=[5, 1, 5, 1])
    x = net.add("relu", net.add("scale_shift", x))
    for block in range(4):
        frozen = block < 4 - learning  # above, batch normalisation is in the weights already
        x = net.conv(x, None, 3, norm=frozen)
        if block <= 4 - learning:
            net.latent = x
        x = net.conv(x, 64, 1, norm=frozen)
    x = net.add("avgpool", x, kernel=list(net.shapes[x][:2]))
    return net.output(net.dense(x, 12))


def _inverted(net, x, channels, stride=1, expansion=4):
    """An inverted residual of MobileNetV2."""
    inner = net.conv(x, expansion * net.shapes[x][2], 1, relu="relu6")
    inner = net.conv(inner, None, 3, stride, relu="relu6")
    inner = net.conv(inner, channels, 1, relu=None)
    return net.add("add", x, inner) if net.shapes[inner] == net.shapes[x] else inner


def mobilenet():
    """Inverted residuals with ReLU6, as MobileNetV2 (Sandler et al. 2018) has them."""
    net = Network("mobilenet", (24, 24, 3), classes=6)
    x = net.conv("input", 8, 3, 2, relu="relu6")
    x = _inverted(net, x, 8)
    x = _inverted(net, x, 12, 2)
    net.latent = x = _inverted(net, x, 12)
    x = _inverted(net, x, 16, 2)
    x = _inverted(net, x, 16)
    x = net.add("global_avgpool", net.conv(x, 48, 1, relu="relu6"))
    return net.output(net.dense(x, 6))


def _residual(net, x, channels, stride=1):
    inner = net.conv(x, channels, 3, stride)
    inner = net.conv(inner, channels, 3, relu=None)
    if net.shapes[inner] != net.shapes[x]:
        x = net.conv(x, channels, 1, stride, pad=[0, 0, 0, 0], relu=None)
    return net.add("relu", net.add("add", inner, x))


def resnet():
    """Three residual blocks, as ResNet-8 of MLPerf Tiny (Banbury et al. 2021) has them."""
    net = Network("resnet", (16, 16, 3), classes=5)
    x = net.conv("input", 8, 3)
    x = _residual(net, x, 8)
    net.latent = x = _residual(net, x, 16, 2)
    x = _residual(net, x, 24, 2)
    return net.output(net.dense(net.add("flatten", net.add("global_avgpool", x)), 5))


def autoencoder():
    """640-128-8-128-640 with mean squared error, as anomaly detection has them; half of the
    encoder is frozen."""
    net = Network("autoencoder", (640,), classes=3)
    net.latent = x = net.dense("input", 128, "relu")
    x = net.dense(x, 8, "relu")
    x = net.dense(x, 128, "relu")
    return net.output(net.dense(x, 640), "regress")


def two_heads():
    """A classifier and a regression over one trunk."""
    net = Network("two heads", (12, 12, 2), classes=4)
    x = net.conv("input", 8, 3, 2)
    net.latent = x
    x = net.conv(x, 12, 3, 2, norm=False)
    x = net.dense(net.add("flatten", x), 16, "relu")
    place = net.add("sigmoid", net.dense(x, 2))
    return net.output(net.dense(x, 4)).output(place, "regress", 0.5)


def dilated():
    """A 1-D network over time: pictures of height 1, whose windows grow by dilation."""
    net = Network("dilated", (1, 64, 3), classes=5)
    x = "input"
    for steps in (1, 2, 4):
        x = net.add("conv2d", x, channels=8, kernel=[1, 3], dilation=[1, steps],
                    pad=[0, 2 * steps, 0, 0])  # fmt: skip
        x = net.add("relu", net.add("scale_shift", x))
        if steps == 2:
            net.latent = x
    x = net.add("maxpool", x, kernel=[1, 8], stride=[1, 8])
    return net.output(net.dense(x, 5))


def from_scratch():
    """A CNN of 10 kB on 28 x 28 pictures of which nothing is frozen."""
    net = Network("from scratch", (28, 28, 1), classes=10)
    x = net.conv("input", 8, 3, 2, norm=False)
    x = net.conv(x, 16, 3, 2, norm=False)
    x = net.add("maxpool", net.conv(x, 32, 1, norm=False), kernel=[7, 7])
    return net.output(net.dense(x, 10))


def every_op():
    """All ops in both stages, padding and dilation beside."""
    net = Network("every op", (9, 8, 3))
    x = "input"
    for stage in ("frozen", "adaptive"):
        a = net.add("pad", x, pad=[1, 0, 0, 1])
        a = net.add("conv2d", a, channels=6, kernel=[3, 3], dilation=[2, 1], pad=[2, 1, 2, 1])
        a = net.add("leaky_relu", a, slope=0.1)
        b = net.add("tanh", net.conv(x, 5, 1, relu="hard_swish"))
        b = net.add("scale_shift", net.add("pad", b, pad=[0, 1, 1, 0]))
        c = net.add("concat", a, b, net.add("pad", x, pad=[1, 1, 0, 0]))
        c = net.add("avgpool", net.add("sigmoid", c), kernel=[2, 2], stride=[2, 2])
        d = net.add("depthwise", c, kernel=[3, 2], pad=[1, 0, 1, 1])
        d = net.add("add", d, c, net.add("relu6", c), relu=True)
        h, w, _ = net.shapes[d]
        d = net.add("conv2d_t", d, channels=4, kernel=[3, 2], stride=[2, 2], pad=[1, 0, 0, 0],
                    out=[2 * h, 2 * w, 4])  # fmt: skip
        d = net.add("softmax", net.add("maxpool", d, kernel=[2, 2], stride=[1, 2]))
        x = net.conv(d, 5, 1, norm=False, relu="relu" if stage == "frozen" else None)
        if stage == "frozen":
            net.latent = x
    x = net.add("concat", net.add("global_avgpool", x), net.add("reshape", net.dense(x, 4),
                out=[1, 1, 4]))  # fmt: skip
    return net.output(net.dense(net.add("flatten", x), 4))


NETWORKS = {
    made.__name__: made
    for made in (
        ds_cnn,
        mobilenet,
        resnet,
        autoencoder,
        two_heads,
        dilated,
        from_scratch,
        every_op,
    )
}
