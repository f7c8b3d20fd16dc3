"""A training step on the emulated boards: instructions on QEMU, cycles on the virtual Pico.

Each workload is a session as a user runs it over the link; the figure is the step as the log has
it, from the first record drawn to the last weight updated, the median of the steps. `icount` and
`cycles` are exact and of emulators, never compared with silicon.
"""

from __future__ import annotations

import contextlib
import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keywords
import memory
from rows import Row, Rows, table
from variants import REFERENCE, VARIANTS

from engram_host import api, demo, virtual
from engram_host.datasets import digits, draw_per_class
from engram_host.errors import DeviceError
from engram_host.samples import Samples

PART = "steps"
STEPS = 3
BOARDS = {
    "qemu_m4f": "Cortex-M4F",
    "qemu_m33": "Cortex-M33",
    "qemu_m0p": "Cortex-M0+",
    "virtual_pico": "virtual Pico",
}
BATCH = 16
COUNTER = 1 << 30
BLOCK_BATCH = 2  # a counter holds no more of a step in float32 on a core without an FPU


class Work(NamedTuple):
    """A session. raw: the model file. known, new: Samples; options: of Learner."""

    raw: bytes
    known: Samples
    new: Samples
    options: dict[str, Any]


def demo_digits() -> Work:
    """The demo's model and settings; 7 comes when 0 to 4 are known."""
    data, settings = digits(), demo.load_settings()
    with tempfile.TemporaryDirectory(prefix="engram-budget-") as folder:
        raw = demo.prepare(Path(folder), data, settings).read_bytes()
    known = Samples(*draw_per_class(data.x_train, data.y_train, range(5), 4, 1))
    new = Samples(*draw_per_class(data.x_train, data.y_train, [7], 32, 1))
    names = ("batch", "lr", "momentum", "weight_decay", "lr_decay", "policy", "budget")
    return Work(raw, known, new, {name: settings["learner"][name] for name in names})


def ds_cnn(where: str, batch: int) -> Callable[[], Work]:
    """DS-CNN S from a cut on, on keywords; half of a batch is replayed."""

    def work() -> Work:
        part = keywords.cut(where)
        both = [Samples(part.x[rows], part.y[rows]) for rows in (slice(0, 8), slice(8, 24))]
        return Work(part.raw, *both, {"batch": batch, "bits": 4, "budget": 8, "new_share": 0.5})

    return work


WORKLOADS = {
    "digits": (f"The digits' adaptive stage, batch {BATCH}", demo_digits),
    "head": (f"DS-CNN S, the head, batch {BATCH}", ds_cnn("head", BATCH)),
    "block": (
        f"DS-CNN S, the last block and the head, batch {BLOCK_BATCH}",
        ds_cnn("block", BLOCK_BATCH),
    ),
}


class Cell(NamedTuple):
    work: str
    board: str
    variant: str = REFERENCE

    @property
    def key(self) -> str:
        return f"{PART}/{self.work}/{self.board}/{self.variant}"


def cells(small: bool = False) -> Iterator[Cell]:
    """Boards start one after the other; a small campaign starts none."""
    if small:
        return
    for variant in VARIANTS:
        if VARIANTS[variant].on_boards:
            for work in WORKLOADS:
                for board in BOARDS:
                    yield Cell(work, board, variant)


def run(cell: Cell) -> Row:
    """{"total", "inside" kernels, "phases": counter units of a step, ...}; "fits": None where the
    board's memory takes it, else what it says."""
    variant = VARIANTS[cell.variant]
    work = WORKLOADS[cell.work][1]()
    work = work._replace(options={**work.options, **variant.learner})
    return {**cell._asdict(), **measured(work, cell.board)}


def measured(work: Work, board: str, steps: int = STEPS) -> Row:
    """A workload's steps by a board's counter, and the arena that it takes.

    steps: how many; of more than STEPS the mean of the second half counts.
    """
    start_s = time.perf_counter()
    _built(board)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="engram-steps-")))
        stack.enter_context(_state(folder / "state"))
        model = folder / "model.safetensors"
        model.write_bytes(work.raw)
        api.start(board, fresh=True)
        stack.callback(virtual.stop, board)
        device = stack.enter_context(api.connect(board))
        figures = _figures(device, model, work, steps)
    return {
        **figures, **memory.of(work.raw, work.options["batch"], work.options),
        "seconds": round(time.perf_counter() - start_s, 1),
    }  # fmt: skip


@functools.cache
def _built(board: str) -> None:
    api.build(board)


