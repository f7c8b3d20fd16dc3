"""The protocols of the continual-learning benchmark: which data, which split, which sessions.

P1   Fashion-MNIST, classes 0 to 4 known, then one at a time; the official split.
P3   FSDD, digits 0 to 5 known, then one word at a time; takes 0 to 4 of each speaker are the test.
P5   Speech Commands, four words and both rejections known, then two words at a time; by speaker.
P11  Omniglot, 20-way few-shot episodes on alphabets that pre-training did not see.

Everything here is a pure function of the data and of what is in its arguments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from engram_host.datasets import (
    Characters,
    Clips,
    Dataset,
    Words,
    fashion_mnist,
    fsdd,
    omniglot_small,
    speech_commands,
)
from engram_host.datasets.mfcc import as_input
from engram_host.datasets.omniglot import HELD_OUT
from engram_host.datasets.speech import SILENCE, UNKNOWN
from engram_host.datasets.spoken_digits import TEST_TAKES


class Stream(NamedTuple):
    """A class-incremental protocol: samples, labels, and the classes that each session brings.

    x uint8 (n, H, W, C) as the model takes them, y int (n,). groups[0] is known to the backbone.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    groups: tuple[tuple[int, ...], ...]


FASHION_GROUPS = ((0, 1, 2, 3, 4), (5,), (6,), (7,), (8,), (9,))
FASHION_PAIRS = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))  # from nothing: backbone knows 0 to 4
DIGIT_GROUPS = ((0, 1, 2, 3, 4, 5), (6,), (7,), (8,), (9,))
WORD_GROUPS = ((0, 1, 2, 3, UNKNOWN, SILENCE), (4, 5), (6, 7), (8, 9))


def members(labels: np.ndarray, group: Sequence[int]) -> np.ndarray:
    """Indices of the samples of a group's classes, in order."""
    return np.flatnonzero(np.isin(labels, group))


def drawn(labels: np.ndarray, group: Sequence[int], each: int, seed: int) -> np.ndarray:
    """Indices of `each` random samples of every class of a group, shuffled together.

    A class with fewer gives all it has.
    """
    rng = np.random.default_rng(seed)
    picks = [rng.permutation(members(labels, (c,)))[:each] for c in group]
    return rng.permutation(np.concatenate(picks))


def fashion(data: Dataset | None = None) -> Stream:
    """P1."""
    data = data or fashion_mnist()
    return Stream(data.x_train, data.y_train, data.x_test, data.y_test, FASHION_GROUPS)


def spoken_digits(clips: Clips | None = None) -> Stream:
    """P3: 2,700 clips to train on, 300 to test."""
    clips = clips or fsdd()
    x, test = as_input(clips.features()), clips.take < TEST_TAKES
    return Stream(x[~test], clips.label[~test], x[test], clips.label[test], DIGIT_GROUPS)


def spoken_words(words: Words | None = None) -> Stream:
    """P5: no speaker is on both sides."""
    words = words or speech_commands()
    x, train = as_input(words.features), words.of_training()
    return Stream(x[train], words.label[train], x[~train], words.label[~train], WORD_GROUPS)


class Drawings(NamedTuple):
    """Characters for few-shot learning: x uint8 (n, 28, 28, 1), label and drawer int (n,)."""

    x: np.ndarray
    label: np.ndarray
    drawer: np.ndarray


def drawings(characters: Characters | None = None) -> Drawings:
    """P11: every drawing of the alphabets that the backbone has not seen."""
    characters = characters or omniglot_small()
    is_test = characters.of_alphabets(HELD_OUT)
    return Drawings(
        characters.pixels(28)[is_test], characters.label[is_test], characters.drawer[is_test]
    )


class Episode(NamedTuple):
    """One few-shot task: `support` (ways, shots) and `query` (ways, rest) are sample indices."""

    support: np.ndarray
    query: np.ndarray


def episodes(
    labels: np.ndarray, drawers: np.ndarray, ways: int, shots: int, count: int, seed: int
) -> Iterator[Episode]:
    """P11: `ways` random classes, each with `shots` drawings to learn from and the rest to test.

    Support and query are by different drawers: the same ones for all classes of an episode.
    Every class must have one drawing by every drawer.
    """
    rng = np.random.default_rng(seed)
    classes, people = np.unique(labels), np.unique(drawers)
    table = np.full((len(classes), len(people)), -1)
    table[np.searchsorted(classes, labels), np.searchsorted(people, drawers)] = range(len(labels))
    if (table < 0).any():
        raise ValueError("a class lacks a drawing by one of the drawers")
    for _ in range(count):
        rows = table[rng.permutation(len(classes))[:ways]][:, rng.permutation(len(people))]
        yield Episode(rows[:, :shots], rows[:, shots:])


def prototype_accuracy(latents: np.ndarray, episode: Episode) -> float:
    """Share of query latents (n, elements) whose nearest mean of a class's support is their own.

    Prototypical networks, https://arxiv.org/abs/1703.05175: squared Euclidean distance.
    """
    values = latents.reshape(len(latents), -1).astype(np.float32)
    prototypes = values[episode.support].mean(axis=1)
    queries = values[episode.query]
    # the square of the query is the same for all prototypes, so it is left out
    near = queries @ prototypes.T - np.square(prototypes).sum(axis=1) / 2
    right = near.argmax(axis=2) == np.arange(len(prototypes))[:, None]
    return float(right.mean())


CLASS_INCREMENTAL = {"P1": fashion, "P3": spoken_digits, "P5": spoken_words}
MODELS = {
    "P1": ("fashion", "fashion_dense"),
    "P3": ("spoken_digits", "spoken_digits_dense"),
    "P5": ("spoken_words", "spoken_words_dense"),
    "P11": ("omniglot",),
}
