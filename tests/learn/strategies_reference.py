"""A small learner with random latents, and the same network in numpy, float64.

The network is dense, ReLU, dense over a latent of 45. A strategy's test runs a learner, is shown
which records each step drew, and does the same arithmetic here by the formula of the paper.
"""

import io

import numpy as np
import tiny_model

from engram import Learner, ModelSpec
from engram.backend import kernels
from engram.continual.numbers import number_of
from engram_host.learning.latent_store import LatentStore

LATENT, HIDDEN, ROOM = 45, 6, 5


def model_bytes(classes=3):
    """A model file that knows `classes` classes."""
    graph, tensors = tiny_model.graph_and_tensors()
    rng = np.random.default_rng(4)
    tensors = [row for row in tensors if row[0].startswith("f")]
    for name, shape in (
        ("a1.w", (HIDDEN, LATENT)), ("a1.b", (HIDDEN,)),
        ("a3.w", (classes, HIDDEN)), ("a3.b", (classes,)),
    ):
        values = rng.normal(0, 0.3, shape).astype(np.float32)
        tensors.append((name, "F32", shape, values.tobytes()))
    graph["adaptive"] = [
        {"op": "flatten"},
        {"op": "dense", "in": [LATENT], "out": [HIDDEN], "w": "a1.w", "b": "a1.b"},
        {"op": "relu"},
        {"op": "dense", "in": [HIDDEN], "out": [classes], "w": "a3.w", "b": "a3.b"},
    ]
    graph["classes"] = classes
    return tiny_model.pack(graph, tensors)


class Life:
    """A learner over a store of latents of which the values are known.

    options: of Learner.
    """

    def __init__(self, strategy, batch=8, classes=ROOM, capacity=200, **options):
        self.store = LatentStore(capacity, LATENT)
        self.x = np.zeros((capacity, LATENT))
        self.y = np.zeros(capacity, int)
        self.rng = np.random.default_rng(7)
        self.lr = options.setdefault("lr", 0.05)
        options.setdefault("lr_decay", 0.0)
        self.momentum = options.setdefault("momentum", 0.9)
        self.learner = Learner(
            ModelSpec(io.BytesIO(model_bytes())), self.store, strategy=strategy, batch=batch,
            classes=classes, budget=capacity, **options
        )

    def add(self, label, count):
        """`count` records of a class for the current session."""
        learner = self.learner
        scale, zero = learner.latent_qp
        packed = bytearray(LATENT)
        for _ in range(count):
            latent = self.rng.integers(-128, 60, LATENT).astype(np.int8)
            latent[label * 9 : label * 9 + 9] |= 64
            kernels.pack_s8(packed, latent, 8)
            slot = self.store.append(packed, label, number_of(learner.session))
            self.x[slot] = (latent.astype(float) - zero) * scale
            self.y[slot] = label
        if label >= learner.stage.known:
            learner.stage.resize(label + 1)

    def steps(self, epochs=1):
        """Runs the learner; yields x, y of the batch of each step after it was done."""
        for _ in self.learner.steps(epochs=epochs):
            slots = list(self.learner.slots)
            yield self.x[slots], self.y[slots]

    def net(self):
        """The learner's network as it is now."""
        return Net(np.array(self.learner.stage.params, float), self.learner.stage.known)


class Net:
    """dense, ReLU, dense in float64; .p holds w1, b1, w2, b2 one behind the other."""

    def __init__(self, p, known):
        self.p, self.known = p.copy(), known
        self.room = (len(p) - HIDDEN * (LATENT + 1)) // (HIDDEN + 1)

    def parts(self, p=None):
        p = self.p if p is None else p
        cuts = np.cumsum([HIDDEN * LATENT, HIDDEN, self.room * HIDDEN])
        w1, b1, w2, b2 = np.split(p, cuts)
        return w1.reshape(HIDDEN, LATENT), b1, w2.reshape(-1, HIDDEN), b2

    def features(self, x):
        w1, b1, _, _ = self.parts()
        return np.maximum(x @ w1.T + b1, 0)

    def logits(self, x):
        _, _, w2, b2 = self.parts()
        return self.features(x) @ w2[: self.known].T + b2[: self.known]

    def gradient(self, x, dlogits):
        """By all parameters, of a loss whose gradient by the logits is given."""
        h = self.features(x)
        g = np.zeros_like(self.p)
        g1, gb1, g2, gb2 = self.parts(g)
        w2 = self.parts()[2]
        g2[: self.known] = dlogits.T @ h
        gb2[: self.known] = dlogits.sum(0)
        dh = dlogits @ w2[: self.known] * (h > 0)
        g1[:] = dh.T @ x
        gb1[:] = dh.sum(0)
        return g

    def cross_entropy(self, x, y):
        """The gradient of the mean cross-entropy by the logits."""
        d = softmax(self.logits(x))
        d[np.arange(len(y)), y] -= 1
        return d / len(y)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class Sgd:
    """p -= lr * v, v = momentum * v + g; mask: which parameters move, or their share of lr."""

    def __init__(self, net, life, mask=1.0):
        self.net, self.lr, self.momentum, self.mask = net, life.lr, life.momentum, mask
        self.v = np.zeros_like(net.p)

    def step(self, g):
        self.v = self.momentum * self.v + g
        self.net.p -= self.lr * self.mask * self.v


def assert_close(life, net, rtol=2e-4, atol=2e-6):
    """The learner's parameters against the reference's."""
    np.testing.assert_allclose(np.array(life.learner.stage.params), net.p, rtol, atol)
