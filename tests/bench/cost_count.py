"""Runs on the emulated board: instructions of a kernel in one shape after the other.

A count depends on values a little. Float operations in software are shorter for zeros, so three
floats in ten are zero. The kernels of q8 skip no zero, but take longer for what is clamped and for
steps that are too large for 32 bits, and rescale_q8 has work only where an exponent moves: all of
these are rare in a run. So they are counted as a run has them once its scales are found: the
exponent of a result has followed its values, and a step is some hundred units of the byte below a
weight, of which each has one ("res8").
"""

import gc
from array import array

import _engram
import engram_board  # noqa: F401  the counter of spent()
import kernels_check
from kernels_source import Source

_BLOCK = 61  # no width of a layer, so that two buffers do not repeat in step
_ZEROS = 3  # numbers in ten
_EXPONENT, _FULL, _NOTED = 4, 100 << 8, 100  # of a record of q8: exponent, largest, counted
_RATE, _FOLLOWS = 90, 4  # of a step: 64 to 127; calls until a result's exponent stays
_RECORD, _RATES = 6, 3  # numbers of them


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
        block = Source.b(self, min(n, _BLOCK))
        for i in range(len(block)):
            if block[i] == 0x80:
                block[i] = 0x81  # -128 is no value of q8
        return _repeated(block, bytearray(n))


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


def settle(kernel, args):
    """Gives the records and rates of q8 what they have once a run has found its scales."""
    record = _EXPONENT, _FULL, _FULL, 0, _NOTED, 1234567
    found = args if len(args) == 1 else [arg for arg in args if _is_ints(arg, _RECORD)]
    for records in found:
        for i in range(len(records)):
            records[i] = record[i % _RECORD]
    is_step = kernel.endswith("_step_q8")
    if is_step or kernel == "decay_q8":
        rates = [arg for arg in args if _is_ints(arg, _RATES)][-1]
        terms = len(args[4]) // len(args[3]) if is_step else 0
        shift = 18  # of a step of some hundred units
        while terms > 0:
            shift, terms = shift + 1, terms >> 2
        rates[0], rates[1], rates[2] = _RATE, shift, 0
    if len(args) > 1 and any(args[1] is records for records in found):  # that of a result
        for _ in range(_FOLLOWS):
            _engram.clear_q8(args[1])
            getattr(_engram, kernel)(*args)
            _engram.follow_q8(args[1])


def _is_ints(arg, n):
    return isinstance(arg, array) and str(arg)[7] == "i" and len(arg) == n


def count(kernel, shapes):
    """Prints the instructions of a kernel in each shape, inside it and its checks."""
    builder = builder_of(kernel)
    for shape in shapes:
        gc.collect()
        args = builder(Quick(False), *shape)
        if kernel.endswith("_q8"):
            settle(kernel, args)
        before = _engram.spent()
        getattr(_engram, kernel)(*args)
        print((_engram.spent() - before) % (1 << 30))
        args = None
