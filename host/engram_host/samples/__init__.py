"""Samples of a user: what they hold, and the files they come from."""

from .data import Samples, make
from .files import load, need
from .inputs import Input
from .numpy_files import arrays
from .ranges import input_range, remark

__all__ = ["Input", "Samples", "arrays", "input_range", "load", "make", "need", "remark"]
