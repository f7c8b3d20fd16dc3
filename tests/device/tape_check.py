"""Tapes of the C kernels: the same lines on CPython and on every board, as firmware and as .mpy.

main() prints a line a kernel with the CRC-32 of what a tape has written, then what is refused, and
what becomes of the memory that a tape holds. What differs from single calls raises AssertionError.
"""

import gc
import sys
from array import array

import kernels_check as cases
from engram.backend import kernels
from engram.compat import heap_free, heap_lock, heap_unlock, heap_used
from kernels_source import Source

BOARD = sys.implementation.name == "micropython"
GROWN = ValueError if BOARD else BufferError  # of run, and of the array


def run(tape, first=None, last=None):
    """Runs a tape with the heap locked, where that can be: it must not allocate.

    A call with *args would, on ports without a stack for Python's frames.
    """
    heap_lock()
    try:
        if first is None:
            kernels.run(tape)
        elif last is None:
            kernels.run(tape, first)
        else:
            kernels.run(tape, first, last)
    finally:
        heap_unlock()


def written(args, count):
    return [cases.crc(a) for a in args[:count]]


def as_calls():
    """Every kernel: a tape of it does what the call does, twice, as gradients accumulate."""
    for builder, count, _, shapes in cases.CASES:
        kernel = getattr(kernels, cases.kernel_name(builder))
        shape = cases.misuse_shape(shapes)
        args = builder(Source(False), *shape)
        for _ in range(2):
            kernel(*args)
        expected = written(args, count)
        args = builder(Source(False), *shape)
        tape = kernels.bind([(kernel,) + tuple(args)])
        for _ in range(2):
            run(tape)
        assert written(args, count) == expected, builder.__name__
        print("tape", builder.__name__, *expected)


def part_by_part():
    x = array("f", (1, -2))
    double = kernels.scale_f32, x, x, array("f", (2,))
    shift = kernels.axpy_f32, x, array("f", (1, 1)), array("f", (1,))
    tape = kernels.bind((double, shift, double))
    run(tape, 1)
    run(tape, 0, 1)
    run(tape, 1, 2)
    run(tape, 3)
    run(kernels.bind([]))
    print("parts", list(x))


def windows():
    """One block of bytes holds int32, float32 and int8 arguments."""
    arena = memoryview(bytearray(64))
    s = Source(True)
    bias, mult, shift = s.requantization(2)
    for at, values in ((0, bias), (8, mult), (16, shift), (24, s.b(4)), (28, s.b(8))):
        data = bytes(memoryview(values))
        arena[at : at + len(data)] = data
    args = [arena[at : at + n] for at, n in ((40, 2), (24, 4), (28, 8), (0, 8), (8, 8), (16, 8))]
    run(kernels.bind([(kernels.dense_s8,) + tuple(args) + (s.q(), 1, 4, 2)]))
    x = array("f", (1.5, -2.5))
    arena[48:56] = bytes(memoryview(x))
    run(kernels.bind([(kernels.relu_fwd, arena[48:56], arena[48:56])]))
    print("windows", cases.crc(arena))
    for bad in (arena[1:9], arena[0:9]):
        args[3] = bad
        refused(kernels.bind, [(kernels.dense_s8,) + tuple(args) + (s.q(), 1, 4, 2)])


# ---- what is refused -----------------------------------------------------------------------


def refused(function, *args):
    try:
        function(*args)
        print("refused nothing")
    except (ValueError, TypeError) as error:
        print("refused", type(error).__name__, error)


class kernel:
    """Not one, though its type has the name of one."""

    def __call__(self, *args):
        return 0


def misuse():
    x, out = array("f", (1, 2)), array("f", (9, 9))
    row = kernels.relu_fwd, out, x
    for bad in (3, [], (), (1, 2), (kernel(), out, x), (kernel, out, x)):
        refused(kernels.bind, [row, bad])
    refused(kernels.bind, 3)
    for args in ((x,), (x, 5), (out, memoryview(out)[1:]), (bytes(8), x), (x, array("h", (1, 2)))):
        refused(kernels.bind, [row, (kernels.relu_fwd,) + args])
    tape = kernels.bind([row, (kernels.relu_fwd, out, array("f", (1,)))])
    refused(kernels.run, tape)
    print("ran", list(out))
    for args in ((3,), (-1,), (2, 1), (0, 3), ("a",)):
        refused(kernels.run, tape, *args)
    refused(kernels.run, [])
    for args in ((2, row), (-1, row), (0, (kernels.zero_f32, out)), (0, (kernels.relu_fwd, x, 5))):
        refused(kernels.put, tape, *args)


