"""The definition of the kernels, in plain Python, on any host: what is left where C is missing.

main() prints the exact lines of kernels_check for the definition, whatever kernels are in use.
MicroPython's memoryviews do not tell their type: what it takes to refuse a wrong one is tried too,
and so are bytes in the place of int32 numbers.
"""

import gc
from array import array

import engram.kernels.python as definition
from kernels_check import CASES, crc, crc_of_lines, kernel_name, misuse_shape, misused, run
from kernels_source import Source


def main():
    gc.collect()
    if hasattr(gc, "threshold") and not hasattr(gc, "freeze"):  # MicroPython's
        gc.threshold(1 << 16)
    for builder, written, exact, shapes in CASES:
        for shape in shapes:
            gc.collect()  # lists of sums lie in large pieces
            if exact:
                line = run(definition, builder, written, shape, True)
                print("exact", builder.__name__, *(list(shape) + line))
            else:
                run(definition, builder, written, shape, False)
        found = misused(definition, builder, written, misuse_shape(shapes))
        print("exact misuse", builder.__name__, len(found), crc_of_lines(found))
        windows(builder, written, misuse_shape(shapes))
    views()
    tapes()


def windows(builder, written, shape):
    """The kernel with the bytes of its int32 arguments, as they lie in a block of memory."""
    args = list(builder(Source(True), *shape))
    for i, arg in enumerate(args):
        if isinstance(arg, array) and str(arg)[7] == "i":
            block = bytearray(4) + bytes(memoryview(arg))
            args[i] = memoryview(block)[4:] if i % 2 else block[4:]
    result = getattr(definition, kernel_name(builder))(*args)
    expected = builder(Source(True), *shape)
    assert result == getattr(definition, kernel_name(builder))(*expected)
    for values, target in zip(args[:written], expected):
        assert crc(values) == crc(target), builder.__name__


def tapes():
    """Rows in order and in part, another row in a place, and what is refused."""
    K = definition
    x = array("f", (1, -2))
    double = K.scale_f32, x, x, array("f", (2,))
    tape = K.bind([double, (K.axpy_f32, x, array("f", (1, 1)), array("f", (1,))), double])
    for rows in ((1,), (0, 1), (1, 2), (3,), ()):
        K.run(tape, *rows)
        print("exact tape", list(x))
    K.put(tape, 0, (K.scale_f32, x, x, array("f", (0.5,))))
    K.run(tape, 0, 1)
    print("exact tape", list(x))
    K.put(tape, 2, (K.scale_f32, x, array("f", (1,)), array("f", (2,))))
    for action in (
        lambda: K.run(tape),
        lambda: K.run(tape, 4),
        lambda: K.run(tape, 2, 1),
        lambda: K.put(tape, 0, (K.zero_f32, x)),
        lambda: K.put(tape, -1, double),
    ):
        try:
            action()
            print("exact tape no error")
        except ValueError as error:
            print("exact tape", error, list(x))


def views():
    """A memoryview of a wrong type, which carries neither its typecode nor an error of its own."""
    good = array("f", (1, 2))
    wrong = (array("h", (1, 2)), array("i", (1, 2)), bytearray(2), b"ab", array("H", (1, 2)))
    for buf in wrong:
        for out, x in ((good, buf), (buf, good)):
            try:
                definition.relu_fwd(memoryview(out), memoryview(x))
                print("exact view", out, "no error")
            except TypeError as error:
                print("exact view", str(error).split(", got")[0])
    print("exact view", list(good))


if __name__ == "__main__":
    main()
