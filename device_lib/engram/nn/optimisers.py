"""Optimisers by name: the buffers they keep, their hyperparameters. updates.py has their rows.

Each group of parameters has hyperparameters of its own, so that one can learn more slowly.
"""

from array import array

from ..errors import DataError
from .names import GRADS, VELOCITY

NAMES = ("sgd", "momentum", "adam")

_STATES = {"sgd": (), "momentum": (VELOCITY,), "adam": ("mean", "square")}
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8  # Kingma and Ba, "Adam" (ICLR 2015), algorithm 1
_NEW1, _NEW2 = 0.1, 0.001  # weights of a new gradient: 1 - beta
_MOST = 3e38  # less than the largest float32


class Optimiser:
    """One of NAMES; "momentum" with a momentum of 0 is "sgd".

    lr and weight_decay are finite and not negative, momentum is from 0 to below 1.
    clip: largest norm of all gradients together, above 0; None: any. Raises DataError.

    .states   names of its buffers, each of one float32 per parameter that learns, beside the
              gradients where these have a buffer of their own
    """

    def __init__(self, name="momentum", lr=0.05, momentum=0.9, weight_decay=0.0, clip=None):
        if name not in NAMES:
            raise DataError("expected an optimiser of %s, got %s" % (", ".join(NAMES), name))
        if name == "momentum" and not momentum:
            name = "sgd"
        if clip is not None and not 0 < clip < _MOST:
            raise DataError("expected a largest gradient norm above 0, got %r" % (clip,))
        for what, value, below in (
            ("learning rate (lr)", lr, _MOST),
            ("momentum", momentum, 1),
            ("weight decay (weight_decay)", weight_decay, _MOST),
        ):
            if not isinstance(value, (int, float)) or not 0 <= value < below:  # NaN is in no range
                raise DataError("expected a %s from 0 to below %g, got %r" % (what, below, value))
        self.name, self.lr, self.momentum, self.weight_decay = name, lr, momentum, weight_decay
        self.clip = clip
        self.states = _STATES[name]
        self.start()
        self._scales = {}  # group: (minus the rate, what weight decay leaves)
        self._rates = None  # steps.Rates of q8 nodes

    def gradients(self, batch, whole):
        """The buffer to which a backward pass adds gradients: GRADS; VELOCITY, which then needs no
        other beside it; None where they are applied as they are computed.

        whole: whether someone else needs the gradients of a mini-batch by themselves.
        """
        if whole or self.clip is not None:
            return GRADS
        if self.name == "sgd" and batch == 1:
            return None
        return VELOCITY if self.name == "momentum" else GRADS

    def fused(self, hypers, heads):
        """function(node name) -> (minus the rate, what weight decay leaves), as
        program.backward() takes it. heads: names of the nodes of group "head"."""
        for group, hyper in hypers.items():
            self._scales[group] = (array("f", (0,)), array("f", (0,)))
            self.set_rate(hyper, hyper[0], group)

        return lambda name: self._scales["head" if name in heads else "below"]

    def rates(self, groups, rounding):
        """steps.Rates of groups of q8 nodes. Raises DataError where this optimiser has none."""
        from .steps import Rates

        if self.name == "adam":
            raise DataError("expected the optimiser sgd or momentum to learn in q8, got adam")
        clipping = self.clip is not None
        self._rates = Rates(groups, rounding, self.momentum, self.weight_decay, clipping)
        for group in groups:
            self._rates.set(group, self.lr)
        return self._rates

    def hyper(self, gradients):
        """array('f') of hyperparameters, as the kernel takes them that applies these gradients."""
        values = (self.lr, self.weight_decay)
        if gradients == VELOCITY:
            values = (self.lr, 0)  # the velocity has the weight decay in it
        elif self.name == "momentum":
            values = (self.lr, self.momentum, self.weight_decay)
        elif self.name == "adam":
            values = (self.lr, _BETA1, _BETA2, _EPSILON, self.weight_decay, 1, 1)
        return array("f", values)

    def start(self):
        """A learning run begins: its steps count anew."""
        self._weights = 0.0, 0.0  # of all gradients so far in Adam's means: 1 - beta**steps

    def set_rate(self, hyper, rate, group):
        """The rate of the next step of a group."""
        hyper[0] = rate
        if self._rates:
            self._rates.set(group, rate)
        if group in self._scales:
            minus_rate, decay = self._scales[group]
            minus_rate[0], decay[0] = -rate, 1 - rate * self.weight_decay
        if self.name == "adam":
            hyper[5], hyper[6] = self._weights

    def next_step(self):
        # as a sum: with floats of 32 bits 1 - beta**steps has few true digits
        first, second = self._weights
        self._weights = first + (1 - first) * _NEW1, second + (1 - second) * _NEW2
