"""Fully quantized training by the C kernels: bias of rounding, head-room, gradients, scales."""

from array import array

import kernels_cases_q8 as builders
import kernels_check as cases
import numpy as np
import pytest

from engram.kernels import python as definition
from engram.kernels import q8 as defined
from engram.memory.record import (
    BIAS_EXPONENT,
    EXPONENT,
    FLOOR,
    LARGEST,
    MEASURE,
    NEAREST,
    RANDOM,
    RANGE,
    SATURATED,
    STOCHASTIC,
)
from kernels.common import C, reference

K = C.values[0]
pytestmark = pytest.mark.skipif(K is None, reason="_engram cannot be imported here")


def record(exponent=0, state=2463534242 - (1 << 32)):
    return array("i", (exponent, 0, 0, 0, 0, state))


def noted(exponent, largest, width, saturated, counted):
    return array("i", (exponent, largest, width, saturated, counted, 1))


def signed(buf):
    return np.frombuffer(bytes(buf), np.int8).astype(int)


# ---- stochastic rounding -------------------------------------------------------------------

RIGHT = 10  # a step is the gradient / 2**RIGHT


def same_step(w, rows, columns, sw, gradient):
    """Every weight, one byte each, takes a step of -gradient / 2**RIGHT."""
    x, dout = b"\1" * columns, bytes((-gradient & 255,)) * rows
    b, rates = array("i", bytes(4 * rows)), array("i", (1, RIGHT, STOCHASTIC))
    shape = 1, columns, rows
    K.dense_step_q8(w, bytearray(), sw, b, dout, record(), x, record(), rates, *shape)


@pytest.mark.parametrize("gradient", [-127, -100, -1, 1, 3, 64, 127])
def test_a_million_roundings_have_no_bias(gradient):
    """The mean of a step is the step: its error is below 4 standard errors of so many draws, which
    are independent for the purpose of the bound; the bits of the weights are spread more evenly.
    """
    n, fraction = 1000 * 1000, gradient / 2**RIGHT
    w = bytearray(n)
    same_step(w, 1000, 1000, record(), gradient)
    steps = signed(w)
    p = fraction % 1
    assert set(np.unique(steps)) <= {np.floor(fraction), np.ceil(fraction)}
    assert abs(steps.mean() - fraction) < 4 * np.sqrt(p * (1 - p) / n)


@pytest.mark.parametrize("gradient", [-100, 1, 64])
def test_no_weight_is_favoured_over_the_steps(gradient):
    """Each of 1000 weights over 1000 steps: 5 standard errors leave one in 1700 such tests."""
    sw, fraction = record(), gradient / 2**RIGHT
    total = np.zeros(1000)
    for _ in range(1000):
        w = bytearray(1000)
        same_step(w, 10, 100, sw, gradient)
        total += signed(w)
    p = fraction % 1
    error = np.abs(total / 1000 - fraction)
    assert error.max() < 5 * np.sqrt(p * (1 - p) / 1000)
    assert abs(total.mean() / 1000 - fraction) < 4 * np.sqrt(p * (1 - p) / 1e6)


def step_matrix():
    """The generator's step as the images of the 32 bits: it is linear over GF(2)."""
    return [defined._next(1 << bit) for bit in range(32)]


def apply(matrix, state):
    image = 0
    for bit in range(32):
        if state >> bit & 1:
            image ^= matrix[bit]
    return image


def power(matrix, n):
    result = [1 << bit for bit in range(32)]
    while n:
        if n & 1:
            result = [apply(matrix, column) for column in result]
        matrix, n = [apply(matrix, column) for column in matrix], n >> 1
    return result


