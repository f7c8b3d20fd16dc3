"""One run of the benchmark: a stream of sessions through the device library's Learner."""

from __future__ import annotations

import json
import struct
import time
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import cells
import costs
import float_latents
import latents
import latents_protocols as protocols
import numpy as np

from engram.backend import kernels
from engram.continual.learner import Learner
from engram.continual.metrics import backward_transfer, forgetting
from engram.nn.model import ModelSpec
from engram_host.learning.latent_store import LatentStore


class Data(NamedTuple):
    """A protocol's latents: int8 (n, elements) both sides, labels, groups, the model's file.

    Classes are numbered in the order in which they come. order: their numbers in the model file.
    """

    model: Path
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    groups: tuple[tuple[int, ...], ...]
    order: tuple[int, ...] = ()
    real_train: np.ndarray | None = None  # float32, for cells of 32 bits
    real_test: np.ndarray | None = None


def data_of(stream: protocols.Stream, model: str, real: bool = False, folder=None) -> Data:
    path = latents.MODELS / f"{model}.safetensors"
    both = stream.x_train, stream.x_test
    train, test = (latents.cached(path, x, folder or latents.CACHE) for x in both)
    floats = [float_latents.float_latents(path, x) for x in both] if real else (None, None)
    order = sum(stream.groups, ())
    place = np.argsort(order)
    groups = tuple(tuple(int(place[c]) for c in group) for group in stream.groups)
    labels = place[stream.y_train], place[stream.y_test]
    return Data(path, train, labels[0], test, labels[1], groups, order, *floats)


def spec_of(data: Data) -> ModelSpec:
    """The model with the rows of its head in the order in which the classes come."""
    return ModelSpec(BytesIO(ordered_file(data)))


def ordered_file(data: Data) -> bytearray:
    """The model file with the rows of its head in the order in which the classes come."""
    raw = bytearray(data.model.read_bytes())
    spec = ModelSpec(BytesIO(raw))
    head = spec.net.head
    size = struct.unpack_from("<Q", raw)[0]
    table = json.loads(raw[8 : 8 + size])
    for name in (head["w"], head["b"]):
        start, end = (8 + size + at for at in table[name]["data_offsets"])
        rows = np.frombuffer(raw[start:end], np.uint8).reshape(spec.known, -1)
        raw[start:end] = rows[list(data.order)].tobytes()
    return raw


def drawn(data: Data, each: int, seed: int) -> list[np.ndarray]:
    """Which training samples each session brings, in order."""
    return [
        protocols.drawn(data.y_train, group, each, 100 * seed + session)
        for session, group in enumerate(data.groups)
    ]


def _learner(cell: cells.Cell, data: Data, capacity: int, how: dict) -> Learner:
    elems = data.x_train.shape[1]
    store = LatentStore(capacity, elems, min(cell.bits, 8))
    learner = Learner(
        spec_of(data),
        store,
        batch=how["batch"],
        lr=how["lr"],
        lr_decay=how["lr_decay"],
        weight_decay=how.get("weight_decay", 0.0),
        seed=cell.seed,
        known=len(data.groups[0]),
        strategy=cell.strategy,
        strategy_options=how.get("options"),
        depth=cell.depth,
        policy=cell.policy,
        budget=cell.buffer,
    )
    if cell.bits == cells.FULL:
        learner.trainer.reader = float_latents.FloatReader(
            learner, np.empty((capacity, elems), np.float32)
        )
    return learner


def _observe(learner: Learner, cell: cells.Cell, data: Data, rows: np.ndarray) -> None:
    """Does the part of Learner.observe() behind the frozen stage, which never changes."""
    store = learner.store
    packed = bytearray(store.latent_bytes)
    for i in rows:
        label = int(data.y_train[i])
        if label >= learner.stage.known:
            learner.stage.resize(label + 1)
        kernels.pack_s8(packed, data.x_train[i].view(np.uint8), store.bits)
        slot = store.append(packed, label, learner.current)
        if cell.bits == cells.FULL:
            learner.trainer.reader.values[slot] = data.real_train[i]


