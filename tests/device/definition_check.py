"""The definition of the kernels, in plain Python, on any host: what is left where C is missing.

main() prints the exact lines of kernels_check for the definition, whatever kernels are in use.
"""

import engram.kernels_py as definition
from kernels_check import CASES, run


def main():
    for builder, written, exact, shapes in CASES:
        for shape in shapes:
            if exact:
                line = run(definition, builder, written, shape, True)
                print("exact", builder.__name__, *(list(shape) + line))
            else:
                run(definition, builder, written, shape, False)


if __name__ == "__main__":
    main()
