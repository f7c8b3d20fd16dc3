"""The parameters that learn, as strategies see them: runs of windows, in the order of a vector."""

from ..backend import kernels


class Learned:
    """The parameters that learn, one run behind the other as in .grads.

    runs: [(first element in params, first element in grads, elements, group, copies)], as
    sections.py has them.

    .grads   (elems) float32, to which a backward pass adds; None where gradients are applied at
             once. With momentum it may be the velocity (updates.py)
    .elems
    """

    def __init__(self, params, grads, runs):
        self.grads = grads
        self.elems = sum([run[2] for run in runs])
        self._places = [run[:3] for run in runs if not run[4]]
        self._runs = [(params[first : first + n], own, n) for first, own, n in self._places]
        self._copies = [
            (params[at : at + whole], run[1] + to, n, shape)
            for run in runs
            for at, whole, to, n, *shape in run[4]
        ]

    def place(self, first):
        """Where an element of the parameters lies in the vector; None: it does not learn."""
        for start, own, n in self._places:
            if start <= first < start + n:
                return own + first - start
        return None

    def snapshots(self, out):
        """A tape that copies the parameters that learn into out (elems): kernels.run(tape)."""
        rows = [(kernels.copy_f32, out[own : own + n], values) for values, own, n in self._runs]
        for values, own, n, shape in self._copies:
            rows.append((kernels.copy_channels, out[own : own + n], values) + tuple(shape))
        return kernels.bind(rows)

    def clear(self):
        """grads = 0"""
        if self.grads is not None:
            kernels.zero_f32(self.grads)
