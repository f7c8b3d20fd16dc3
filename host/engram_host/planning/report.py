"""`engram plan`: what a model needs and costs, before anything is flashed. All of it `model`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engram.continual.defaults import BITS
from engram.errors import ModelError
from engram.nn import formats
from engram.nn.geometry import elems
from engram.nn.names import gradient
from engram.nn.ops import ITEM_BYTES, macs
from engram.nn.plan import Plan

from .energy import Board, Cost, cost, has_power_figures
from .fit import Fit, Wanted, fit
from .timing import core_costs
from .work import computed_twice, instructions, not_counted


class LayerPlan(TypedDict):
    """One node. RAM of nodes adds up to more than the peak: buffers share memory in time."""

    stage: str
    name: str
    op: str
    format: str
    learns: str  # "all", "bias", chosen channels (as "in:0-7;out:3") or ""
    out: list[int]
    parameters: int
    flash_bytes: int  # in the model file
    ram_bytes: int  # parameters, what the optimiser keeps of them, output and its gradient
    macs_forward: int  # one sample
    macs_backward: int  # with what is computed twice


class PlanReport(TypedDict):
    """The result of plan_report()."""

    model: str
    classes: int
    batch: int
    micro: int  # samples in memory at a time
    replay_slots: int
    bits: int
    strategy: str
    scope: str
    optimiser: str
    latent_bytes: int  # packed
    layers: list[LayerPlan]
    ram_peak_bytes: int
    ram_rows: list[list[Any]]  # Plan.rows
    model_file_bytes: int
    rehearsal: int  # latents that the model file carries for replay
    rehearsal_bytes: int  # of the model file, for these
    macs_observe: int  # one sample through the frozen stage
    macs_predict: int  # one sample through both
    macs_step: int  # one mini-batch of latents: forward, backward
    observe: list[Cost]
    predict: list[Cost]
    step: list[Cost]
    not_counted: dict[str, list[str]]  # {board: kernels that have no measured cost on its core}
    fit: list[Fit]
    source: NotRequired[str]


def plan_report(
    spec_path: Path | str,
    boards: Iterable[Board],
    batch: int = 16,
    replay_slots: int = 0,
    *,
    bits: int = BITS,
    strategy: str = "replay",
    classes: int | None = None,
    micro: int | None = None,
    **options: Any,
) -> PlanReport:
    """Per node and in total: RAM, flash, multiply-accumulates; time and energy on the boards.

    spec_path: a device model file. replay_slots: latents that the RAM index has room for; 0: none
    in the total, and for each board as many as its flash holds. bits, strategy, classes: as the
    learner takes them. micro: samples in memory at a time, a divisor of batch; None: the whole
    batch, and for each board as many as fit. options: scope, depth, optimiser, momentum, clip,
    keep, skip and recompute, as the learner takes them. Raises ModelError, DataError.
    """
    path = Path(spec_path)
    boards = list(boards)
    if not path.is_file():
        raise ModelError(
            f"{path}: expected a device model, got no file; make it with `engram convert`"
        )
    settings = {"batch": batch, "micro": micro, "bits": bits, "strategy": strategy}
    target = Wanted(path, {**settings, "classes": classes, **options})
    spec, config = target.spec, target.config
    plan = config.plan(replay_slots, bits)
    layers = [*_frozen_layers(spec), *_adaptive_layers(spec, plan)]
    observe = sum(row["macs_forward"] for row in layers if row["stage"] == "frozen")
    forward = sum(row["macs_forward"] for row in layers if row["stage"] == "adaptive")
    backward = sum(row["macs_backward"] for row in layers)
    fits = [fit(board, target, replay_slots) for board in boards]
    timed = [
        _costs(target, row, board)
        for board, row in zip(boards, fits)
        if has_power_figures(board) and core_costs(board)
    ]
    return {
        "model": spec.name,
        "classes": spec.classes,
        "batch": batch,
        "micro": plan.micro,
        "replay_slots": replay_slots,
        "bits": bits,
        "strategy": strategy,
        "scope": config.scope,
        "optimiser": config.optimiser.name,
        "latent_bytes": (spec.latent_elems * bits + 7) // 8,
        "layers": layers,
        "ram_peak_bytes": plan.layout.total_bytes,
        "ram_rows": [list(row) for row in plan.layout.rows],
        "model_file_bytes": path.stat().st_size,
        "rehearsal": spec.rehearsal[0] if spec.rehearsal else 0,
        "rehearsal_bytes": _rehearsal_bytes(spec),
        "macs_observe": observe,
        "macs_predict": observe + forward,
        "macs_step": batch * (forward + backward),
        "observe": [row.observe for row in timed],
        "predict": [row.predict for row in timed],
        "step": [row.step for row in timed],
        "not_counted": {row.step["board"]: row.not_counted for row in timed if row.not_counted},
        "fit": fits,
        "source": "model",
    }


def _rehearsal_bytes(spec: Any) -> int:
    """Bytes of the tensors that a model file carries for replay."""
    entries = spec.file.entries.items()
    return sum(entry[3] for name, entry in entries if name.startswith("rehearsal."))


class _Timed(NamedTuple):
    """Time and energy on a board, and the kernels of which its core has no measured cost."""

    observe: Cost
    predict: Cost
    step: Cost
    not_counted: list[str]


def _costs(target: Wanted, fit: Fit, board: Board) -> _Timed:
    """For mini-batches as that board takes them."""
    core = core_costs(board)
    assert core is not None
    work = target.work(fit["micro"], fit["recompute"])
    observe, predict, step = (cost(instructions(calls, core), board, core.code) for calls in work)
    missing = {kernel for calls in work for kernel in not_counted(calls, core)}
    return _Timed(observe, predict, step, sorted(missing))


def _frozen_layers(spec: Any) -> list[LayerPlan]:
    rows: list[LayerPlan] = []
    for node in spec.net.frozen:
        row = _row("frozen", node, "")
        row["ram_bytes"] = row["flash_bytes"] + elems(node["out"])
        rows.append(row)
    return rows


def _adaptive_layers(spec: Any, plan: Plan) -> list[LayerPlan]:
    program = plan.program
    needs, again = program.needs_gradient(), computed_twice(plan)
    own = {row[0]: row[2] for row in plan.layout.rows}  # buffers that lie in no other's memory
    copies = (plan.choice.gradients is not None) + len(plan.states)  # per parameter that learns
    rows: list[LayerPlan] = []
    for node in spec.net.adaptive:
        name = node["name"]
        learns = program.learns.get(name, "")
        row = _row("adaptive", node, learns)
        learned = sum(elems(shape) for n, _, _, shape, _ in program.learned if n is node)
        row["ram_bytes"] = row["flash_bytes"] + 4 * copies * learned
        row["ram_bytes"] += sum(own.get(buffer, 0) for buffer in (name, gradient(name)))
        inputs = sum(needs[value] for value in node["in"])
        if name in program.chosen:
            own_macs = macs(program.chosen[name].node)
        else:
            own_macs = row["macs_forward"] if learns == "all" else 0
        row["macs_backward"] = own_macs + inputs * row["macs_forward"]
        if plan.partial:
            row["macs_backward"] = round(row["macs_backward"] * plan.partial.share(node))
        row["macs_backward"] += again.get(name, 0)
        rows.append(row)
    return rows


def _said_of(learns: str) -> str:
    return "channels" if ":" in learns else learns or "–"


def _row(stage: str, node: Mapping[str, Any], learns: str) -> LayerPlan:
    tensors = formats.load(node["format"]).tensors(node)
    return {
        "stage": stage,
        "name": node["name"],
        "op": node["op"],
        "format": node["format"],
        "learns": learns,
        "out": list(node["out"]),
        "parameters": sum(elems(shape) for _, _, shape in tensors),
        "flash_bytes": sum(ITEM_BYTES[dtype] * elems(shape) for _, dtype, shape in tensors),
        "ram_bytes": 0,
        "macs_forward": macs(node),
        "macs_backward": 0,
    }


_AVAILABLE = (
    "free: what the board said, or was measured on it (board.toml) with firmware, agent and "
    "library loaded; about: estimated from the chip's RAM. Measured heap of a learner is within "
    "3 % of RAM needed; up to 20 % above it with stock firmware, 5 % with 64-bit pointers."
)


def plan_table(report: PlanReport) -> RenderableType:
    """The report for a terminal."""
    title = (
        f"{report['model']}, mini-batches of {report['batch']}, {report['micro']} samples in "
        f"memory; strategy {report['strategy']}, {report['scope']} learns"
    )
    layers = Table(title=title, title_style="bold")
    for column in ("learns", "layer", "op", "output"):
        layers.add_column(column)
    for column in ("parameters", "flash B", "RAM B", "MACs forward", "MACs backward"):
        layers.add_column(column, justify="right")
    for row in report["layers"]:
        layers.add_row(
            "frozen" if row["stage"] == "frozen" else _said_of(row["learns"]),
            row["name"],
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
        f", {report['rehearsal_bytes']:,} of them {report['rehearsal']:,} latents for replay"
        if report["rehearsal"]
        else "",
    )
    parts: list[RenderableType] = [layers, peak]
    if any(row["flash"] for row in report["fit"]):
        parts += [Text(), _memory_table(report), Text(_AVAILABLE, style="dim")]
        parts += [*_twice(report), *_refusals(report)]
    if report["step"]:
        parts += [Text(), _cost_table(report), *_means(report)]
    return Group(*parts)


def _memory_table(report: PlanReport) -> Table:
    table = Table(
        title=f"memory (model), latents of {report['bits']} bits: {report['latent_bytes']} bytes",
        title_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("board", no_wrap=True)
    columns = ("RAM\nneeded", "to open", "\nfree", "samples\nin RAM", "latents\nin flash")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("fits")
    for row in report["fit"]:
        flash = row["flash"]
        about = "about " if row["available"] == "estimated" else ""
        table.add_row(
            row["board"],
            f"{row['needed_bytes']:,}",
            f"{row['opening_bytes']:,}",
            f"{about}{row['available_bytes']:,}",
            f"{row['micro']}, recomputed" if row["recompute"] else f"{row['micro']}",
            f"{flash['latents']:,}" if flash else "–",
            Text("yes", "green") if row["fits"] else Text("no", "bold red"),
        )
    return table


def _twice(report: PlanReport) -> Iterable[Text]:
    """Lines on boards that compute layers twice, and on the cost."""
    for row in report["fit"]:
        if row["recompute"]:
            more, names = row["recompute_macs"], ", ".join(row["recompute"])
            yield Text.assemble(
                (f"{row['board']}: ", "bold"),
                f"computes twice per step: {names}; {more:,} multiply-accumulates more",
                f" (+{more / report['macs_step']:.1%})" if report["macs_step"] else "",
            )


def _refusals(report: PlanReport) -> Iterable[Text]:
    """Why the learner does not fit boards, and the options with which it does."""
    for row in report["fit"]:
        for reason in row["reasons"]:
            yield Text.assemble((f"{row['board']}: ", "bold"), reason)
        if row["proposal"]:
            words = " ".join(f"--{name} {value}" for name, value in row["proposal"].items())
            yield Text.assemble("  it fits with ", (words, "bold green"))
        elif row["reasons"]:
            yield Text("  no other batch, bits, optimiser, strategy or scope makes it fit")


def _means(report: PlanReport) -> Iterable[Text]:
    """Lines on kernels that `make bench` has not counted."""
    for board, kernels in report["not_counted"].items():
        text = f"no measured cost of {', '.join(kernels)}: the mean of its core stands for it"
        yield Text.assemble((f"{board}: ", "bold"), text)


def _cost_table(report: PlanReport) -> Table:
    table = Table(title="time and energy (model)", title_style="bold")
    table.add_column("board")
    table.add_column("chip")
    table.add_column("fits")
    for work in ("observe a sample", "predict", "training step"):
        table.add_column(work, justify="right")
    verdicts = {row["board"]: row["fits"] for row in report["fit"]}
    for observe, predict, step in zip(report["observe"], report["predict"], report["step"]):
        fit = verdicts[observe["board"]]
        table.add_row(
            observe["board"],
            observe["chip"],
            Text("yes", "green") if fit else Text("no", "bold red"),
            *(f"{c['ms']:.2f} ms  {c['mj']:.3g} mJ" for c in (observe, predict, step)),
        )
    return table
