"""16-bit mono wave files inside tar archives."""

from __future__ import annotations

import io
import tarfile
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .place import DataUnavailable


def waves(archive: Path, rate: int) -> Iterator[tuple[str, NDArray[np.int16]]]:
    """(path in the archive, samples int16) of each .wav in a .tar.gz, in the archive's order.

    Raises DataUnavailable when a file is not mono, of 16 bits and `rate` samples per second.
    """
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.name.endswith(".wav") and (stream := tar.extractfile(member)):
                    yield member.name, samples(stream.read(), rate, member.name)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataUnavailable(f"{archive} is not a whole tar archive ({error})") from error


def samples(content: bytes, rate: int, name: str) -> NDArray[np.int16]:
    """The samples (n,) int16 of a wave file's bytes."""
    try:
        with wave.open(io.BytesIO(content)) as sound:
            kind = sound.getnchannels(), sound.getsampwidth(), sound.getframerate()
            frames = sound.readframes(sound.getnframes())
    except (wave.Error, EOFError) as error:
        raise DataUnavailable(f"{name} is no wave file ({error})") from error
    if kind != (1, 2, rate):
        raise DataUnavailable(f"{name}: expected mono, 2 bytes, {rate} Hz, got {kind}")
    return np.frombuffer(frames, "<i2").astype(np.int16)
