"""The cost of a training step of the paper's VAE, and the time of its training on a board.

`model`: the plan's cost model, which adds counts of kernels by their shapes.
`icount`: counted on emulated boards; the whole network where the board has the memory, else one of
smaller pictures and fewer filters, beside which the model's figure for the same stands.

    time of a picture = instructions * cycles per instruction / clock
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import few_labels
import numpy as np
import paper
import steps
from rows import Row, Rows, table

from engram_host.make import vae
from engram_host.planning.fit import Wanted
from engram_host.planning.kernel_costs import CoreCosts, measured
from engram_host.planning.work import Work, instructions, not_counted
from engram_host.samples import Samples

PART = "vae_steps"
MODEL_BATCH = 100  # the paper's; a step's update is shared by as many pictures
MICRO = 10  # pictures in memory at a time, in 8-bit integers: in less than float32 takes for one
BATCH = 16  # of counted steps
RECIPES = {
    "paper": vae.Recipe([28, 28, 1]),
    "small": vae.Recipe([14, 14, 1], filters=(8, 16), strides=(2, 2), code=6),
}
CORES = {"qemu_m4f": "Cortex-M4F", "qemu_m0p": "Cortex-M0+", "qemu_m7": "Cortex-M7"}
COUNTED = (("paper", "qemu_m7"), ("small", "qemu_m4f"), ("small", "qemu_m0p"))


class Variant(NamedTuple):
    """learner: options of Learner. micro: pictures in memory at a time, of which a q8 node takes
    a step; counted: the same where boards count, as many as have room."""

    what: str
    learner: Mapping[str, Any]
    micro: int = 1
    counted: int = 4


REFERENCE = "f32"
VARIANTS = {
    REFERENCE: Variant("float32", {}),
    "f32 keep 0.1": Variant("float32, a tenth of the structures", {"keep": 0.1}),
    "q8": Variant("8-bit integers", {"format": "q8"}, MICRO, BATCH),
    "q8 1": Variant("8-bit integers, a picture in memory", {"format": "q8"}, 1, BATCH),
    "q8 keep 0.1": Variant(
        "8-bit integers, a tenth of the structures", {"format": "q8", "keep": 0.1}, MICRO, BATCH
    ),
    "mixed": Variant("8-bit integers below, float32 above", {"format": "mixed"}, MICRO, BATCH),
}


class Chip(NamedTuple):
    """A board's clock, and cycles per instruction, with where that comes from."""

    title: str
    core: str
    hertz: float
    cycles: float
    source: str


CHIPS = {
    "pico": Chip(
        "Pico, 133 MHz", "qemu_m0p", 133e6, 1.91,
        "the digits' float32 step takes 92.822 M cycles on the virtual Pico, 48.626 M "
        "instructions on qemu_m0p",
    ),
    "m4f": Chip(
        "M4F, 64 MHz", "qemu_m4f", 64e6, 1.5, "the assumption of boards/arduino_nano_33_ble"
    ),
}  # fmt: skip
EPOCH = 60_000  # pictures
PAPER_EPOCHS = 100
HOUR_S = 3600
HEAD_LABELS = 100  # a class, of the head on features


class Cell(NamedTuple):
    recipe: str
    board: str  # of which core
    variant: str
    kind: str  # "model" or "icount"

    @property
    def key(self) -> str:
        return f"{PART}/{self.kind}/{self.recipe}/{self.board}/{self.variant}"


class Head(NamedTuple):
    """The model's figures of teaching a head on features."""

    board: str
    variant: str

    @property
    def key(self) -> str:
        return f"{PART}/model/features/{self.board}/{self.variant}"


def cells(small: bool = False) -> Iterator[Cell | Head]:
    """Computed cells first; small: these alone, of the small network."""
    for name in VARIANTS:
        for recipe in ("small",) if small else RECIPES:
            for board in CORES:
                yield Cell(recipe, board, name, "model")
    if small:
        return
    for name in [name for name in VARIANTS if name != "q8 1"]:
        for recipe, board in COUNTED:
            yield Cell(recipe, board, name, "icount")
    for chip in CHIPS.values():
        for name in ("f32", "q8"):
            yield Head(chip.core, name)


def run(cell: Cell | Head) -> Row:
    """{"sample": instructions of a step per picture, ...}"""
    start_s = time.perf_counter()
    if isinstance(cell, Head):
        row = _head(cell)
    elif cell.kind == "model":
        row = _modelled(cell, MODEL_BATCH, VARIANTS[cell.variant].micro)
        row["small_batch"] = _modelled(cell, BATCH, VARIANTS[cell.variant].counted)["sample"]
    else:
        row = _counted(cell)
    return {**cell._asdict(), **row, "seconds": round(time.perf_counter() - start_s, 1)}


