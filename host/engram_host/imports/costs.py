"""The cost of each place where a network can be cut, on one board. All of it `model`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypedDict

from engram.continual.defaults import BITS
from engram.errors import EngramError
from engram_host.convert import model_file
from engram_host.planning.energy import Board
from engram_host.planning.fit import Fit, Wanted, fit
from engram_host.planning.kernel_costs import CoreCosts
from engram_host.planning.timing import core_costs
from engram_host.planning.work import instructions

from . import cut as cutting
from . import floats
from .assemble import VERSION, device_model
from .network import Network

BATCH = 16


class CutCost(TypedDict):
    """A cut on a board: bytes of a stored latent, parameters that learn, bytes of RAM where the
    model is a file, and where its int8 weights are read in flash, None where they cannot be; bytes
    of the model file; instructions of a sample to the latent and of a training step of BATCH
    latents, None where no count of the core is known. place: "file", else "flash" where it fits
    there alone. problem: why it fits in neither, lacks: of what there is too little, as words; ""
    where it fits."""

    layer: str
    latent_bytes: int
    parameters: int
    ram_bytes: int
    in_place_bytes: int | None
    flash_bytes: int
    observe: int | None
    step: int | None
    place: str
    problem: str
    lacks: str


def costs(
    network: Network, board: Board, classes: int | None, **learner: Any
) -> Iterator[CutCost]:
    """The cost of each cut that is possible. learner: options of the learner, as plan takes."""
    core = core_costs(board)
    if not network.is_integer:
        network = floats.pretended(network)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        for place in cutting.cuts(network, classes):
            if place.reason:
                continue
            graph, tensors = device_model(network, place.layer, classes, "uint8")
            metadata = {"engram_model": VERSION, "graph": json.dumps(graph)}
            size = model_file.write(path, tensors, metadata)
            learned = [node["name"] for node in graph["nodes"] if node["format"] == "f32"]
            row: CutCost = {
                "layer": place.layer,
                "latent_bytes": (cutting.latent_elements(network, place.layer) * BITS + 7) // 8,
                "parameters": sum(
                    array.size
                    for name, array in tensors.items()
                    if name.rsplit(".", 1)[0] in learned
                ),
                "ram_bytes": 0,
                "in_place_bytes": None,
                "flash_bytes": size,
                "observe": None,
                "step": None,
                "place": "file",
                "problem": "",
                "lacks": "",
            }
            options = {"batch": BATCH, "micro": None, "bits": BITS, **learner}
            try:
                _enter(row, board, Wanted(path, options), core)
                in_place = Wanted(path, {**options, "place": "flash"})
                _enter_in_place(row, fit(board, in_place, 0, propose=False))
            except EngramError as error:
                row["problem"], row["lacks"] = str(error), "not"
            yield row


def _enter(row: CutCost, board: Board, target: Wanted, core: CoreCosts | None) -> None:
    """Enters the figures of a model that is a file."""
    result = fit(board, target, 0, propose=False)
    row["ram_bytes"] = result["needed_bytes"]
    reasons = [] if result["fits"] else result["reasons"]
    row["problem"] = "; ".join(reasons)
    row["lacks"] = ", ".join(reason.split(":")[0] for reason in reasons)
    if core is not None:
        work = target.work(result["micro"], result["recompute"])
        observe, _, step = (round(instructions(calls, core)) for calls in work)
        row["observe"], row["step"] = observe, step


def _enter_in_place(row: CutCost, result: Fit) -> None:
    """Enters the RAM of a model in flash, and whether it fits there alone."""
    if result["flash"] is None or result["flash"]["refusal"]:
        return
    row["in_place_bytes"] = result["needed_bytes"]
    if row["problem"] and result["fits"]:
        row["place"], row["problem"], row["lacks"] = "flash", "", ""
