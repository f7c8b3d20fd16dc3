"""The vibration of a simulated fan, for a demo that needs no recordings.

A rotor of three blades shakes its housing: once per turn by what is out of balance, a force that
grows with the square of the speed, three times per turn by its blades, and by noise. Its
accelerometer has three axes: along, across, and in the direction of the shaft.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 400
SAMPLES = 64  # of a window
BALANCED, IMBALANCED = 1.0, 2.5  # of the residual imbalance that a new fan has

_TURN_G = 0.08  # at 25 turns per second
_BLADE_G = 0.05
_NOISE_G = 0.03
_AXES = ((1.0, 0.0), (0.7, np.pi / 2), (0.25, 0.4))  # share of the force, phase


class Fan:
    """A fan; its windows are (SAMPLES, 3) float32 in g. seed: of phases, noise and speed."""

    def __init__(self, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)

    def window(self, turns_hz: float, imbalance: float = BALANCED) -> NDArray[np.float32]:
        """A window at a speed, which a controller holds within 2 %."""
        random = self._random
        hz = turns_hz * (1 + 0.01 * random.standard_normal())
        time = np.arange(SAMPLES) / RATE_HZ + random.uniform(0, 1)
        force = (turns_hz / 25) ** 2
        blades = random.uniform(0, 2 * np.pi)
        out = np.empty((SAMPLES, len(_AXES)), np.float32)
        for axis, (share, phase) in enumerate(_AXES):
            turn = _TURN_G * imbalance * force * share * np.sin(2 * np.pi * hz * time + phase)
            blade = _BLADE_G * force * np.sin(6 * np.pi * hz * time + blades + phase)
            noise = _NOISE_G * random.standard_normal(SAMPLES)
            out[:, axis] = turn + blade + noise
        return out

    def windows(
        self, count: int, turns_hz: float, imbalance: float = BALANCED
    ) -> NDArray[np.float32]:
        """(count, SAMPLES, 3)"""
        return np.stack([self.window(turns_hz, imbalance) for _ in range(count)])
