"""Speech Commands v0.02, the official test set of 12 classes (CC BY 4.0, arXiv:1804.03209)."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import mfcc, place
from .sound_files import waves

NAME = "speech_commands_test"
CLASSES = tuple("yes no up down left right on off stop go _unknown_ _silence_".split())
UNKNOWN, SILENCE = 10, 11
_RATE = 16000
_ARCHIVE = place.Remote(
    "http://download.tensorflow.org/data/speech_commands_test_set_v0.02.tar.gz",
    "cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df",
)
_SPEAKER = re.compile(r"([0-9a-f]{8})_nohash_")


class Words(NamedTuple):
    """Spoken words as features.

    features  int8 (n, 49, 10), see mfcc.py
    label     int (n,), an index of CLASSES
    speaker   eight hexadecimal digits (n,); "" for silence, which nobody spoke
    """

    features: NDArray[np.int8]
    label: NDArray[np.int64]
    speaker: NDArray[np.str_]

    def of_training(self, percent: int = 70) -> NDArray[np.bool_]:
        """A mask (n,) of the clips to train on: `percent` of the speakers, on average.

        A speaker's side is decided by a hash of the name, so it never moves. Silence, without a
        speaker, is dealt out in its order.
        """
        side = {name: _percentile(name) < percent for name in set(self.speaker.tolist())}
        mask = np.array([side[name] for name in self.speaker.tolist()])
        silent = np.flatnonzero(self.speaker == "")
        mask[silent] = np.arange(len(silent)) % 10 < percent / 10
        return mask


def _percentile(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 100


def speech_commands() -> Words:
    """The 4,890 clips. Raises DataUnavailable."""
    path = place.given(NAME, "sc_test_mfcc.npz")
    return _from_npz(path) if path else _from_archive(place.fetched(NAME, _ARCHIVE))


def _from_npz(path: Path) -> Words:
    with np.load(path) as arrays:
        if not np.allclose(arrays["mfcc_scale"], mfcc.STEP, rtol=1e-5):
            raise place.DataUnavailable(f"{path}: its features have other steps than mfcc.STEP")
        return Words(
            np.ascontiguousarray(arrays["mfcc_t"].transpose(1, 2, 0)),
            arrays["label"].astype(np.int64),
            arrays["speaker_hash"][arrays["speaker"]],
        )


def _from_archive(path: Path) -> Words:
    """<class>/[<word>_]<speaker>_nohash_<n>.wav, 16 kHz."""
    front_end = mfcc.FrontEnd()
    features, labels, speakers = [], [], []
    for name, sound in sorted(waves(path, _RATE), key=lambda item: item[0]):
        folder = Path(name).parent.name
        if folder in CLASSES:
            match = _SPEAKER.search(Path(name).name)
            features.append(front_end.features(mfcc.halved(sound)))
            labels.append(CLASSES.index(folder))
            speakers.append(match[1] if match else "")
    if not features:
        raise place.DataUnavailable(f"{path} holds no folder of a class ({', '.join(CLASSES)})")
    return Words(np.stack(features), np.array(labels), np.array(speakers))
