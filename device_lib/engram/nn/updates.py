"""Updates: the rows by which each optimiser takes a step.

Momentum is v = m v + g + d p; p = p - r v, with weight decay d and rate r. Where nobody else needs
the gradients g, a step begins with v = m v + d p and the backward pass adds g to v.
"""

from array import array

from .names import PARAMS, VELOCITY

# optimiser: (kernel, its arguments); states of the optimiser by their names
_TABLE = {
    "sgd": ("sgd_plain", "p g hyper"),
    "momentum": ("sgd_step", "p velocity g hyper"),
    "adam": ("adam_step", "p mean square g hyper"),
}


def begin(optimiser, gradients, runs, elems):
    """Rows before the backward pass of a mini-batch. Arguments as those of rows()."""
    if gradients != VELOCITY:
        return []
    whole = (VELOCITY, 0, elems, 0)
    rows = [("scale_f32", [whole, whole, array("f", (optimiser.momentum,))], ())]
    if optimiser.weight_decay:
        decay = array("f", (optimiser.weight_decay,))
        for first, own, n, _ in runs:
            windows = [(VELOCITY, own, n, 0), (PARAMS, first, n, 0)]
            rows.append(("axpy_f32", windows + [decay], ()))
    return rows


def rows(optimiser, gradients, runs, elems, hypers):
    """Rows of an update. Gradients are clipped before it and zero after it; a velocity stays.

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
        rows.append(("zero_f32", [grads], ()))
    return rows
