"""Auto-encoders in 8-bit integers: their gradients beside those of float32, and what they learn.

A row of the backward pass is computed again in float64 from what it has read; the gradients by
weights, at the errors and inputs that a step reads, are compared with those of the same network in
float32. No two buffers share memory here but views.
"""

import json
from array import array

import numpy as np
import pytest

from engram.memory.record import EXPONENT
from engram.nn.quantizing import latent_exponent
from engram_host.convert import model_file
from engram_host.datasets import digits
from engram_host.make import vae
from kernels.common import reference
from learn.stage_cases import Assembled
from learn.test_partial_q8 import DX, read, rows
from learn.test_stage_memory import apart

INPUT_GRADIENTS = DX | {"conv2d_t_bwd_dx_q8"}
# Largest distance of a gradient from that of float32, in units of its length: 8 bits from the loss
# down to the first layer, and ReLUs whose inputs round to 0. Of the networks below the worst has
# 0.15.
TOLERANCE = 0.2

IMAGES = {"shape": [8, 8, 1], "code": 6, "filters": (8, 16), "strides": (2, 2)}
VALUES = {"shape": [20], "code": 4, "likelihood": "gaussian", "low": -4.0, "high": 4.0}
RECIPES = {
    "images": IMAGES,
    "classes": {**IMAGES, "classes": 10, "beta": 4.0},
    "plain": {**IMAGES, "variational": False},
    "signals": {**VALUES, "shape": [16, 3], "filters": (6, 8), "strides": (2, 2)},
    "values": VALUES,
}
EACH = pytest.mark.parametrize("name", RECIPES)


class Case:
    """A network as learn.stage_cases takes it. tensors: {name: array} of weights and biases."""

    seed, batch, micro, scope = 1, 16, 16, "all"

    def __init__(self, name, folder):
        self.graph, self.tensors = vae.graph_of(vae.Recipe(**RECIPES[name]))
        self._path = folder / "model.safetensors"

    def model_bytes(self):
        metadata = {"engram_model": "2", "graph": json.dumps(self.graph)}
        model_file.write(self._path, self.tensors, metadata)
        return self._path.read_bytes()


class Run(Assembled):
    """.latents: int8 numbers with the exponent of q8 latents, for float32 too."""

    def __init__(self, case, **options):
        super().__init__(case, layout=apart, recompute=(), **options)
        scale, zero = self.spec.quantization("latent")
        self.exponent = latent_exponent((scale, zero))
        shape = case.graph["latent"]["shape"]
        values = digits().x_train[: case.batch].reshape(case.batch, -1) / 16
        if scale > 0.01:  # no bytes: waves
            turns = np.random.default_rng(3).uniform(0, 6, (2, case.batch, 1))
            values = 2 * np.sin(turns[0] + turns[1] / 20 * np.arange(np.prod(shape)))
        self.latents = np.clip(np.round(values * 2**self.exponent), -127, 127).astype(np.int8)

    def fill(self, first):
        integers = self.stage.x.format != "f"
        values = (self.latents * 2.0**-self.exponent).astype(np.float32)
        self.stage.x[:] = self.latents.tobytes() if integers else array("f", values.ravel())
        self.stage.labels[:] = self.labels.tobytes()


def settled(case, **options):
    """A q8 run whose scales are found, and whose weights stay."""
    run = Run(case, format="q8", momentum=0, **options)
    for rates in run.plan.rates.steps.values():
        rates[0] = 0

    def both():
        run.stage.begin()
        run.stage.forward_loss()
        run.stage.backward()

    run.fill(0)
    if run.stage.variational:
        run.stage.variational.begin(5)
    run.stage.settle(both)
    return run


def dequantize(run, tensors):
    """Puts the weights that a q8 run has into tensors, as the float32 numbers that they mean."""
    integers, weights = run.plan.program.integers, dict(run.stage.integers)["weights"]
    for tensor, _, at, n, record in integers.tensors:
        if record is not None:
            exponent = read(run, integers.record(record))[EXPONENT]
            values = np.frombuffer(bytes(weights[at : at + n]), np.int8) * 2.0**-exponent
            tensors[tensor] = values.astype(np.float32).reshape(tensors[tensor].shape)


@pytest.fixture
def both(request, tmp_path):
    """(q8 run, float32 run) of a network after a backward pass with the same weights."""
    case = Case(request.getfixturevalue("name"), tmp_path)
    dequantize(Run(case, format="q8"), case.tensors)
    pair = settled(case), Run(case, optimiser="momentum")
    losses = [run.accumulate() for run in pair]
    assert losses[0] == pytest.approx(losses[1], rel=0.03)
    return pair


