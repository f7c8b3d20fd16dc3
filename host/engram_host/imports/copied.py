"""The device model of an int8 network: its integers, and the float32 of the layers that learn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from engram_host.convert import model_file
from engram_host.convert.pipeline import explained, snr_db
from engram_host.convert.reference import DeviceModel
from engram_host.samples import Samples, names

from . import original
from .assemble import VERSION, device_model
from .network import Network
from .report import Made, OutputRow, enter
from .trunk import CLASSIFY, NEW, trunk


def write(
    path: Path,
    network: Network,
    value: str,
    classes: int | None,
    dtype: str,
    samples: Samples | None,
    class_names: Sequence[str] | None,
) -> Made:
    """Writes the model; the other arguments are those of import_model()."""
    graph, tensors = device_model(network, value, classes, dtype)
    metadata = {"engram_model": VERSION, "graph": json.dumps(graph, separators=(",", ":"))}
    if class_names is not None:
        names.check_count(class_names, graph["classes"])
        metadata["class_names"] = "\n".join(names.checked(class_names))
    made: Made = {
        "bytes": model_file.write(path, tensors, metadata),
        "classes": graph["classes"],
        "samples": len(samples) if samples is not None else 0,
        "outputs": [],
        "agreement": None,
        "snr_db": None,
        "accuracy": None,
        "snr_of_layers": {},
        "latent_snr_db": None,
        "steps_of_layers": {},
        "problems": [],
    }
    if samples is not None:
        rows, accuracy = _compare(network, value, classes, DeviceModel(path), samples)
        enter(made, rows)
        made["accuracy"] = accuracy
    return made


def _compare(
    network: Network, value: str, classes: int | None, device: DeviceModel, samples: Samples
) -> tuple[list[OutputRow], float | None]:
    """(how far each output goes with the integers of the original, the accuracy where labels and
    classes are)."""
    x = samples.x.reshape(-1, *network.input_shape)
    ends = trunk(network, classes).ends
    kept = [end.layer for end in ends if end.name != NEW]
    integers = original.values(network, device.quantize_input(x), [value, *kept])
    rows: list[OutputRow] = []
    accuracy = None
    outputs = device.outputs(integers[value])
    for end, (node, mine) in zip(ends, outputs.items(), strict=True):
        if end.name == NEW:
            continue
        mine = mine.reshape(len(x), -1)
        theirs = network.scales[end.layer].dequantize(integers[end.layer]).reshape(len(x), -1)
        tells = device.graph["outputs"][list(outputs).index(node)]["objective"] == CLASSIFY
        agreement = explained(theirs, mine)
        if tells:
            agreement = float((theirs.argmax(axis=1) == mine.argmax(axis=1)).mean())
            if samples.y is not None:
                accuracy = float((mine.argmax(axis=1) == samples.labels).mean())
        snr = snr_db(theirs, mine)
        rows.append(
            {"name": end.name, "classes": tells, "agreement": agreement, "snr_db": snr}
        )
    return rows, accuracy
