"""Ways to learn without forgetting, one small file each, chosen by name."""

from ...errors import DataError
from ...nn.geometry import elems
from ...nn.model import ADAPTIVE_OPS, parameter_elems
from ...plan import first_trained

# A name is a module of this package with a class Strategy.
NAMES = ("finetune", "head", "replay")


def strategy_class(name):
    """The class of a strategy, which only now is loaded. Raises DataError on an unknown name."""
    if name not in NAMES:
        raise DataError("strategy %s expected, %s came" % (" or ".join(NAMES), name))
    return __import__(__name__ + "." + name, None, None, ("Strategy",)).Strategy


class Sizes:
    """What a strategy may want to know before anything is allocated, in elements.

    .batch, .classes (room), .latent
    .params    of the whole adaptive stage; .trained: of its layers that learn
    .features  inputs of the head
    .head      parameters of the head
    """

    def __init__(self, spec, batch, depth):
        adaptive = spec.graph["adaptive"]
        sizes = [parameter_elems(layer, ADAPTIVE_OPS) for layer in adaptive]
        self.batch, self.classes, self.latent = batch, spec.classes, spec.latent_elems
        self.params, self.trained = sum(sizes), sum(sizes[first_trained(adaptive, depth) :])
        self.features, self.head = elems(adaptive[-1]["in"]), sizes[-1]
