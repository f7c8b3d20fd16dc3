"""Conditions on arguments that rows of demands.py name: one function per word.

Each takes the kernel's name, the values of the row (its arguments, then the sizes found so far)
and the argument's place among them. It may replace the argument by what it read, and appends the
sizes that demands.SIZES names.
"""

from ..memory.record import (
    COUNTED,
    EXPONENT,
    LARGEST,
    MOST_EXPONENT,
    MOST_NOTED,
    RANGE,
    RECORD,
    SATURATED,
)
from .need import entry, expect, finite, length
from .parts import MODULI, NO_LABEL, packed_size, slot_at

# ---- geometry and quantization --------------------------------------------------------------


def geom(kernel, values, at, same_channels=False):
    """Windows that each start inside the padded input."""
    g = values[at] = tuple(values[at])
    for i in range(14):
        entry(kernel, "geom", g, i, 0 if i in (8, 9) else 1, 32767)
    if same_channels:
        entry(kernel, "geom", g, 3, g[2], g[2])
    for axis in range(2):
        entry(kernel, "geom", g, 8 + axis, 0, (g[4 + axis] - 1) * g[10 + axis])
        most = (g[axis] - 1 + g[8 + axis]) // g[6 + axis] + 1
        entry(kernel, "geom", g, 12 + axis, 1, most)
    values.extend(g[:6] + g[12:])


def channelwise(kernel, values, at):
    """The same, with K = C."""
    geom(kernel, values, at, True)


def q(kernel, values, at):
    entries = values[at] = tuple(values[at])
    for i in range(4):
        entry(kernel, "q", entries, i, entries[2] if i == 3 else -128, 127)


def qp(kernel, values, at):
    scale, zero_point = values[at]
    right = scale > 0 and finite(scale) and -128 <= zero_point <= 127
    right = right and zero_point == int(zero_point)
    expect(kernel, "qp", right, "scale > 0 and an integer zero_point from -128 to 127")
    values[at] = scale, int(zero_point)


def multipliers(kernel, values, at):
    """mult and shift, which is behind it."""
    mult, shift = values[at - 1], values[at]
    for i in range(len(shift)):
        entry(kernel, "mult", mult, i, 0, 2147483647)
        entry(kernel, "shift", shift, i, -31, 30)


# Of add_s8's q: the least and the largest an entry may be.
_ZERO, _MULT, _RIGHT = (-128, 127), (0, 2147483647), (-31, 0)
_SUM = (_ZERO, _ZERO, _ZERO, _ZERO, _ZERO, (0, 20), _MULT, _RIGHT, _MULT, _RIGHT, _MULT, _RIGHT)


def sum_of_two(kernel, values, at):
    """add_s8's q: act_max is at least act_min."""
    entries = values[at] = tuple(values[at])
    for i in range(12):
        low, high = _SUM[i]
        entry(kernel, "q", entries, i, entries[3] if i == 4 else low, high)


def exponentials(kernel, values, at):
    """softmax_s8's table: the first is 1, the others lie from 0 to 1."""
    for i in range(256):
        entry(kernel, "table", values[at], i, 0 if i else 2147483647, 2147483647)


def sum_of_4095(kernel, values, at):
    expect(kernel, "K", values[at] <= 4095, "at most 4095 classes")


# ---- rates and bounds, labels ---------------------------------------------------------------


def _not_negative(numbers):
    return all([v >= 0 and finite(v) for v in numbers])


def two_rates(kernel, values, at):
    words = "lr and weight_decay to be finite and not negative"
    expect(kernel, "hyper", _not_negative(values[at]), words)


def three_rates(kernel, values, at):
    words = "lr, momentum and weight_decay to be finite and not negative"
    expect(kernel, "hyper", _not_negative(values[at]), words)


