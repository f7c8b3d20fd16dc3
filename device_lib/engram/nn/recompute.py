"""Activations that are computed twice instead of kept.

Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016), for the layers below those
that learn. Their input costs no memory either: the latents are in flash and are read again.
"""

from .names import AGAIN, LATENT


def split(program, below, backward):
    """A backward pass in two: (rows that read nothing of below, the rest). Between them a learner
    reads the latents of the batch again, into the buffer AGAIN + LATENT. The rest begins with
    those rows of below whose values it reads, under names of their own. The rest is empty where
    the pass reads nothing of below.

    program: program.Program. below, backward: its rows of these names.
    """
    values = [LATENT] + [_names(row)[0] for row in below]
    reads = [[name for name in _names(row) if name in values] for row in backward]
    first = 0
    while first < len(reads) and not reads[first]:
        first += 1
    copies = set(sum(reads, []))
    if not copies:
        return backward, []
    again = []
    for row in reversed(below):
        if _names(row)[0] in copies:
            again.insert(0, row)
            copies.update([name for name in _names(row) if name in values])
    for name in copies:
        program.sizes[AGAIN + name] = program.sizes[name]
    rest = [_renamed(row, copies) for row in again + backward[first:]]
    return backward[:first], rest


def _names(row):
    return [arg[0] for arg in row[1] if isinstance(arg, tuple)]


def _renamed(row, copies):
    kernel, args, takes = row
    new = [
        (AGAIN + arg[0],) + arg[1:] if isinstance(arg, tuple) and arg[0] in copies else arg
        for arg in args
    ]
    return kernel, new, takes
