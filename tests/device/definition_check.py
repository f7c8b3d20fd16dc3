"""The definition of the kernels, in plain Python, on any host: what is left where C is missing.

main() prints the exact lines of kernels_check for the definition, whatever kernels are in use.
MicroPython's memoryviews do not tell their type: what it takes to refuse a wrong one is tried too.
"""

from array import array

import engram.kernels.python as definition
from kernels_check import CASES, crc, misuse_shape, misused, run


def main():
    for builder, written, exact, shapes in CASES:
        for shape in shapes:
            if exact:
                line = run(definition, builder, written, shape, True)
                print("exact", builder.__name__, *(list(shape) + line))
            else:
                run(definition, builder, written, shape, False)
        found = misused(definition, builder, written, misuse_shape(shapes))
        text = "\n".join(["%d %s" % line for line in found])
        print("exact misuse", builder.__name__, len(found), crc(text.encode()))
    views()


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
