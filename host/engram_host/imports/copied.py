"""The device model of an int8 network: its integers, and the float32 of the layers that learn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from engram_host.convert import model_file
from engram_host.convert.pipeline import explained, snr_db
from engram_host.convert.reference import DeviceModel
from engram_host.samples import Samples, names

from . import cut as cutting
from . import original
from .assemble import VERSION, device_model
from .network import Network
from .report import Made


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
        "agreement": None,
        "snr_db": None,
        "accuracy": None,
        "snr_of_layers": {},
        "latent_snr_db": None,
        "steps_of_layers": {},
        "problems": [],
    }
    if samples is not None and classes is None:
        _compare(made, network, value, DeviceModel(path), samples)
    return made


def _compare(
    made: Made, network: Network, value: str, device: DeviceModel, samples: Samples
) -> None:
    """Fills in how far a device model goes with the integers of the original."""
    x = samples.x.reshape(-1, *network.input_shape)
    last = cutting.trunk(network)[-1].name
    integers = original.values(network, device.quantize_input(x), [value, last])
    mine = device.adaptive(integers[value]).reshape(len(x), -1)
    theirs = network.scales[last].dequantize(integers[last]).reshape(len(x), -1)
    made["snr_db"] = snr_db(theirs, mine)
    if not device.classes:
        made["agreement"] = explained(theirs, mine)
        return
    classes = mine.argmax(axis=1)
    made["agreement"] = float((theirs.argmax(axis=1) == classes).mean())
    if samples.y is not None:
        made["accuracy"] = float((classes == samples.labels).mean())
