"""Whether inputs can be what a model was calibrated with: remarks where they hardly are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_OUTSIDE = 0.01  # share of values outside the range from which it is told
_SHARE = 1 / 32  # of the range; less is 8 of the 256 levels of an int8 input


def input_range(scale: float, zero_point: int) -> tuple[float, float]:
    """The real numbers that the int8 values -128 and 127 of an input stand for."""
    return (-128 - zero_point) * scale, (127 - zero_point) * scale


def remark(x: NDArray[Any], scale: float, zero_point: int) -> str | None:
    """A remark on values x that do not suit an input of this quantization; None where they do.

    x: uint8, or float32 in the units of the model.
    """
    if not x.size:
        return None
    least, most = float(x.min()), float(x.max())
    if x.dtype == np.uint8:
        if most > 1:
            return None
        return (
            f"expected inputs from 0 to 255, got none above {most:.0f}; if these are fractions "
            "that were cut to integers, multiply them by 255 before"
        )
    low, high = input_range(scale, zero_point)
    words = f"expected inputs within {low:.4g} to {high:.4g}, the range that the model takes, got"
    outside = float(((x < low - scale) | (x > high + scale)).mean())
    if outside > _OUTSIDE:
        return (
            f"{words} {outside:.0%} of the values outside it ({least:.4g} to {most:.4g}), which "
            "are clamped; scale them as the calibration data were, or convert the model anew"
        )
    if most - least < (high - low) * _SHARE:
        return (
            f"{words} values from {least:.4g} to {most:.4g} alone, which int8 hardly tells "
            "apart; scale them as the calibration data were"
        )
    return None
