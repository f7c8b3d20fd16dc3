"""Updates: the rows by which each optimiser takes a step."""

from array import array

from .names import GRADS, PARAMS

# optimiser: (kernel, its arguments); states of the optimiser by their names
_TABLE = {
    "sgd": ("sgd_plain", "p g hyper"),
    "momentum": ("sgd_step", "p velocity g hyper"),
    "adam": ("adam_step", "p mean square g hyper"),
}


def rows(optimiser, runs, elems, hypers):
    """Rows of an update, gradients clipped before and zero after it.

    optimiser: optimisers.Optimiser. runs: [(first element in params, first element in grads,
    elements, group)]; elems: parameters that learn; hypers: {group: array('f') of hyper()}.
    """
    kernel, symbols = _TABLE[optimiser.name]
    grads = (GRADS, 0, elems, 0)
    rows = []
    if optimiser.clip is not None:
        total, limit = array("f", (0,)), array("f", (optimiser.clip,))
        rows.append(("zero_f32", [total], ()))
        rows.append(("sum_squares", [total, grads], ()))
        rows.append(("clip_norm", [grads, total, limit], ()))
    for first, own, n, group in runs:
        windows = {"p": (PARAMS, first, n, 0), "g": (GRADS, own, n, 0), "hyper": hypers[group]}
        for state in optimiser.states:
            windows[state] = (state, own, n, 0)
        args = [windows[symbol] for symbol in symbols.split()]
        rows.append((kernel, args, ()))
    rows.append(("zero_f32", [grads], ()))
    return rows
