"""The float32 buffers of an adaptive stage: names, how long they live, what of them learns."""

from .geometry import elems
from .ops import ADAPTIVE_OPS, parameters

IN_PLACE = ("relu", "flatten")  # output shares the memory of the input

# How long a float32 buffer lives: in saved states too, from step to step, during the update alone.
SAVED, KEPT, BRIEF = range(3)


def learning_elems(layer, biases=False):
    """How many parameters of an adaptive layer learn; biases: those alone."""
    shapes = [shape for _, _, shape in parameters(layer, ADAPTIVE_OPS)]
    return sum([elems(shape) for shape in shapes if not biases or len(shape) == 1])


def activation_names(adaptive):
    """Buffer of the input of each layer, then of the output of the last."""
    names = ["a0"]
    for i, layer in enumerate(adaptive):
        names.append(names[i] if layer["op"] in IN_PLACE else "a%d" % (i + 1))
    return names


def gradient_names(adaptive, first):
    """Buffer of the gradient of each of activation_names(); None where none is needed.

    first: index of the lowest layer that learns.
    """
    n = len(adaptive)
    names = [None] * n + ["d%d" % n]
    for i in range(n - 1, first, -1):
        names[i] = names[i + 1] if adaptive[i]["op"] in IN_PLACE else "d%d" % i
    return names


def first_trained(adaptive, depth=None):
    """Index of the lowest layer that learns: backward stops there.

    depth: layers with parameters that learn, counted from the head; None: all of them.
    """
    owners = [i for i, layer in enumerate(adaptive) if parameters(layer, ADAPTIVE_OPS)]
    return owners[0 if depth is None or depth >= len(owners) else len(owners) - depth]
