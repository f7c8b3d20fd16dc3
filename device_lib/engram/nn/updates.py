"""Updates: the rows by which each optimiser takes a step.

Momentum is v = m v + g + d p; p = p - r v, with weight decay d and rate r. Where nobody else needs
the gradients g, the backward pass adds them to v, which has m v + d p from the end of the update
before.
"""

from array import array

from .names import CHOSEN, PARAMS, VELOCITY

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
    decay, rows = array("f", (optimiser.weight_decay,)), []
    for first, own, n, _, copies in runs:
        rows += gather(copies)
        rows.append(("axpy_f32", [(VELOCITY, own, n, 0), _place(first, n, copies), decay], ()))
    return rows


def gather(copies):
    """Rows that put what was chosen of a tensor side by side, into CHOSEN."""
    return [
        ("copy_channels", [(CHOSEN, to, n, 0), (PARAMS, at, whole, 0)] + list(shape), ())
        for at, whole, to, n, *shape in copies
    ]


def _scatter(copies):
    """Rows that put it back."""
    return [
        ("copy_channels", [(PARAMS, at, whole, 0), (CHOSEN, to, n, 0), P, N, M, own, place, C], ())
        for at, whole, to, n, P, M, N, place, own, C in copies
    ]


def _place(first, n, copies):
    """The window of parameters that learn."""
    return (CHOSEN, 0, n, 0) if copies else (PARAMS, first, n, 0)


def rows(optimiser, gradients, runs, elems, hypers):
    """Rows of an update. Gradients are clipped before it and zero after it.

    optimiser: optimisers.Optimiser. gradients: the buffer that has them, as its gradients() says.
    runs: [(first element in params, first element in grads, elements, group, copies)], as
    sections.py has them; elems: parameters that learn; hypers: {group: array('f') of hyper()}.
    """
    kernel, symbols = _TABLE["sgd" if gradients == VELOCITY else optimiser.name]
    grads = (gradients, 0, elems, 0)
    rows = []
    if optimiser.clip is not None:
        total, limit = array("f", (0,)), array("f", (optimiser.clip,))
        rows.append(("zero_f32", [total], ()))
        rows.append(("sum_squares", [total, grads], ()))
        rows.append(("clip_norm", [grads, total, limit], ()))
    for first, own, n, group, copies in runs:
        windows = {"g": (gradients, own, n, 0), "hyper": hypers[group]}
        windows["p"] = _place(first, n, copies)
        for state in optimiser.states:
            windows[state] = (state, own, n, 0)
        args = [windows[symbol] for symbol in symbols.split()]
        rows += gather(copies) + [(kernel, args, ())] + _scatter(copies)
    if gradients != VELOCITY:
        return rows + [("zero_f32", [grads], ())]
    rows.append(("scale_f32", [grads, grads, array("f", (optimiser.momentum,))], ()))
    return rows + start(optimiser, gradients, runs)
