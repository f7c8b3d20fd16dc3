"""Measures the library over ulab: a call of each kernel, and digits learned, against the others.

    EXTRA_C_MODULES=<checkout of ulab> python tests/install/ulab_figures.py [kernels] [digits]
    ... --docs      writes the tables into docs/install.md too

kernels: a call from Python, on the unix port in microseconds, on the emulated Cortex-M4F in
instructions. digits: a shortened demo on the unix port. The answers of all backends are compared.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = [str(ROOT / p) for p in ("device_lib", "host")]
sys.path[:0] = [*LIBRARIES, str(ROOT / "tests"), str(ROOT / "tests" / "install")]

import ulab_boards  # noqa: E402

from engram_host import api, boards, build, demo, virtual  # noqa: E402
from engram_host.datasets import digits, draw_per_class  # noqa: E402
from engram_host.samples import Samples  # noqa: E402
from firmware import natmod  # noqa: E402

DOCUMENT = ROOT / "docs" / "install.md"
ARCHES = {"unix_stock": "x64", "qemu_m4f_stock": "armv7emsp"}
NATIVE = "native_kernels"  # the name of no module that the library looks for
BACKENDS = (NATIVE, "engram.kernels.numpy", "engram.kernels.python")
UNIX = "unix_stock"
STREAM = {"base_classes": [0, 1, 2, 3, 4], "new_classes": [5, 6], "base_per_class": 10}
STREAM["new_per_class"] = 20
TESTS_PER_CLASS = 10


@contextmanager
def state() -> Iterator[str]:
    """A place of this run's own for virtual boards."""
    with tempfile.TemporaryDirectory(prefix="engram-ulab-") as place:
        os.environ["ENGRAM_STATE"] = place
        yield place


# ---------------------------------------------------------------- kernels


def speeds(name: str) -> dict[str, list[list[str]]]:
    """Backend -> the words of each line of speed_check on a board."""
    with state() as place:
        host = ulab_boards.UlabHost(name, place)
        host.start()
        try:
            native = natmod.build.build(ARCHES[name])
            host.transport.fs_writefile(NATIVE + ".mpy", native.read_bytes())
            host.put_checks("kernels_source", "speed_check")
            rows = {}
            for backend in BACKENDS:
                host.transport.enter_raw_repl(soft_reset=True)
                output = host.exec(f"import speed_check; speed_check.main({backend!r})")
                rows[backend] = [line.split() for line in output.splitlines()]
            return rows
        finally:
            host.stop()


def figure(text: str) -> str:
    """Three digits are what such a measurement tells."""
    value = float(f"{float(text):.3g}")
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


def kernels_table() -> str:
    """The table; ends the program where two backends wrote different bytes."""
    figures = {name: speeds(name) for name in ARCHES}
    lines = [
        "| kernel | shape | µs, native | ulab | Python | instructions, native | ulab | Python |",
        "|---|---|" + "---:|" * 6,
    ]
    for i, (kernel, shape, *_) in enumerate(figures[UNIX][NATIVE]):
        cells = []
        for name, backends in figures.items():
            rows = [backends[backend][i] for backend in BACKENDS]
            if any(row[3:] != rows[0][3:] for row in rows):
                sys.exit(f"{kernel} on {name}: the backends wrote different bytes: {rows}")
            cells += [figure(row[2]) for row in rows]
        lines.append(f"| `{kernel}` | {shape.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


# ---------------------------------------------------------------- digits


def learn(home: bool, kernels: str, out: Path) -> dict[str, float]:
    """A shortened demo on the unix port, with ulab in its firmware or not: figures by name."""
    with ulab_boards.home() if home else ulab_boards.without(), state():
        build.build(boards.load(UNIX))
        api.start(UNIX, fresh=True)
        try:
            result = api.install(UNIX, kernels=kernels)
            print("digits with", result["self_test"]["kernels"])
            return _stream(out)
        finally:
            virtual.stop(UNIX)


def _stream(out: Path) -> dict[str, float]:
    settings = demo.load_settings()
    settings["stream"] = STREAM
    data = digits()
    model = demo.prepare(out, data, demo.load_settings())
    known = STREAM["base_classes"] + STREAM["new_classes"]
    x, y = draw_per_class(data.x_test, data.y_test, known, TESTS_PER_CLASS, 1)
    start_s = time.monotonic()
    with api.connect(UNIX) as device:
        options = {k: v for k, v in settings["learner"].items() if k != "epochs"}
        device.push_model(model, **options)
        device.push_data("test", Samples(x, y))
        run = demo.learn_stream(device, model, data, settings, 1, "replay", out, print)
    steps = [step for session in run["sessions"] for step in session["steps"]]
    count = sum(session["observed"] for session in run["sessions"])
    evaluation = run["sessions"][-1]["evaluation"]
    return {
        "correct": sum(evaluation["right"]),
        "tests": sum(evaluation["total"]),
        "steps": len(steps),
        "step_ms": sum(step["total"] for step in steps) / len(steps) / 1000,
        "observe_ms": sum(s["observe_total"] for s in run["sessions"]) / count / 1000,
        "wall_s": time.monotonic() - start_s,
        "losses": [step["loss"] for step in steps],
    }


ROWS = (("native `_engram`", True, "auto"), ("over ulab", True, "python"))
ROWS += (("plain Python", False, "python"),)


def digits_table() -> str:
    lines = ["| kernels | right | ms a step | ms a sample taken in | s in all |"]
    lines.append("|---|---:|---:|---:|---:|")
    for title, home, kernels in ROWS:
        with tempfile.TemporaryDirectory() as out:
            summary = learn(home, kernels, Path(out))
        print(summary)
        lines.append(
            f"| {title} | {summary['correct']} of {summary['tests']} | {summary['step_ms']:.3g} "
            f"| {summary['observe_ms']:.3g} | {summary['wall_s']:.0f} |"
        )
    return "\n".join(lines)


TABLES = {"kernels": kernels_table, "digits": digits_table}


def put(name: str, table: str) -> None:
    """A table into its place in the document."""
    before, rest = DOCUMENT.read_text().split(f"<!-- ulab: {name} -->\n")
    after = rest.split("<!-- end -->", 1)[1]
    DOCUMENT.write_text(f"{before}<!-- ulab: {name} -->\n{table}\n<!-- end -->{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="default: both")
    parser.add_argument("--docs", action="store_true", help="write them into docs/install.md")
    options = parser.parse_args()
    if ulab_boards.modules() is None:
        sys.exit("EXTRA_C_MODULES=<checkout of ulab> expected")
    os.environ["PYTHONPATH"] = os.pathsep.join(LIBRARIES)
    for name in options.tables or TABLES:
        with ulab_boards.home() if name == "kernels" else nullcontext():
            table = TABLES[name]()
        print(table)
        if options.docs:
            put(name, table)


if __name__ == "__main__":
    main()
