"""Instructions of integer training (q8) beside those of float32, on two emulated cores.

The passes of the layers of integer_cases.py, in the firmware. Every answer in q8 is checked
against the C kernels on this computer: a wrong one gets no figure, and the program ends with 1.
Writes out/bench/integer.json and prints the table; with --docs also puts it into
docs/benchmarks.md.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / p) for p in ("device_lib", "host", "tests", "tests/device")]

import _engram  # noqa: E402
import integer_cases  # noqa: E402
import table  # noqa: E402

from hosts import BoardHost  # noqa: E402

HERE = Path(__file__).resolve().parent
OUT = ROOT / "out" / "bench" / "integer.json"
BEGIN, END = "<!-- make bench, integer: begin -->", "<!-- make bench, integer: end -->"
CORES = {"qemu_m4f": "Cortex-M4F", "qemu_m0p": "Cortex-M0+"}


def macs(family, B, shape):
    """Products of a pass as if there were no padding."""
    if family == "dense":
        return B * shape[0] * shape[1]
    _, out, _, _, terms = integer_cases.elements(family, B, shape)
    return out * terms[0]


def expected(which, family, B, shape):
    name, args, written = integer_cases.q8(which, family, B, shape)
    getattr(_engram, name)(*args)
    return integer_cases.crcs(args, written)


def measure(host, wrong):
    """Rows of a board; appends to `wrong` what is not what this computer says."""
    for i, (layer, family, shape, batches) in enumerate(integer_cases.LAYERS):
        for B in batches:
            for which in integer_cases.PASSES:
                host.transport.enter_raw_repl(soft_reset=True)
                code = f"import integer_cases; integer_cases.count({i}, {B}, {which!r})"
                f32, q8, *crcs = host.exec(code).split()
                if crcs != expected(which, family, B, shape):
                    wrong.append(f"{layer} B{B} {which} ({host.name})")
                    continue
                yield {
                    "layer": layer,
                    "batch": B,
                    "pass": which,
                    "board": host.name,
                    "macs": macs(family, B, shape),
                    "f32_instructions": int(f32),
                    "q8_instructions": int(q8),
                    "kind": "icount",
                }


def markdown(rows):
    lines = ["| core | layer | batch | pass | float32 | q8 | |"]
    lines.append("|---|---|---:|---|---:|---:|---:|")
    for row in rows:
        f32, q8 = (row[f"{form}_instructions"] / row["macs"] for form in ("f32", "q8"))
        lines.append(
            f"| {CORES[row['board']]} | {row['layer']} | {row['batch']} | {row['pass']} "
            f"| {f32:.2f} | {q8:.2f} | {f32 / q8:.2f} times |"
        )
    return "\n".join(lines)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--docs", action="store_true", help="table into docs/benchmarks.md")
    options = options.parse_args()
    wrong, rows = [], []
    for board in CORES:
        with tempfile.TemporaryDirectory(prefix="engram-bench-") as state:
            host = BoardHost(board, state)
            host.start()
            try:
                source = ROOT / "tests/device/kernels_source.py"
                for path in (source, HERE / "cases.py", HERE / "integer_cases.py"):
                    host.put(path)
                rows += measure(host, wrong)
            finally:
                host.stop()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1) + "\n")
    text = markdown(rows)
    print(text)
    print("wrote", OUT.relative_to(ROOT))
    if options.docs:
        table.put(text, BEGIN, END)
        print("wrote docs/benchmarks.md")
    for line in wrong:
        print("bench: the answer is not this computer's:", line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
