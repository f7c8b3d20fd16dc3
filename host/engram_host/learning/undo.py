"""Going back to a saved state, and the words for the difference."""

from __future__ import annotations

from typing import Any

from engram_host.device import Device


def roll_back(device: Device, to: str) -> dict[str, Any]:
    """Goes back to a saved state of the open learner, as Device.rollback() does.

    Returns the learner's facts, and "to"; "generation", None for "factory"; "before" and "undone",
    each {"generation", "session", "steps"}: of the learner before, and how many of these are
    gone; "new": stored samples that count as new now; "accuracy": [before, after], the average on
    the sessions that were tested, None where it is not known.
    """
    before, accuracy = _state(device), [_accuracy(device)]
    generation = device.rollback(to)
    after = _state(device)
    accuracy.append(_accuracy(device))
    return {
        "to": to,
        "generation": generation,
        "before": before,
        "undone": {key: max(0, before[key] - after[key]) for key in before},
        "new": device.stored()["new"],
        "accuracy": accuracy,
        **device.link.call("opened"),
    }


def _state(device: Device) -> dict[str, int]:
    learner = device.link.call("opened")
    return {
        "generation": device.store_info()["checkpoints"]["generation"],
        "session": learner["session"],
        "steps": learner["steps"],
    }


def _accuracy(device: Device) -> float | None:
    average: float | None = device.metrics()["average_accuracy"]
    return average
