"""The audio front-end against numpy: FFT, power, mel bands, cepstrum."""

from array import array

import numpy as np
import pytest

from kernels.common import BACKENDS, C

SIZES = [4, 8, 16, 32, 64, 128, 256, 512, 1024]
RATE, LOW, HIGH = 16000.0, 20.0, 7600.0


def spectrum(kernels, x):
    N = len(x)
    table, out = array("f", bytes(4 * N)), array("f", bytes(4 * N + 8))
    assert kernels.rfft_table_size(N) == N
    kernels.rfft_table(table, N)
    kernels.rfft(out, array("f", x), table, N)
    return np.array(out).view(np.float32), np.array(out, np.float64).view(np.complex128)


@pytest.mark.parametrize("kernels", [C])
@pytest.mark.parametrize("N", [*SIZES, 8192, 32768])
def test_fft_is_numpys(kernels, N):
    """Within 2**-24 times log2 N of the length of the spectrum, as its rounding errors add up."""
    x = np.random.default_rng(N).uniform(-1, 1, N).astype(np.float32)
    _, result = spectrum(kernels, x)
    target = np.fft.rfft(x.astype(np.float64))
    bound = 2.0**-24 * np.log2(N) * np.sqrt((x.astype(float) ** 2).sum()) * 2
    assert np.abs(result - target).max() <= bound
    assert result[0].imag == 0 and result[-1].imag == 0


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("N", SIZES[:5])
def test_fft_of_a_tone_and_an_impulse(kernels, N):
    for k in range(N // 2 + 1):
        tone = np.cos(2 * np.pi * k * np.arange(N) / N)
        target = np.zeros(N // 2 + 1)
        target[k] = N if k in (0, N // 2) else N / 2
        np.testing.assert_allclose(spectrum(kernels, tone)[1], target, atol=1e-6 * N)
    impulse = np.zeros(N)
    impulse[0] = 1
    assert (spectrum(kernels, impulse)[1] == 1).all()


def mel_filters(N, M):
    """Triangles on the mel scale as a matrix (M, N / 2 + 1), from the formula."""
    mel = 1127 * np.log1p(np.arange(N // 2 + 1) * RATE / N / 700)
    edges = np.linspace(*(1127 * np.log1p(np.array([LOW, HIGH]) / 700)), M + 2)
    step = edges[1] - edges[0]
    return np.maximum(0, 1 - np.abs(mel - edges[1:-1, None]) / step)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize(("N", "M"), [(64, 3), (256, 20), (512, 40), (1024, 80)])
def test_a_frame_becomes_cepstral_coefficients(kernels, N, M):
    """Window, FFT, power, mel bands, logarithm, cosine transform: as numpy would, step by step."""
    if kernels.__name__ != "_engram" and N > 256:
        N, M = 128, 12  # the definition takes N**2 steps
    K = min(13, M)
    sound = np.random.default_rng(3).normal(0, 0.3, N).astype(np.float32)
    window, frame = array("f", bytes(4 * N)), array("f", sound)
    kernels.hann_window(window)
    kernels.mul_f32(frame, frame, window)
    table, bins = array("f", bytes(4 * N)), N // 2 + 1
    out, power = array("f", bytes(4 * N + 8)), array("f", bytes(4 * bins))
    kernels.rfft_table(table, N)
    kernels.rfft(out, frame, table, N)
    kernels.power_spectrum(power, out, N)
    bands, mels = array("f", bytes(4 * bins)), array("f", bytes(4 * M))
    kernels.mel_table(bands, array("f", [RATE, LOW, HIGH]), N, M)
    kernels.log_mel(mels, power, bands, array("f", [1e-6]), N, M)
    weights, cepstrum = array("f", bytes(4 * M * K)), array("f", bytes(4 * K))
    kernels.dct_matrix(weights, M, K)
    kernels.dense_fwd(cepstrum, mels, weights, None, 1, M, K)

    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N) / N)
    energy = np.abs(np.fft.rfft(sound * hann)) ** 2
    np.testing.assert_allclose(power, energy, rtol=1e-4, atol=1e-5)
    target = np.log(np.maximum(mel_filters(N, M) @ energy, 1e-6))
    np.testing.assert_allclose(mels, target, atol=2e-3)
    k, m = np.arange(K)[:, None], np.arange(M)
    dct = np.sqrt(2 / M) * np.cos(np.pi * k * (2 * m + 1) / (2 * M))
    dct[0] /= np.sqrt(2)
    np.testing.assert_allclose(cepstrum, dct @ target, atol=5e-3)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize(("N", "M"), [(64, 3), (512, 40)])
def test_places_on_the_mel_scale(kernels, N, M):
    table = array("f", bytes(4 * (N // 2 + 1)))
    kernels.mel_table(table, array("f", [RATE, LOW, HIGH]), N, M)
    hertz = np.arange(N // 2 + 1) * RATE / N
    low, high = np.log1p(np.array([LOW, HIGH]) / 700)
    target = (np.log1p(hertz / 700) - low) / (high - low) * (M + 1)
    inside = (hertz > LOW) & (hertz < HIGH)
    assert (np.array(table)[~inside] == -1).all()
    assert np.abs(np.array(table) - target)[inside].max() <= 1e-5 * (M + 1)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_silence_is_the_floor_and_nan_is_not_hidden(kernels):
    bins, nan = 33, float("nan")
    table, out = array("f", bytes(4 * bins)), array("f", bytes(12))
    kernels.mel_table(table, array("f", [RATE, LOW, HIGH]), 64, 3)
    floor = array("f", [1e-3])
    kernels.log_mel(out, array("f", bytes(4 * bins)), table, floor, 64, 3)
    np.testing.assert_allclose(out, np.log(1e-3), rtol=1e-6)
    kernels.log_mel(out, array("f", [nan]) * bins, table, floor, 64, 3)
    assert np.isnan(out).all()
    # a table of anything else leaves bins out; it cannot lead out of the bands
    wild = array("f", [nan, float("inf"), -1e30, 1e30, 4, -1] + [3.5] * (bins - 6))
    kernels.log_mel(out, array("f", [1]) * bins, wild, floor, 64, 3)
    assert out[2] == pytest.approx(np.log((bins - 6) / 2), rel=1e-5)
