"""The input of a model, for those who make inputs of files."""

from __future__ import annotations

from typing import NamedTuple


class Input(NamedTuple):
    """The input of a model: elements of a dtype, made by a front end ("": data as they are)."""

    elems: int
    dtype: str
    front_end: str = ""
