"""Every kernel in use on real inputs: what it wrote, for the host to hold to its definition.

main() prints one line a case, with every float32 buffer that was written, in hex:

    real <kernel> <which of its shapes> :<buffer>...
    exact nan <kernel> <values>        what is neither hidden nor made up
"""

from array import array
from binascii import hexlify

from engram.backend import kernels

from kernels_check import CASES, kernel_name
from kernels_source import Source

NAN, INFINITY = float("nan"), float("inf")


def is_float32(buf):
    return isinstance(buf, array) and str(buf[0:0])[7] == "f"


def after(builder, written, shape):
    """The arguments after a call with real inputs, those that are written and float32."""
    args = builder(Source(False), *shape)
    getattr(kernels, kernel_name(builder))(*args)
    return [a for a in args[:written] if is_float32(a)]


def main():
    for builder, written, exact, shapes in CASES:
        for i in range(len(shapes)):
            found = after(builder, written, shapes[i])
            if found:
                text = [":" + hexlify(bytes(memoryview(a))).decode() for a in found]
                print("real", builder.__name__, i, *text)
    odd = array("f", (NAN, -NAN, -0.0, INFINITY, -INFINITY))
    out = array("f", (1, 1, 1, 1, 1))
    kernels.relu_fwd(out, odd)
    print("exact nan relu_fwd", *out)
    kernels.relu_bwd_dx(out, array("f", (1, 2, 3, 4, 5)), odd)
    print("exact nan relu_bwd_dx", *out)
    kernels.relu_bwd_dx(out, odd, array("f", (1, 1, 1, 1, 1)))
    print("exact nan relu_bwd_dx", *[abs(v) for v in out])
    print("exact nan check_finite", kernels.check_finite(odd))


if __name__ == "__main__":
    main()
