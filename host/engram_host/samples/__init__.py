"""Samples of a user: what they hold, and the files they come from."""

from .data import Samples, make
from .files import arrays, load
from .ranges import input_range, remark

__all__ = ["Samples", "arrays", "input_range", "load", "make", "remark"]
