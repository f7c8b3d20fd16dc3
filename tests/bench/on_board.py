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


CALLS = 100
ROWS = 100
FUNCTION = """
def bracket(counter, f, out, x, w, b):
    start = counter()
    {}
    return counter() - start
"""


def each(statement, *names):
    """Instructions of a statement: a function with CALLS of it in a row, less one with none."""
    times = []
    for statements in ([statement] * CALLS, ["pass"]):
        namespace = {}
        exec(FUNCTION.format("\n    ".join(statements)), namespace)
        gc.collect()
        times.append(namespace["bracket"](engram_board.counter, *names))
    n, rest = divmod(times[0] - times[1], CALLS)
    if rest:
        raise ValueError(statement + ": two calls took different numbers of instructions")
    return n


def overhead(module):
    """Prints what a call of a kernel with one product takes, from Python and as spent() counts it.

    Then a call of a C function that does nothing, without an argument and with one; then what
    the kernel wrote.
    """
    from array import array

    from micropython import const

    kernels = __import__(module)
    data = array("f", (0,)), array("f", (2,)), array("f", (3,)), array("f", (1,))
    before = kernels.spent()
    whole = each("f(out, x, w, b, 1, 1, 1)", kernels.dense_fwd, *data)
    inside, rest = divmod(kernels.spent() - before, CALLS)
    if rest:
        raise ValueError("spent: calls of the same kind differ")
    none, one = each("f()", kernels.spent, *data), each("f(out)", const, *data)
    print(whole, inside, none, one, data[0][0])


def tapes(module):
    """Prints what a row of a tape takes, and a run of none; then what the kernel wrote."""
    from array import array

    kernels = __import__(module)
    data = array("f", (0,)), array("f", (2,)), array("f", (3,)), array("f", (1,))
    row = (kernels.dense_fwd,) + data + (1, 1, 1)
    none, one, more = (
        each("f(out)", kernels.run, kernels.bind([row] * n), None, None, None)
        for n in (0, 1, 1 + ROWS)
    )
    n, rest = divmod(more - one, ROWS)
    if rest:
        raise ValueError("run: rows of the same kind differ")
    print(n, none, data[0][0])
