"""The memory of what a model knows: whether a board has one, and samples to give it one."""

from __future__ import annotations

from typing import Any

import numpy as np

from engram.continual import strategies
from engram_host.datasets import rows_per_class
from engram_host.device import Device
from engram_host.errors import InputError
from engram_host.samples.data import Samples


def warning(device: Device, learner: dict[str, Any], samples: Samples) -> str | None:
    """A warning for a session that forgets unawares classes that the model file knows and the new
    samples do not bring. None for others.

    So does a strategy that replays where nothing older is stored, and in its first session one
    that knows classes by their samples alone. learner: the board's facts about it.
    """
    strategy = strategies.strategy_class(learner["strategy"])
    if not learner["classes"] or samples.y is None:
        return None
    missing = set(range(learner["known"])) - set(np.unique(samples.labels).tolist())
    words = f"the {len(missing)} classes that {learner['model']} knows"
    if missing and strategy.ANEW and not learner["session"] and not _past(device):
        return (
            f"expected samples of {words} beside the new ones, got none: {learner['strategy']} "
            "begins anew and knows a class by its samples alone; learn samples of them too, or "
            "take another strategy"
        )
    if missing and strategy.REPLAY and not device.stored()["old"]:
        return (
            f"expected stored samples of {words} beside the new ones, got none: learning will "
            "forget them; first give the board samples of them, `engram rehearse DATA`, or a "
            "model file that carries some, made by `engram convert --rehearse DATA`"
        )
    return None


def _past(device: Device) -> bool:
    """Whether the model file's head counts as so many samples of its classes."""
    options = device.info()["options"].get("strategy_options") or {}
    return bool(options.get("past"))


def known_samples(samples: Samples, learner: dict[str, Any], seed: int) -> Samples:
    """Samples to rehearse: at most as many as stay in the store, of each class alike.

    Raises InputError on a label that the model does not know: that class is to be learned.
    """
    if learner["classes"]:
        new = sorted(set(np.unique(samples.labels).tolist()) - set(range(learner["known"])))
        if new:
            raise InputError(
                f"expected samples of the {learner['known']} classes that {learner['model']} "
                f"knows, got label {new[0]}, which is new; teach it with `engram learn`"
            )
    return within(samples, learner["budget"], seed)


def within(samples: Samples, budget: int, seed: int) -> Samples:
    """At most `budget` samples, drawn at random, of each class alike: samples that are stored and
    not trained on need no more."""
    if len(samples) <= budget:
        return samples
    labels = np.zeros(len(samples), np.uint8) if samples.y is None else samples.y
    classes = [int(c) for c in np.unique(labels)]
    return samples.chosen(rows_per_class(labels, classes, max(1, budget // len(classes)), seed))
