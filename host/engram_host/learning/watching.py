"""Figures of what a watch said of samples: alarms, and how well its scores tell others apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

NORMAL = 0  # the label of normal samples; all other labels are of samples that are not
_ALARM, _FILLING, _UNKNOWN = "alarm", "filling", "unknown"


def summary(readings: Sequence[Any], labels: NDArray[Any] | None) -> dict[str, Any]:
    """{"n", "alarms": how many began, "alarmed": samples during alarms, "unknown": samples without
    a score}; of samples with labels also "normal", how many are, "auc" and "mean_auc" of scores
    and means, "alarmed_normal" and "alarmed_others", shares of the samples: None where one kind
    is missing.

    readings: (score, mean, state) of each sample. labels: (n), or None.
    """
    states = np.array([state for _, _, state in readings], dtype=object)
    in_alarm = alarmed([state for _, _, state in readings])
    begins = in_alarm & ~np.concatenate([[False], in_alarm[:-1]])
    result: dict[str, Any] = {
        "n": len(readings),
        "alarms": int(begins.sum()),
        "alarmed": int(in_alarm.sum()),
        "unknown": int((states == _UNKNOWN).sum()),
    }
    if labels is None:
        return result
    others = np.asarray(labels) != NORMAL
    known, full = states != _UNKNOWN, ~np.isin(states, (_UNKNOWN, _FILLING))
    scores = np.array([np.nan if score is None else score for score, _, _ in readings], float)
    means = np.array([mean for _, mean, _ in readings], float)
    return {
        **result,
        "normal": int((~others).sum()),
        "auc": auc(scores[known], others[known]),
        "mean_auc": auc(means[full], others[full]),
        "alarmed_normal": float(in_alarm[~others].mean()) if (~others).any() else None,
        "alarmed_others": float(in_alarm[others].mean()) if others.any() else None,
    }


def alarmed(states: Sequence[str]) -> NDArray[np.bool_]:
    """Whether there was an alarm at each sample; one without a score leaves it as it is."""
    out, on = np.zeros(len(states), bool), False
    for i, state in enumerate(states):
        on = on if state == _UNKNOWN else state == _ALARM
        out[i] = on
    return out


def auc(scores: NDArray[Any], others: NDArray[np.bool_]) -> float | None:
    """The chance that a sample of the others has a higher score than a normal one, where half of
    what is equal counts; None where one kind is missing."""
    count, rest = int(others.sum()), int((~others).sum())
    if not count or not rest:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]  # means of equal ones, from 1
    return float((rank[others].sum() - count * (count + 1) / 2) / (count * rest))
