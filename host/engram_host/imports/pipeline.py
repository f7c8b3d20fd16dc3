"""import_model(): the whole way from a model of another framework to a device model file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any, TypedDict

from engram.errors import DataError, ModelError
from engram.nn.names import INPUT
from engram_host.convert import model_file
from engram_host.convert.pipeline import MIN_AGREEMENT, explained, snr_db
from engram_host.convert.quantize import Scale
from engram_host.convert.reference import DeviceModel
from engram_host.samples import Input, Samples, names

from . import cut as cutting
from . import original
from .assemble import VERSION, device_model
from .network import Layer, Network
from .tflite_file import load
from .tflite_network import network


class LayerRow(TypedDict):
    """A layer of the original. bytes: of its weights in the device model. role: "frozen", "learns",
    "goes" (what makes probabilities) or "not supported", with the reason."""

    name: str
    source: str
    op: str
    activation: str
    out: list[int]
    bytes: int
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


def read(path: Path) -> Network:
    """The network of a file. Raises ModelError, naming the file."""
    net = network(load(path), path.stem)
    if not net.is_integer:
        raise ModelError(
            f"{path}: expected a model of int8 throughout, got float32; convert it with "
            "representative_dataset and TFLITE_BUILTINS_INT8"
        )
    return net


def input_of(net: Network, dtype: str | None) -> Input:
    """The input of a network, for those who read samples. dtype: None, as the network has it."""
    return Input(prod(net.input_shape), dtype or _input_dtype(net.scales[INPUT]))


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
    dtype = input_of(net, input_dtype).dtype
    report: ImportReport = {
        "name": net.name,
        "out": None,
        "bytes": 0,
        "input": {"shape": list(net.input_shape), "dtype": dtype, **net.scales[INPUT]._asdict()},
        "cut": None,
        "classes": 0,
        "layers": [_row(layer, "", net) for layer in net.layers],
        "cuts": [
            {"layer": at, "latent": cutting.latent_elements(net, at), "reason": reason}
            for at, reason in cutting.cuts(net, classes)
        ],
        "samples": 0,
        "agreement": None,
        "snr_db": None,
        "accuracy": None,
    }
    if cut is None or out is None:
        return report
    value = _checked_cut(net, cut, classes)
    graph, tensors = device_model(net, value, classes, dtype)
    metadata = {"engram_model": VERSION, "graph": json.dumps(graph, separators=(",", ":"))}
    if class_names is not None:
        names.check_count(class_names, graph["classes"])
        metadata["class_names"] = "\n".join(names.checked(class_names))
    out = Path(out)
    part = out.with_name(out.name + ".part")
    try:
        report["bytes"] = model_file.write(part, tensors, metadata)
        if samples is not None:
            _compare(report, net, DeviceModel(part), samples, is_new=classes is not None)
        agreement = report["agreement"]
        if agreement is not None and agreement < min_agreement:
            raise DataError(
                f"expected the device model to agree with the original on at least "
                f"{min_agreement:.0%} of the samples, got {agreement:.1%}; cut later, or take "
                f"it as it is with --min-agreement {int(agreement * 100) / 100:g}"
            )
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    below = {node["name"] for node in graph["nodes"] if node["format"] == "s8"}
    above = {node["name"] for node in graph["nodes"]} - below
    report["layers"] = [
        _row(layer, _role(layer, below, above), net, tensors) for layer in net.layers
    ]
    return {**report, "out": str(out), "cut": value, "classes": graph["classes"]}


def _input_dtype(scale: Scale) -> str:
    """uint8 where 0 is the least integer, as of images; else float32."""
    return "uint8" if scale.zero_point == -128 else "float32"


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


def _role(layer: Layer, below: set[str], above: set[str]) -> str:
    if layer.name in below:
        return "frozen"
    return "learns" if layer.name in above else "goes"


def _row(
    layer: Layer, role: str, net: Network, tensors: model_file.Tensors | None = None
) -> LayerRow:
    own = tensors or {}
    size = sum(array.nbytes for name, array in own.items() if name.startswith(layer.name + "."))
    return {
        "name": layer.name,
        "source": layer.source,
        "op": layer.op,
        "activation": layer.activation,
        "out": list(layer.out),
        "bytes": size,
        "role": "not supported" if layer.reason else role,
        "reason": layer.reason,
    }


def _compare(
    report: ImportReport,
    net: Network,
    device: DeviceModel,
    samples: Samples,
    is_new: bool,
) -> None:
    """Agreement, noise and accuracy of a device model on samples."""
    x = samples.x.reshape(-1, *net.input_shape)
    report["samples"] = len(x)
    if is_new:
        return
    mine = device.adaptive(device.latents(x)).reshape(len(x), -1)
    last = cutting.trunk(net)[-1].name
    theirs = net.scales[last].dequantize(
        original.values(net, device.quantize_input(x), [last])[last]
    ).reshape(len(x), -1)
    report["snr_db"] = snr_db(theirs, mine)
    if device.classes:
        report["agreement"] = float((theirs.argmax(axis=1) == mine.argmax(axis=1)).mean())
        if samples.y is not None:
            report["accuracy"] = float((mine.argmax(axis=1) == samples.labels).mean())
    else:
        report["agreement"] = explained(theirs, mine)
