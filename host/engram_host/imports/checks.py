"""Whether a conversion has kept what its original knows: a ruined one is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.nn.names import INPUT
from engram_host.convert.reference import DeviceModel

from .report import Made

MIN_SNR_DB = 10.0  # the noise has a third of the amplitude of the values
# Steps of int8 that an ordinary sample must reach; 127 or more are there.
MIN_STEPS = 16
_ORDINARY = 90  # percentile: nine samples of ten reach no further


def steps_used(device: DeviceModel, x: NDArray[Any]) -> dict[str, int]:
    """{value of the frozen stage: steps of int8 that an ordinary sample reaches} of x (n, ...).

    Few steps: a sample unlike the others, an outlier, has taken the scale.
    """
    graph = device.graph
    integers = [device.quantize_input(x), *device.frozen(x)]
    frozen = [node for node in graph["nodes"] if node["format"] == "s8"]
    names = [INPUT, *(node["name"] for node in frozen)]
    return {
        name: _reach(array.reshape(len(x), -1))
        for name, array in zip(names, integers, strict=True)
    }


def _reach(integers: NDArray[np.int8]) -> int:
    """Steps between the least and the largest integer of an ordinary row; all rows reach further
    in a value that varies at all, else 255."""
    spans = np.ptp(integers.astype(np.int16), axis=1)
    if not np.ptp(integers.astype(np.int16)):
        return 255  # one number for all samples: it has no scale to take
    return int(np.percentile(spans, _ORDINARY))


def problems(made: Made, min_agreement: float, min_snr_db: float = MIN_SNR_DB) -> list[str]:
    """The faults of a device model, a line each."""
    found = []
    for row in made["outputs"]:
        which = f" (output {row['name']})" if len(made["outputs"]) > 1 else ""
        if row["agreement"] is not None and row["agreement"] < min_agreement:
            found.append(
                "expected the device model to agree with the original on at least "
                f"{min_agreement:.0%} of the samples, got {row['agreement']:.1%} of "
                f"{made['samples']}{which}"
            )
        found += _noise(f"output{which}", row["snr_db"], min_snr_db)
    found += _noise("latent", made["latent_snr_db"], min_snr_db)
    for value, steps in made["steps_of_layers"].items():
        if steps < MIN_STEPS:
            found.append(
                f"expected samples that use the range of {value}, got nine of ten that reach "
                f"{steps} of its 255 steps: an outlier has taken its scale"
            )
            break  # those above it follow from it
    return found


def _noise(what: str, snr_db: float | None, least: float) -> Iterable[str]:
    if snr_db is not None and snr_db < least:
        yield (
            f"expected a signal to noise ratio of the {what} of at least {least:g} dB, "
            f"got {snr_db:.1f}"
        )


def advice(found: Sequence[str]) -> str:
    """One error of several problems, and what to do."""
    return (
        "; ".join(found) + ". Look at samples that are unlike the others, cut at another layer, "
        "give samples as the board will see them, or take the model as it is with --accept"
    )
