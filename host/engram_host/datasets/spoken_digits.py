"""Free Spoken Digit Dataset: 3,000 digits by 6 speakers, 8 kHz (CC BY-SA 4.0, Z. Jackson et al.).

https://github.com/Jakobovski/free-spoken-digit-dataset
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import mfcc, place
from .sound_files import waves

NAME = "fsdd"
TEST_TAKES = 5  # the official test split: takes 0 to 4 of each digit and speaker
_ARCHIVE = place.Remote(  # GitHub makes it on demand: no fixed bytes, so no sha256
    "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.tar.gz",
    None,
)


class Clips(NamedTuple):
    """Spoken digits.

    sounds    int16 (samples,) each, 8 kHz
    label     int (n,), the digit
    speaker   name (n,)
    take      int (n,), 0 to 49 of each digit and speaker
    """

    sounds: list[NDArray[np.int16]]
    label: NDArray[np.int64]
    speaker: NDArray[np.str_]
    take: NDArray[np.int64]

    def features(self) -> NDArray[np.int8]:
        """MFCCs int8 (n, 49, 10) of every clip."""
        front_end = mfcc.FrontEnd()
        return np.stack([front_end.features(sound) for sound in self.sounds])


def fsdd() -> Clips:
    """All clips, by speaker, digit, take. Raises DataUnavailable."""
    path = place.given(NAME, "fsdd_8k.npz")
    return _from_npz(path) if path else _from_archive(place.fetched(NAME, _ARCHIVE))


def _from_npz(path: Path) -> Clips:
    with np.load(path) as arrays:
        sounds = np.split(arrays["audio"], arrays["offsets"][1:-1])
        return Clips(
            sounds,
            arrays["label"].astype(np.int64),
            arrays["speaker_names"][arrays["speaker"]],
            arrays["take"].astype(np.int64),
        )


def _from_archive(path: Path) -> Clips:
    """recordings/<digit>_<speaker>_<take>.wav"""
    sounds = {}
    for name, sound in waves(path, mfcc.RATE):
        digit, speaker, take = name.rsplit("/", 1)[-1].removesuffix(".wav").split("_")
        sounds[speaker, int(digit), int(take)] = sound
    keys = sorted(sounds)
    return Clips(
        [sounds[key] for key in keys],
        np.array([digit for _, digit, _ in keys]),
        np.array([speaker for speaker, _, _ in keys]),
        np.array([take for _, _, take in keys]),
    )
