"""From a trained network to the files in models/: float model, conversion, and its accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from network import write
from torch import nn

from engram_host.convert import DeviceModel, convert

HERE = Path(__file__).resolve().parent
MODELS = HERE / "models"
FLOATS = HERE.parents[1] / "out" / "backbones"  # float models: made again by the scripts
CALIBRATION = 256  # samples, of the training split


def deploy(
    name: str,
    frozen: nn.Sequential,
    adaptive: nn.Sequential,
    source: dict[str, Any],
    calibration: np.ndarray,
) -> DeviceModel:
    """Writes out/backbones/<name>_float.safetensors, converts it into models/<name>.safetensors.

    calibration: training samples as the board gets them; CALIBRATION of them, spread evenly.
    """
    floats, device = FLOATS / f"{name}_float.safetensors", MODELS / f"{name}.safetensors"
    write(floats, name, frozen, adaptive, source)
    rows = np.linspace(0, len(calibration) - 1, CALIBRATION).astype(int)
    report = convert(floats, np.ascontiguousarray(calibration[rows]), device)
    latent = report["latent"]["shape"]
    print(f"{name}: {report['bytes']} bytes, latent {latent}, agreement {report['agreement']:.3f}")
    return DeviceModel(device)


def latents(model: DeviceModel, x: np.ndarray, batch: int = 100) -> np.ndarray:
    """int8 latents (n, ...) of samples, by the integer reference of the converter."""
    return np.concatenate([model.latents(x[i : i + batch]) for i in range(0, len(x), batch)])


def int8_accuracy(model: DeviceModel, x: np.ndarray, y: np.ndarray) -> float:
    """Accuracy of the converted model on samples x with labels y."""
    return float((model.adaptive(latents(model, x)).argmax(axis=1) == y).mean())