def test_the_generator_goes_through_all_states_but_0():
    """Its order is 2**32 - 1, and no divisor of it: every state but 0 is on one cycle."""
    matrix, all_states = step_matrix(), 2**32 - 1
    unit = [1 << bit for bit in range(32)]
    assert apply(matrix, 0xDEADBEEF) == defined._next(0xDEADBEEF)
    assert power(matrix, all_states) == unit
    for prime in (3, 5, 17, 257, 65537):
        assert power(matrix, all_states // prime) != unit


def test_the_generator_in_c_is_the_defined_one():
    sw, state = record(state=1), 1
    for _ in range(100):
        same_step(bytearray(1), 1, 1, sw, 1)
        state = defined._next(state)
        assert sw[RANDOM] & 0xFFFFFFFF == state


# ---- head-room -----------------------------------------------------------------------------

MOST = 65535  # products in a sum


@pytest.mark.parametrize("one", [0x7F, 0x80, 0x81])
@pytest.mark.parametrize("other", [0x7F, 0x80])
def test_the_longest_sums_at_full_scale_do_not_overflow(one, other):
    """127 * 127 or (-128)**2 so often, and the largest bias: below 2**31."""
    a, b, out, so = bytes((one,)) * MOST, bytes((other,)) * MOST, bytearray(1), record(-21)
    sign = 1 if (one == 0x7F) == (other == 0x7F) else -1
    bias = array("i", (sign * ((1 << 30) - 1),))
    sx, sw = record(0), record(24)  # the bias begins the sum as it is
    K.dense_fwd_q8(out, so, a, sx, b, sw, bias, 1, MOST, 1)
    value = int(signed(bytes((one,)))[0] * signed(bytes((other,)))[0]) * MOST
    whole = value + max(-(1 << 29), min(1 << 29, bias[0]))
    assert abs(whole) < 2**31
    assert so[LARGEST] == min(abs(whole) >> 45 - 8, 2**30 - 1)
    logits = array("f", (0,))
    K.dense_logits_q8(logits, a, sx, b, sw, bias, 1, MOST, 1)
    assert logits[0] == np.float32(whole / 2**24)
    sdx = record(-23)
    K.dense_bwd_dx_q8(out, sdx, a, sx, b, record(0), 1, 1, MOST)
    assert signed(out)[0] == min(127, (value + (1 << 22)) >> 23)
    w, sums = bytearray(1), array("i", (0,))
    rates = array("i", (127, 30, NEAREST))
    K.dense_step_q8(w, bytearray(), record(0), sums, a, record(0), b, record(0), rates, MOST, 1, 1)
    assert signed(w)[0] == max(-127, min(127, -((127 * value + (1 << 29)) >> 30)))


# ---- against gradients in float64 ----------------------------------------------------------

KINDS = ["dense", "conv2d", "conv2d_t", "depthwise"]


def values(buf, exponent):
    return array("d", (signed(buf) / 2.0**exponent).tolist())


def shapes(kind):
    rows = builders._DENSE if kind == "dense" else builders._GEOM
    return [shape for shape in rows if 0 not in (shape if kind == "dense" else shape[:1])]


def made(kind, which, shape):
    builder = getattr(builders, f"{kind}_{which}_q8")
    return list(builder(cases.Source(True), *shape))


@pytest.mark.parametrize("which", ["fwd", "bwd_dx"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_the_nearest_to_what_float64_gives(kind, which):
    """Half a unit of the result where it is not clamped; forward, a bias begins a sum as a whole
    number of the sum's units, half of one more.
    """
    worst = 0
    for shape in shapes(kind):
        args = made(kind, which, shape)
        forward, end = which == "fwd", args[6:]
        args[3][EXPONENT] = 4 + args[3][EXPONENT] % 8
        args[5][EXPONENT] = 7
        args[1][EXPONENT] = args[3][EXPONENT] + 7 - 9
        if forward:  # biases of the size of the sums, and finer
            left = BIAS_EXPONENT - args[3][EXPONENT] - 7
            bias = [v << left >> 9 for v in args[6]]
            args[6] = array("i", bias)
            end = [array("d", [v / 2**BIAS_EXPONENT for v in bias]), *args[7:]]
        exact = array("d", bytes(8 * len(args[0])))
        x, w = (values(args[i], args[i + 1][EXPONENT]) for i in (2, 4))
        exact = np.array(reference(f"{kind}_{which}", [exact, x, w, *end])[0])
        getattr(K, f"{kind}_{which}_q8")(*args)
        in_units = exact * 2.0 ** args[1][EXPONENT]
        off = np.abs(np.clip(in_units, -127, 127) - signed(args[0]))
        sum_unit = 2.0**-9 if forward else 0
        assert off.max() <= 0.5 + sum_unit / 2
        worst = max(worst, off.max())
    assert worst > 0.4  # else the bound says nothing


@pytest.mark.parametrize("rounding", [STOCHASTIC, NEAREST, FLOOR])
@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_what_float64_gives_but_for_its_rounding(kind, wide, rounding):
    """In units of what a step rounds to: half of one to nearest, less than one stochastically, and
    down (of the step, so that a weight stays above) too. A bias rounds to nearest.
    """
    worst = 0
    for shape in shapes(kind):
        args = made(kind, "step", shape)
        w, rest, sw, b, dout, sdout, x, sx = args[:8]
        if not wide:
            rest = args[1] = bytearray()
        for i in range(len(w)):  # not beyond what a weight can be
            w[i] = max(-60, min(60, int(signed(w[i : i + 1])[0]))) & 255
        unit = sw[EXPONENT] + (8 if wide else 0)
        products = max(1, len(dout) // len(b))
        shift = 12 - products.bit_length() // 2 + unit - sdout[EXPONENT] - sx[EXPONENT]
        args[8] = rates = array("i", (93, 24 + shift - 12, rounding))
        before = signed(w) * (256 if wide else 1) + (signed(rest) if wide else 0)
        biases = np.array(b)
        zeros = array("d", bytes(8 * len(w))), array("d", bytes(8 * len(b)))
        d, v = values(dout, sdout[EXPONENT]), values(x, sx[EXPONENT])
        dw, db = reference(f"{kind}_bwd_dw", [*zeros, d, v, *args[9:]])[:2]
        rate = rates[0] / 2.0 ** rates[1]
        exact = before - np.array(dw) * rate * 2.0**unit
        getattr(K, f"{kind}_step_q8")(*args)
        after = signed(w) * (256 if wide else 1) + (signed(rest) if wide else 0)
        most = 127 << 8 if wide else 127
        error = after - np.clip(exact, -most, most)
        inside = np.abs(exact) < most - 1
        if rounding == NEAREST:
            assert np.abs(error).max() <= 0.5
        elif rounding == FLOOR:
            assert error[inside].min(initial=0) >= 0 and error.max() < 1
        else:
            assert np.abs(error).max() < 1
        worst = max(worst, np.abs(error).max())
        moved = np.array(b) - (biases - np.array(db) * rate * 2.0**BIAS_EXPONENT)
        free = np.abs(np.array(b)) < (1 << 30) - 1
        assert np.abs(moved[free]).max(initial=0) <= 0.5 + 1e-6
    assert worst > 0.4


# ---- velocities ----------------------------------------------------------------------------


def test_a_velocity_is_the_sum_of_gradients_that_momentum_gives():
    """v = m v + g, w = w - r v with m = 7/8: of a gradient of 8, so that v comes to 64."""
    n, m, shift = 2000, 1 / 8, 6
    w, v, sw, sv = bytearray(n), bytearray(n), record(), record()
    b, p = array("i", (0,)), array("i", (0,))
    one, rates, drops = (array("i", (64, e, STOCHASTIC)) for e in (6, 6 + shift, 9))
    velocity = weight = 0.0
    for _ in range(60):
        args = [v, bytearray(), sv, p, b"\1", record(), b"\x08" * n, record(), one, 1, n, 1]
        K.dense_step_q8(*args)
        velocity += 8
        weight -= velocity / 2**shift
        K.carry_q8(w, sw, v, sv, b, p, rates, drops)
        velocity -= m * velocity
        # the random bits of weights are apart by constants: a mean keeps some of their noise
        assert abs(signed(v).mean() + velocity) < 1.5
        assert abs(signed(w).mean() - weight) < 1.5
    assert abs(b[0] / 2**24 - weight / 8) < 1e-4


# ---- clipping ------------------------------------------------------------------------------


def total_of(r):
    return r[LARGEST] * 2.0 ** -r[EXPONENT]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_measured_is_the_squared_norm_that_float64_gives(kind):
    for shape in shapes(kind):
        args = made(kind, "step", shape)
        before = [bytes(args[i]) for i in (0, 1, 3)]
        dout, sdout, x, sx = args[4:8]
        args[2], args[8] = total, _ = record(), array("i", (93, 5, MEASURE))
        zeros = array("d", bytes(8 * len(args[0]))), array("d", bytes(8 * len(args[3])))
        d, v = values(dout, sdout[EXPONENT]), values(x, sx[EXPONENT])
        dw, db = reference(f"{kind}_bwd_dw", [*zeros, d, v, *args[9:]])[:2]
        exact = sum(np.sum(np.square(g)) for g in (dw, db))
        for times in (1, 2):  # it adds up
            getattr(K, f"{kind}_step_q8")(*args)
            assert times * exact <= total_of(total) <= times * exact * (1 + 2**-26)
        assert [bytes(args[i]) for i in (0, 1, 3)] == before


@pytest.mark.parametrize("columns", [1, 40, 300])
def test_the_largest_squares_do_not_overflow(columns):
    """Sums of 2**30 each: 17 of their squares are more than 64 bits hold."""
    a, total = b"\x80" * MOST, record()
    args = [bytearray(columns), bytearray(), total, array("i", (0,)), a, record(0)]
    args += [b"\x80" * (MOST * columns), record(0), array("i", (1, 0, MEASURE)), MOST, columns, 1]
    K.dense_step_q8(*args)
    exact = columns * (MOST << 14) ** 2 + (MOST << 7) ** 2
    assert exact <= total_of(total) <= exact * (1 + 2**-27)


@pytest.mark.parametrize("sum_e", [-40, -3, 0, 17, 40])
@pytest.mark.parametrize("limit_e", [-40, 0, 5, 40])
def test_a_rate_is_shifted_by_the_least_that_clips(sum_e, limit_e):
    rng = np.random.default_rng(5)
    for bits in range(1, 31):
        total, limit, clipped = record(sum_e), record(limit_e), array("i", (9, 9, 9))
        total[LARGEST], limit[LARGEST] = rng.integers(1 << bits - 1, 1 << bits), 1 << 29
        K.clip_q8(clipped, array("i", (77, -64, NEAREST)), total, limit)
        n = clipped[1] + 64
        assert (clipped[0], clipped[2]) == (77, NEAREST)
        assert total_of(total) <= total_of(limit) * 4.0**n
        assert n == 0 or total_of(total) > total_of(limit) * 4.0 ** (n - 1)


def test_a_rate_has_a_smallest_one():
    total, clipped = noted(-40, (1 << 30) - 1, 0, 0, 0), array("i", (0, 0, 0))
    K.clip_q8(clipped, array("i", (77, 40, NEAREST)), total, record(40))
    assert list(clipped) == [77, 64, NEAREST]


# ---- scales --------------------------------------------------------------------------------

FULL = 127 << 8


def followed(r, times=1):
    """The exponents that follow."""
    exponents = []
    for _ in range(times):
        K.follow_q8(r)
        exponents.append(r[EXPONENT])
    return exponents


def test_an_exponent_falls_where_more_than_half_a_percent_were_clamped():
    assert followed(noted(5, FULL, 100 << 8, 5, 1000)) == [5]
    assert followed(noted(5, FULL, 100 << 8, 6, 1000))[0] < 5


def test_what_was_not_used_does_not_move():
    r = noted(5, 0, 100 << 8, 0, 0)
    assert followed(r) == [5] and r[RANGE] == 100 << 8


def signal(r, x):
    """A step: the values are stored, the scale follows, the notes are cleared; how many moved."""
    out = bytearray(len(x))
    K.quantize_q8(out, r, x)
    share = r[SATURATED] / len(x)
    moved = K.follow_q8(r)
    K.clear_q8(r)
    return moved, share


def normal(scale, seed=5):
    rng = np.random.default_rng(seed)
    return array("f", (rng.normal(size=2000) * scale).astype(np.float32).tobytes())


@pytest.mark.parametrize("octaves", [-14, 0, 9])
def test_an_unchanged_signal_never_makes_the_exponent_flap(octaves):
    """Sixty-four sizes over two octaves: it settles, and stays where it is."""
    for k in range(64):
        r, x = record(3), normal(2.0 ** (octaves + k / 32))
        settling = sum(signal(r, x)[0] for _ in range(40))
        assert settling <= 16
        assert sum(signal(r, x)[0] for _ in range(100)) == 0
        assert signal(r, x)[1] <= 0.005


def test_a_signal_that_grows_is_followed_at_once_and_one_that_shrinks_slowly():
    r, small, large = record(3), normal(0.01), normal(3.0)
    for _ in range(40):
        signal(r, small)
    fine = r[EXPONENT]
    shares = [signal(r, large)[1] for _ in range(40)]
    assert shares[0] > 0.5 and max(shares[1:]) <= 0.05 and max(shares[6:]) <= 0.005
    coarse = r[EXPONENT]
    steps = 0
    while r[EXPONENT] == coarse:
        signal(r, small)
        steps += 1
    assert 2 <= steps <= 12  # of a range that follows by an eighth
    for _ in range(100):
        signal(r, small)
    assert abs(r[EXPONENT] - fine) <= 1


@pytest.mark.parametrize("x", [0.0, float("inf"), float("nan"), 1e-30, 1e30])
def test_no_signal_drives_an_exponent_beyond_its_range(x):
    r = record(3)
    for _ in range(200):
        signal(r, array("f", [x] * 8))
        assert -40 <= r[EXPONENT] <= 40


def test_the_definition_follows_alike():
    rng = np.random.default_rng(7)
    for _ in range(500):
        sizes = 2.0 ** rng.uniform(0, 29, 2)
        counts = sorted(rng.integers(0, 3000, 2).tolist())
        r = noted(int(rng.integers(-40, 41)), int(sizes[0]), int(sizes[1]), *counts)
        other = array("i", r)
        assert K.follow_q8(r) == definition.follow_q8(other)
        assert r == other