def adam(kernel, values, at):
    lr, beta1, beta2, epsilon, decay, c1, c2 = hyper = tuple(values[at])
    right = all([finite(h) for h in hyper]) and lr >= 0 and decay >= 0 and epsilon > 0
    right = right and 0 <= beta1 < 1 and 0 <= beta2 < 1 and 0 < c1 <= 1 and 0 < c2 <= 1
    words = "lr and weight_decay >= 0, 0 <= beta < 1, epsilon > 0, 0 < c <= 1, all finite"
    expect(kernel, "hyper", right, words)


def slope(kernel, values, at):
    expect(kernel, "slope", _not_negative(values[at]), "a finite number that is not negative")


def limit(kernel, values, at):
    right = values[at][0] > 0 and finite(values[at][0])
    expect(kernel, "limit", right, "a finite number above 0")


def classes(kernel, values, at):
    """labels, in front of B and K; NO_LABEL is none."""
    labels = values[at] = [v & 255 for v in values[at]]
    for i in range(len(labels)):
        if labels[i] != NO_LABEL:
            entry(kernel, "labels", labels, i, 0, values[at + 2] - 1)


def inside(kernel, values, at):
    """The last of the ints of copy_channels: channels of one buffer go into another."""
    M, N, to, first, C = values[at - 4 : at + 1]
    expect(kernel, "to", to + C <= M, "to + C to be at most M")
    expect(kernel, "at", first + C <= N, "at + C to be at most N")


def frame(kernel, values, at):
    """The last of the ints of pad: images lie inside padded ones."""
    H, W, _, OH, OW, top, left = values[at - 6 : at + 1]
    expect(kernel, "top", top + H <= OH, "top + H to be at most OH")
    expect(kernel, "left", left + W <= OW, "left + W to be at most OW")


# ---- variational auto-encoders --------------------------------------------------------------


def stream(kernel, values, at):
    """Seed, number and which noise."""
    for i in range(3):
        entry(kernel, "stream", values[at], i, 0, 2 if i == 2 else 2**30 - 1)


def one_per_unit(kernel, values, at):
    """The sum of all, then of each of Z units, the last argument."""
    length(kernel, "stats", values[at], values[4] + 1)


# ---- packed latents -------------------------------------------------------------------------


def bits(kernel, values, at):
    expect(kernel, "bits", values[at] <= 8, "a number of bits from 1 to 8")


def packing(kernel, values, at):
    number, size, n = values[-3:]
    right = packed_size(n, number) == size
    expect(kernel, "x", right, "as many elements as fill out at this number of bits")


def unpacking(kernel, values, at):
    number, n, _ = values[-3:]
    length(kernel, "x", values[at], packed_size(n, number))


# ---- replay ---------------------------------------------------------------------------------


def random(kernel, values, at):
    for i in range(3):
        entry(kernel, "random", values[at], i, 1, MODULI[i] - 1)


def place(kernel, values, at):
    for i in range(2):
        entry(kernel, "place", values[at], i, 0, 65535)


def draw(kernel, values, at):
    """The last of draw_batch's buffers: there are records for every pick."""
    start, present, fresh, groups, batch, records, ends, known = values[at - 1 :]
    expect(kernel, "start", ends > 0, "at least one entry")
    expect(kernel, "present", groups <= known, "at least as many classes as groups")
    for i in range(ends):
        entry(kernel, "start", start, i, start[i - 1] if i else 0, records)
    for i in range(groups):
        c = present[i] & 255
        right = c + 1 < ends and start[c] < start[c + 1]
        expect(kernel, "present", right, "classes that have records by start")
    expect(kernel, "fresh", fresh <= batch, "at most the batch")
    expect(kernel, "fresh", fresh == 0 or start[0] > 0, "0 where nothing is new")
    right = fresh == batch or groups > 0
    expect(kernel, "groups", right, "at least one class with old records")


