"""The one audio front-end: 49 x 10 MFCCs of a second at 8 kHz, computed by the project's kernels.

A frame of 240 samples (30 ms) every 160 (20 ms), Hann window, power spectrum of 256 points, 40
mel bands from 20 to 4000 Hz, natural logarithm with a floor, orthonormal DCT-II, the first ten.
The floor stands for the noise of a quiet microphone: without it padding with silence would be
the strongest feature.
"""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

RATE = 8000  # samples per second
FRAMES, COEFFICIENTS = 49, 10
_FRAME, _HOP, _POINTS, _BANDS = 240, 160, 256, 40
_LOW_HZ, _HIGH_HZ = 20.0, 4000.0
_FLOOR = 1e-3  # of a band's power, where full scale is 1
_FULL_SCALE = 32768.0

# int8 = round((MFCC - MEAN) / STEP): mean, and a 28th of the standard deviation, of the Speech
# Commands test set. Constants, so that every sound is measured by the same rule.
STEPS_A_DEVIATION = 28
MEAN = np.array(
    (-31.438467, 3.537346, 0.12496933, -0.51630557, -0.3675668)
    + (-0.08433577, -0.19480947, -0.05266823, -0.32867247, -0.30734244),
    np.float32,
)
STEP = np.array(
    (0.55359405, 0.2118098, 0.13245657, 0.1049028, 0.08762044)
    + (0.06620114, 0.06036657, 0.05304766, 0.05279645, 0.04810851),
    np.float32,
)


class FrontEnd:
    """The tables and buffers of the kernels; one is enough for any number of clips."""

    def __init__(self) -> None:
        # Imported here: whoever reads a set without sound needs no kernels.
        from engram.backend import kernels

        self._kernels = kernels
        self._window = _floats(_FRAME)
        self._table = _floats(kernels.rfft_table_size(_POINTS))
        self._places = _floats(_POINTS // 2 + 1)
        self._dct = _floats(COEFFICIENTS * _BANDS)
        self._floor = array("f", (_FLOOR,))
        kernels.hann_window(self._window)
        kernels.rfft_table(self._table, _POINTS)
        hyper = array("f", (float(RATE), _LOW_HZ, _HIGH_HZ))
        kernels.mel_table(self._places, hyper, _POINTS, _BANDS)
        kernels.dct_matrix(self._dct, _BANDS, COEFFICIENTS)
        self._frame = _floats(_POINTS)  # zero behind the window
        self._spectrum = _floats(_POINTS + 2)
        self._power = _floats(_POINTS // 2 + 1)

    def mfcc(self, sound: NDArray[np.int16]) -> NDArray[np.float32]:
        """sound (n,) int16 at 8 kHz -> (frames, 10), frames = 1 + (n - 240) // 160."""
        real = sound.astype(np.float32) / np.float32(_FULL_SCALE)
        kernels, frames = self._kernels, 1 + (len(real) - _FRAME) // _HOP
        bands = np.empty((frames, _BANDS), np.float32)
        frame = memoryview(self._frame)[:_FRAME]
        for i in range(frames):
            piece = np.ascontiguousarray(real[i * _HOP : i * _HOP + _FRAME])
            kernels.mul_f32(frame, piece, self._window)
            kernels.rfft(self._spectrum, self._frame, self._table, _POINTS)
            kernels.power_spectrum(self._power, self._spectrum, _POINTS)
            kernels.log_mel(bands[i], self._power, self._places, self._floor, _POINTS, _BANDS)
        out = np.empty((frames, COEFFICIENTS), np.float32)
        kernels.dense_fwd(out, bands, self._dct, None, frames, _BANDS, COEFFICIENTS)
        return out

    def features(self, sound: NDArray[np.int16]) -> NDArray[np.int8]:
        """sound (n,) int16 at 8 kHz, brought to one second -> int8 (49, 10)."""
        steps = (self.mfcc(one_second(sound)) - MEAN) / STEP
        return np.rint(steps).clip(-128, 127).astype(np.int8)


def _floats(n: int) -> array[float]:
    return array("f", bytes(4 * n))


def one_second(sound: NDArray[np.int16]) -> NDArray[np.int16]:
    """The middle second of a longer sound; a shorter one between zeros."""
    spare = len(sound) - RATE
    if spare >= 0:
        return sound[spare // 2 : spare // 2 + RATE]
    return np.pad(sound, (-spare // 2, -spare - -spare // 2))


def halved(sound: NDArray[np.int16]) -> NDArray[np.int16]:
    """A sound of 16 kHz at 8 kHz: a low-pass of 63 taps (Kaiser, beta 8), every second sample."""
    at = np.arange(-31, 32)
    taps = 0.5 * np.sinc(at / 2) * np.kaiser(len(at), 8.0)
    smooth = np.convolve(sound.astype(np.float64), taps / taps.sum(), mode="same")[::2]
    return np.rint(smooth).clip(-32768, 32767).astype(np.int16)


def as_input(features: NDArray[np.int8]) -> NDArray[np.uint8]:
    """int8 features (n, 49, 10) as a model of uint8 inputs takes them, (n, 49, 10, 1)."""
    image: NDArray[np.uint8] = features.view(np.uint8) ^ np.uint8(0x80)
    return image[..., None]
