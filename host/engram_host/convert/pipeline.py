"""convert(): the whole way from a float model file to a device model file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from engram.errors import DataError
from engram.nn.graph import read
from engram.nn.names import INPUT
from engram_host.samples import Samples, front_ends, names

from . import model_file
from .calibrate import Calibration, input_scale, load_samples
from .fitting import fitted
from .float_ops import run
from .frozen import Step, choose_scales, merge, quantized
from .graph import F32, Entry, FloatModel, Node, load
from .quantize import Scale
from .reference import DeviceModel
from .rehearsal import PER_CLASS, PREFIX, carried
from .stored import StoredReport, stored


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
    # Share of the samples whose class stays the same; of values the share of their variance that
    # stays (R squared), None where they have none.
    agreement: float | None


class ConvertReport(TypedDict):
    """The report of convert()."""

    name: str
    out: str
    bytes: int
    samples: int
    rehearsal: int  # latents that the file carries
    layers: list[LayerReport]
    latent: dict[str, Any]
    outputs: list[OutputReport]
    stored: StoredReport | None
    logits_snr_db: float | None  # of the first output
    agreement: float | None  # of the output that tells classes apart, else of the first


# Least agreement of float and int8 model. The digits' network keeps 1.00; with the ends of all
# ranges cut off until 0.92 is left, the noise of its logits has half their amplitude (5.6 dB).
MIN_AGREEMENT = 0.9


def convert(
    float_path: Path | str,
    calibration: Calibration,
    out_path: Path | str,
    *,
    percentile: float = 100.0,
    min_agreement: float = MIN_AGREEMENT,
    class_names: Sequence[str] | None = None,
    front_end: str = "",
    rehearse: Samples | None = None,
    rehearse_per_class: int = PER_CLASS,
) -> ConvertReport:
    """Writes the device model of a float model; the same input gives the same bytes.

    calibration: samples as the board will see them (array, .npy or .npz), a few hundred.
    percentile: how much of the range of the input and of each activation is kept, above 50 and
    at most 100; below 100 outliers are clamped.
    min_agreement: a device model that agrees less with the float model on the samples, on any
    output, is refused: OutputReport.agreement.
    class_names: of the classes in the order of their labels, kept in the device model.
    front_end: what makes inputs of raw data, kept there too: "mfcc" of sounds, "vibration:64x3:
    0.001" of windows, or "" for the data as they are.
    rehearse: samples of the classes that the model knows. The file carries latents of them, at
    most rehearse_per_class of each class, which a board with an empty store replays.
    The device model has the version of the float model.
    Raises ModelError or DataError, before anything is written. Warns (EngramWarning) of samples
    that are few or odd.
    """
    if not 50 < percentile <= 100:
        raise DataError(f"expected a percentile above 50 and at most 100, got {percentile:g}")
    front_ends.check(front_end)
    model = load(Path(float_path))
    samples = load_samples(calibration, model, front_end)
    source = input_scale(model, samples, percentile)
    values = {INPUT: _real(samples, source)}
    run((*model.frozen, *model.adaptive), values)
    steps = merge(model)
    scales = choose_scales(steps, values, source, percentile)

    if model.version == "1":  # the bytes that it always had: boards have stores of its latents
        made = [quantized(step, scales) for step in steps]
    else:
        made = fitted(steps, scales, values, _integers(samples, source))

    frozen: list[Entry] = []
    tensors: model_file.Tensors = {}
    for step, (parameters, own) in zip(steps, made, strict=True):
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
    if class_names is not None:
        names.check_count(class_names, model.classes)
        metadata["class_names"] = "\n".join(names.checked(class_names))
    if front_end:
        metadata["front_end"] = front_end
    out = Path(out_path)
    part = out.with_name(out.name + ".part")
    try:
        size = model_file.write(part, tensors, metadata)
        device = DeviceModel(part)
        layers = device.frozen(samples)
        latents = layers[-1] if layers else device.latents(samples)
        outputs = _output_reports(model, values, device.outputs(latents))
        _check_agreement(outputs, min_agreement)
        rows = 0
        if rehearse is not None:
            own = carried(device, rehearse, rehearse_per_class)
            rows = len(own[PREFIX + "labels"])
            size = model_file.write(part, {**tensors, **own}, metadata)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return {
        "name": model.name,
        "out": str(out_path),
        "bytes": size,
        "samples": len(samples),
        "rehearsal": rows,
        "layers": _layer_reports(steps, scales, values, layers),
        "latent": dict(device.graph["latent"]),
        "outputs": outputs,
        "stored": stored(device, latents),
        "logits_snr_db": outputs[0]["snr_db"],
        "agreement": _agreement(outputs),
    }


def _integers(samples: NDArray[Any], source: Scale) -> NDArray[np.int8]:
    """The samples as the first node of the device reads them."""
    if samples.dtype == np.uint8:
        return (samples ^ 0x80).view(np.int8)
    return source.quantize(samples)


def _real(samples: NDArray[Any], source: Scale) -> F32:
    """The real numbers that the samples stand for."""
    if samples.dtype == np.uint8:
        return source.dequantize(_integers(samples, source))
    return samples.astype(np.float32)


# ---- the graph of the device model ------------------------------------------------------------


def _entry(model: FloatModel, node: Node, form: str, parameters: Entry) -> Entry:
    """A node as the file has it. parameters: names of its tensors by key, and q."""
    q = {"q": parameters["q"]} if "q" in parameters else {}
    own = {key: value for key, value in parameters.items() if key != "q"}
    rest = {"out": list(node.out), **node.attributes, **q}
    if model.version == "2":
        head = {"name": node.name, "op": node.op, "format": form, "in": list(node.inputs)}
        return {**head, **own, **rest}
    if form == "f32" and not own and not node.attributes:
        return {"op": node.op}
    shape = node.shapes[0]
    source = [prod(shape)] if node.op == "dense" else list(shape)
    return {"op": node.op, **own, "in": source, **rest}


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
    model: FloatModel, values: dict[str, F32], made: dict[str, F32]
) -> list[OutputReport]:
    reports: list[OutputReport] = []
    for output, out in zip(model.outputs, made.values(), strict=True):
        real = values[output["node"]].reshape(out.shape)
        if output["objective"] == "classify":
            agreement: float | None = float((real.argmax(axis=1) == out.argmax(axis=1)).mean())
        else:
            agreement = explained(real, out)
        reports.append(
            {
                "node": output["node"],
                "objective": output["objective"],
                "snr_db": snr_db(real, out),
                "agreement": agreement,
            }
        )
    return reports


def _agreement(outputs: list[OutputReport]) -> float | None:
    """The agreement of the output that tells classes apart, else of the first output."""
    classes = [output for output in outputs if output["objective"] == "classify"]
    return (classes or outputs)[0]["agreement"]


def _check_agreement(outputs: list[OutputReport], least: float) -> None:
    for output in outputs:
        if output["agreement"] is not None and output["agreement"] < least:
            raise DataError(
                f"expected the int8 model to agree with the float model on at least {least:.0%} "
                f"of the calibration samples, got {output['agreement']:.1%} (output "
                f"{output['node']}); calibrate with samples as the board will see them, clamp "
                "outliers with --percentile 99.9, or take the result as it is with "
                f"--min-agreement {max(0, int(output['agreement'] * 100)) / 100:g}"
            )


def explained(real: F32, approximate: F32) -> float | None:
    """Share of the variance of values (n, ...) that an approximation has, 0 to 1; None: they do
    not vary."""
    variance = float(np.square(real - real.mean(axis=0), dtype=np.float64).sum())
    error = float(np.square(real - approximate, dtype=np.float64).sum())
    return max(0.0, 1 - error / variance) if variance else None


def snr_db(real: F32, approximate: F32) -> float | None:
    """Signal to noise ratio in decibel, 10 log10(signal power / error power); None: no error."""
    error = float(np.square(real.astype(np.float64) - approximate).sum())
    signal = float(np.square(real.astype(np.float64)).sum())
    if error == 0:
        return None
    return float(10 * np.log10(max(signal, np.finfo(np.float64).tiny) / error))
