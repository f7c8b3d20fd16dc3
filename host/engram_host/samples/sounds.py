"""Sounds as inputs, by the standard library's reader: 16-bit PCM, one channel.

A model says the front end that its inputs come from: "mfcc" is datasets/mfcc.py, a second of
sound as 49 x 10 coefficients. Without one the inputs are the sound itself, from -1 to 1, cut into
windows of as many values as the model takes.
"""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram_host.errors import InputError

from .inputs import Input

FRONT_ENDS = ("mfcc",)
_FULL_SCALE = np.float32(32768)


def decode(path: Path, model: Input | None) -> NDArray[Any]:
    """(windows, elements) float32 of a .wav file, or what the model's front end makes of it.

    A sound shorter than a window gets zeros behind it; what is left behind the last whole window
    is dropped. Raises InputError.
    """
    sound, rate = _read(path)
    if model is None:
        raise InputError(
            f"{path}: expected a model, whose input says how long a window of sound is, got none; "
            "push the model first"
        )
    if model.front_end:
        return _features(sound, rate, model, path)
    if model.dtype != "float32":
        raise InputError(
            f"{path}: expected a model of float32 inputs for a sound itself, or one that names "
            f"its front end, got {model.dtype} inputs and no front end; convert the model with "
            "--front-end mfcc if its inputs are those of engram_host/datasets/mfcc.py"
        )
    n = model.elems
    if len(sound) < n:
        sound = np.pad(sound, (0, n - len(sound)))
    whole = sound[: len(sound) // n * n].reshape(-1, n)
    return whole.astype(np.float32) / _FULL_SCALE


def _read(path: Path) -> tuple[NDArray[np.int16], int]:
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError, OSError) as e:
        raise InputError(f"{path}: expected a .wav file of PCM, got something else ({e})") from e
    if (channels, width) != (1, 2):
        raise InputError(
            f"{path}: expected one channel of 16 bits, got {channels} of {8 * width}; convert it"
        )
    if not data:
        raise InputError(f"{path}: expected a sound, got none; leave the file out")
    return np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.int16), rate


def _features(sound: NDArray[np.int16], rate: int, model: Input, path: Path) -> NDArray[Any]:
    from engram_host.datasets import mfcc

    if model.front_end not in FRONT_ENDS:
        raise InputError(
            f"{path}: expected a front end of {', '.join(FRONT_ENDS)}, got {model.front_end} in "
            "the model; make its inputs yourself, as an .npz"
        )
    if (model.elems, model.dtype) != (mfcc.FRAMES * mfcc.COEFFICIENTS, "uint8"):
        raise InputError(
            f"{path}: expected a model of {mfcc.FRAMES * mfcc.COEFFICIENTS} uint8 inputs, as the "
            f"front end mfcc makes them, got {model.elems} {model.dtype}"
        )
    if rate == 2 * mfcc.RATE:
        sound, rate = mfcc.halved(sound), mfcc.RATE
    if rate != mfcc.RATE:
        raise InputError(
            f"{path}: expected {mfcc.RATE} or {2 * mfcc.RATE} samples per second, got {rate}; "
            "resample it"
        )
    return mfcc.as_input(mfcc.FrontEnd().features(sound)[None])
