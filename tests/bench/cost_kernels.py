"""Instructions of every kernel in a few shapes on every emulated core, for `engram plan`.

    python tests/bench/cost_kernels.py [BOARD...]

Part of `make bench`. Writes host/engram_host/planning/costs.json; boards that are not named keep
what they have there. Figures: icount.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / p) for p in ("device_lib", "host", "tests", "tests/device")]

import cost_shapes  # noqa: E402
import cost_steps as steps  # noqa: E402
import kernels_check  # noqa: E402

from engram.kernels.demands import ROWS, parsed  # noqa: E402
from engram_host import boards  # noqa: E402
from engram_host.planning.energy import code_of  # noqa: E402
from engram_host.planning.kernel_costs import FILE  # noqa: E402
from engram_host.planning.sizes import STEP, names, sizes  # noqa: E402
from hosts import BoardHost, needed  # noqa: E402

BOARDS = ("qemu_m4f", "qemu_m7", "qemu_m33", "qemu_m55", "qemu_m3", "qemu_m0p")
HERE = Path(__file__).resolve().parent


def kernels():
    """{kernel: its shapes}, of all that rows of a model may have."""
    cases = {kernels_check.kernel_name(b): shapes for b, _, _, shapes in kernels_check.CASES[::-1]}
    return {
        kernel: cost_shapes.shapes(kernel, parsed(ROWS[kernel])[0], cases[kernel])
        for kernel in ROWS
        if kernel not in cost_shapes.LEFT_OUT and not kernel.endswith("_some")
    }


def builder_of(kernel):
    named = {builder.__name__: builder for builder, _, _, _ in kernels_check.CASES}
    return named.get(kernel + "_no_clamp") or named[kernel]


def sizes_of(kernel, shape):
    """The sizes that the terms of a kernel name, of a call in a shape."""
    args = builder_of(kernel)(kernels_check.Source(False), *shape)
    every = sizes(kernel, args)
    return {name: every[name] for name in names(kernel)}


def counts(host, kernel, shapes):
    """Instructions in each shape, in a fresh interpreter where the heap is in pieces."""
    code = f"import cost_count; cost_count.count({kernel!r}, {tuple(shapes)!r})"
    host.transport.enter_raw_repl(soft_reset=True)
    return [int(line) for line in host.exec(code).split()]


def measure(name, wanted):
    """The entry of a board in the file."""
    board = boards.load(name)
    with tempfile.TemporaryDirectory(prefix="engram-costs-") as state:
        host = BoardHost(name, state)
        host.start()
        try:
            for path in [*sorted(needed("kernels_check")), HERE / "cost_count.py"]:
                host.put(path)
            numbers = {kernel: counts(host, kernel, shapes) for kernel, shapes in wanted.items()}
        finally:
            host.stop()
        os.environ["ENGRAM_STATE"] = state  # boards of this run's own
        own, numbers[STEP] = steps.outside(name)
        whole = steps.compared(name)
    code = code_of(board.facts)._asdict()
    return {**code, "own": {STEP: own}, "steps": whole, "instructions": numbers}


def wanted_sizes(wanted):
    return {kernel: [sizes_of(kernel, shape) for shape in wanted[kernel]] for kernel in wanted}


def text(content):
    """JSON with a line per kernel and board."""
    lines = ['{"source": "icount, make bench", "shapes": {']
    lines.append(
        ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in content["shapes"].items())
    )
    lines.append('}, "boards": {')
    rows = []
    for name, row in content["boards"].items():
        head = {key: value for key, value in row.items() if key != "instructions"}
        numbers = ",\n".join(
            f"{json.dumps(k)}: {json.dumps(v)}" for k, v in row["instructions"].items()
        )
        rows.append(
            f'{json.dumps(name)}: {json.dumps(head)[:-1]}, "instructions": {{\n{numbers}\n}}}}'
        )
    return "\n".join(lines) + "\n" + ",\n".join(rows) + "\n}}\n"


def put(name, entry, shapes):
    """Writes the entry of a board into the file as it is now: another process may count another
    board."""
    content = json.loads(FILE.read_text()) if FILE.is_file() else {"shapes": {}, "boards": {}}
    if any(shapes.get(k, v) != v for k, v in content["shapes"].items()):
        content["boards"] = {}  # their counts are of other shapes
    content["shapes"] = shapes
    content["boards"][name] = entry
    FILE.write_text(text(content))


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("boards", nargs="*", default=BOARDS, metavar="BOARD")
    chosen = options.parse_args().boards
    wanted = kernels()
    for name in chosen:
        put(name, measure(name, wanted), wanted_sizes(wanted))
        print(f"{name}: {len(wanted)} kernels counted", flush=True)
    print(f"wrote {FILE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