# ---- what a tape holds ---------------------------------------------------------------------


PIECE = b"\xff" * 256
MOST = 1 << 22  # bytes, where memory has no end


def run_full(tape):
    """Runs a tape while whatever is free is in use by others, who must not notice."""
    pieces = [None] * (min(heap_free(), MOST) // len(PIECE))
    gc.collect()
    try:
        for i in range(len(pieces)):
            pieces[i] = bytearray(PIECE)
    except MemoryError:
        pass
    run(tape)
    for piece in pieces:
        assert piece is None or piece == PIECE, "a tape wrote where nothing of it is"


def window():
    """Far into a buffer that only it knows: its own address keeps nothing alive."""
    return memoryview(array("f", range(1000)))[990:994]


def survive():
    """Arguments that only the tape still knows."""
    out, other = array("f", bytes(16)), array("f", bytes(16))
    add, relu = kernels.add_f32, kernels.relu_fwd
    tape = kernels.bind([(relu, other, window()), (add, out, window(), array("f", (1, 2, 3, 4)))])
    run_full(tape)
    print("survived", list(other), list(out))
    kernels.put(tape, 0, (relu, window(), window()))
    run_full(tape)
    print("survived", list(out))


def grow():
    """An array that is bound cannot grow; where it can, the tape sees that it has moved."""
    out, x, y = array("f", (0, 0)), array("f", (1, 2)), array("f", (3, 4))
    tape = kernels.bind([(kernels.relu_fwd, out, x), (kernels.relu_fwd, out, x)])
    kernels.put(tape, 1, (kernels.relu_fwd, out, y))  # the other row has it still
    wall = bytearray(64)
    try:
        x.extend(array("f", range(1000)))
        kernels.run(tape)
        print("grew")
    except GROWN:
        print("held", list(out))
    del wall
    kernels.put(tape, 0, (kernels.relu_fwd, out, y))
    run(tape)
    print("put", list(out))


def pair():
    """A tape of two rows with a buffer that nobody else has."""
    both = array("f", bytes(4000))
    return kernels.bind([(kernels.zero_f32, both), (kernels.zero_f32, both)])


def let_go():
    """A buffer that is put aside is free again, one that another row has is not.

    Of four, as a collector that takes any word on the stack for an address may keep one.
    """
    tapes = [pair() for _ in range(4)]
    before = heap_used()
    for row in (0, 1):
        for tape in tapes:
            for _ in range(9):
                kernels.put(tape, row, (kernels.zero_f32, array("f", bytes(16))))
        print("freed", before - heap_used() > 2 * 3500 if BOARD else row == 1)


def size():
    """Words of a tape: 5 and the rows in one block, what it holds in another.

    Of eight tapes: before them words on the stack may keep two blocks that are free after them.
    """
    view = memoryview(array("f", range(9)))
    rows = [(kernels.add_f32, view[0:2], view[2:4], view[4:6]) for _ in range(4)]
    rows.append((kernels.dense_fwd, array("f", (0,)), view[6:7], view[7:8], None, 1, 1, 1))
    rows.append(rows[0])
    words = 5 + 5 * (1 + 2 * 3) + (1 + 2 * 7)
    tensors = 4 * 3 + 2 + 2
    blocks = (words + 3) // 4 + (tensors + 3) // 4  # of four words each
    block = 32 if sys.maxsize > 1 << 32 else 16
    tapes = [None] * 8
    before = heap_used()
    for i in range(8):
        tapes[i] = kernels.bind(rows)
    growth = heap_used() - before
    print("size", abs(growth - 8 * blocks * block) <= 2 * block if BOARD else True)
    del tapes


def main():
    as_calls()
    part_by_part()
    windows()
    misuse()
    survive()
    grow()
    let_go()
    size()


if __name__ == "__main__":
    main()
