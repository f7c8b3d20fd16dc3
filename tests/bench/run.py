"""Instructions of the kernels, counted exactly on the emulated board: `make bench`.

Every answer is checked first, against numpy on this computer: a wrong one gets no figure, and the
program ends with 1. Writes out/bench/kernels.json and prints the table; with --docs also puts it
into docs/benchmarks.md. What is counted stands in that document.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / p) for p in ("device_lib", "host", "tests", "tests/device")]

import cases  # noqa: E402
import table  # noqa: E402

from engram.kernels import numpy as over_numpy  # noqa: E402
from engram_host.build import find_source  # noqa: E402
from hosts import BoardHost  # noqa: E402

BOARD = "qemu_m4f"
HERE = Path(__file__).resolve().parent
OUT = ROOT / "out" / "bench"

# build -> (architecture, native module or None for the firmware, further compiler flags, cases)
BUILDS = {
    "firmware": ("armv7emsp", None, "", cases.CASES),
    "VMLA .mpy": ("armv7emsp", "_engram_core", "-DENGRAM_VMLA=1", cases.F32),
    ".mpy": ("armv6m", "_engram_int8", "", cases.S8),
}
# Bytes of fixed buffers on a kernel's stack: what it has widened (engram_tile_s8.h), and the
# weights of four channels (engram_stacked_t; 3 x 3 floats).
COLUMNS, WINDOW, SUMS = 4 * 288, 288, 4 * 64
DEPTHWISE, DEPTHWISE_F32 = 4 * 288 + 8 * 32, 4 * 9 * 4


CALL_ARGUMENTS = 7  # of dense_fwd


def scratch(name, build):
    if name in ("f32_depthwise3x3_fwd", "f32_depthwise3x3_bwd_dx"):
        return DEPTHWISE_F32
    if build != "firmware" or not name.startswith("s8"):
        return 0
    if "depthwise" in name:
        return DEPTHWISE
    if "dense" in name:
        return COLUMNS + SUMS
    return COLUMNS + WINDOW if "conv3x3" in name else COLUMNS


def native_module(arch, module, flags):
    """Builds a native module of its own; its path."""
    out = ROOT / "build" / "bench" / (arch + "".join(c for c in flags if c.isalnum()))
    command = [
        "make", "-C", ROOT / "firmware" / "natmod", f"MPY_DIR={find_source().path}",
        f"ARCH={arch}", f"MODULE={module}", f"OUT={out}", f"CFLAGS_EXTRA={flags}",
        f"PYTHON={sys.executable}",
    ]  # fmt: skip
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    result = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    if result.returncode:
        sys.exit(f"bench: {module} for {arch} does not build:\n{result.stdout}{result.stderr}")
    return out / f"{module}.mpy"


def count(host, module, number, inside):
    """(instructions, CRCs) of a case on the board, in a fresh interpreter: buffers are large."""
    host.transport.enter_raw_repl(soft_reset=True)
    line = host.exec(f"import on_board; on_board.count({module!r}, {number}, {inside})")
    n, *crcs = line.split()
    return int(n), crcs


@functools.cache
def reference(case):
    args = cases.arguments(case)
    getattr(over_numpy, cases.kernel_of(case))(*args)
    return cases.crcs(case, args)


def measure(host, build, wrong):
    """Rows of one build; appends to `wrong` what does not give the reference's answer."""
    arch, module, flags, names = BUILDS[build]
    if module:
        host.put(native_module(arch, module, flags))
    for case in names:
        name, _, _, _, shape = case
        n, crcs = count(host, module or "_engram", cases.CASES.index(case), module is None)
        if crcs != reference(case):
            wrong.append(f"{name} {shape} ({build}, {arch}): the answer is not the reference's")
            continue
        macs = cases.macs(case)
        yield {
            "kernel": name,
            "board": BOARD,
            "arch": arch,
            "build": build,
            "shape": shape,
            "macs": macs,
            "instructions": n,
            "instr_per_mac": round(n / macs, 3),
            "scratch_bytes": scratch(name, build),
            "kind": "icount",
        }


def call_overhead(host, wrong):
    """Rows of a call with one product: all of it, and its parts (docs/benchmarks.md)."""
    host.transport.enter_raw_repl(soft_reset=True)
    *counts, result = host.exec("import on_board; on_board.overhead('_engram')").split()
    whole, inside, none, one = (int(n) for n in counts)
    if float(result) != 7:
        wrong.append("dense_fwd 1x1x1: the answer is not the reference's")
        return
    machine = none + CALL_ARGUMENTS * (one - none)
    yield from one_product(
        {
            "call": whole,
            "call: MicroPython's own": machine,
            "call: arguments": whole - machine - inside,
            "call: overlap, shapes, product": inside,
        }
    )


def tape_overhead(host, wrong):
    """Rows of a tape whose rows are that call: one of its rows, and a run of none."""
    host.transport.enter_raw_repl(soft_reset=True)
    row, none, result = host.exec("import on_board; on_board.tapes('_engram')").split()
    if float(result) != 7:
        wrong.append("dense_fwd 1x1x1 on a tape: the answer is not the reference's")
        return
    yield from one_product({"tape: row": int(row), "tape: run of no rows": int(none)})


def one_product(counts):
    """Rows of figures that are of a call of dense_fwd with one product."""
    for name, n in counts.items():
        yield {
            "kernel": name,
            "board": BOARD,
            "arch": "armv7emsp",
            "build": "firmware",
            "shape": "dense_fwd 1x1x1",
            "macs": 1,
            "instructions": n,
            "instr_per_mac": n,
            "scratch_bytes": 0,
            "kind": "icount",
        }


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--docs", action="store_true", help="table into docs/benchmarks.md")
    options = options.parse_args()
    wrong, rows = [], []
    with tempfile.TemporaryDirectory(prefix="engram-bench-") as state:
        host = BoardHost(BOARD, state)
        host.start()
        try:
            source = ROOT / "tests/device/kernels_source.py"
            for path in (source, HERE / "cases.py", HERE / "on_board.py"):
                host.put(path)
            for build in BUILDS:
                rows += measure(host, build, wrong)
            rows += call_overhead(host, wrong)
            rows += tape_overhead(host, wrong)
        finally:
            host.stop()
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "kernels.json").write_text(json.dumps(rows, indent=1) + "\n")
    text = table.markdown(rows)
    print(text)
    print("wrote out/bench/kernels.json")
    if options.docs:
        table.put(text)
        print("wrote docs/benchmarks.md")
    for line in wrong:
        print("bench:", line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