def layout(kernel, values, at):
    """Unit, slot and record, each large enough for what is in it."""
    entries = values[at] = tuple(values[at])
    for i in range(8):
        low = (1, 0, 0, 0, 1, entries[4] + 7, entries[5], entries[6] + 4)[i]
        entry(kernel, "layout", entries, i, low, 2**30 - 1 if i == 1 else 1 << 20)


def _rows(kernel, region, slots, shape, first, count):
    """Rows first .. first + count - 1 are among those of slots, their records in the region."""
    expect(kernel, "count", first + count <= len(slots), "at most the rows from `at` on")
    for i in range(first, first + count):
        right = slots[i] >= 0 and slot_at(shape, slots[i]) + shape[7] <= region
        expect(kernel, "slots", right, "slots that lie in raw")


def gather(kernel, values, at):
    """The last of gather_latents' buffers: one row per slot, and records that lie in the log."""
    labels, _, slots, shape, _, first, count, size, _, region, rows, entries = values[1:]
    length(kernel, "labels", labels, rows)
    number = [b for b in range(1, 9) if 1 << b == entries]
    expect(kernel, "codes", number != [], "2**bits codes, 1 to 8 bits")
    _rows(kernel, region, slots, shape, first, count)
    n = size // rows if rows else 0
    right = n * rows == size
    right = right and (rows == 0 or packed_size(n, number[0]) == shape[6] - shape[5])
    expect(kernel, "out", right, "a row a slot, of as many elements as a latent")
    values[at] = number[0]


def targets(kernel, values, at):
    """The last of gather_targets' buffers, its layout: a row per slot, and records in the log."""
    layout(kernel, values, at)
    slots, shape, first, count, size, region, rows = values[2:]
    _rows(kernel, region, slots, shape, first, count)
    n, odd = divmod(shape[7] - shape[6] - 4, 4)
    right = odd == 0 and size == rows * n
    expect(kernel, "out", right, "a row a slot, of as many elements as a record has targets")


# ---- some structures of a layer -------------------------------------------------------------


def kept(kernel, values, at, batch=1):
    """Each of B rows names structures in rising order, then is -1; B is `batch` places behind."""
    entries, rows = values[at], values[at + batch]
    M = len(entries) // rows if rows else 0
    for i in range(len(entries)):
        if i % M == 0:
            low = 0
        if entries[i] == -1:
            low = M
        elif low == M:
            entry(kernel, "kept", entries, i, -1, -1)
        else:
            entry(kernel, "kept", entries, i, low, M - 1)
            low = entries[i] + 1


def kept_of_geom(kernel, values, at):
    kept(kernel, values, at, 2)


def shares(kernel, values, at):
    low, high = values[at]
    words = "two shares from 0 to 1, the first not above the second"
    expect(kernel, "shares", 0 <= low <= high <= 1, words)


def errors(kernel, values, at):
    """M, behind P."""
    words = "at most 16777215 errors of a sample"
    expect(kernel, "M", values[at - 1] * values[at] < 1 << 24, words)


def share_and_rate(kernel, values, at):
    right = all([0 <= v <= 1 for v in values[at]])
    expect(kernel, "hyper", right, "a share and a rate, both from 0 to 1")


# ---- fully quantized training ---------------------------------------------------------------


def record(name):
    """Read for its exponent."""

    def _condition(kernel, values, at):
        entry(kernel, name, values[at], EXPONENT, -MOST_EXPONENT, MOST_EXPONENT)

    return _condition


def _notes(kernel, name, values, at):
    entry(kernel, name, values, at + EXPONENT, -MOST_EXPONENT, MOST_EXPONENT)
    for i in (LARGEST, RANGE, SATURATED, COUNTED):
        entry(kernel, name, values, at + i, 0, MOST_NOTED)


def notes(name):
    """A record that is written, too."""

    def _condition(kernel, values, at):
        _notes(kernel, name, values[at], 0)

    return _condition


