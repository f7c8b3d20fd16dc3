"""Every kernel on every host, as a table: `make matrix`.

The outputs of tests/device/kernels_check.py are compared line by line. "exact" lines are held to
those of the definition (kernels.python on CPython), "bits" lines (real inputs, every C build) to
those of the C kernels on CPython. Both by CRC-32 of the written bytes: the tolerance is 0.

Writes out/bench/parity.json and prints the table; with --docs also puts it into docs/parity.md.
Ends with 1 when a line differs, or when a kernel of engram_kernels.def has no line on some host.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = [str(ROOT / p) for p in ("device_lib", "host")]
sys.path[:0] = [*LIBRARIES, str(ROOT / "tests"), str(ROOT / "tests" / "device")]

from firmware import natmod  # noqa: E402
from hosts import BOARDS, CPYTHON, BoardHost, run_cpython  # noqa: E402

OUT = ROOT / "out" / "bench" / "parity.json"
DOCUMENT = ROOT / "docs" / "parity.md"
CHECK = ["kernels_check", "kernels_cases", "kernels_cases_q8", "kernels_source"]

DEFINITION, C_REFERENCE = "cpython-py", "cpython-c"
TITLES = {
    "cpython-c": "CPython, C",
    "cpython-np": "CPython, numpy",
    "cpython-py": "CPython, plain Python",
}
# With the kernels of their firmware: those of the tests, and the cores that these do not have.
FIRMWARE = (*BOARDS, "qemu_m7", "qemu_m33", "qemu_m55")
# Board, architecture of the native module it loads.
NATIVE = (
    ("unix", "x64"),
    ("qemu_m4f", "armv7emsp"),
    ("qemu_m4f", "armv6m"),
    ("qemu_m3", "armv7m"),
    ("qemu_m0p", "armv6m"),
)
HEAD = """\
# Parity

`make matrix DOCS=1` makes this page from the outputs of `tests/device/kernels_check.py`: one row a
kernel, one column a host. A figure is the number of cases whose written bytes are those of the
reference: k/64 inputs, buffers in place and error messages against the definition (plain Python),
plus, on hosts with the C kernels, real inputs against the C kernels on CPython. The tolerance is 0
throughout; `n/m` would say that only n of m are equal. A host without the C kernels has no cases
with real inputs, so its figures are smaller.

"""


def by_kernel(lines):
    """(kernel, "exact" or "bits") -> its lines, in the order of the output."""
    rows = {}
    for line in lines:
        words = line.split()
        if words[0] not in ("exact", "bits"):
            continue
        at = {"in": 3, "misuse": 2}.get(words[1], 1)  # exact in place <kernel>, exact misuse ...
        rows.setdefault((words[at].split("_no_")[0], words[0]), []).append(line)
    return rows


def compare(lines, expected):
    """[equal, compared]: lines that both have, and those that either has."""
    both = Counter(lines) & Counter(expected)
    return [both.total(), max(len(lines), len(expected))]


def cell(kernel, cases, definition, reference):
    """Counts of one kernel on one host. found, definition, reference: as by_kernel gives them."""
    exact = compare(cases.get((kernel, "exact"), []), definition.get((kernel, "exact"), []))
    bits = cases.get((kernel, "bits"), [])
    expected = reference.get((kernel, "bits"), []) if any(k == "bits" for _, k in cases) else []
    return {"exact": exact, "bits": compare(bits, expected)}


def on_board(name, arch=None):
    """What kernels_check prints on a blank board: with its firmware's kernels, or a .mpy's."""
    with tempfile.TemporaryDirectory(prefix="engram-matrix-") as place:
        host = BoardHost(name, place)
        host.start()
        try:
            if arch is None:
                return host.run(CHECK[0])
            return natmod.run(host, natmod.whole(arch), CHECK[0], CHECK)
        finally:
            host.stop()


def outputs():
    """Title of a host -> the lines that kernels_check prints there."""
    rows = {TITLES[host]: run_cpython(host, CHECK[0]) for host in CPYTHON}
    for arch in {arch for _, arch in NATIVE}:
        natmod.whole(arch)  # before the boards, which run at the same time
    runs = [(name, None) for name in FIRMWARE] + list(NATIVE)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for (name, arch), lines in zip(runs, pool.map(on_board, *zip(*runs))):
            rows[f"{name}, {arch} .mpy" if arch else name] = lines
    return rows


def matrix(lines_of):
    """Kernel -> host -> cell."""
    split = {host: by_kernel(lines) for host, lines in lines_of.items()}
    definition, reference = split[TITLES[DEFINITION]], split[TITLES[C_REFERENCE]]
    return {
        kernel: {h: cell(kernel, lines, definition, reference) for h, lines in split.items()}
        for kernel in natmod.modules.rows()
    }


def shown(counts):
    equal, total = (sum(pair) for pair in zip(counts["exact"], counts["bits"]))
    return str(equal) if equal == total else f"{equal}/{total}"


def markdown(tables):
    hosts = list(next(iter(tables.values())))
    rows = ["| kernel | " + " | ".join(hosts) + " |", "|---|" + "---:|" * len(hosts)]
    for kernel, cells in tables.items():
        rows.append(f"| `{kernel}` | " + " | ".join(shown(cells[h]) for h in hosts) + " |")
    return "\n".join(rows) + "\n"


def faults(tables):
    """A line for every cell with a difference or with nothing compared."""
    problems = []
    for kernel, cells in tables.items():
        for host, counts in cells.items():
            equal, total = (sum(pair) for pair in zip(counts["exact"], counts["bits"]))
            if not total or equal != total:
                problems.append(f"{kernel} on {host}: {equal} of {total} cases equal")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--docs", action="store_true", help="write docs/parity.md")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join(LIBRARIES)  # for the processes that are the hosts
    tables = matrix(outputs())
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"tolerance": 0, "kernels": tables}, indent=1) + "\n")
    table, wrong = markdown(tables), faults(tables)
    print(table)
    if wrong:
        sys.exit("\n".join(wrong))
    if options.docs:
        DOCUMENT.write_text(HEAD + table)


if __name__ == "__main__":
    main()