def _costs(board: str) -> CoreCosts:
    return next(costs for costs in measured().values() if costs.board == board)


@functools.cache
def _file(recipe: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="engram-vae-") as folder:
        path = Path(folder) / "m.safetensors"
        vae.write(path, RECIPES[recipe])
        return path.read_bytes()


def _work(
    raw: bytes, batch: int, options: Mapping[str, Any], optimiser: str, micro: int = 1
) -> tuple[Work, int]:
    """(the calls of kernels, bytes that the plan needs)"""
    settings = {
        "batch": batch, "micro": micro, "strategy": "finetune", "bits": 8,
        "optimiser": optimiser,
        **options,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="engram-vae-") as folder:
        path = Path(folder) / "m.safetensors"
        path.write_bytes(raw)
        wanted = Wanted(path, settings)
        total = wanted.config.plan().layout.total_bytes
        return wanted.work(micro, ()), total


def _modelled(cell: Cell, batch: int, micro: int) -> Row:
    costs = _costs(cell.board)
    work, total = _work(_file(cell.recipe), batch, VARIANTS[cell.variant].learner, "sgd", micro)
    return {
        "sample": instructions(work.step, costs) / batch, "ram": total,
        "not_counted": not_counted(work.step, costs),
    }  # fmt: skip


def _counted(cell: Cell) -> Row:
    shape = RECIPES[cell.recipe].shape
    pictures = few_labels.SETS["digits"].load().x_train[: 2 * BATCH]
    x = np.zeros((2 * BATCH, *shape), np.uint8)
    x[:, 3:11, 3:11] = pictures * 15
    work = steps.Work(
        _file(cell.recipe), Samples(x[:BATCH], None), Samples(x[BATCH:], None),
        {"batch": BATCH, "micro": VARIANTS[cell.variant].counted, "optimiser": "sgd", "bits": 8,
         "budget": BATCH,
         "new_share": 0.5, **VARIANTS[cell.variant].learner},
    )  # fmt: skip
    row = steps.measured(work, cell.board)
    return {**row, "sample": None if row["total"] is None else row["total"] / BATCH}


def _head(cell: Head) -> Row:
    """Taking a picture in, and a picture's part of a step of the head."""
    costs = _costs(cell.board)
    options = {"format": cell.variant}
    batch, raw = 16, few_labels.featured("fashion", 1)
    micro = few_labels.planned(raw, options)["micro"]
    work, total = _work(raw, batch, options, "momentum", micro)
    return {
        "observe": instructions(work.observe, costs), "ram": total,
        "sample": instructions(work.step, costs) / batch,
        "not_counted": not_counted(work.step, costs),
    }  # fmt: skip


def line(row: Row) -> str:
    if row["sample"] is None:
        return f"does not fit: {row['fits']}"
    return f"{row['sample']:,.0f} instructions a picture ({row['seconds']} s)"


def seconds(instructions_: float, chip: Chip) -> float:
    return instructions_ * chip.cycles / chip.hertz


def section(rows: Rows) -> list[str]:
    """The part's text: cost of a step, time of the training, an hour."""
    return [
        "## A training step of the paper's VAE",
        "Instructions of a picture, forward, backward and its part of the update (SGD, batch "
        f"{MODEL_BATCH}; a picture in memory at a time, in 8-bit integers {MICRO} where not told "
        "otherwise), by the plan's cost model (`model`):",
        _step_table(rows),
        f"Counted on emulated boards (`icount`), batch {BATCH}, beside the model for the same "
        "step:",
        _count_table(rows),
        "### How long the training takes",
        _time_table(rows),
        *_sources(),
        "### What an hour reaches",
        *_hour(rows),
    ]


def _step_table(rows: Rows) -> str:
    head = ["what learns", *(f"{name}, 10^6" for name in CORES.values()), "RAM, kB (plan)"]
    body = []
    for name, variant in VARIANTS.items():
        ours = [rows.get(Cell("paper", board, name, "model").key) for board in CORES]
        base = [rows.get(Cell("paper", board, REFERENCE, "model").key) for board in CORES]
        parts = [_against(row, of, name) for row, of in zip(ours, base)]
        ram = next((f"{row['ram'] / 1000:.0f}" for row in ours if row), "")
        body.append([variant.what, *parts, ram])
    return table(head, body)


def _against(row: Row | None, base: Row | None, name: str) -> str:
    if row is None:
        return "not run"
    if row["sample"] is None:
        return "does not fit"
    text = f"{row['sample'] / 1e6:.3f}"
    if name != REFERENCE and base and base["sample"]:
        text += f" ({base['sample'] / row['sample']:.2f} ×)"
    return text