def _row(learner: Learner, cell: cells.Cell, data: Data) -> tuple[list[float], float]:
    """Accuracy on the classes of each group so far, and on all test samples."""
    full = cell.bits == cells.FULL
    values = logits(learner, data.real_test if full else data.x_test)
    right = values.argmax(axis=1) == data.y_test
    row = [float(right[np.isin(data.y_test, g)].mean()) for g in data.groups]
    return row, float(right.mean())


def logits(learner: Learner, rows: np.ndarray) -> np.ndarray:
    """float32 (n, classes known) for latents (n, elements), int8 or float32."""
    stage, batch = learner.stage, learner.stage.micro
    part = np.zeros((batch, rows.shape[1]), rows.dtype)
    out = np.empty((len(rows), stage.known), np.float32)
    for at in range(0, len(rows), batch):
        n = min(batch, len(rows) - at)
        part[:n] = rows[at : at + n]
        if part.dtype == np.int8:
            np.frombuffer(stage.latents, np.int8)[:] = part.reshape(-1)
            stage.take_latents()
        else:
            np.frombuffer(stage.x, np.float32)[:] = part.reshape(-1)
        stage.forward()
        answers = np.frombuffer(stage.outputs[learner.head_name], np.float32)
        out[at : at + n] = answers.reshape(batch, -1)[:n]
    return out


def run(cell: cells.Cell, data: Data, how: dict | None = None, each: int | None = None) -> dict:
    """The result of a cell: {"accuracy", "matrix", "forgetting", costs..., "seconds"}.

    Session 0 is what the backbone knows: its samples are observed, nothing is trained on them.
    A strategy that learns a class from its mean (ncm, slda) learns that one too.
    """
    how = how or cells.training(cell)
    start_s = time.perf_counter()
    brings = drawn(data, each or cells.EACH[cell.protocol], cell.seed)
    room = cell.buffer + max(len(rows) for rows in brings)
    learner = _learner(cell, data, room, how)
    matrix, steps = [], 0
    for session, rows in enumerate(brings):
        _observe(learner, cell, data, rows)
        if session or cell.strategy in cells.FROM_THE_START:
            for record in learner.steps(epochs=how["epochs"]):
                steps = max(steps, record["of"])
        learner.end_session()
        row, accuracy = _row(learner, cell, data)
        matrix.append(row[: session + 1])
    return {
        **cell._asdict(),
        "accuracy": accuracy,
        "matrix": [[round(a, 4) for a in row] for row in matrix],
        "forgetting": forgetting([_padded(row, len(matrix)) for row in matrix]),
        "backward_transfer": backward_transfer([_padded(row, len(matrix)) for row in matrix]),
        "kept": len(learner.store),
        **costs.of(cell, data.model, learner, steps, max(map(len, brings[1:]))),
        "seconds": round(time.perf_counter() - start_s, 2),
        "kind": "host",
    }


def _padded(row: list[float], width: int) -> list:
    return row + [None] * (width - len(row))


def joint(data: Data, seed: int, each: int, epochs: int, lr: float, weight_decay=0.0) -> float:
    """Accuracy of training on everything the stream brings, at once, in mixed order.

    The bound that the cells are compared with: the same latents, learner and optimiser, no limit
    on memory.
    """
    rows = np.concatenate(drawn(data, each, seed))
    labels = data.y_train[rows].astype(np.uint8)
    learner = Learner(
        spec_of(data),
        LatentStore.of(data.x_train[rows], labels),
        batch=16,
        lr=lr,
        lr_decay=1.0,
        weight_decay=weight_decay,
        seed=seed,
        budget=len(rows),
    )
    for _ in learner.steps(epochs=epochs, replay=False):
        pass
    return latents.accuracy(data.model, learner, data.x_test, data.y_test)
