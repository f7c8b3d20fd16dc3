"""What the kernels of audio demand of their arguments."""

from .need import buffer, expect, finite, ints


def _power_of_two(kernel, N):
    ints(kernel, ("N", N, 4))
    expect(kernel, "N", N <= 32768 and N & (N - 1) == 0, "a power of two from 4 to 32768")


def hann_window(out):
    n = buffer("hann_window", "F", "out", out)
    expect("hann_window", "out", n <= 32768, "at most 32768 elements")
    return n


def rfft_table_size(N):
    _power_of_two("rfft_table_size", N)


def rfft_table(out, N):
    _power_of_two("rfft_table", N)
    buffer("rfft_table", "F", "out", out, N)


def rfft(out, x, table, N):
    _power_of_two("rfft", N)
    buffer("rfft", "F", "out", out, N + 2)
    buffer("rfft", "f", "x", x, N)
    buffer("rfft", "f", "table", table, N)


def power_spectrum(out, x, N):
    _power_of_two("power_spectrum", N)
    buffer("power_spectrum", "F", "out", out, N // 2 + 1)
    buffer("power_spectrum", "f", "x", x, N + 2)


def mel_table(out, hyper, N, M):
    _power_of_two("mel_table", N)
    ints("mel_table", ("M", M, 1))
    buffer("mel_table", "F", "out", out, N // 2 + 1)
    buffer("mel_table", "f", "hyper", hyper, 3)
    rate, low, high = tuple(hyper)
    right = finite(rate) and finite(high) and rate > 0 and 0 <= low < high
    expect("mel_table", "hyper", right, "a sample rate above 0 and 0 <= low < high, all finite")
    return rate, low, high


def log_mel(out, power, table, floor, N, M):
    _power_of_two("log_mel", N)
    ints("log_mel", ("M", M, 1))
    buffer("log_mel", "F", "out", out, M)
    buffer("log_mel", "f", "power", power, N // 2 + 1)
    buffer("log_mel", "f", "table", table, N // 2 + 1)
    buffer("log_mel", "f", "floor", floor, 1)
    right = floor[0] >= 1.1754943508222875e-38 and finite(floor[0])
    expect("log_mel", "floor", right, "a finite number of at least 1.1754944e-38")


def dct_matrix(out, M, K):
    ints("dct_matrix", ("M", M, 1), ("K", K, 0))
    expect("dct_matrix", "M", M <= 32767, "at most 32767 points")
    expect("dct_matrix", "K", K <= M, "at most M rows")
    buffer("dct_matrix", "F", "out", out, K * M)
