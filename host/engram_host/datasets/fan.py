"""Vibration of a cooling fan with weights on its blades, 51 minutes at 50 Hz (CC BY 4.0).

Sampaio et al., Sensors 19 (2019) 4342; UCI "Accelerometer", doi 10.24432/C5Q61V. The source names
no unit; its numbers are taken for g.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import place

NAME = "fan_vibration"
CONFIGURATIONS = ("neighbouring blades", "perpendicular", "opposite blades")  # of two weights: 1-3
WINDOW = 64  # samples, 1.28 s
FIT_WINDOWS = 30  # of each speed, that protocol P8 learns from
_ARCHIVE = place.Remote("https://archive.ics.uci.edu/static/public/846/accelerometer.zip", None)
_COLUMNS = 5  # configuration, speed in percent, x, y, z


class Parts(NamedTuple):
    """The windows of protocol P8, each (n, 64, 3) float32.

    fit     of configuration 1, the first 30 of each speed: to learn from
    usual   of configuration 1, the others
    unlike  of configurations 2 and 3, all: what a watch should find
    """

    fit: NDArray[np.float32]
    usual: NDArray[np.float32]
    unlike: dict[int, NDArray[np.float32]]


class Vibrations(NamedTuple):
    """Recordings of one minute.

    signal         float32 (n, samples, 3), g; along x, y, z
    configuration  int (n,), 1 to 3: CONFIGURATIONS
    speed          int (n,), percent of the full speed, 20 to 100
    """

    signal: NDArray[np.float32]
    configuration: NDArray[np.int64]
    speed: NDArray[np.int64]

    def windows(self, configuration: int, speed: int | None = None) -> NDArray[np.float32]:
        """(recordings, windows, 64, 3) of a configuration, by speed, in the order of time."""
        chosen = self.configuration == configuration
        if speed is not None:
            chosen &= self.speed == speed
        rows = np.flatnonzero(chosen)
        signal = self.signal[rows[np.argsort(self.speed[rows], kind="stable")]]
        n = signal.shape[1] // WINDOW
        return signal[:, : n * WINDOW].reshape(len(signal), n, WINDOW, 3)

    def parts(self) -> Parts:
        """The windows of protocol P8."""
        usual = self.windows(1)
        return Parts(
            usual[:, :FIT_WINDOWS].reshape(-1, WINDOW, 3),
            usual[:, FIT_WINDOWS:].reshape(-1, WINDOW, 3),
            {other: self.windows(other).reshape(-1, WINDOW, 3) for other in (2, 3)},
        )


def fan_vibration() -> Vibrations:
    """All recordings. Raises DataUnavailable."""
    path = place.given(NAME, "fan_vibration.npz")
    return _from_npz(path) if path else _from_archive(place.fetched(NAME, _ARCHIVE))


def _from_npz(path: Path) -> Vibrations:
    with np.load(path) as arrays:
        return Vibrations(
            (arrays["xyz_milli_g"].transpose(0, 2, 1) / 1000).astype(np.float32),
            arrays["config"].astype(np.int64),
            arrays["speed_pct"].astype(np.int64),
        )


def _from_archive(path: Path) -> Vibrations:
    """A table with a line of names; the lines of a recording are in the order of time."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.endswith("accelerometer.csv"))
            text = archive.read(name).decode()
        table = np.loadtxt(io.StringIO(text), delimiter=",", skiprows=1, ndmin=2)
    except (StopIteration, ValueError, zipfile.BadZipFile, OSError) as error:
        raise place.DataUnavailable(
            f"{path} holds no accelerometer.csv of numbers ({error or 'no such file'})"
        ) from error
    if table.shape[1] != _COLUMNS:
        raise place.DataUnavailable(
            f"{path}: expected {_COLUMNS} columns (configuration, speed, x, y, z), "
            f"got {table.shape[1]}"
        )
    keys = sorted({(int(row[0]), int(row[1])) for row in table})
    found = [table[(table[:, 0] == key[0]) & (table[:, 1] == key[1]), 2:] for key in keys]
    if len({len(rows) for rows in found}) != 1:
        raise place.DataUnavailable(f"{path}: expected recordings of one length, got several")
    return Vibrations(
        np.stack(found).astype(np.float32),
        np.array([configuration for configuration, _ in keys]),
        np.array([speed for _, speed in keys]),
    )
