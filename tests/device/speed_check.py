"""What a call of the kernels that run over ulab takes, from Python, with one backend.

main(name) prints a line a kernel: its name, shape, the units of a call, the CRC-32 of what it
wrote. Units are those of engram_board.counter: microseconds, or instructions of an emulator.
"""

import gc
from array import array
from binascii import crc32

import engram_board
from engram.compat import collect_rarely
from kernels_source import Source

B, N, M = 16, 64, 32  # a mini-batch of digits' latents, and a head that is wider than theirs
IMAGES, P, C, SIZE = 4, 16, 32, 1024
# What trains of the digits: 4 x 4 x 12 to 2 x 2 x 32, 3 x 3, stride 2; an image.
GEOM = array("i", (4, 4, 12, 32, 3, 3, 2, 2, 1, 1, 1, 1, 2, 2))
X, Y, W = 4 * 4 * 12, 2 * 2 * 32, 32 * 3 * 3 * 12



def conv2d_s8(s):
    """The second layer of the digits, of an image."""
    geom = array("i", (8, 8, 16, 12, 3, 3, 2, 2, 1, 1, 1, 1, 4, 4))
    head = s.b(4 * 4 * 12), s.b(8 * 8 * 16), s.b(12 * 3 * 3 * 16)
    return head + s.requantization(12) + (geom, s.q(), 1)


# kernel, written buffers, elements of each float32 buffer, what follows them, shape; or what makes
# all arguments, and nothing
CASES = (
    ("conv2d_s8", 1, conv2d_s8, (), "8 x 8 x 16-12"),
    ("dense_fwd", 1, (B * M, B * N, M * N, M), (B, N, M), "16 x 64-32"),
    ("dense_bwd_dx", 1, (B * N, B * M, M * N), (B, N, M), "16 x 64-32"),
    ("dense_bwd_dw", 2, (M * N, M, B * M, B * N), (B, N, M), "16 x 64-32"),
    ("conv2d_fwd", 1, (Y, X, W, 32), (GEOM, 1), "4 x 4 x 12-32"),
    ("conv2d_bwd_dx", 1, (X, Y, W), (GEOM, 1), "4 x 4 x 12-32"),
    ("conv2d_bwd_dw", 2, (W, 32, Y, X), (GEOM, 1), "4 x 4 x 12-32"),
    ("relu_fwd", 1, (SIZE, SIZE), (), "1024"),
    ("relu_bwd_dx", 1, (SIZE, SIZE, SIZE), (), "1024"),
    ("global_avgpool_fwd", 1, (IMAGES * C, IMAGES * P * C), (IMAGES, P, C), "4 x 16 x 32"),
    ("global_avgpool_bwd_dx", 1, (IMAGES * P * C, IMAGES * C), (IMAGES, P, C), "4 x 16 x 32"),
    ("sgd_step", 2, (SIZE, SIZE, SIZE), (array("f", (0.125, 0.5, 0.25)),), "1024"),
    ("zero_f32", 1, (SIZE,), (), "1024"),
    ("add_f32", 1, (SIZE, SIZE, SIZE), (), "1024"),
    ("mul_f32", 1, (SIZE, SIZE, SIZE), (), "1024"),
    ("axpy_f32", 1, (SIZE, SIZE, 1), (), "1024"),
    ("scale_f32", 1, (SIZE, SIZE, 1), (), "1024"),
)
LEAST_US = 1000  # of calls in a row, where a clock is read: short, as other processes interrupt
ROUNDS = 15
CALLS, LONG = 8, 20000000  # calls to be counted, so that they bear their collections of the heap


def arguments(case):
    source = Source(True)
    if callable(case[2]):
        return case[2](source)
    return [source.f(n) for n in case[2]] + list(case[3])


def taken(kernel, args, calls):
    """Counter units of so many calls."""
    counter = engram_board.counter
    gc.collect()
    start = counter()
    for _ in range(calls):
        kernel(*args)
    return (counter() - start) & 0x3FFFFFFF


def nothing(*args):
    pass


def units(kernel, args):
    """Units of one call: instructions as a mean, microseconds as the least mean of rounds."""
    if engram_board.COUNTER_UNIT != "us":
        n = taken(kernel, args, 1)
        if n > LONG:
            return n
        return (taken(kernel, args, CALLS) - taken(nothing, args, CALLS)) / CALLS
    calls = 1
    while taken(kernel, args, calls) < LEAST_US:
        calls *= 2
    return min([taken(kernel, args, calls) for _ in range(ROUNDS)]) / calls


def main(name):
    kernels = __import__(name, None, None, ("*",))  # no other backend: RAM is short
    for case in CASES:
        kernel = getattr(kernels, case[0])
        args = None
        gc.collect()
        args = arguments(case)
        collect_rarely()  # as where a learner is open
        kernel(*args)
        crcs = ["%08x" % (crc32(bytes(memoryview(a))) & 0xFFFFFFFF) for a in args[: case[1]]]
        n = units(kernel, args)
        print(case[0], case[4].replace(" ", "_"), "%.4g" % n if n < 100 else "%d" % n, *crcs)
