"""Ways to learn without forgetting, one small file each, chosen by name."""

from ...errors import DataError
from ...nn.buffers import SAVED, first_trained, learning_elems
from ...nn.geometry import elems
from ...nn.ops import ADAPTIVE_OPS, parameter_elems

# A name is a module of this package with a class Strategy.
NAMES = ("ar1", "bias", "cwr", "ewc", "finetune", "head")
NAMES += ("lwf", "ncm", "replay", "replay_lwf", "slda")


def strategy_class(name):
    """The class of a strategy, which only now is loaded. Raises DataError on an unknown name."""
    if name not in NAMES:
        raise DataError("strategy %s expected, %s came" % (" or ".join(NAMES), name))
    return __import__(__name__ + "." + name, None, None, ("Strategy",)).Strategy


def options_of(strategy, given):
    """{name: number} of a strategy's OPTIONS: its defaults, and what was given instead.

    given: dict or None. Raises DataError on a name it does not have and on a value out of range.
    """
    options = {name: row[0] for name, row in strategy.OPTIONS.items()}
    for name, value in (given or {}).items():
        if name not in options:
            raise DataError(
                "an option of the strategy expected (%s), %s came"
                % (", ".join(sorted(options)) or "it has none", name)
            )
        _, least, most = strategy.OPTIONS[name]
        if not isinstance(value, (int, float)) or not least <= value <= most:
            raise DataError("%s from %g to %g expected, %r came" % (name, least, most, value))
        options[name] = value
    return options


class Sizes:
    """What a strategy may want to know before anything is allocated, in elements.

    .batch, .classes (room), .latent
    .params    of the whole adaptive stage; .trained: of its layers that learn; .learning: of
               those parameters that learn
    .features  inputs of the head
    .head      parameters of the head
    """

    def __init__(self, spec, batch, depth, biases=False):
        adaptive = spec.graph["adaptive"]
        sizes = [parameter_elems(layer, ADAPTIVE_OPS) for layer in adaptive]
        first = first_trained(adaptive, depth)
        self.batch, self.classes, self.latent = batch, spec.classes, spec.latent_elems
        self.params, self.trained = sum(sizes), sum(sizes[first:])
        self.learning = sum([learning_elems(layer, biases) for layer in adaptive[first:]])
        self.features, self.head = elems(adaptive[-1]["in"]), sizes[-1]


def saved_names(strategy, sizes):
    """Names of the buffers of a strategy class that belong to a saved state."""
    return [name for name, _, kind in strategy.buffers(sizes) if kind == SAVED]


def saved_bytes(spec, strategy="replay", depth=None):
    """Bytes of a saved state: the parameters of the adaptive stage and what a strategy, chosen by
    name, keeps beside them."""
    strategy = strategy_class(strategy)
    sizes = Sizes(spec, 1, strategy.DEPTH if depth is None else depth)
    own = [size for _, size, kind in strategy.buffers(sizes) if kind == SAVED]
    return spec.parameter_bytes + 4 * sum(own)
