"""Finds the least free heap with which a board opens a model: the numbers of planning/fit.py.

    python tests/bench/opening.py qemu_m4f MODEL...        prints a line per model

A ballast at the REPL fills the heap, more of it each time, until the model does not open. What a
learner needs beside its smallest plan is then: heap that was free for it, less that plan. Stock
firmware: `engram install` first.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "host"), str(ROOT / "device_lib")]

from engram_host import api  # noqa: E402
from engram_host.device import MODEL, Device  # noqa: E402
from engram_host.errors import DeviceError  # noqa: E402
from engram_host.line import link  # noqa: E402

STEP = 2048  # bytes
AGENT = link.START_AGENT


def opened(board: Device, ballast: int) -> dict[str, Any] | None:
    """The learner that opens beside a ballast of so many bytes; None where none does."""
    link.START_AGENT = b"ballast=bytearray(%d);" % ballast + AGENT
    for blank in (True, False):  # the host opens a second time where the heap is in pieces
        board.link.soft_reset()
        if blank:
            board.link.call("store_format")
        try:
            return dict(board.link.call("open", model=MODEL, batch=16))
        except DeviceError as e:
            if "in one piece" not in e.said:
                break
    return None


def needed(board: Device, path: Path) -> tuple[int, int]:
    """(bytes free for a learner, bytes of its plan) at the largest ballast that lets it open."""
    link.START_AGENT = AGENT
    board.link.soft_reset()
    for name in board.files():
        board.remove(name)
    board.put(MODEL, path.read_bytes())
    heap = board.room()["heap_bytes"]
    low, high, plan = 0, heap // STEP, 0
    while high - low > 1:
        middle = (low + high) // 2
        learner = opened(board, middle * STEP)
        if learner is None:
            high = middle
        else:
            low, plan = middle, learner["ram_planned_bytes"]
    return heap - low * STEP, plan


def main(name: str, *models: str) -> None:
    with api.connect(name) as board:
        for model in models:
            free, plan = needed(board, Path(model))
            print(f"{model}: {free} bytes, {plan} of them planned: {free - plan} to open it")


if __name__ == "__main__":
    main(*sys.argv[1:])
