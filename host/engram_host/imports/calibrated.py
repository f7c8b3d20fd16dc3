"""The device model of a float32 network: calibrated with samples, as convert() does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from engram.errors import DataError
from engram_host.convert import convert
from engram_host.convert.reference import DeviceModel
from engram_host.samples import Samples

from . import checks, floats
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
    """Writes the model; the other arguments are those of import_model(). Raises DataError."""
    if samples is None:
        raise DataError(
            "expected samples to calibrate with, as the model is of float32, got none; give "
            "--data, a few hundred samples as the board will see them"
        )
    if dtype != "float32" and network.source is None:
        raise DataError(
            f"expected samples of float32, as the model takes them, got {dtype}: nothing says "
            "what number a byte stands for"
        )
    x = samples.x.reshape(-1, *network.input_shape).astype(dtype)
    with TemporaryDirectory() as folder:
        source = Path(folder) / "float.safetensors"
        floats.write(source, network, value, classes, dtype)
        try:
            report = convert(source, x, path, min_agreement=0, class_names=class_names)
        except (ValueError, OverflowError) as error:  # NaN has no integer
            raise DataError(
                "expected values that stay finite from layer to layer, got some that leave "
                f"float32; look for huge weights or samples ({error})"
            ) from error
    device = DeviceModel(path)
    accuracy = None
    if samples.y is not None and device.classes and classes is None:
        accuracy = float((device.predict(x) == samples.labels).mean())
    rows = report["layers"]
    ends = trunk(network, classes).ends
    made: Made = {
        "bytes": report["bytes"],
        "classes": device.classes,
        "samples": len(samples),
        "outputs": [],
        "agreement": None,
        "snr_db": None,
        "accuracy": accuracy,
        "snr_of_layers": {row["name"]: row["snr_db"] for row in rows},
        "latent_snr_db": rows[-1]["snr_db"] if rows else None,
        "steps_of_layers": checks.steps_used(device, x),
        "problems": [],
    }
    outputs: list[OutputRow] = [
        {
            "name": end.name,
            "classes": row["objective"] == CLASSIFY,
            "agreement": row["agreement"],
            "snr_db": row["snr_db"],
        }
        for end, row in zip(ends, report["outputs"], strict=True)
        if end.name != NEW
    ]
    enter(made, outputs)
    return made