def records(kernel, values, at):
    right = len(values[at]) % RECORD == 0
    expect(kernel, "records", right, "records of 6 entries")
    for i in range(0, len(values[at]), RECORD):
        _notes(kernel, "records", values[at], i)


def rest(kernel, values, at):
    right = len(values[at]) in (0, len(values[at - 1]))
    expect(kernel, "rest", right, "no element, or as many as w")


def rates(name):
    def _condition(kernel, values, at):
        for i in range(3):
            entry(kernel, name, values[at], i, (0, -64, 0)[i], (127, 64, 3)[i])

    return _condition


_PRODUCTS = "at most 65535 products in a sum"


def parts(kernel, values, at):
    """The parts of copy_parts_q8, in front of P, M and N: each lies in both buffers."""
    numbers, (M, N) = values[at], values[at + 2 : at + 4]
    expect(kernel, "parts", len(numbers) % 3 == 0, "parts of 3 entries")
    for i in range(0, len(numbers), 3):
        entry(kernel, "parts", numbers, i, 0, M)
        entry(kernel, "parts", numbers, i + 1, 0, N)
        entry(kernel, "parts", numbers, i + 2, 0, min(M - numbers[i], N - numbers[i + 1]))


def products(name):
    def _condition(kernel, values, at):
        expect(kernel, name, values[at] <= 65535, _PRODUCTS)

    return _condition


def taps(kernel, values, at):
    """Windows of so many products as a sum may have."""
    geom(kernel, values, at)
    g = values[at]
    expect(kernel, "geom", g[4] * g[5] * max(g[2:4]) <= 65535, _PRODUCTS)


def taps_by_channel(kernel, values, at):
    channelwise(kernel, values, at)
    expect(kernel, "geom", values[at][4] * values[at][5] <= 65535, _PRODUCTS)


def positions(kernel, values, at):
    """As many positions, in front of B."""
    geom(kernel, values, at)
    _few(kernel, values[at], values[at + 1])


def positions_by_channel(kernel, values, at):
    channelwise(kernel, values, at)
    _few(kernel, values[at], values[at + 1])


def _few(kernel, g, batch):
    expect(kernel, "geom", g[12] * g[13] * batch <= 65535, _PRODUCTS)


# ---- audio front-end ------------------------------------------------------------------------


def one_turn(kernel, values, at):
    expect(kernel, "out", len(values[at]) <= 32768, "at most 32768 elements")


def power_of_two(kernel, values, at):
    """N samples; their spectrum has N / 2 + 1 bins, N + 2 real and imaginary parts."""
    N = values[at]
    expect(kernel, "N", N <= 32768 and N & (N - 1) == 0, "a power of two from 4 to 32768")
    values.extend((N // 2 + 1, N + 2))


def mel(kernel, values, at):
    rate, low, high = values[at]
    right = finite(rate) and finite(high) and rate > 0 and 0 <= low < high
    expect(kernel, "hyper", right, "a sample rate above 0 and 0 <= low < high, all finite")


def floor(kernel, values, at):
    right = values[at][0] >= 1.1754943508222875e-38 and finite(values[at][0])
    expect(kernel, "floor", right, "a finite number of at least 1.1754944e-38")


def cosines(kernel, values, at):
    M, K = values[at - 1 : at + 1]
    expect(kernel, "M", M <= 32767, "at most 32767 points")
    expect(kernel, "K", K <= M, "at most M rows")


def noise(kernel, values, at):
    # as float32 has them: the limits of the C kernel
    right = 9.999999974752427e-07 <= values[at][0] <= 1e6
    expect(kernel, "floor", right, "a number from 1e-6 to 1e6")


def samples(kernel, values, at):
    expect(kernel, "N", values[at] <= 32768, "at most 32768 samples")


def axes(kernel, values, at):
    """C axes have 6 features each, and one for each pair."""
    C = values[at]
    expect(kernel, "C", C <= 6, "at most 6 axes")
    values.append(6 * C + C * (C - 1) // 2)
