"""Runs on the emulated board: one case at a time, its answer and the instructions it takes."""

import gc

import cases
import engram_board


def count(module, i, inside):
    """Prints the CRCs of case i and its instructions.

    inside: as the firmware counts them around its kernels, shape checks included; else around
    the call from Python, with its arguments and the reading of the counter.
    """
    kernels = __import__(module)
    case = cases.CASES[i]
    gc.collect()
    args = cases.arguments(case)
    kernel = getattr(kernels, cases.kernel_of(case))
    counter = engram_board.counter
    before, start = kernels.spent(), counter()
    kernel(*args)
    end, after = counter(), kernels.spent()
    n = after - before if inside else end - start
    print(n % (1 << 30), *cases.crcs(case, args))


def overhead(module):
    """Prints the instructions of a call of a kernel with next to no work, and of no call."""
    from array import array

    kernel = __import__(module).dense_fwd
    counter = engram_board.counter
    out, x, w, b = array("f", (0,)), array("f", (2,)), array("f", (3,)), array("f", (1,))
    start = counter()
    end = counter()
    nothing = end - start
    start = counter()
    kernel(out, x, w, b, 1, 1, 1)
    end = counter()
    print(end - start, nothing, out[0])