def _figures(device: Any, model: Path, work: Work, steps: int) -> Row:
    counter = device.counter
    try:
        learner = device.push_model(model, seed=1, strategy="replay", **work.options)
        device.observe(work.known)
        device.end_session()
        device.observe(work.new)
        records = list(device.learning(steps=steps))
    except DeviceError as error:
        if error.kind not in ("FitError", "MemoryError"):
            raise
        return {"fits": error.said, "total": None, **counter}
    return {
        "fits": None,
        "total": _typical(records, lambda r: r["total"]),
        "inside": _typical(records, lambda r: r["total"] - r["outside"]),
        "phases": {name: _typical(records, lambda r, n=name: r["phases"][n])
                   for name in records[0]["phases"]},
        "micro": learner.get("micro"),
        "ram_planned_bytes": learner["ram_planned_bytes"],
        "samples": work.options["batch"],
        **counter,
    }  # fmt: skip


def _typical(records: list, value: Callable[[dict], int]) -> int:
    """The differences of a counter modulo 2**30: a step that takes longer has no figure."""
    values = [value(record) % COUNTER for record in records]
    if len(values) > STEPS:
        return int(statistics.mean(values[len(values) // 2 :]))
    return int(statistics.median(values))


@contextlib.contextmanager
def _state(folder: Path) -> Iterator[None]:
    """The flash of virtual boards lies in a folder of its own."""
    before = os.environ.get("ENGRAM_STATE")
    os.environ["ENGRAM_STATE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["ENGRAM_STATE"]
        else:
            os.environ["ENGRAM_STATE"] = before


def line(row: Row) -> str:
    if row["total"] is None:
        return f"does not fit: {row['fits']}"
    return (
        f"{row['total']:,} {row['unit']} a step, {row['train_bytes']:,} bytes ({row['seconds']} s)"
    )


# (what, work, board, condition as told, whether (float32's row, this row) meet it)
BARS = (
    ("q8", "digits", "qemu_m0p", "≥ 15 × fewer", lambda a, b: a["total"] >= 15 * b["total"]),
    ("q8", "digits", "virtual_pico", "≤ 6 M", lambda a, b: b["total"] <= 6_000_000),
    ("q8", "digits", "qemu_m4f", "≥ 1.3 × fewer", lambda a, b: a["total"] >= 1.3 * b["total"]),
)
MEMORY_BAR = 0.5  # of float32's weights, gradients and activations
HEAD_BYTES = 7000  # an update of the head of DS-CNN S, beyond the frozen stage


def section(rows: Rows) -> list[str]:
    """The part's text: a table a workload."""
    out = ["## A training step on emulated boards"]
    for work, (title, _) in WORKLOADS.items():
        head = ["format", *(f"{name}, 10^6 {_unit(board)}" for board, name in BOARDS.items()),
                "weights, gradients, activations, kB", "bars"]  # fmt: skip
        body = [_line(rows, work, name) for name in VARIANTS if VARIANTS[name].on_boards]
        out += [f"### {title}", table(head, body)]
    return out


def _unit(board: str) -> str:
    return "cycles" if board == "virtual_pico" else "instructions"


def _line(rows: Rows, work: str, name: str) -> list[str]:
    ours, said, kilo = [], [], ""
    for board in BOARDS:
        row, base = (rows.get(Cell(work, board, v).key) for v in (name, REFERENCE))
        ours.append(_told(row, base if name != REFERENCE else None))
        if row:
            kilo = f"{row['train_bytes'] / 1000:.1f}"
        if row and base and name != REFERENCE:
            said += _bars(work, board, name, base, row)
    return [f"`{name}`", *ours, kilo, "; ".join(dict.fromkeys(said))]


def _told(row: Row | None, base: Row | None) -> str:
    if row is None:
        return "not run"
    if row["total"] is None:
        return "does not fit"
    text = f"{row['total'] / 1e6:.3f}"
    return f"{text} ({base['total'] / row['total']:.1f} ×)" if base and base["total"] else text


def _bars(work: str, board: str, name: str, base: Row, row: Row) -> list[str]:
    met = {}
    for variant, its_work, its_board, text, condition in BARS:
        if (
            (variant, its_work, its_board) == (name, work, board)
            and base["total"]
            and row["total"]
        ):
            met[f"{BOARDS[board]} {text}"] = condition(base, row)
    share = row["train_bytes"] / base["train_bytes"]
    met[f"memory {100 * share:.0f} % ≤ {100 * MEMORY_BAR:.0f} %"] = share <= MEMORY_BAR
    if work == "head":
        met[f"≤ {HEAD_BYTES / 1000:.0f} kB"] = row["train_bytes"] <= HEAD_BYTES
    return [f"{text}: {'reached' if good else 'not reached'}" for text, good in met.items()]
