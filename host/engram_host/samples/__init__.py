"""Samples of a user: what they hold, and the files they come from."""

from .data import Samples, make
from .files import arrays, load

__all__ = ["Samples", "arrays", "load", "make"]
