"""Installs on every emulated board with stock firmware, runs the demo there, and tells.

    python tests/install/stock_boards.py                    all of them
    python tests/install/stock_boards.py qemu_m7_stock      these
    python tests/install/stock_boards.py --table            none: what was measured before
    ... --docs                                              and the table into docs/install.md

Each board's report is in out/bench/stock/<board>. Ends with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "host"), str(ROOT / "device_lib")]

from engram_host import boards, demo  # noqa: E402

OUT = ROOT / "out" / "bench" / "stock"
MARK = re.compile(r"(<!-- stock: demo -->\n).*?(<!-- end -->)", re.S)
# The emulated Pico is not among them: its demo takes an hour.
NAMES = ("unix", "qemu_m0p", "qemu_m3", "qemu_m4f", "qemu_m7", "qemu_m33", "qemu_m55")
# The demo's bars, those of tests/host/test_demo.py; and the heap that an open learner leaves.
LEAST_REPLAY, MOST_FINETUNE, MOST_BELOW_JOINT, LEAST_FREE_BYTES = 0.90, 0.5, 0.04, 12_000


def measure(name: str, out: Path) -> dict[str, Any]:
    """The row of a board, whose firmware is built and whose flash is blank before."""
    demo.demo(name, out=out, say=lambda text: print(f"{name}: {text}", flush=True))
    return row_of(out)


def row_of(out: Path) -> dict[str, Any]:
    """The row of a board from the report of its demo."""
    result = json.loads((out / "result.json").read_text())
    summary = json.loads((out / "summary.json").read_text())
    steps = [step for session in result["replay"]["sessions"] for step in session["steps"]]
    installation = result["install"]
    return {
        "board": result["board"],
        "ram_bytes": result["ram"]["board_bytes"],
        "kernels": installation["kernels"]["modules"],
        "library_bytes": sum(part["heap_bytes"] for part in installation["parts"]),
        "micro": result["settings"]["learner"]["micro"],
        "free_bytes": result["ram"]["free_bytes"],
        "unit": result["counter_unit"],
        "per_step": round(sum(step["total"] for step in steps) / len(steps)),
        **{key: summary[f"accuracy_{key}"] for key in ("replay", "finetune", "joint")},
    }


def faults_of(row: dict[str, Any]) -> list[str]:
    """A line for everything that is wrong in a row."""
    rules = (
        (row["replay"] < LEAST_REPLAY, "accuracy with replay {replay:.3f}"),
        (row["finetune"] >= MOST_FINETUNE, "accuracy without replay {finetune:.3f}: no contrast"),
        (row["joint"] - row["replay"] > MOST_BELOW_JOINT, "{replay:.3f}, joint {joint:.3f}"),
        (row["free_bytes"] < LEAST_FREE_BYTES, "an open learner leaves {free_bytes} bytes"),
    )
    return [words.format(**row) for wrong, words in rules if wrong]


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a line a board."""
    head = ("board", "RAM", "kernels", "library and kernels, heap", "samples in memory")
    head += ("heap left, learner open", "accuracy", "without replay", "a training step")
    lines = ["| " + " | ".join(head) + " |", "|---|---:|---|" + "---:|" * (len(head) - 3)]
    for row in rows:
        kernels = ", ".join(f"`{module}` of {arch}" for module, arch in row["kernels"].items())
        cells = [f"`{row['board']}_stock`".replace("_stock_stock", "_stock")]
        cells += [f"{row['ram_bytes'] // 1024:,} KB", kernels, f"{row['library_bytes']:,}"]
        cells += [f"{row['micro']}", f"{row['free_bytes']:,}", f"{100 * row['replay']:.1f} %"]
        cells += [f"{100 * row['finetune']:.1f} %", f"{row['per_step']:,} {row['unit']}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("boards", nargs="*", help="names; none: all of them")
    parser.add_argument("--table", action="store_true", help="measure nothing")
    parser.add_argument("--docs", action="store_true", help="write it into docs/install.md")
    options = parser.parse_args()
    names = [name + boards.STOCK for name in NAMES]
    for name in [] if options.table else options.boards or names:
        os.environ["ENGRAM_STATE"] = str(OUT / name / "state")
        measure(name, OUT / name)
    rows = [row_of(OUT / name) for name in names if (OUT / name / "result.json").exists()]
    print(table(rows))
    wrong = [f"{row['board']}: {fault}" for row in rows for fault in faults_of(row)]
    if wrong:
        sys.exit("\n".join(wrong))
    if options.docs:
        docs = ROOT / "docs" / "install.md"
        docs.write_text(MARK.sub(lambda m: m[1] + table(rows) + "\n" + m[2], docs.read_text()))


if __name__ == "__main__":
    main()
