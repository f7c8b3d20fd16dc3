"""The streams on which defaults are judged: six situations in which a board learns.

P1, P3, P5   new classes: the protocols of latents_protocols.py
P2           this user: FSDD without one speaker is known; five takes a digit of that speaker come
P12          new domain: the keyword model of MLPerf Tiny in noise, 64 pooled features are latents
drift        new domain: Fashion-MNIST, each session darker, turned and with more noise
skewed       P12 again, with clips of which nine in ten are other words

Each is a pure function of the data and a seed. Latents are computed once and kept in out/latents.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

import cells
import keyword_features
import latents
import latents_protocols as protocols
import numpy as np
import streams

from engram_host.convert import model_file
from engram_host.datasets import fashion_mnist, fsdd
from engram_host.datasets.mfcc import as_input

KNOWN = 2000  # samples of what the model knows, that its head is trained with
TEST_TAKES = 10  # P2: takes 10 to 49 of a speaker are the test
TAKES = 5  # P2: that a user records of each digit
NOISES = ("rain", "sea_waves", "running_tap")  # P12: one a session
SKEW = 0.9  # skewed: share of one class
DRIFTS = 5  # drift: sessions
DRIFT_EACH = 20  # drift: labelled samples a class and session


class Part(NamedTuple):
    """int8 latents (n, elements) and labels (n,)."""

    x: np.ndarray
    y: np.ndarray


class Situation(NamedTuple):
    """The knowledge of a board, the sessions that come, and the tests afterwards.

    model: a model file, as bytes, whose head knows the first `known` classes. memory: samples of
    these classes, observed first. sessions: the samples that come. tests: one of the known
    classes, then one for each session. score: (accuracies of each session's end on all tests so
    far) -> the figure.
    """

    name: str
    model: bytes
    known: int
    memory: Part
    sessions: list[Part]
    tests: list[Part]
    score: Callable[[list[list[float]]], float]


def tensors(raw: bytes) -> tuple[dict, int]:
    """The header of a safetensors file, and where its tensors begin."""
    size = struct.unpack_from("<Q", raw)[0]
    return json.loads(raw[8 : 8 + size]), 8 + size


def with_head(raw: bytes, w: np.ndarray, b: np.ndarray) -> bytes:
    """The model file with other first rows in its dense head. w: float32 (n, inputs); b: (n,)."""
    table, start = tensors(raw)
    out = bytearray(raw)
    head = json.loads(table["__metadata__"]["graph"])["adaptive"][-1]
    for name, value in ((head["w"], w), (head["b"], b)):
        at = start + table[name]["data_offsets"][0]
        data = value.astype("<f4").tobytes()
        out[at : at + len(data)] = data
    return bytes(out)


def trained_head(raw: bytes, part: Part, seed: int) -> bytes:
    """The model file whose head has learned a Part, all of it at once."""
    from engram.continual.learner import Learner
    from engram.nn.model import ModelSpec
    from engram_host.learning.latent_store import LatentStore

    classes = int(part.y.max()) + 1
    learner = Learner(
        ModelSpec(BytesIO(raw)),
        LatentStore.of(part.x, part.y.astype(np.uint8)),
        lr=0.03,
        lr_decay=1.0,
        seed=seed,
        budget=len(part.y),
    )
    for _ in learner.steps(epochs=20, replay=False):
        pass
    head = learner.stage.head
    w = np.frombuffer(head.w, np.float32)[: classes * head.n].reshape(classes, head.n)
    return with_head(raw, w, np.frombuffer(head.b, np.float32)[:classes])


def head_alone(name: str, elems: int, classes: int, scale: float, zero_point: int) -> bytes:
    """A model file of one dense layer of zeros over int8 latents."""
    graph = {
        "name": name,
        "classes": classes,
        "input": {"shape": [elems], "dtype": "uint8", "scale": scale, "zero_point": zero_point},
        "frozen": [],
        "latent": {"shape": [elems], "scale": scale, "zero_point": zero_point},
        "adaptive": [{"op": "dense", "w": "w", "b": "b", "in": [elems], "out": [classes]}],
    }
    tensors = {
        "w": np.zeros((classes, elems), np.float32),
        "b": np.zeros(classes, np.float32),
    }
    path = latents.CACHE / f"{name}.safetensors"
    model_file.write(path, tensors, {"engram_model": "1", "graph": json.dumps(graph)})
    return path.read_bytes()


def _last(rows: list[list[float]]) -> float:
    return float(np.mean(rows[-1]))


def class_incremental(protocol: str, seed: int, data: streams.Data) -> Situation:
    """P1, P3 or P5. Its score is the accuracy on all test samples of all classes at the end."""
    brings = [
        Part(data.x_train[i], data.y_train[i])
        for i in streams.drawn(data, cells.EACH[protocol], seed)
    ]
    tests = [
        Part(data.x_test[at], data.y_test[at])
        for at in (np.isin(data.y_test, group) for group in data.groups)
    ]
    sizes = np.array([len(part.y) for part in tests])

    def score(rows: list[list[float]]) -> float:
        return float(np.dot(rows[-1], sizes) / sizes.sum())

    raw = bytes(streams.ordered_file(data))
    return Situation(protocol, raw, len(data.groups[0]), brings[0], brings[1:], tests, score)


def new_user(seed: int) -> Situation:
    """P2. Its score is the accuracy on the new speaker's test takes."""
    clips = fsdd()
    path = latents.MODELS / f"{cells.DENSE['P5']}.safetensors"
    x = latents.cached(path, as_input(clips.features()))
    speakers = sorted(set(clips.speaker))
    user = clips.speaker == speakers[seed % len(speakers)]
    rng = np.random.default_rng(seed)
    takes = rng.permutation(TEST_TAKES)[:TAKES]
    known = Part(x[~user], clips.label[~user])
    comes = user & np.isin(clips.take, takes)
    test = user & (clips.take >= TEST_TAKES)
    old = known.y.size // 5
    draw = rng.permutation(known.y.size)
    learned = Part(known.x[draw[old:]], known.y[draw[old:]])
    memory = rng.permutation(len(learned.y))[:KNOWN]
    order = rng.permutation(int(comes.sum()))
    return Situation(
        "P2",
        trained_head(path.read_bytes(), learned, seed),
        10,
        Part(learned.x[memory], learned.y[memory]),
        [Part(x[comes][order], clips.label[comes][order])],
        [Part(known.x[draw[:old]], known.y[draw[:old]]), Part(x[test], clips.label[test])],
        lambda rows: rows[-1][1],
    )


