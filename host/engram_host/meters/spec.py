"""From `--meter NAME...` to a meter: a table, so that a new meter is a row and a file."""

from __future__ import annotations

import importlib
from dataclasses import replace

from ..errors import InputError
from .base import Meter
from .options import Options, parse

# Name -> module beside this one; it has open_meter(place, options) -> Meter.
METERS = {
    "ppk2": "ppk2",
    "joulescope": "joulescope",
    "ina": "ina",
    "csv": "csv_file",
    "simulated": "simulated",
}


def open_meter(text: str) -> Meter:
    """The meter that a text describes, connected. Raises InputError, MeterError, PortError.

    board=NAME, of every meter: the board.toml that names the phase pins.
    """
    name, place, values = parse(text)
    board = values.pop("board", "")
    if name not in METERS:
        raise InputError(f"expected a meter of {', '.join(METERS)}, got {name!r}")
    module = importlib.import_module(f"{__package__}.{METERS[name]}")
    options = Options(name, values)
    meter: Meter = module.open_meter(place, options)
    meter.capabilities = replace(meter.capabilities, board=board)
    return meter


def check(text: str) -> None:
    """Raises InputError when a text names no meter; nothing is opened."""
    if parse(text).name not in METERS:
        raise InputError(f"expected a meter of {', '.join(METERS)}, got {parse(text).name!r}")
