"""Runs on the emulated board: instructions of a kernel in one shape after the other."""

import gc
from array import array

import _engram
import engram_board  # noqa: F401  the counter of spent()
import kernels_check
from kernels_source import Source

_BLOCK = 61  # no width of a layer, so that two buffers do not repeat in step
_ZEROS = 3  # numbers in ten


class Quick(Source):
    """The first numbers of a Source again and again: a board makes many of them in no time.

    Three floats in ten are zero, so that half of the products are, as behind a ReLU: in software
    they take less.
    """

    def f(self, n):
        block = Source.f(self, min(n, _BLOCK))
        for i in range(len(block)):
            if self.next() % 10 < _ZEROS:
                block[i] = 0
        return _repeated(block, array("f", bytes(4 * n)))

    def b(self, n):
        return _repeated(Source.b(self, min(n, _BLOCK)), bytearray(n))


def _repeated(block, out):
    """`out`, filled with a block again and again."""
    view, n = memoryview(out), len(out)
    for at in range(0, n, _BLOCK):
        size = min(_BLOCK, n - at)
        view[at : at + size] = memoryview(block)[:size]
    return out


def builder_of(kernel):
    """The function that makes a kernel's arguments: that of a layer without a clamp, as a
    converted model has it, where there is one."""
    named = {builder.__name__: builder for builder, _, _, _ in kernels_check.CASES}
    return named.get(kernel + "_no_clamp") or named[kernel]


def count(kernel, shapes):
    """Prints the instructions of a kernel in each shape, inside it and its checks."""
    builder = builder_of(kernel)
    for shape in shapes:
        gc.collect()
        args = builder(Quick(False), *shape)
        before = _engram.spent()
        getattr(_engram, kernel)(*args)
        print((_engram.spent() - before) % (1 << 30))
        args = None
