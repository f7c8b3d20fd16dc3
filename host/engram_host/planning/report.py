"""`engram plan`: what a model needs and costs, before anything is flashed. All of it `model`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engram.continual.strategies import Sizes, strategy_class
from engram.errors import ModelError
from engram.nn.buffers import activation_names, first_trained, gradient_names
from engram.nn.geometry import elems
from engram.nn.model import ModelSpec
from engram.nn.ops import ADAPTIVE_OPS, FROZEN_OPS, macs, parameters
from engram.plan import Plan, plan

from .energy import ESTIMATE_CODE, Board, Cost, costs, estimate_instructions
from .flash import FlashPlan, flash_plan

_ITEM_BYTES = {"I8": 1, "I32": 4, "F32": 4}
_STATES = 3  # a trained parameter lies in RAM with its gradient and its velocity


class LayerPlan(TypedDict):
    """One layer. RAM of layers adds up to more than the peak: buffers share memory in time."""

    stage: str
    op: str
    out: list[int]
    parameters: int
    flash_bytes: int  # in the model file
    ram_bytes: int  # parameters with their gradients, output, gradient of the output
    macs_forward: int  # one sample
    macs_backward: int


class Fit(TypedDict):
    """Whether the plan fits a board's RAM."""

    board: str
    needed_bytes: int  # with an index of as many latents as its flash holds, or as were asked for
    available_bytes: int
    fits: bool
    flash: FlashPlan | None


class PlanReport(TypedDict):
    """What plan_report() returns."""

    model: str
    classes: int
    batch: int
    replay_slots: int
    bits: int
    strategy: str
    depth: int | None
    latent_bytes: int  # packed
    layers: list[LayerPlan]
    ram_peak_bytes: int
    ram_rows: list[list[Any]]  # Plan.rows
    model_file_bytes: int
    macs_observe: int  # one sample through the frozen stage
    macs_predict: int  # one sample through both
    macs_step: int  # one mini-batch of latents: forward, backward
    observe: list[Cost]
    predict: list[Cost]
    step: list[Cost]
    fit: list[Fit]
    source: NotRequired[str]


def plan_report(
    spec_path: Path | str,
    boards: Iterable[Board],
    batch: int = 16,
    replay_slots: int = 0,
    *,
    bits: int = 8,
    strategy: str = "replay",
    depth: int | None = None,
    classes: int | None = None,
) -> PlanReport:
    """Per layer and in total: RAM, flash, multiply-accumulates; time and energy on the boards.

    spec_path: a device model file. replay_slots: latents that the RAM index has room for; 0: none
    in the total, and for each board as many as its flash holds. bits, strategy, depth, classes:
    as the learner takes them. Raises ModelError, DataError.
    """
    path = Path(spec_path)
    boards = list(boards)
    if not path.is_file():
        raise ModelError(f"model file {path} does not exist; make it with `engram convert`")
    with path.open("rb") as stream:
        spec = ModelSpec(stream)
    if classes is not None:
        spec.widen(classes)
    kind = strategy_class(strategy)
    depth = kind.DEPTH if depth is None else depth
    extras = kind.buffers(Sizes(spec, batch, depth, kind.BIASES))

    def lay_out(slots: int) -> Plan:
        return plan(spec, batch, slots, bits, depth, extras, kind.BIASES)

    layout = lay_out(replay_slots)
    layers = [*_frozen_layers(spec), *_adaptive_layers(spec, layout, depth)]
    observe = sum(row["macs_forward"] for row in layers if row["stage"] == "frozen")
    forward = sum(row["macs_forward"] for row in layers if row["stage"] == "adaptive")
    backward = sum(row["macs_backward"] for row in layers)
    return {
        "model": spec.name,
        "classes": spec.classes,
        "batch": batch,
        "replay_slots": replay_slots,
        "bits": bits,
        "strategy": strategy,
        "depth": depth,
        "latent_bytes": (spec.latent_elems * bits + 7) // 8,
        "layers": layers,
        "ram_peak_bytes": layout.total_bytes,
        "ram_rows": [list(row) for row in layout.rows],
        "model_file_bytes": path.stat().st_size,
        "macs_observe": observe,
        "macs_predict": observe + forward,
        "macs_step": batch * (forward + backward),
        "observe": _costs(observe, 0, boards),
        "predict": _costs(observe, forward, boards),
        "step": _costs(0, batch * (forward + backward), boards),
        "fit": [
            _fit(board, flash_plan(board, spec, bits, strategy, depth), lay_out, replay_slots)
            for board in boards
        ],
        "source": "model",
    }


def _costs(macs_int8: int, macs_f32: int, boards: Iterable[Board]) -> list[Cost]:
    return costs(estimate_instructions(macs_int8, macs_f32), boards, ESTIMATE_CODE)


def _frozen_layers(spec: Any) -> list[LayerPlan]:
    rows: list[LayerPlan] = []
    for layer in spec.graph["frozen"]:
        row = _row("frozen", layer, FROZEN_OPS)
        row["ram_bytes"] = row["flash_bytes"] + elems(layer["out"])
        rows.append(row)
    return rows


