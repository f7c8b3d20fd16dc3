"""Updates: the rows by which each optimiser takes a step.

Momentum is v = m v + g + d p; p = p - r v, with weight decay d and rate r. Where nobody else needs
the gradients g, the backward pass adds them to v, which has m v + d p from the end of the update
before.
"""

from array import array

from .names import PARAMS, VELOCITY

# optimiser: (kernel, its arguments); states of the optimiser by their names
_TABLE = {
    "sgd": ("sgd_plain", "p g hyper"),
    "momentum": ("sgd_step", "p velocity g hyper"),
    "adam": ("adam_step", "p mean square g hyper"),
}


def start(optimiser, gradients, runs):
    """Rows that add the weight decay to a velocity. Arguments as those of rows()."""
    if gradients != VELOCITY or not optimiser.weight_decay:
        return []
    decay = array("f", (optimiser.weight_decay,))
    return [
        ("axpy_f32", [(VELOCITY, own, n, 0), (PARAMS, first, n, 0), decay], ())
        for first, own, n, _ in runs
    ]


def rows(optimiser, gradients, runs, elems, hypers):
    """Rows of an update. Gradients are clipped before it and zero after it.

    optimiser: optimisers.Optimiser. gradients: the buffer that has them, as its gradients() says.
    runs: [(first element in params, first element in grads, elements, group)]; elems: parameters
    that learn; hypers: {group: array('f') of hyper()}.
    """
    kernel, symbols = _TABLE["sgd" if gradients == VELOCITY else optimiser.name]
    grads = (gradients, 0, elems, 0)
    rows = []
    if optimiser.clip is not None:
        total, limit = array("f", (0,)), array("f", (optimiser.clip,))
        rows.append(("zero_f32", [total], ()))
        rows.append(("sum_squares", [total, grads], ()))
        rows.append(("clip_norm", [grads, total, limit], ()))
    for first, own, n, group in runs:
        windows = {"p": (PARAMS, first, n, 0), "g": (gradients, own, n, 0), "hyper": hypers[group]}
        for state in optimiser.states:
            windows[state] = (state, own, n, 0)
        args = [windows[symbol] for symbol in symbols.split()]
        rows.append((kernel, args, ()))
    if gradients != VELOCITY:
        return rows + [("zero_f32", [grads], ())]
    rows.append(("scale_f32", [grads, grads, array("f", (optimiser.momentum,))], ()))
    return rows + start(optimiser, gradients, runs)
