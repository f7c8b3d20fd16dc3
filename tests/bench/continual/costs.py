"""What a cell costs: flash and RAM by the device's own rules, instructions by the host's model."""

from __future__ import annotations

import cells

from engram.continual.config import Config
from engram.nn.geometry import elems
from engram.nn.model import ModelSpec
from engram.nn.ops import macs
from engram.nn.program import Program
from engram.store.format import Layout
from engram_host.planning.energy import estimate_instructions


def slot_bytes(latent: int, bits: int) -> int:
    """Flash of one record: latent, head, CRC, alignment."""
    return Layout(65536, 1, (latent * bits + 7) // 8).slot_bytes


def step_macs(config: Config) -> int:
    """float32 products of a training step, one sample, at full room of the head."""
    graph, strategy = config.spec.net, config.strategy_name
    needs = Program(graph, config.learns).needs_gradient()
    forward = sum(macs(node) for node in graph.adaptive)
    if strategy == "ncm":
        return forward  # no gradient
    if strategy == "slda":  # features into the covariance; its inversion, once a run, is left out
        return forward + elems(graph.head["shapes"][0]) ** 2
    backward = 0
    for node in graph.adaptive:
        weights = config.learns.get(node["name"]) == "all"
        backward += macs(node) * (weights + sum(needs[value] for value in node["in"]))
    names = [node["name"] for node in graph.adaptive]
    first = min(names.index(name) for name in config.learns)
    again = sum(macs(node) for node in graph.adaptive[first:]) if config.choice.teacher else 0
    return forward + backward + again


def of(cell: cells.Cell, model, learner, steps: int, new: int) -> dict:
    """{"latent_bytes", "flash_bytes", "ram_bytes", "step_instructions",
    "session_instructions"}.

    flash: the latents that stay, as records. ram: the plan for a store that holds those and the
    new ones of a session. steps, new: of the largest session. All of it `model`.
    """
    with open(model, "rb") as stream:
        spec = ModelSpec(stream)
    store = learner.store
    latent = store.latent_bytes * 8 // store.bits
    frozen = sum(macs(node) for node in spec.net.frozen)
    config = Config(spec, learner.batch, strategy=cell.strategy, depth=cell.depth)
    step = learner.batch * step_macs(config)
    there = config.plan(store.capacity, store.bits).layout
    layout = config.plan(cell.buffer + new, cell.bits).layout
    return {
        "latent_bytes": (latent * cell.bits + 7) // 8,
        "flash_bytes": cell.buffer * slot_bytes(latent, cell.bits),
        "ram_bytes": learner.planned_bytes + layout.total_bytes - there.total_bytes,
        "step_instructions": estimate_instructions(0, step),
        "session_instructions": estimate_instructions(new * frozen, steps * step),
        "cost_kind": "model",
    }