def _count_table(rows: Rows) -> str:
    head = ["what learns", "network", "board", "counted, 10^6", "model, 10^6"]
    body = []
    for name, variant in VARIANTS.items():
        for recipe, board in COUNTED if name != "q8 1" else ():
            row = rows.get(Cell(recipe, board, name, "icount").key)
            base = rows.get(Cell(recipe, board, REFERENCE, "icount").key)
            model = rows.get(Cell(recipe, board, name, "model").key)
            told = f"{model['small_batch'] / 1e6:.3f}" if model else "not run"
            body.append([variant.what, _named(recipe), board, _against(row, base, name), told])
    return table(head, body)


def _named(recipe: str) -> str:
    own = RECIPES[recipe]
    size = "x".join(map(str, own.shape))
    return f"{size}, {own.filters[0]} and {own.filters[1]} filters, code {own.code}"


def _time_table(rows: Rows) -> str:
    head = ["what learns", "board", "a picture", f"an epoch, {EPOCH:,}",
            f"the paper's {PAPER_EPOCHS} epochs", "pictures in an hour"]  # fmt: skip
    body = []
    for name, variant in VARIANTS.items():
        for chip in CHIPS.values():
            row = rows.get(Cell("paper", chip.core, name, "model").key)
            if row is None:
                body.append([variant.what, chip.title, "not run", "", "", ""])
                continue
            one = seconds(row["sample"], chip)
            body.append([variant.what, chip.title, f"{1000 * one:.0f} ms",
                         f"{one * EPOCH / HOUR_S:.1f} h",
                         f"{one * EPOCH * PAPER_EPOCHS / HOUR_S / 24:.1f} days",
                         f"{HOUR_S / one:,.0f}"])  # fmt: skip
    return table(head, body)


def _sources() -> list[str]:
    words = [f"{chip.title}: {chip.cycles} cycles an instruction ({chip.source})"
             for chip in CHIPS.values()]  # fmt: skip
    return [
        f"`model`, nothing ran on hardware. {'; '.join(words)}. The paper's L4R5ZI, 120 MHz, "
        "takes 224 ms a picture in float32 and 228 ms in uint8, which is 16 days for its "
        f"{PAPER_EPOCHS} epochs. The whole network fits neither a Pico nor an nRF52840: "
        "their rows say how long such a core works, not that it fits."
    ]


def _hour(rows: Rows) -> list[str]:
    """Tables of both ways: the VAE for an hour, the head on features until it is done."""
    head = ["what learns", "board", "VAE: pictures in an hour",
            "accuracy at 100 labels a class, %, after"]  # fmt: skip
    body = []
    for name in (REFERENCE, "q8"):
        for chip in CHIPS.values():
            row = rows.get(Cell("paper", chip.core, name, "model").key)
            if row:
                seen = HOUR_S / seconds(row["sample"], chip)
                what = VARIANTS[name].what
                body.append([what, chip.title, f"{seen:,.0f}", _reached(rows, seen)])
    rest = ["head of 100 labels a class", "board", "taking 1,000 pictures in",
            f"{few_labels.EPOCHS} epochs", "in all", "RAM, kB (plan)"]  # fmt: skip
    lines = []
    for name in ("f32", "q8"):
        for chip in CHIPS.values():
            row = rows.get(Head(chip.core, name).key)
            if row:
                n = 10 * HEAD_LABELS
                observe = seconds(row["observe"] * n, chip)
                learn = seconds(row["sample"] * n * few_labels.EPOCHS, chip)
                lines.append([f"`{name}`", chip.title, _minutes(observe), _minutes(learn),
                              _minutes(observe + learn), f"{row['ram'] / 1000:.0f}"])  # fmt: skip
    return [
        table(head, body),
        "The accuracies are those of float32 (above), so many pictures on; that 8-bit integers "
        "reach them was not measured. The classifier's own training comes on top. Features from "
        "`engram make features` need no "
        "training of the network on the board (`model`):",
        table(rest, lines),
    ]


def _reached(rows: Rows, seen: float) -> str:
    """Accuracy at the last point that was evaluated before so many pictures."""
    points = [n for n in paper.HOW["fashion"].points if n * paper.BATCH <= 1.4 * seen]
    if not points:
        return "not run"
    near = min(points, key=lambda n: abs(n * paper.BATCH - seen))
    values = paper.at(rows, "fashion", 100, near)
    return f"{paper.told(values)}, after {near * paper.BATCH:,}"


def _minutes(s: float) -> str:
    return f"{s / 60:.1f} min"