@EACH
def test_every_layer_learns_in_integers(tmp_path, name):
    run = Run(Case(name, tmp_path), format="q8")
    layers = [node for node in run.nodes if "w" in node]
    assert {node["format"] for node in layers} == {"q8"}
    floats = {node["op"] for node in run.nodes if node["format"] == "f32"}
    assert floats <= {"sample", "stop"}


@EACH
def test_the_gradients_of_inputs_are_exact_within_half_a_unit(both, name):
    run, seen = both[0], 0
    for kernel, args, _ in rows(run):
        if kernel not in INPUT_GRADIENTS:
            continue
        dx, sdx, dout, sdout, w, sw, *end = [read(run, arg) for arg in args]
        unit = 2.0 ** -(sdout[EXPONENT] + sw[EXPONENT])
        inputs = [array("d", v.tolist()) for v in (dout, w)]
        args = [array("d", bytes(8 * len(dx))), *inputs, *end]
        exact = np.array(reference(kernel.removesuffix("_q8"), args)[0]) * unit
        exact = np.clip(exact * 2.0 ** sdx[EXPONENT], -127, 127)
        assert np.abs(dx - exact).max() <= 0.5 + 1e-9
        assert np.abs(dx).max() > 16  # 4 of its bits
        seen += 1
    assert seen >= len([node for node in run.nodes if "w" in node]) - 2


def gradients(run):
    """{tensor: its gradient} at the errors and inputs that the steps of a q8 run read."""
    integers, found = run.plan.program.integers, {}
    tensors = {(buffer, at): tensor for tensor, buffer, at, _, _ in integers.tensors}
    for kernel, args, _ in rows(run):
        if not kernel.endswith("_step_q8"):
            continue
        w, _, _, b, dout, sdout, x, sx, _, *end = [read(run, arg) for arg in args]
        inputs = [
            array("d", (values * 2.0 ** -record[EXPONENT]).tolist())
            for values, record in ((dout, sdout), (x, sx))
        ]
        rooms = [array("d", bytes(8 * len(values))) for values in (w, b)]
        results = reference(kernel.replace("_step_q8", "_bwd_dw"), [*rooms, *inputs, *end])
        for arg, values in zip((args[0], args[3]), results):
            found[tensors[arg[:2]]] = np.array(values)
    return found


@EACH
def test_the_gradients_of_weights_are_those_of_float32(both, name):
    run, plain = both
    own, expected, worst = gradients(run), plain.gradients(), {}
    assert set(own) == set(expected)
    for tensor, target in expected.items():
        distance = np.linalg.norm(own[tensor] - target.ravel())
        worst[tensor] = distance / np.linalg.norm(target)
    print(name, {tensor: round(value, 3) for tensor, value in worst.items()})
    assert max(worst.values()) < TOLERANCE


@EACH
def test_a_step_goes_against_its_gradient(both, name):
    """The weights move by the rate times the gradient that their step reads, to the last bit of
    the byte below, in each layer."""
    run, rate = both[0], 2.0**-6
    before, own = values_of(run), gradients(run)
    for group in run.plan.rates.steps:
        run.plan.rates.set(group, rate)
    run.stage.backward()
    integers = run.plan.program.integers
    units = {row[0]: row[4] for row in integers.tensors}
    for tensor, after in values_of(run).items():
        record, unit = units[tensor], 2.0**-24
        if record is not None:
            unit = 2.0 ** -(read(run, integers.record(record))[EXPONENT] + 8)
        step = before[tensor] - after
        assert np.abs(step - rate * own[tensor]).max() <= 1.5 * unit + 0.01 * np.abs(step).max()
        assert np.abs(step).max() > 0


def values_of(run):
    """{tensor: the numbers that its integers stand for, with the byte below}"""
    integers, windows, found = run.plan.program.integers, dict(run.stage.integers), {}
    for tensor, _, at, n, record in integers.tensors:
        if record is None:
            biases = np.frombuffer(bytes(windows["biases"]), np.int32)
            found[tensor] = biases[at : at + n] * 2.0**-24
            continue
        exponent = read(run, integers.record(record))[EXPONENT]
        high = np.frombuffer(bytes(windows["weights"][at : at + n]), np.int8).astype(float)
        low = np.frombuffer(bytes(read(run, integers.rests[tensor]).astype(np.int8)), np.int8)
        found[tensor] = (256 * high + low) * 2.0 ** -(exponent + 8)
    return found