def noise(seed: int) -> Situation:
    """P12. Its score is the mean accuracy on clean clips and in each noise at the end."""
    data = keyword_features.features(NOISES)
    adapt, test = data.part == 0, data.part == 1
    scale = float(np.percentile(data.clean[adapt], 99.9)) / 255
    quantize = lambda v: np.clip(np.rint(v / scale) - 128, -128, 127).astype(np.int8)  # noqa: E731
    rng = np.random.default_rng(seed)
    raw = head_alone("keywords", data.clean.shape[1], 12, scale, -128)
    clean = Part(quantize(data.clean[adapt]), data.y[adapt])
    order = rng.permutation(len(clean.y))
    sessions, tests = [], [Part(quantize(data.clean[test]), data.y[test])]
    for name in NOISES:
        noisy = quantize(data.noisy[name])
        comes = rng.permutation(np.flatnonzero(adapt))
        sessions.append(Part(noisy[comes], data.y[comes]))
        tests.append(Part(noisy[test], data.y[test]))
    return Situation("P12", trained_head(raw, clean, seed), 12,
                     Part(clean.x[order], clean.y[order]), sessions, tests, _last)  # fmt: skip


def drifted(x: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """uint8 images (n, 28, 28) after a drift of the sensor: turned, darker, noisier.

    amount: 0 to 1; at 1 they are turned by 60 degrees, half as bright, noise of deviation 20.
    """
    angle = np.deg2rad(60 * amount)
    at = np.arange(28) - 13.5
    rows, columns = np.meshgrid(at, at, indexing="ij")
    source_rows = np.cos(angle) * rows + np.sin(angle) * columns + 13.5
    source_columns = -np.sin(angle) * rows + np.cos(angle) * columns + 13.5
    i = np.rint(source_rows).astype(int)
    j = np.rint(source_columns).astype(int)
    inside = (i >= 0) & (i < 28) & (j >= 0) & (j < 28)
    out = np.where(inside, x[:, i.clip(0, 27), j.clip(0, 27)], 0) * (1 - 0.5 * amount)
    noisy = out + rng.normal(0, 20 * amount, out.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def drift(seed: int) -> Situation:
    """Fashion-MNIST that drifts. Its score is the accuracy on a session's own test, after it."""
    data = fashion_mnist()
    path = latents.MODELS / f"{cells.DENSE['P1']}.safetensors"
    rng = np.random.default_rng(seed)
    clean = latents.cached(path, data.x_train)
    picks = rng.permutation(len(clean))[: KNOWN * 5]
    learned = Part(clean[picks], data.y_train[picks])
    test = rng.permutation(len(data.x_test))[:1000]
    tests = [Part(latents.cached(path, data.x_test)[test], data.y_test[test])]
    sessions = []
    for n in range(1, DRIFTS + 1):
        amount = n / DRIFTS
        comes = protocols.drawn(data.y_train, tuple(range(10)), DRIFT_EACH, 100 * seed + n)
        noisy = np.random.default_rng(100 * seed + n)
        both = (
            drifted(data.x_train[comes].reshape(-1, 28, 28), amount, noisy),
            drifted(data.x_test[test].reshape(-1, 28, 28), amount, noisy),
        )
        x, seen = (latents.frozen_latents(path, images[..., None]) for images in both)
        sessions.append(Part(x, data.y_train[comes]))
        tests.append(Part(seen, data.y_test[test]))

    def score(rows: list[list[float]]) -> float:
        return float(np.mean([row[n + 1] for n, row in enumerate(rows)]))

    return Situation("drift", trained_head(path.read_bytes(), learned, seed), 10,
                     Part(*(v[:KNOWN] for v in learned)), sessions, tests, score)  # fmt: skip


def _most_of_one(part: Part, main: int, count: int, rng: np.random.Generator) -> Part:
    """`count` samples, SKEW of them of one class."""
    ours, others = np.flatnonzero(part.y == main), np.flatnonzero(part.y != main)
    many = min(len(ours), int(count * SKEW))
    few = rng.choice(others, int(many * (1 - SKEW) / SKEW + 0.5), replace=False)
    rows = rng.permutation(np.concatenate([rng.choice(ours, many, replace=False), few]))
    return Part(part.x[rows], part.y[rows])


def skewed(seed: int) -> Situation:
    """P12 with classes as an idle board hears them: SKEW of all clips, tests too, are
    other words."""
    base, rng = noise(seed), np.random.default_rng(seed)
    main = 11

    def uneven(part: Part) -> Part:
        return _most_of_one(part, main, int((part.y == main).sum() / SKEW), rng)

    return base._replace(
        name="skewed",
        memory=uneven(base.memory),
        sessions=[uneven(part) for part in base.sessions],
        tests=[uneven(part) for part in base.tests],
    )


OTHERS = {"P2": new_user, "P12": noise, "drift": drift, "skewed": skewed}
