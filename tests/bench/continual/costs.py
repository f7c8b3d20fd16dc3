"""What a cell costs: flash and RAM by the device's own rules, instructions by the host's model."""

from __future__ import annotations

import cells
from engram.nn.buffers import first_trained

from engram.nn.geometry import elems
from engram.nn.ops import macs
from engram.store.format import Layout
from engram_host.planning.energy import estimate_instructions

TEACHERS = ("lwf", "replay_lwf")  # a second forward pass of the layers that learn


def slot_bytes(latent: int, bits: int) -> int:
    """Flash of one record: latent, head, CRC, alignment."""
    return Layout(65536, 1, (latent * bits + 7) // 8).slot_bytes


def step_macs(graph: dict, depth: int | None, strategy: str) -> int:
    """float32 products of a training step, one sample, at full room of the head."""
    layers = graph["adaptive"]
    first = first_trained(layers, depth)
    products = [macs(layer) for layer in layers]
    forward, trained = sum(products), sum(products[first:])
    owners = [n for n in products[first:] if n]
    backward = trained + sum(owners[1:])  # weights of all that learn; inputs of all but the lowest
    if strategy == "ncm":
        return forward  # no gradient
    if strategy == "slda":  # features into the covariance; its inversion, once a run, is left out
        return forward + elems(layers[-1]["in"]) ** 2
    if strategy == "bias":
        return forward + sum(owners[1:])
    return forward + backward + (trained if strategy in TEACHERS else 0)


def of(cell: cells.Cell, model, learner, steps: int, new: int) -> dict:
    """{"latent_bytes", "flash_bytes", "ram_bytes", "step_instructions",
    "experience_instructions"}.

    flash: the latents that stay, as records. ram: the plan for a store that holds those and the
    new ones of an experience. steps, new: of the largest experience. All of it `model`.
    """
    from engram.plan import plan

    from engram.nn.model import ModelSpec

    with open(model, "rb") as stream:
        spec = ModelSpec(stream)
    graph, store = spec.graph, learner.store
    latent = store.latent_bytes * 8 // store.bits
    frozen = sum(macs(layer) for layer in graph["frozen"])
    depth = cell.depth
    if depth is None:
        depth = learner.strategy.DEPTH
    step = learner.batch * step_macs(graph, depth, cell.strategy)
    there = plan(spec, learner.batch, store.capacity, store.bits)
    wanted = plan(spec, learner.batch, cell.buffer + new, cell.bits)
    return {
        "latent_bytes": (latent * cell.bits + 7) // 8,
        "flash_bytes": cell.buffer * slot_bytes(latent, cell.bits),
        "ram_bytes": learner.planned_bytes + wanted.total_bytes - there.total_bytes,
        "step_instructions": estimate_instructions(0, step),
        "experience_instructions": estimate_instructions(new * frozen, steps * step),
        "cost_kind": "model",
    }
