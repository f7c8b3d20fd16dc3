"""Lets a model that has learned answer for a sensor that is another now, from samples without
labels: Learner.match().

Each value h of a latent gets the mean and the deviation that it has in the store,

    h' = mean + (h - new mean) * gain,  gain = sqrt((variance + e) / (new variance + e))

as Li et al. ("Revisiting Batch Normalization for Practical Domain Adaptation", 2016) do it for
layers of batch normalization; e, a share of the mean variance, lets values that hardly vary stay.
This goes into the dense layers that read latents, so that an answer takes no longer than before:

    W' = W gain,  b' = b + W (mean - gain * new mean)
"""

from ..backend import kernels
from ..compat import forget
from ..continual.vector import MINUS_ONE, scalar, square
from ..errors import DataError
from ..nn.model import ModelSpec
from ..nn.names import LATENT
from ..places import opened
from .distances import add
from .records import Latents, floats, need_room, stored

LEAST = 20  # samples, and stored ones
_CALM = 0.04  # e, in units of the mean variance
_CODE = (  # that a model file is read with
    "engram.nn.reading", "engram.nn.graph", "engram.nn.ops", "engram.nn.geometry",
    "engram.nn.formats", "engram.nn.formats.f32", "engram.nn.formats.s8", "engram.nn.formats.q8",
)
_ALONE = ("reconstruct", "bernoulli")  # outputs that are compared with the latent itself


def match(learner, samples):
    """Learner.match()"""
    return move(learner, samples, _layers(learner))


def move(learner, samples, layers):
    """Changes layers, [(weights (units, n), biases (units))] of float32 that read latents, so that
    they take those of `samples` for stored ones. Returns what match() does."""
    latents = Latents(learner)
    n, x = latents.n, latents.x
    need_room("matching latents of %d values" % n, 20 * n + 4096, "match a smaller latent")
    slots, known, count = stored(learner.store, None), 0, 0
    minus, variance, away, gain, room = [floats(n) for _ in range(5)]
    for slot in slots:
        if latents.read(slot):
            kernels.axpy_f32(minus, x, MINUS_ONE)
            known += 1
    _need(known, "stored samples")
    kernels.scale_f32(minus, minus, scalar(1 / known))  # the mean, less than zero
    for slot in slots:
        if latents.read(slot):
            add(x, minus)
            kernels.mul_f32(room, x, x)
            add(variance, room)
    kernels.scale_f32(variance, variance, scalar(1 / known))
    for sample in samples:
        learner.infer(sample)
        latents.take()
        add(x, minus)
        kernels.mul_f32(room, x, x)
        add(gain, room)
        add(away, x)
        count += 1
    _need(count, "samples")
    for part in (away, gain):
        kernels.scale_f32(part, part, scalar(1 / count))
    kernels.mul_f32(room, away, away)
    kernels.axpy_f32(gain, room, MINUS_ONE)  # the new variance
    usual = _mean(variance) or 1.0
    moved = (square(away) / n / usual) ** 0.5
    _gains(gain, variance, _CALM * usual)
    # what is added to a latent in its own unit: mean - gain * (mean + away)
    kernels.axpy_f32(away, minus, MINUS_ONE)
    kernels.mul_f32(x, away, gain)
    add(x, minus)
    kernels.scale_f32(x, x, scalar(-learner.latent_qp[0]))
    for w, b in layers:
        _fold(w, b, gain, x)
    learner.matched = count
    return {"samples": count, "stored": known, "moved": moved}


def _layers(learner):
    """[(weights, biases)], float32 windows, of the layers that read latents. Raises DataError."""
    if learner.matched:
        raise DataError(
            "expected a model as it has learned, got one that was matched with %d samples "
            "already; go back to the state before, rollback() or rollback('previous'), and match "
            "that"
            % learner.matched
        )
    if learner.store is None:
        raise DataError("expected a learner with stored samples to match with, got one without")
    if learner.path is None:
        raise DataError("expected a learner of a model file, got one without; engram.open() it")
    if [kind for kind, _, _ in learner.outputs.values() if kind in _ALONE]:
        raise DataError(
            "expected a model that answers from its latents, got one that learns without answers: "
            "observe() the new samples, and learn() them"
        )
    with opened(learner.path) as stream:
        spec = ModelSpec(stream)
        readers = [node for node in spec.net.adaptive if LATENT in node["in"]]
        out = [_windows(learner, spec, node) for node in readers]
    forget(_CODE)
    if not out or None in out:
        raise DataError(
            "expected dense layers with float32 weights behind the latents, got %s; they cannot "
            "be matched: learn new samples with labels"
            % ", ".join([node["op"] for node in readers])
        )
    return out


def _windows(learner, spec, node):
    """(weights, biases) of a node; None where it is no dense layer, or has other weights."""
    stage = learner.stage
    if node["op"] != "dense":
        return None
    if node["name"] == learner.head_name:
        return (stage.head.w, stage.head.b) if stage.head.dtype == "f32" else None
    found = []
    for key in ("w", "b"):
        offset = spec.file.entries[node[key]][2]
        for i in range(0, len(stage.origins), 3):
            if stage.origins[i + 1] == offset:
                at, n = stage.origins[i], stage.origins[i + 2]
                found.append(stage.params[at : at + n])
    return tuple(found) if len(found) == 2 else None


def _need(count, what):
    if count < LEAST:
        raise DataError(
            "expected %d %s or more to match with, got %d; 50 or more are better"
            % (LEAST, what, count)
        )


def _mean(x):
    out = floats(1)
    kernels.global_avgpool_fwd(out, x, 1, len(x), 1)
    return out[0]


def _gains(gain, variance, calm):
    """gain = sqrt((variance + calm) / (gain + calm))"""
    one, shift = scalar(1), scalar(calm)
    for part in (gain, variance):
        kernels.scale_shift_fwd(part, part, one, shift, len(part), 1)
        kernels.log_f32(part, part)
    kernels.axpy_f32(variance, gain, MINUS_ONE)
    kernels.scale_f32(gain, variance, scalar(0.5))
    kernels.exp_f32(gain, gain)


def _fold(w, b, gain, shift):
    """w (units, n) *= gain (n); b (units) += w shift, of w as it was."""
    n = len(gain)
    biases = floats(len(b))
    kernels.dense_fwd(biases, shift, w, None, 1, n, len(b))
    add(b, biases)
    for row in range(len(b)):
        part = w[row * n : row * n + n]
        kernels.mul_f32(part, part, gain)
