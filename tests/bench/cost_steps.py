"""Whole training steps on an emulated board: what of them is outside of kernels, and what a
prediction is held to.

A few steps of small models are learned there, with mini-batches in one piece and in several.
"""

import tempfile
from pathlib import Path

import numpy as np

from engram.nn.model import ModelSpec
from engram_host import api, boards, samples, virtual
from engram_host.convert import convert
from engram_host.datasets import digits
from engram_host.planning.fit import Wanted
from engram_host.planning.work import Work

MODELS = boards.home() / "examples" / "backbones" / "models"
DIGITS = boards.home() / "examples" / "digits" / "digits_float.safetensors"
# Model -> learner's options of each run. Of FITTED what is outside of kernels is taken from; the
# others are what the prediction of a step is compared with.
FITTED = {
    "fashion_dense": ({"batch": 16, "micro": 16, "bits": 8}, {"batch": 16, "micro": 2, "bits": 4}),
    "fashion": ({"batch": 8, "micro": 4, "bits": 4},),
}
COMPARED = {
    "digits": (
        {"batch": 16, "micro": 16, "bits": 4},
        {"batch": 8, "micro": 2, "bits": 8},
        {"batch": 16, "micro": 16, "bits": 4, "scope": "head"},
        {"batch": 16, "micro": 16, "bits": 4, "format": "q8"},
        {"batch": 8, "micro": 2, "bits": 8, "format": "q8"},
        {"batch": 16, "micro": 16, "bits": 4, "scope": "head", "format": "q8"},
        {"batch": 16, "micro": 16, "bits": 4, "format": "mixed"},
    ),
    "spoken_digits": (
        {"batch": 4, "micro": 4, "bits": 4},
        {"batch": 4, "micro": 4, "bits": 4, "format": "q8"},
        {"batch": 16, "micro": 8, "bits": 8, "format": "mixed"},
    ),
}


def model_file(name, folder):
    """The device model of a name; the digits are converted here."""
    if name != "digits":
        return MODELS / f"{name}.safetensors"
    path = folder / "digits.safetensors"
    if not path.is_file():
        data = digits()
        convert(DIGITS, data.x_train[data.y_train < 5], path)
    return path


def sizes_of(path, options):
    """The work of a step of such a learner."""
    options = dict(options)
    wanted = Wanted(path, options)
    plan = wanted.config.plan_of(options["micro"])
    return Work.of(plan, wanted.spec.latent_elems, options["bits"], wanted.spec.known).step


def step(board, path, options):
    """The record of the second step of a session on a board with blank flash."""
    with open(path, "rb") as stream:
        spec = ModelSpec(stream)
        shape, dtype = spec.graph["input"]["shape"], np.dtype(spec.graph["input"]["dtype"])
    rng = np.random.default_rng(1)
    x = rng.integers(0, 255, (40, *shape)).astype(dtype)
    data = samples.make(x, np.arange(40) % spec.known)
    virtual.stop(board)
    api.start(board, fresh=True)
    with api.connect(board) as device, tempfile.TemporaryDirectory() as folder:
        device.push_model(path, **options)
        log = Path(folder) / "log.jsonl"
        return api.learn(device, data, steps=3, log=log).steps[1]


def runs(board, models):
    """[(model, options, record of a step, its calls)]"""
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for name, options_of in models.items():
            path = model_file(name, Path(folder))
            for options in options_of:
                rows.append((name, options, step(board, path, options), sizes_of(path, options)))
        virtual.stop(board)
        return rows


def outside(board):
    """([sizes], [instructions]) outside of kernels, of the steps of FITTED."""
    rows = runs(board, FITTED)
    return [calls[-1][0][1] for _, _, _, calls in rows], [row[2]["outside"] for row in rows]


def compared(board):
    """[{"model", "options", "instructions"}] of the steps of COMPARED."""
    return [
        {"model": name, "options": options, "instructions": record["total"]}
        for name, options, record, _ in runs(board, COMPARED)
    ]
