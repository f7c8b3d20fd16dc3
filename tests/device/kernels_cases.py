"""Cases of the kernels beyond the first families: arguments of each for a shape."""

from array import array
from binascii import crc32
from struct import pack

from engram.backend import kernels
from kernels_source import GEOM, channelwise, sizes

# ---- layers ---------------------------------------------------------------------------------


def depthwise_fwd(s, B, *geom):
    geom = channelwise(geom)
    x, out, w, C = sizes(geom, B)
    return s.f(out), s.f(x), s.f(w // C), s.f(C), array("i", geom), B


def depthwise_fwd_no_bias(s, B, *geom):
    args = depthwise_fwd(s, B, *geom)
    return args[:3] + (None,) + args[4:]


def depthwise_bwd_dx(s, B, *geom):
    geom = channelwise(geom)
    x, out, w, C = sizes(geom, B)
    return s.f(x), s.f(out), s.f(w // C), array("i", geom), B


def depthwise_bwd_dw(s, B, *geom):
    geom = channelwise(geom)
    x, out, w, C = sizes(geom, B)
    return s.f(w // C), s.f(C), s.f(out), s.f(x), array("i", geom), B


def conv2d_t_fwd(s, B, *geom):
    x, out, w, _ = sizes(geom, B)
    return s.f(x), s.f(out), s.f(w), s.f(geom[2]), array("i", geom), B


def conv2d_t_fwd_no_bias(s, B, *geom):
    args = conv2d_t_fwd(s, B, *geom)
    return args[:3] + (None,) + args[4:]


def conv2d_t_bwd_dx(s, B, *geom):
    x, out, w, _ = sizes(geom, B)
    return s.f(out), s.f(x), s.f(w), array("i", geom), B


def conv2d_t_bwd_dw(s, B, *geom):
    x, out, w, _ = sizes(geom, B)
    return s.f(w), s.f(geom[2]), s.f(x), s.f(out), array("i", geom), B


def maxpool_fwd(s, B, *geom):
    geom = channelwise(geom)
    x, out, _, _ = sizes(geom, B)
    return s.f(out), s.f(x), array("i", geom), B


def maxpool_bwd_dx(s, B, *geom):
    geom = channelwise(geom)
    x, out, _, _ = sizes(geom, B)
    return s.f(x), s.f(out), s.f(x), array("i", geom), B


def avgpool_fwd(s, B, *geom):
    return maxpool_fwd(s, B, *geom)


def avgpool_bwd_dx(s, B, *geom):
    geom = channelwise(geom)
    x, out, _, _ = sizes(geom, B)
    return s.f(x), s.f(out), array("i", geom), B


def relu6_fwd(s, n):
    x = s.f(n)
    for i in range(n):
        x[i] *= 8
    return s.f(n), x


def relu6_bwd_dx(s, n):
    return (s.f(n),) + relu6_fwd(s, n)


def leaky_relu_fwd(s, n):
    return s.f(n), s.f(n), array("f", (0.125,))


def leaky_relu_bwd_dx(s, n):
    return s.f(n), s.f(n), s.f(n), array("f", (0.125,))


def hard_swish_fwd(s, n):
    return relu6_fwd(s, n)


def hard_swish_bwd_dx(s, n):
    return relu6_bwd_dx(s, n)


def sigmoid_fwd(s, n):
    return relu6_fwd(s, n)


def sigmoid_bwd_dx(s, n):
    return s.f(n), s.f(n), s.f(n)


def tanh_fwd(s, n):
    return relu6_fwd(s, n)


def tanh_bwd_dx(s, n):
    return s.f(n), s.f(n), s.f(n)


def softmax_bwd_dx(s, B, K):
    return s.f(B * K), s.f(B * K), s.f(B * K), B, K


def add_f32(s, n):
    return s.f(n), s.f(n), s.f(n)


def mul_f32(s, n):
    return s.f(n), s.f(n), s.f(n)


def scale_shift_fwd(s, P, C):
    return s.f(P * C), s.f(P * C), s.f(C), s.f(C), P, C


def scale_shift_bwd_dx(s, P, C):
    return s.f(P * C), s.f(P * C), s.f(C), P, C


def scale_shift_bwd_dw(s, P, C):
    return s.f(C), s.f(C), s.f(P * C), s.f(P * C), P, C


def copy_channels(s, P, M, N, to, at, C):
    return s.f(P * M), s.f(P * N), P, M, N, to, at, C


def pad_fwd(s, B, H, W, C, OH, OW, top, left):
    return s.f(B * OH * OW * C), s.f(B * H * W * C), B, H, W, C, OH, OW, top, left


def pad_bwd_dx(s, B, H, W, C, OH, OW, top, left):
    return s.f(B * H * W * C), s.f(B * OH * OW * C), B, H, W, C, OH, OW, top, left


# ---- training -------------------------------------------------------------------------------


def mse(s, B, N):
    return s.f(B * N), s.f(1), s.f(B * N), s.f(B * N), B, N


def not_negative(x):
    for i in range(len(x)):
        x[i] = abs(x[i])
    return x


def adam_step(s, n):
    hyper = array("f", (0.01, 0.875, 0.96875, 1e-8, 0.0625, 0.5, 0.25))
    return s.f(n), s.f(n), not_negative(s.f(n)), s.f(n), hyper


def axpy_f32(s, n):
    return s.f(n), s.f(n), s.f(1)


def scale_f32(s, n):
    return s.f(n), s.f(n), s.f(1)


def sum_squares(s, n):
    return s.f(1), s.f(n)


def clip_norm(s, n):
    return s.f(n), array("f", (16.0,)), array("f", (2.0,))


def exp_f32(s, n):
    return s.f(n), s.f(n)


def log_f32(s, n):
    return s.f(n), not_negative(s.f(n))


def sqrt_f32(s, n):
    return s.f(n), not_negative(s.f(n))


def uniform_f32(s, n):
    return s.f(n), s.next(), s.next() * 16384


def gaussian_f32(s, n):
    return s.f(n), s.next(), s.next() * 16384


def sample_code(s, n, which):
    stream = array("i", (s.next(), s.next() * 16384, which))
    return s.f(n), s.f(n), stream, s.f(n), s.f(n)


def sample_code_bwd_dx(s, n):
    return s.f(n), s.f(n), s.f(n), s.f(n)


def kl_mean(s, B, Z):
    return s.f(B * Z), s.f(1 + Z), s.f(B * Z), B, Z


def kl_spread(s, B, Z):
    return s.f(B * Z), s.f(1 + Z), s.f(B * Z), B, Z


def logistic_xent(s, B, N):
    return s.f(B * N), s.f(1), s.f(B * N), s.f(B * N), B, N


# ---- int8 -----------------------------------------------------------------------------------


def conv2d_t_s8(s, B, *geom):
    x, out, w, _ = sizes(geom, B)
    head = s.b(x), s.b(out), s.b(w)
    return head + s.requantization(geom[2]) + (array("i", geom), s.q(), B)


def maxpool_s8(s, B, *geom):
    geom = channelwise(geom)
    x, out, _, _ = sizes(geom, B)
    return s.b(out), s.b(x), array("i", geom), s.q(), B


def add_s8(s, n):
    mult = s.l(3, 1 << 30, 2147483647)
    q = (s.next() % 256 - 128, s.next() % 256 - 128, 3, -110, 120, 20)
    q += (mult[0], 0, mult[1], -2, mult[2], -18)
    return s.b(n), s.b(n), s.b(n), array("i", q)


def requantize_s8(s, n):
    return s.b(n), s.b(n), s.l(1, 1 << 30, 2147483647), s.l(1, -2, 2), s.q()


def lookup_s8(s, n):
    return s.b(n), s.b(n), s.b(256)


def softmax_s8(s, B, K):
    table = s.l(256, 0, 2147483647)
    table[0] = 2147483647
    return s.b(B * K), s.b(B * K), table, B, K


def copy_s8(s, n):
    return s.b(n), s.b(n)


def copy_channels_s8(s, P, M, N, to, at, C):
    return s.b(P * M), s.b(P * N), P, M, N, to, at, C


def pad_s8(s, B, H, W, C, OH, OW, top, left):
    return s.b(B * OH * OW * C), s.b(B * H * W * C), s.b(1), B, H, W, C, OH, OW, top, left


def packed_bytes(s, n, bits):
    return n, bits


def _packed(n, bits):
    return (n * bits + 7) // 8


def pack_s8(s, n, bits):
    return s.b(_packed(n, bits)), s.b(n), bits


def unpack_s8(s, n, bits):
    return s.b(n), s.b(_packed(n, bits)), bits


def unpack_f32(s, n, bits):
    return s.f(n), s.b(_packed(n, bits)), array("f", (0.0078125, -100.0)), bits


# ---- replay ---------------------------------------------------------------------------------


def draw_batch(s, batch, fresh, new, *counts):
    """counts: old records of each class."""
    start = [new]
    for count in counts:
        start.append(start[-1] + count)
    present = [c for c in range(len(counts)) if counts[c]]
    order = array("H", range(start[-1]))
    for i in range(len(order)):
        order[i] = (7 * i + 3) % 65536
    place = array("i", (new, 0))
    random = s.l(3, 1, 31000)
    slots = array("i", bytes(4 * batch))
    known = bytes(present + [0])
    return slots, random, place, order, array("H", start), known, fresh, len(present)


def _log(s, size, targets):
    """A log of two units of three slots, and its layout; size: bytes of a latent."""
    crc_at = 8 + size + 4 * targets
    slot_bytes = (crc_at + 4 + 3) // 4 * 4
    layout = (3, 3 * slot_bytes + 24, 20, slot_bytes, 1, 8, 8 + size, crc_at + 4)
    raw = bytearray(b"\xff" * (2 * layout[1]))
    for slot in range(6):
        at = layout[2] + slot // 3 * layout[1] + slot % 3 * slot_bytes
        raw[at + 1] = slot + 1
        raw[at + 8 : at + 8 + size] = s.b(size)
        for i, v in enumerate(s.f(targets)):
            raw[at + 8 + size + 4 * i : at + 12 + size + 4 * i] = pack("<f", v)
        raw[at + crc_at : at + crc_at + 4] = pack("<I", crc32(raw[at + 1 : at + crc_at]))
    return raw, array("i", layout)


def _slots(B):
    return array("i", [(5 * i + 2) % 6 for i in range(B)])


def gather_latents(s, B, n, bits):
    """Records without targets, but with three behind a latent of 16 elements."""
    raw, layout = _log(s, _packed(n, bits), 3 if n == 16 else 0)
    return s.f(B * n), bytearray(B), raw, _slots(B), layout, s.f(1 << bits), 0, B


def gather_targets(s, B, n, first):
    """Targets behind latents of five bytes, where nothing is aligned; rows from `first` on."""
    raw, layout = _log(s, 5, n)
    return s.f(B * n), raw, _slots(B), layout, first, B - first


def gather_latents_no_record(s, B, n, bits):
    """The record of row 1 is deleted: that row is named, the rest is left alone."""
    args = gather_latents(s, B, n, bits)
    raw, slots, layout = args[2:5]
    raw[layout[2] + slots[1] // 3 * layout[1] + slots[1] % 3 * layout[3]] = 0
    return args


def gather_latents_no_crc(s, B, n, bits):
    """A bit of the record of row 1 fell over, and one of row 0's state byte, which is no harm."""
    args = gather_latents(s, B, n, bits)
    raw, slots, layout = args[2:5]
    for row in range(2):
        at = layout[2] + slots[row] // 3 * layout[1] + slots[row] % 3 * layout[3]
        raw[at + 9 * row] ^= 16
    return args


# ---- audio ----------------------------------------------------------------------------------


def hann_window(s, n):
    return (s.f(n),)


def rfft_table_size(s, N):
    return (N,)


def rfft_table(s, N):
    return s.f(N), N


def rfft(s, N):
    table = array("f", bytes(4 * N))
    kernels.rfft_table(table, N)  # every host's own: the C kernels agree on its bits
    return s.f(N + 2), s.f(N), table, N


def power_spectrum(s, N):
    return s.f(N // 2 + 1), s.f(N + 2), N


def mel_table(s, N, M):
    return s.f(N // 2 + 1), array("f", (16000, 20, 7600)), N, M


def log_mel(s, N, M):
    bins = N // 2 + 1
    table = array("f", bytes(4 * bins))
    kernels.mel_table(table, array("f", (16000, 20, 7600)), N, M)
    return s.f(M), not_negative(s.f(bins)), table, array("f", (1e-3,)), N, M


def dct_matrix(s, M, K):
    return s.f(K * M), M, K


def vibration_features(s, C, N):
    return s.f(6 * C + C * (C - 1) // 2), s.f(N * C), array("f", (1 / 1024,)), N, C


# ---- some structures of a layer -------------------------------------------------------------


def _kept(s, B, M):
    """Lists of B samples: every other structure or so, all of them, none at all."""
    out = array("i", [-1] * (B * M))
    for b in range(B):
        n = 0
        for m in range(M):
            if b % 3 == 1 or b % 3 == 0 and s.next() % 2:
                out[b * M + n] = m
                n += 1
    return out


def sum_errors(s, B, P, M):
    return s.f(B * M), s.f(B * P * M), B, P, M


def keep_largest(s, B, M, least, most):
    sums = not_negative(s.f(B * M))
    for i in range(M if B > 1 else 0):
        sums[i] = 0  # a sample without errors
    shares = array("f", (least / 8, most / 8))
    return array("i", bytes(4 * B * M)), array("f", (0, 0.5)), sums, shares, B, M


def keep_largest_no_ties(s, B, M, least, most):
    """Many equal sums: the first ones are kept."""
    args = keep_largest(s, B, M, least, most)
    for i in range(B * M):
        args[2][i] = i % 3
    return args


def skip_smallest(s, B, N):
    state, hyper = array("f", (0.75, 0.5, 0)), array("f", (0.5, 0.25))
    return s.f(B * N), state, not_negative(s.f(B)), hyper, B, N


def dense_bwd_dx_some(s, B, P, N, M):
    return s.f(B * P * N), s.f(B * P * M), s.f(M * N), _kept(s, B, M), B, P, N, M


def dense_bwd_dw_some(s, B, P, N, M):
    return s.f(M * N), s.f(M), s.f(B * P * M), s.f(B * P * N), _kept(s, B, M), B, P, N, M


def conv2d_bwd_dx_some(s, B, *geom):
    x, out, w, K = sizes(geom, B)
    return s.f(x), s.f(out), s.f(w), _kept(s, B, K), array("i", geom), B


def conv2d_bwd_dw_some(s, B, *geom):
    x, out, w, K = sizes(geom, B)
    return s.f(w), s.f(K), s.f(out), s.f(x), _kept(s, B, K), array("i", geom), B


def depthwise_bwd_dx_some(s, B, *geom):
    args = depthwise_bwd_dx(s, B, *geom)
    return args[:3] + (_kept(s, B, geom[2]),) + args[3:]


def depthwise_bwd_dw_some(s, B, *geom):
    args = depthwise_bwd_dw(s, B, *geom)
    return args[:4] + (_kept(s, B, geom[2]),) + args[4:]


_GEOM = tuple((2,) + geom for geom in GEOM) + ((0,) + GEOM[1],)
_N = ((0,), (1,), (7,), (32,))
_PC = ((1, 1), (3, 4), (5, 3), (0, 2), (2, 0))
_BITS = ((0, 3), (9, 5)) + tuple((n, bits) for bits in range(1, 9) for n in (1, 8, 19))
_DRAWS = ((1, 1, 1), (8, 3, 5, 4, 0, 3), (6, 0, 0, 2), (40, 40, 9), (9, 2, 300, 9))
_GATHERS = ((0, 4, 8), (1, 1, 3)) + tuple((3, n, bits) for bits in range(1, 9) for n in (5, 16))
_POWERS = ((4,), (8,), (16,), (64,))
_MEL = ((4, 1), (64, 7), (128, 10))
_CHANNELS = ((1, 1, 1, 0, 0, 1), (3, 7, 5, 2, 1, 4), (2, 3, 3, 0, 0, 0))
_PAD = ((1, 1, 1, 1, 1, 1, 0, 0), (2, 3, 4, 2, 6, 7, 1, 2), (3, 1, 5, 3, 1, 9, 0, 4))
_PAD += ((1, 0, 3, 2, 2, 3, 2, 0), (0, 2, 2, 2, 3, 3, 1, 1), (1, 4, 2, 0, 5, 3, 0, 1))

_SOME_GEOM = tuple((3,) + geom for geom in GEOM) + ((0,) + GEOM[1],)
_SOME_DENSE = ((1, 1, 1, 1), (3, 1, 5, 4), (3, 6, 9, 11), (2, 5, 17, 6))
_SOME_DENSE += ((0, 2, 3, 4), (2, 3, 0, 3))

# builder, written buffers, whether k/64 in gives exact results, shapes
CASES = (
    (depthwise_fwd, 1, True, _GEOM),
    (depthwise_fwd_no_bias, 1, True, _GEOM[:4]),
    (depthwise_bwd_dx, 1, True, _GEOM),
    (depthwise_bwd_dw, 2, True, _GEOM),
    (conv2d_t_fwd, 1, True, _GEOM),
    (conv2d_t_fwd_no_bias, 1, True, _GEOM[:4]),
    (conv2d_t_bwd_dx, 1, True, _GEOM),
    (conv2d_t_bwd_dw, 2, True, _GEOM),
    (maxpool_fwd, 1, True, _GEOM),
    (maxpool_bwd_dx, 1, True, _GEOM),
    (avgpool_fwd, 1, True, _GEOM),
    (avgpool_bwd_dx, 1, False, _GEOM),  # sums of thirds
    (relu6_fwd, 1, True, _N),
    (relu6_bwd_dx, 1, True, _N),
    (leaky_relu_fwd, 1, True, _N),
    (leaky_relu_bwd_dx, 1, True, _N),
    (hard_swish_fwd, 1, False, _N),  # a sixth
    (hard_swish_bwd_dx, 1, False, _N),
    (sigmoid_fwd, 1, False, _N),
    (sigmoid_bwd_dx, 1, True, _N),
    (tanh_fwd, 1, False, _N),
    (tanh_bwd_dx, 1, True, _N),
    (softmax_bwd_dx, 1, True, ((1, 1), (2, 3), (5, 10), (0, 4))),
    (add_f32, 1, True, _N),
    (mul_f32, 1, True, _N),
    (scale_shift_fwd, 1, True, _PC),
    (scale_shift_bwd_dx, 1, True, _PC),
    (scale_shift_bwd_dw, 2, True, _PC),
    (copy_channels, 1, True, _CHANNELS),
    (pad_fwd, 1, True, _PAD),
    (pad_bwd_dx, 1, True, _PAD),
    (mse, 2, True, ((1, 1), (3, 4), (4, 5), (0, 2))),
    (adam_step, 3, False, _N),
    (axpy_f32, 1, True, _N),
    (scale_f32, 1, True, _N),
    (sum_squares, 1, True, _N + ((200,),)),
    (clip_norm, 1, True, _N),
    (exp_f32, 1, False, _N),
    (log_f32, 1, False, _N),
    (sqrt_f32, 1, True, _N),
    (uniform_f32, 1, True, _N),
    (gaussian_f32, 1, False, _N + ((200,),)),
    (sample_code, 3, False, ((1, 1), (7, 1), (200, 1), (5, 0), (6, 2), (0, 1))),
    (sample_code_bwd_dx, 1, False, _N),
    (kl_mean, 2, False, ((1, 1), (3, 4), (4, 5), (0, 2))),
    (kl_spread, 2, False, ((1, 1), (3, 4), (4, 5), (0, 2))),
    (logistic_xent, 2, False, ((1, 1), (3, 4), (4, 5), (0, 2))),
    (sum_errors, 1, True, ((1, 1, 1), (3, 4, 5), (2, 1, 9), (0, 2, 3), (2, 3, 0), (2, 0, 3))),
    (keep_largest, 2, True, ((1, 1, 0, 8), (4, 16, 2, 2), (5, 8, 4, 4), (0, 4, 1, 1))),
    (keep_largest_no_ties, 2, False, ((3, 7, 1, 6), (5, 40, 0, 8), (2, 16, 3, 3), (2, 0, 0, 8))),
    (skip_smallest, 2, False, ((1, 1), (9, 4), (0, 3))),
    (dense_bwd_dx_some, 1, True, _SOME_DENSE),
    (dense_bwd_dw_some, 2, True, _SOME_DENSE),
    (conv2d_bwd_dx_some, 1, True, _SOME_GEOM),
    (conv2d_bwd_dw_some, 2, True, _SOME_GEOM),
    (depthwise_bwd_dx_some, 1, True, _SOME_GEOM),
    (depthwise_bwd_dw_some, 2, True, _SOME_GEOM),
    (conv2d_t_s8, 1, True, _GEOM),
    (maxpool_s8, 1, True, _GEOM),
    (add_s8, 1, True, _N + ((300,),)),
    (requantize_s8, 1, True, _N + ((300,),)),
    (lookup_s8, 1, True, _N + ((300,),)),
    (softmax_s8, 1, True, ((1, 1), (2, 3), (5, 10), (0, 4), (1, 1500))),
    (copy_s8, 1, True, _N),
    (copy_channels_s8, 1, True, _CHANNELS),
    (pad_s8, 1, True, _PAD),
    (packed_bytes, 0, True, _BITS),
    (pack_s8, 1, True, _BITS + ((300, 5), (300, 7))),
    (unpack_s8, 1, True, _BITS + ((300, 5), (300, 7))),
    (unpack_f32, 1, True, _BITS),
    (draw_batch, 4, True, _DRAWS),
    (gather_latents, 2, True, _GATHERS),
    (gather_latents_no_record, 2, True, _GATHERS[2:]),
    (gather_latents_no_crc, 2, True, _GATHERS[2:]),
    (gather_targets, 1, True, ((1, 1, 0), (3, 4, 1), (6, 64, 0), (2, 0, 0), (0, 3, 0))),
    (hann_window, 1, False, _N),
    (rfft_table_size, 0, True, _POWERS),
    (rfft_table, 1, False, _POWERS),
    (rfft, 1, False, _POWERS),
    (power_spectrum, 1, True, _POWERS),
    (mel_table, 1, False, _MEL),
    (log_mel, 1, False, _MEL[1:]),
    (dct_matrix, 1, False, ((1, 1), (10, 4), (40, 13))),
    (vibration_features, 1, False, ((1, 8), (3, 9), (6, 64))),
)

# Written buffer (index) that may be the very buffer of a read one.
IN_PLACE = {
    "relu6_fwd": (0, 1),
    "relu6_bwd_dx": (0, 1),
    "leaky_relu_fwd": (0, 1),
    "leaky_relu_bwd_dx": (0, 1),
    "hard_swish_fwd": (0, 1),
    "hard_swish_bwd_dx": (0, 1),
    "sigmoid_fwd": (0, 1),
    "sigmoid_bwd_dx": (0, 1),
    "tanh_fwd": (0, 1),
    "tanh_bwd_dx": (0, 1),
    "softmax_bwd_dx": (0, 1),
    "add_f32": (0, 1),
    "sample_code_bwd_dx": (0, 1),
    "logistic_xent": (0, 2),
    "mul_f32": (0, 1),
    "scale_shift_fwd": (0, 1),
    "scale_shift_bwd_dx": (0, 1),
    "mse": (0, 2),
    "scale_f32": (0, 1),
    "exp_f32": (0, 1),
    "log_f32": (0, 1),
    "sqrt_f32": (0, 1),
    "add_s8": (0, 1),
    "requantize_s8": (0, 1),
    "lookup_s8": (0, 1),
    "softmax_s8": (0, 1),
    "copy_s8": (0, 1),
}
