"""A short run of a learner on a user's data, on this computer: the accuracy of a point.

The device library runs with its C kernels, as a board does: the same records, picks and steps.
Latents are computed once, as the frozen stage never changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.continual.learner import Learner
from engram.errors import DivergedError
from engram.nn.model import ModelSpec

from ..convert import DeviceModel
from ..datasets import rows_per_class
from ..errors import InputError
from ..learning.latent_store import LatentStore
from ..samples import Samples
from .space import FORMATS, Point

TEST_SHARE = 0.25  # of the user's samples, where no test is given


class Part(NamedTuple):
    """int8 latents (n, elements) and labels (n,) uint8."""

    x: NDArray[np.int8]
    y: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.y)

    def chosen(self, rows: NDArray[Any]) -> Part:
        return Part(self.x[rows], self.y[rows])


class Data(NamedTuple):
    """The samples of trials. memory: of classes that the model knows, stored before the first
    session and not learned. sessions: samples that come. test: labelled samples. known: classes
    of the model that count as known, None: all."""

    memory: Part
    sessions: list[Part]
    test: Part
    known: int | None = None

    @property
    def most_new(self) -> int:
        """Samples of the largest session."""
        return max(map(len, self.sessions))


def groups_of(labels: NDArray[np.uint8], known: int) -> list[list[int]]:
    """The classes that a model knows and all others, where there are samples of both; else []."""
    classes = np.unique(labels).tolist()
    both = [[c for c in classes if c < known], [c for c in classes if c >= known]]
    return both if all(both) else []


def parts(
    path: Path,
    samples: Samples,
    test: Samples | None,
    groups: Sequence[Sequence[int]],
    known_first: bool,
    known: int | None,
    seed: int,
) -> Data:
    """The Data of labelled samples of a model file.

    test: None: a quarter of the samples of each class. groups: classes of each session; none: all
    samples are one session. known_first: the first group is memory. known: so many classes of the
    model count as known, None: all. Where no samples are, the memory is what the model file
    carries. Raises InputError on samples that cannot be learned so.
    """
    model = DeviceModel(path)
    if not model.classes:
        raise InputError(
            f"{path}: expected a model that tells classes apart, got one that regresses; `engram "
            "plan` without --data plans it"
        )
    train = _part(model, samples)
    if test is None:
        is_test = _drawn(train.y, TEST_SHARE, seed)
        train, tested = train.chosen(~is_test), train.chosen(is_test)
    else:
        tested = _part(model, test)
    with open(path, "rb") as stream:
        spec = ModelSpec(stream)
        carried = _carried(spec, stream)
    memory, sessions = carried, [train]
    if groups:
        cut = [train.chosen(np.isin(train.y, group)) for group in groups]
        memory, sessions = (cut[0], cut[1:]) if known_first else (carried, cut)
        tested = tested.chosen(np.isin(tested.y, [c for group in groups for c in group]))
    sessions = [part for part in sessions if len(part)]
    if not sessions or not len(tested):
        raise InputError(
            f"expected samples to learn and to test, got {sum(map(len, sessions))} and "
            f"{len(tested)}; give more --data, or --test"
        )
    return Data(memory, sessions, tested, known)


def _part(model: DeviceModel, samples: Samples) -> Part:
    shape = tuple(model.graph["input"]["shape"])
    x = samples.taken_as(model.graph["input"]["dtype"]).x.reshape(len(samples), *shape)
    latents = model.latents(x)
    return Part(latents.reshape(len(samples), -1), samples.labels)


def _drawn(labels: NDArray[np.uint8], share: float, seed: int) -> NDArray[np.bool_]:
    """The samples that are the test, as a mask: so many of each class, at least one of two."""
    rng, out = np.random.default_rng(seed), np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        out[rows[: max(len(rows) > 1, int(share * len(rows)))]] = True
    return out


def _carried(spec: ModelSpec, stream: Any) -> Part:
    """The latents that a model file carries for replay."""
    n, latents, labels = spec.rehearsal[:3] if spec.rehearsal else (0, 0, 0)
    stream.seek(latents)
    x = np.frombuffer(stream.read(n * spec.latent_elems), np.int8).reshape(n, spec.latent_elems)
    stream.seek(labels)
    return Part(x, np.frombuffer(stream.read(n), np.uint8))


class Trials:
    """Runs of points on Data of a model file.

    options: of the learner, that no dimension chooses. seed: of its picks.
    """

    def __init__(self, path: Path, data: Data, options: Mapping[str, Any], seed: int) -> None:
        self._file, self._data = path.read_bytes(), data
        self._options, self._seed = dict(options), seed

    def before(self) -> float:
        """Share of the test that is right without learning."""
        return _accuracy(Learner(self._spec(), batch=16), self._data.test)

    def accuracy(self, point: Point, micro: int | None = None) -> float:
        """Share of the test that is right after the last session; 0.0 where learning diverges.

        micro: samples in memory at a time, None: all of a mini-batch.
        """
        data, budget = self._data, point["budget"]
        spec = self._spec()
        store = LatentStore(budget + data.most_new + 1, data.test.x.shape[1], point["bits"])
        learner = Learner(
            spec,
            store,
            batch=point["batch"],
            scope=point["scope"],
            budget=budget,
            seed=self._seed,
            **{**self._options, **FORMATS[point["format"]], **({"micro": micro} if micro else {})},
        )
        memory = _within(data.memory, budget, self._seed)
        if len(memory):
            _observe(learner, memory)
            learner.end_session()
        for part in data.sessions:
            _observe(learner, part)
            try:
                for _ in learner.steps(steps=point["steps"]):
                    pass
            except DivergedError:
                return 0.0
            learner.end_session()
        return _accuracy(learner, data.test)


    def _spec(self) -> ModelSpec:
        data, spec = self._data, ModelSpec(BytesIO(self._file))
        top = max(int(part.y.max()) for part in (*data.sessions, data.test)) + 1
        if top > spec.classes:
            spec.widen(top)
        if data.known is not None:
            spec.limit(data.known)
        return spec


def _within(part: Part, budget: int, seed: int) -> Part:
    """At most `budget` samples, of each class alike: those that `engram learn` stores."""
    if len(part) <= budget:
        return part
    classes = np.unique(part.y).tolist()
    return part.chosen(rows_per_class(part.y, classes, max(1, budget // len(classes)), seed))


def _observe(learner: Learner, part: Part) -> None:
    """The part of Learner.observe() behind the frozen stage."""
    from engram.backend import kernels

    store = learner.store
    packed = bytearray(store.latent_bytes)
    for latent, label in zip(part.x, part.y.tolist()):
        if not learner.policy.admit(label):
            continue
        if label >= learner.stage.known:
            learner.stage.resize(label + 1)
        kernels.pack_s8(packed, latent.view(np.uint8), store.bits)
        store.append(packed, label, learner.current)
        learner.stored += 1


def _accuracy(learner: Learner, test: Part) -> float:
    stage, micro = learner.stage, learner.stage.micro
    rows, right = np.zeros((micro, test.x.shape[1]), np.int8), 0
    for at in range(0, len(test), micro):
        n = min(micro, len(test) - at)
        rows[:n] = test.x[at : at + n]
        stage.latents[:] = rows.reshape(-1).view(np.uint8).tobytes()
        stage.take_latents()
        stage.forward()
        answers = np.frombuffer(stage.outputs[learner.head_name], np.float32)
        said = answers.reshape(micro, -1)[:n].argmax(axis=1)
        right += int((said == test.y[at : at + n]).sum())
    return right / len(test)
