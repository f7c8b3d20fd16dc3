"""Shapes in which `make bench` counts a kernel for the plan: those of small models.

A kernel is found by the integer arguments of its demands, or by its geometry, so that a new kernel
is measured without a word here; one whose arguments are new takes the shapes of its own cases.
"""

from engram_host.planning.sizes import kind

_MOST = 150_000  # multiply-accumulates of a call: more of them cost as these do
_ROOM = 9_000  # elements of its buffers: the heap of a small board has room for them


def _numbers(seed):
    """Whole numbers that look random, the same on every host."""
    while True:
        seed = (seed * 1103515245 + 12345) % (1 << 31)
        yield seed >> 12


def _convolutions(count, seed):
    """Geometries of the kinds that small models have, with their batches."""
    numbers = _numbers(seed)

    def one(*choices):
        return choices[next(numbers) % len(choices)]

    out = []
    while len(out) < count:
        B, C, K = one(1, 1, 2, 4, 8, 16), one(1, 3, 4, 8, 12, 16, 32), one(5, 8, 8, 12, 16, 32)
        H = one(3, 4, 5, 7, 8, 14, 28)
        W = one(H, H, H, H, H // 2 + 1, 1)
        R, stride, same = one(1, 2, 3, 3, 3, 3, 5), one(1, 1, 2), one(0, 1)
        S, pad = min(R, W), (R - 1) // 2 * same
        if R > H:
            continue
        left = min(pad, S - 1)
        OH, OW = (H + 2 * pad - R) // stride + 1, (W + 2 * left - S) // stride + 1
        elements = B * H * W * C + B * OH * OW * max(C, K) + K * R * S * C
        if elements <= _ROOM and B * OH * OW * K * R * S * C <= _MOST:
            shape = (B, H, W, C, K, R, S, stride, stride, pad, left, 1, 1, OH, OW)
            out += [] if shape in out else [shape]
    return tuple(out)


def _dense(count, seed):
    """B N M of dense layers and pointwise convolutions."""
    numbers = _numbers(seed)
    out = [(16, 0, 32), (256, 0, 16), (64, 0, 5)]
    while len(out) < count:
        B = (1, 1, 2, 4, 8, 16, 64, 128)[next(numbers) % 8]
        N = (8, 16, 27, 32, 48, 64, 100, 192, 256)[next(numbers) % 9]
        M = (2, 5, 8, 10, 12, 16, 32, 64)[next(numbers) % 8]
        if B * N + B * M + N * M <= _ROOM and B * N * M <= _MOST:
            out += [] if (B, N, M) in out else [(B, N, M)]
    return tuple(out)


_CONV, _DENSE = _convolutions(36, 7), _dense(28, 3)
_TWO = ((16, 10), (1, 10), (4, 5), (64, 3), (256, 16), (1, 32), (1, 1))

SHAPES = {
    "geom": _CONV,
    "channelwise": _CONV,
    "B N M": _DENSE,
    "B K": _TWO,
    "B N": _TWO,
    "P C": _TWO,
    "B P C": ((1, 49, 16), (16, 49, 16), (4, 16, 64), (1, 1, 1), (16, 16, 8)),
    "P M N to at C": ((16, 24, 16, 0, 0, 16), (196, 16, 8, 8, 0, 8), (1, 1, 1, 0, 0, 1),
                      (49, 64, 32, 0, 0, 32)),
    # never two parts: their 6 numbers would look like a record of q8
    "P M N": ((16, 8, 32, 3), (196, 4, 16, 4), (1, 16, 64, 8), (64, 16, 64, 8)),
    "B H W C OH OW top left": ((1, 8, 8, 8, 10, 10, 1, 1), (16, 4, 4, 16, 6, 6, 1, 1),
                               (1, 28, 28, 1, 30, 30, 1, 1), (1, 1, 1, 1, 1, 1, 0, 0)),
    "": ((1,), (16,), (160,), (1000,), (4096,)),
    "bits": ((16, 4), (64, 8), (192, 8), (192, 4), (256, 3), (1, 4)),
}  # fmt: skip
_READ = tuple((B, n, bits) for bits in (8, 4, 3) for B, n in
              ((1, 64), (1, 192), (16, 64), (8, 192)))  # fmt: skip
_RECORDS = ((1,), (4,), (12,), (30,))
OWN = {
    "clear_q8": _RECORDS,
    "follow_q8": _RECORDS,
    "gather_latents": _READ,
    "gather_codes": _READ,
    "draw_batch": ((1, 1, 8, 8, 8), (2, 1, 20, 30, 30), (4, 2, 20, 9, 40), (8, 4, 20, 30, 30),
                   (16, 3, 100, 100), (16, 8, 40, 9, 40)),
}  # fmt: skip
# Kernels of the front ends, of tables and of single numbers: in no row of a model. Those
# over lists of structures are left out too: the plan takes them for those of smaller layers.
LEFT_OUT = ("packed_bytes", "rfft_table_size", "hann_window", "rfft_table", "rfft", "dct_matrix",
            "power_spectrum", "mel_table", "log_mel", "exp_f32", "log_f32", "sqrt_f32",
            "uniform_f32", "gather_targets", "vibration_features")  # fmt: skip


def shapes(kernel, arguments, cases):
    """The shapes in which a kernel is counted; cases: of its test."""
    if kernel in OWN:
        return OWN[kernel]
    found = SHAPES.get(kind(arguments))
    if found and not (cases and len(cases[0]) != len(found[0])):
        return found
    return [shape for shape in cases if 0 not in shape]
