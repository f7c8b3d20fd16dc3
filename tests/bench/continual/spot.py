"""A small P1 cell on the emulated board and on CPython: the same picks, the same weights.

python tests/bench/continual/spot.py
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / p) for p in ("device_lib", "host", "tests")]

import cells  # noqa: E402
import latents_protocols as protocols  # noqa: E402
import spot_cell  # noqa: E402
import streams  # noqa: E402

from hosts import BoardHost  # noqa: E402

BOARD = "qemu_m4f"
FIRST, EACH = 8, 16  # samples of a class known, of a new one
RTOL, ATOL = 1e-3, 1e-5  # rounding of float32, added up over some hundred steps


def write(folder: Path) -> None:
    """spot.safetensors and spot.bin, as spot_cell reads them."""
    data = streams.data_of(protocols.fashion(), cells.DENSE["P1"])
    parts = [
        protocols.drawn(data.y_train, group, EACH if n else FIRST, n)
        for n, group in enumerate(data.groups[:4])
    ]
    raw = bytearray([len(parts), *map(len, parts)])
    for part in parts:
        for i in part:
            raw += bytes([data.y_train[i]]) + data.x_train[i].tobytes()
    (folder / "spot.bin").write_bytes(raw)
    (folder / "spot.safetensors").write_bytes(data.model.read_bytes())


def differences(here: list[str], there: list[str]) -> list[str]:
    """Lines in which two hosts disagree."""
    wrong = [] if len(here) == len(there) else [f"{len(here)} lines, {len(there)} lines"]
    for a, b in zip(here, there):
        kind, *_, last = a.split()
        if kind == "close" and a.split()[1] == b.split()[1]:
            x, y = float(last), float(b.split()[-1])
            if abs(x - y) <= ATOL + RTOL * abs(x):
                continue
        elif a == b:
            continue
        wrong.append(f"{a} | {b}")
    return wrong


def on_this_computer(folder: Path, strategy: str) -> list[str]:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        spot_cell.main(f"{folder}/", strategy)
    return output.getvalue().splitlines()


def on_the_board(folder: Path, strategies: list[str]) -> list[list[str]]:
    with tempfile.TemporaryDirectory(prefix="engram-spot-") as state:
        host = BoardHost(BOARD, state)
        host.start()
        try:
            for name in ("spot.bin", "spot.safetensors"):
                host.put(folder / name)
            host.put(Path(spot_cell.__file__))
            outputs = []
            for strategy in strategies:
                host.transport.enter_raw_repl(soft_reset=True)
                output = host.exec(f"import spot_cell; spot_cell.main('', {strategy!r})")
                outputs.append(output.splitlines())
            return outputs
        finally:
            host.stop()


def main() -> int:
    strategies = ["replay", cells.BEST]
    with tempfile.TemporaryDirectory(prefix="engram-spot-data-") as name:
        folder = Path(name)
        write(folder)
        failures = 0
        for strategy, there in zip(strategies, on_the_board(folder, strategies)):
            here = on_this_computer(folder, strategy)
            wrong = differences(here, there)
            failures += bool(wrong)
            exact = sum(line.startswith("exact") for line in here)
            print(f"{strategy}: {exact} exact lines, {len(here) - exact} close; wrong: {wrong}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
