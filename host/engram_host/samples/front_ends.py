"""The front ends that a model may name: what makes its inputs of raw data."""

from __future__ import annotations

from engram_host.errors import InputError

from . import sounds, vibration


def check(name: str) -> None:
    """Raises InputError unless a front end has this name; "": the data as they are."""
    if vibration.is_front_end(name):
        vibration.input_of(name)
    elif name and name not in sounds.FRONT_ENDS:
        raise InputError(
            f"expected a front end of {', '.join(sounds.FRONT_ENDS)} or {vibration.NAME}:64x3:"
            f"0.001 (samples x axes, floor), got {name}"
        )
