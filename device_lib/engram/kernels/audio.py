"""The definition of the front-ends, float32: of sound, by window, real FFT, power, mel bands and
cepstrum; of vibration, by vibration_features alone.

A frame of N samples of sound goes through mul_f32 (window), rfft, power_spectrum and log_mel;
MFCCs are dense_fwd of the result with dct_matrix as its weights. Tables are computed once, into
the caller's memory.
"""

import math

# not "from . import": MicroPython would ask the package's __getattr__, and no further
import engram.kernels.demands as check


_TURN = 2.0 * math.pi


def hann_window(out):
    """out (n) = 0.5 - 0.5 cos(2 pi i / n), within 1e-6"""
    n = check.hann_window(out)
    for i in range(n):
        out[i] = 0.5 - 0.5 * math.cos(_TURN * i / n)


def rfft_table_size(N):
    """returns the elements of rfft's table for N samples; N a power of two, 4 to 32768"""
    check.rfft_table_size(N)
    return N


def rfft_table(out, N):
    """out (rfft_table_size(N)) = cos and sin of 2 pi k / N in turn, k < N / 2, within 2e-7; N a
    power of two, 4 to 32768
    """
    check.rfft_table(out, N)
    for k in range(N // 2):
        out[2 * k] = math.cos(_TURN * k / N)
        out[2 * k + 1] = math.sin(_TURN * k / N)


def rfft(out, x, table, N):
    """out (N + 2) = real and imaginary part in turn of sum over i of x (N)[i] exp(-2 pi j i k / N)
    for k = 0 to N / 2; table (N) from rfft_table; N a power of two, 4 to 32768
    """
    check.rfft(out, x, table, N)
    half = N // 2
    for k in range(half + 1):
        real = imaginary = 0.0
        for i in range(N):
            turn = i * k % N
            sign = -x[i] if turn >= half else x[i]
            turn %= half
            real += sign * table[2 * turn]
            imaginary -= sign * table[2 * turn + 1]
        out[2 * k] = real
        out[2 * k + 1] = imaginary


def power_spectrum(out, x, N):
    """out (N / 2 + 1) = squared magnitudes of x (N + 2) from rfft; N a power of two, 4 to 32768"""
    check.power_spectrum(out, x, N)
    for k in range(N // 2 + 1):
        out[k] = x[2 * k] * x[2 * k] + x[2 * k + 1] * x[2 * k + 1]


def mel_table(out, hyper, N, M):
    """out (N / 2 + 1) = where each bin of power_spectrum lies on the mel scale, 0 at low and M + 1
    at high Hz, -1 outside, within 1e-5 (M + 1); hyper (3) = sample rate, low, high; mel = 1127
    log(1 + Hz / 700)
    """
    check.mel_table(out, hyper, N, M)
    rate, low, high = hyper
    bottom, top = math.log(1 + low / 700), math.log(1 + high / 700)
    for k in range(N // 2 + 1):
        hertz = rate * k / N
        at = (math.log(1 + hertz / 700) - bottom) / (top - bottom) * (M + 1)
        out[k] = at if low < hertz < high else -1.0


def log_mel(out, power, table, floor, N, M):
    """out (M) = log of the larger of floor (1) and band m's sum over bins of power (N / 2 + 1) *
    max(0, 1 - abs(table (N / 2 + 1) - 1 - m)): triangles on the mel scale; table from mel_table
    """
    check.log_mel(out, power, table, floor, N, M)
    for m in range(M):
        out[m] = 0.0
    for k in range(N // 2 + 1):
        at = table[k]
        if 0.0 <= at < M + 1:
            band = int(at)
            rise = at - band
            if band < M:
                out[band] += power[k] * rise
            if band:
                out[band - 1] += power[k] * (1.0 - rise)
    for m in range(M):
        v = out[m]
        out[m] = math.log(floor[0] if v <= floor[0] else v)


def dct_matrix(out, M, K):
    """out (K, M) = the first K rows of the orthonormal DCT-II of M points, within 3e-7: weights of
    a dense layer from log_mel to K cepstral coefficients
    """
    check.dct_matrix(out, M, K)
    for k in range(K):
        scale = math.sqrt((2.0 if k else 1.0) / M)
        for m in range(M):
            out[k * M + m] = scale * math.cos(_TURN * (k * (2 * m + 1) % (4 * M)) / (4 * M))


def vibration_features(out, x, floor, N, C):
    """out (6 C + C (C - 1) / 2) = of each axis of x (N, C): L(standard deviation), L(mean size of
    the first differences), L(of the second), autocorrelation at lags 1, 2, 3; then the correlation
    of each pair of axes. L(v) = log(1 + v / floor (1)) - 5; correlations are those under white
    noise of floor; 8 <= N <= 32768, C <= 6
    """
    check.vibration_features(out, x, floor, N, C)
    least = floor[0]
    centred = []
    spreads = []
    for a in range(C):
        v = [x[i * C + a] for i in range(N)]
        mean = sum(v) / N
        first = [v[i + 1] - v[i] for i in range(N - 1)]
        second = [first[i + 1] - first[i] for i in range(N - 2)]
        v = [sample - mean for sample in v]
        variance = _products(v, v, 0) / N
        noisy = variance + least * least
        out[6 * a] = _level(math.sqrt(variance), least)
        out[6 * a + 1] = _level(sum([abs(d) for d in first]) / (N - 1), least)
        out[6 * a + 2] = _level(sum([abs(d) for d in second]) / (N - 2), least)
        for lag in (1, 2, 3):
            out[6 * a + 2 + lag] = _products(v, v, lag) / N / noisy
        centred.append(v)
        spreads.append(math.sqrt(noisy))
    at = 6 * C
    for a in range(C):
        for b in range(a + 1, C):
            out[at] = _products(centred[a], centred[b], 0) / N / spreads[a] / spreads[b]
            at += 1


def _products(a, b, lag):
    """The sum of a's elements times those of b that come `lag` later."""
    return sum([a[i] * b[i + lag] for i in range(len(a) - lag)])


def _level(v, least):
    return math.log(1.0 + v / least) - 5.0
