"""import_model(): the whole way from a model of another framework to a device model file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NotRequired, TypedDict

import numpy as np

from engram.errors import DataError, ModelError
from engram.nn.names import INPUT
from engram_host.convert import model_file
from engram_host.convert.pipeline import MIN_AGREEMENT, convert, explained, snr_db
from engram_host.convert.quantize import INT8_MIN, Scale
from engram_host.convert.reference import DeviceModel
from engram_host.samples import Input, Samples, names

from . import cut as cutting
from . import floats, original
from .assemble import VERSION, device_model
from .network import Layer, Network
from .tflite_file import load
from .tflite_network import network


class LayerRow(TypedDict):
    """A layer of the original. values: of its weights. role: "frozen", "learns", "goes" (it makes
    probabilities or is replaced) or "not supported", with the reason; "" before a cut."""

    name: str
    source: str
    op: str
    activation: str
    out: list[int]
    values: int
    role: str
    reason: str


class CutRow(TypedDict):
    """A place to cut. reason: why not there, "" where it can be."""

    layer: str
    latent: int
    reason: str


class ImportReport(TypedDict):
    """The report of import_model()."""

    name: str
    out: str | None
    bytes: int
    input: dict[str, Any]
    cut: str | None
    classes: int
    layers: list[LayerRow]
    cuts: list[CutRow]
    samples: int
    # Of the samples, against the original; None without samples, or with a new classifier.
    agreement: float | None
    snr_db: float | None
    accuracy: float | None
    # Signal to noise of each frozen layer, in dB, of a float32 original; None: no error.
    snr_of_layers: NotRequired[dict[str, float | None]]


def read(path: Path) -> Network:
    """The network of a file. Raises ModelError, naming the file."""
    return network(load(path), path.stem)


def input_of(net: Network, dtype: str | None) -> Input:
    """The input of a network, for those who read samples. dtype: None, as the network has it."""
    usual = "uint8" if net.is_integer and _is_of_bytes(net.scales[INPUT]) else "float32"
    return Input(prod(net.input_shape), dtype or usual)


def import_model(
    net: Network,
    out: Path | str | None = None,
    *,
    cut: str | None = None,
    classes: int | None = None,
    samples: Samples | None = None,
    input_dtype: str | None = None,
    class_names: Sequence[str] | None = None,
    min_agreement: float = MIN_AGREEMENT,
) -> ImportReport:
    """Writes the device model of a network of read(); without `out` or `cut` it only reports.

    cut: the layer behind which learning begins, as cut.find() takes it. classes: of a new
    classifier in the place of the last layer. samples: as the board will see them, for the
    comparison with the original. input_dtype: of samples, None: uint8 where the
    model takes bytes of an image, else float32. min_agreement: a model that agrees less is refused.
    Raises ModelError or DataError, before anything is written.
    """
    report = _survey(net, classes, input_of(net, input_dtype).dtype)
    if cut is None or out is None:
        return report
    value = _checked_cut(net, cut, classes)
    make = _copied if net.is_integer else _quantized
    out = Path(out)
    part = out.with_name(out.name + ".part")
    try:
        report.update(make(net, value, classes, report, samples, part, class_names))
        _check(report, min_agreement)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    below = {layer.name for layer in cutting.split(net, value, ())[0]}
    last = {layer.name for layer in net.layers} - {
        layer.name for layer in cutting.trunk(net, classes)
    }
    for row in report["layers"]:
        name = row["name"]
        row["role"] = "frozen" if name in below else "goes" if name in last else "learns"
    return {**report, "out": str(out), "cut": value}


def _survey(net: Network, classes: int | None, dtype: str) -> ImportReport:
    """What can be said of a network before it is cut."""
    scale = net.scales[INPUT]._asdict() if net.is_integer else {}
    return {
        "name": net.name,
        "out": None,
        "bytes": 0,
        "input": {"shape": list(net.input_shape), "dtype": dtype, **scale},
        "cut": None,
        "classes": 0,
        "layers": [_row(layer) for layer in net.layers],
        "cuts": [
            {"layer": at, "latent": cutting.latent_elements(net, at), "reason": reason}
            for at, reason in cutting.cuts(net, classes)
        ],
        "samples": 0,
        "agreement": None,
        "snr_db": None,
        "accuracy": None,
    }


def _copied(
    net: Network,
    value: str,
    classes: int | None,
    report: ImportReport,
    samples: Samples | None,
    part: Path,
    class_names: Sequence[str] | None,
) -> dict[str, Any]:
    """Writes the device model of an int8 network. Returns what belongs into the report."""
    graph, tensors = device_model(net, value, classes, report["input"]["dtype"])
    metadata = {"engram_model": VERSION, "graph": json.dumps(graph, separators=(",", ":"))}
    if class_names is not None:
        names.check_count(class_names, graph["classes"])
        metadata["class_names"] = "\n".join(names.checked(class_names))
    size = model_file.write(part, tensors, metadata)
    found: dict[str, Any] = {"bytes": size, "classes": graph["classes"]}
    if samples is not None:
        found["samples"] = len(samples)
        if classes is None:
            found.update(_compared(net, value, DeviceModel(part), samples))
    return found


def _quantized(
    net: Network,
    value: str,
    classes: int | None,
    report: ImportReport,
    samples: Samples | None,
    part: Path,
    class_names: Sequence[str] | None,
) -> dict[str, Any]:
    """Writes the device model of a float32 network, calibrated with samples."""
    if samples is None:
        raise DataError(
            "expected samples to calibrate with, as the model is of float32, got none; give "
            "--data, a few hundred samples as the board will see them"
        )
    if report["input"]["dtype"] != "float32":
        raise DataError("expected samples of float32 for a model of float32, got uint8")
    x = samples.x.reshape(-1, *net.input_shape).astype(np.float32)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "float.safetensors"
        floats.write(path, net, value, classes, None)
        made = convert(path, x, part, min_agreement=0, class_names=class_names)
    device = DeviceModel(part)
    found: dict[str, Any] = {
        "bytes": made["bytes"],
        "classes": device.classes,
        "samples": len(samples),
        "agreement": None if classes else made["agreement"],
        "snr_db": None if classes else made["logits_snr_db"],
        "snr_of_layers": {row["name"]: row["snr_db"] for row in made["layers"]},
    }
    if samples.y is not None and device.classes and classes is None:
        found["accuracy"] = float((device.predict(x) == samples.labels).mean())
    return found


def _check(report: ImportReport, least: float) -> None:
    agreement = report["agreement"]
    if agreement is not None and agreement < least:
        raise DataError(
            f"expected the device model to agree with the original on at least {least:.0%} of "
            f"the samples, got {agreement:.1%}; cut at another layer, give samples as the board "
            f"will see them, or take it as it is with --min-agreement {int(agreement * 100) / 100:g}"
        )


def _is_of_bytes(scale: Scale) -> bool:
    """Whether 0 is the least integer, as of images."""
    return scale.zero_point == INT8_MIN


def _checked_cut(net: Network, text: str, classes: int | None) -> str:
    """The name of the value behind which a user cuts. Raises ModelError, with the nearest one."""
    value = cutting.find(net, text)
    places = cutting.cuts(net, classes)
    at = next((i for i, place in enumerate(places) if place.layer == value), None)
    if at is None:
        raise ModelError(
            f"expected a cut below the last layer, {net.layers[-1].name}, got {value}: nothing "
            "above it learns"
        )
    if not places[at].reason:
        return value
    good = [i for i, place in enumerate(places) if not place.reason]
    if not good:
        raise ModelError(f"cannot cut behind {value}: {places[at].reason}; no other place works")
    nearest = places[min(good, key=lambda i: abs(i - at))].layer
    raise ModelError(
        f"cannot cut behind {value}: {places[at].reason}; the nearest cut that works is {nearest}"
    )


def _row(layer: Layer) -> LayerRow:
    return {
        "name": layer.name,
        "source": layer.source,
        "op": layer.op,
        "activation": layer.activation,
        "out": list(layer.out),
        "values": sum(tensor.values.size for tensor in layer.tensors.values()),
        "role": "not supported" if layer.reason else "",
        "reason": layer.reason,
    }


def _compared(
    net: Network, value: str, device: DeviceModel, samples: Samples
) -> dict[str, Any]:
    """Agreement, noise and accuracy of a device model on samples, beside the int8 original."""
    x = samples.x.reshape(-1, *net.input_shape)
    last = cutting.trunk(net)[-1].name
    integers = original.values(net, device.quantize_input(x), [value, last])
    mine = device.adaptive(integers[value]).reshape(len(x), -1)
    theirs = net.scales[last].dequantize(integers[last]).reshape(len(x), -1)
    found: dict[str, Any] = {"snr_db": snr_db(theirs, mine)}
    if not device.classes:
        return {**found, "agreement": explained(theirs, mine)}
    classes = mine.argmax(axis=1)
    found["agreement"] = float((theirs.argmax(axis=1) == classes).mean())
    if samples.y is not None:
        found["accuracy"] = float((classes == samples.labels).mean())
    return found