def _adaptive_layers(spec: Any, layout: Plan, depth: int | None) -> list[LayerPlan]:
    layers = spec.graph["adaptive"]
    first = first_trained(layers, depth)
    values, grads = activation_names(layers), gradient_names(layers, first)
    rows: list[LayerPlan] = []
    for i, layer in enumerate(layers):
        row = _row("adaptive", layer, ADAPTIVE_OPS)
        own = {values[i + 1], grads[i + 1]} - {values[i], grads[i], None}
        row["ram_bytes"] = (_STATES if i >= first else 1) * row["flash_bytes"] + sum(
            layout.offsets[name][1] for name in own if name in layout.offsets
        )
        if i >= first:
            gradients = bool(row["parameters"]) + (grads[i] is not None)
            row["macs_backward"] = gradients * row["macs_forward"]
        rows.append(row)
    return rows


def _row(stage: str, layer: Mapping[str, Any], ops: Mapping[str, Any]) -> LayerPlan:
    owned = parameters(layer, ops)
    return {
        "stage": stage,
        "op": layer["op"],
        "out": list(layer["out"]),
        "parameters": sum(elems(shape) for _, _, shape in owned),
        "flash_bytes": sum(_ITEM_BYTES[dtype] * elems(shape) for _, dtype, shape in owned),
        "ram_bytes": 0,
        "macs_forward": macs(layer),
        "macs_backward": 0,
    }


def _fit(
    board: Board, flash: FlashPlan | None, lay_out: Callable[[int], Plan], replay_slots: int
) -> Fit:
    needed = lay_out(replay_slots or (flash["latents"] if flash else 0)).total_bytes
    memory = board.get("memory", {})
    rest = board["chip"]["ram_bytes"] - memory.get("stack_bytes", 0)
    available = memory.get("heap_bytes") or rest - memory.get("static_bytes", 0)
    return {
        "board": board["name"],
        "needed_bytes": needed,
        "available_bytes": available,
        "fits": needed <= available and (flash is None or flash["latents"] > 0),
        "flash": flash,
    }


def plan_table(report: PlanReport) -> RenderableType:
    """The report for a terminal."""
    title = f"{report['model']}, mini-batches of {report['batch']}, strategy {report['strategy']}"
    layers = Table(title=title, title_style="bold")
    for column in ("stage", "layer", "output"):
        layers.add_column(column)
    for column in ("parameters", "flash B", "RAM B", "MACs forward", "MACs backward"):
        layers.add_column(column, justify="right")
    for row in report["layers"]:
        layers.add_row(
            row["stage"],
            row["op"],
            "×".join(map(str, row["out"])),
            *(
                f"{number:,}" if number else "–"
                for number in (
                    row["parameters"],
                    row["flash_bytes"],
                    row["ram_bytes"],
                    row["macs_forward"],
                    row["macs_backward"],
                )
            ),
            style="dim" if row["stage"] == "frozen" else "",
        )
    peak = Text.assemble(
        ("peak RAM ", "bold"),
        (f"{report['ram_peak_bytes']:,} B", "bold cyan"),
        f"  (buffers share memory; with a replay index of {report['replay_slots']:,} records)   ",
        ("model file ", "bold"),
        f"{report['model_file_bytes']:,} B",
    )
    parts: list[RenderableType] = [layers, peak]
    if any(row["flash"] for row in report["fit"]):
        parts += [Text(), _memory_table(report)]
    if report["step"]:
        parts += [Text(), _cost_table(report)]
    return Group(*parts)


def _memory_table(report: PlanReport) -> Table:
    table = Table(
        title=f"memory (model), latents of {report['bits']} bits: {report['latent_bytes']} bytes",
        title_style="bold",
    )
    table.add_column("board")
    for column in ("RAM needed", "of", "flash region", "a record", "latents"):
        table.add_column(column, justify="right")
    table.add_column("fits")
    for row in report["fit"]:
        flash = row["flash"]
        held = (
            (f"{flash[key]:,}" for key in ("store_bytes", "slot_bytes", "latents"))
            if flash
            else "–––"
        )
        table.add_row(
            row["board"],
            f"{row['needed_bytes']:,}",
            f"{row['available_bytes']:,}",
            *held,
            Text("yes", "green") if row["fits"] else Text("no", "bold red"),
        )
    return table


def _cost_table(report: PlanReport) -> Table:
    table = Table(title="time and energy (model)", title_style="bold")
    table.add_column("board")
    table.add_column("chip")
    table.add_column("fits")
    for work in ("observe a sample", "predict", "training step"):
        table.add_column(work, justify="right")
    fits = {row["board"]: row["fits"] for row in report["fit"]}
    for observe, predict, step in zip(report["observe"], report["predict"], report["step"]):
        fit = fits[observe["board"]]
        table.add_row(
            observe["board"],
            observe["chip"],
            Text("yes", "green") if fit else Text("no", "bold red"),
            *(f"{c['ms']:.2f} ms  {c['mj']:.3g} mJ" for c in (observe, predict, step)),
        )
    return table
