"""convert(): the whole way from a float model file to a device model file."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from engram.nn.graph import read
from engram.nn.names import INPUT

from . import model_file
from .calibrate import Calibration, load_samples
from .float_ops import run
from .frozen import Step, choose_scales, merge, quantized
from .graph import F32, Entry, FloatModel, Node, load
from .quantize import Scale, activation_scale
from .reference import DeviceModel


class LayerReport(TypedDict):
    """How well one frozen layer survived; its error includes that of the layers before it."""

    name: str
    op: str
    out: list[int]
    scale: float
    zero_point: int
    snr_db: float | None  # None: no error at all


class OutputReport(TypedDict):
    """How well an output survived, before anything is learned."""

    node: str
    objective: str
    snr_db: float | None
    agreement: float | None  # share of the samples whose class stays the same; None: no classes


class ConvertReport(TypedDict):
    """What convert() did."""

    name: str
    out: str
    bytes: int
    samples: int
    layers: list[LayerReport]
    latent: dict[str, Any]
    outputs: list[OutputReport]
    logits_snr_db: float | None  # of the first output
    agreement: float | None


def convert(
    float_path: Path | str,
    calibration: Calibration,
    out_path: Path | str,
    *,
    percentile: float = 100.0,
) -> ConvertReport:
    """Writes the device model of a float model; the same input gives the same bytes.

    calibration: samples as the board will see them (array, .npy or .npz), a few hundred.
    percentile: how much of each activation's range is kept; below 100 outliers are clamped.
    The device model has the version of the float model.
    Raises ModelError or DataError, before anything is written.
    """
    model = load(Path(float_path))
    samples = load_samples(calibration, model)
    source = _input_scale(model, samples)
    values = {INPUT: _real(samples, source)}
    run((*model.frozen, *model.adaptive), values)
    steps = merge(model)
    scales = choose_scales(steps, values, source, percentile)

    frozen: list[Entry] = []
    tensors: model_file.Tensors = {}
    for step in steps:
        parameters, own = quantized(step, scales)
        frozen.append(_entry(model, step.node, "s8", parameters))
        tensors.update(own)
    for node in model.adaptive:
        tensors.update({f"{node.name}.{key}": tensor for key, tensor in node.tensors.items()})
    latent = steps[-1].node.name if steps else INPUT
    graph = {
        "name": model.name,
        "classes": model.classes,
        "input": {
            "shape": list(model.input_shape),
            "dtype": model.input_dtype,
            "scale": source.scale,
            "zero_point": source.zero_point,
        },
        **_stages(model, frozen, latent, _latent(model, steps, scales[latent])),
    }
    text = json.dumps(graph, separators=(",", ":"))
    read(json.loads(text), model.version)  # the device library refuses what it cannot run
    metadata = {"engram_model": model.version, "graph": text}
    size = model_file.write(Path(out_path), tensors, metadata)
    device = DeviceModel(out_path)
    outputs = _output_reports(model, values, device, samples)
    return {
        "name": model.name,
        "out": str(out_path),
        "bytes": size,
        "samples": len(samples),
        "layers": _layer_reports(steps, scales, values, device.frozen(samples)),
        "latent": dict(device.graph["latent"]),
        "outputs": outputs,
        "logits_snr_db": outputs[0]["snr_db"],
        "agreement": next((o["agreement"] for o in outputs if o["agreement"] is not None), None),
    }


def _input_scale(model: FloatModel, samples: NDArray[Any]) -> Scale:
    if model.input_scale is not None and model.input_zero_point is not None:
        return Scale(float(np.float32(model.input_scale)), model.input_zero_point)
    return activation_scale(float(samples.min()), float(samples.max()))


def _real(samples: NDArray[Any], source: Scale) -> F32:
    """The real numbers that the samples stand for."""
    if samples.dtype == np.uint8:
        return source.dequantize((samples ^ 0x80).view(np.int8))
    return samples.astype(np.float32)


# ---- the graph of the device model ------------------------------------------------------------


def _entry(model: FloatModel, node: Node, form: str, parameters: Entry) -> Entry:
    """A node as the file has it. parameters: names of its tensors by key, and q."""
    q = {"q": parameters["q"]} if "q" in parameters else {}
    own = {key: value for key, value in parameters.items() if key != "q"}
    described = {"out": list(node.out), **node.attributes, **q}
    if model.version == "2":
        head = {"name": node.name, "op": node.op, "format": form, "in": list(node.inputs)}
        return {**head, **own, **described}
    if form == "f32" and not own and not node.attributes:
        return {"op": node.op}
    shape = node.shapes[0]
    source = [prod(shape)] if node.op == "dense" else list(shape)
    return {"op": node.op, **own, "in": source, **described}


def _latent(model: FloatModel, steps: list[Step], scale: Scale) -> Entry:
    shape = steps[-1].node.out if steps else model.input_shape
    return {"shape": list(shape), "scale": scale.scale, "zero_point": scale.zero_point}


def _stages(model: FloatModel, frozen: list[Entry], latent: str, stored: Entry) -> Entry:
    """The nodes of both stages and the latent between them, as each version has them."""
    adaptive = []
    for node in model.adaptive:
        parameters = {key: f"{node.name}.{key}" for key in node.tensors}
        adaptive.append(_entry(model, node, "f32", parameters))
    if model.version == "1":
        return {"frozen": frozen, "latent": stored, "adaptive": adaptive}
    for entry in adaptive:
        entry["in"] = [latent if value == model.latent else value for value in entry["in"]]
    return {
        "nodes": [*frozen, *adaptive],
        "latent": {"node": latent, **stored},
        "outputs": [{"weight": 1, **output} for output in model.outputs],
    }


# ---- the report -------------------------------------------------------------------------------


def _layer_reports(
    steps: list[Step], scales: dict[str, Scale], values: dict[str, F32], quantized: list[Any]
) -> list[LayerReport]:
    return [
        {
            "name": step.node.name,
            "op": step.node.op,
            "out": list(step.node.out),
            "scale": scales[step.node.name].scale,
            "zero_point": scales[step.node.name].zero_point,
            "snr_db": snr_db(values[step.value], scales[step.node.name].dequantize(q)),
        }
        for step, q in zip(steps, quantized, strict=True)
    ]


def _output_reports(
    model: FloatModel, values: dict[str, F32], device: DeviceModel, samples: NDArray[Any]
) -> list[OutputReport]:
    reports: list[OutputReport] = []
    computed = device.outputs(device.latents(samples)).values()
    for output, out in zip(model.outputs, computed, strict=True):
        real, agreement = values[output["node"]].reshape(out.shape), None
        if output["objective"] == "classify":
            agreement = float((real.argmax(axis=1) == out.argmax(axis=1)).mean())
        reports.append(
            {
                "node": output["node"],
                "objective": output["objective"],
                "snr_db": snr_db(real, out),
                "agreement": agreement,
            }
        )
    return reports


def snr_db(real: F32, approximate: F32) -> float | None:
    """Signal to noise ratio in decibel, 10 log10(signal power / error power); None: no error."""
    error = float(np.square(real.astype(np.float64) - approximate).sum())
    signal = float(np.square(real.astype(np.float64)).sum())
    if error == 0:
        return None
    return float(10 * np.log10(max(signal, np.finfo(np.float64).tiny) / error))
