"""Every virtual board: device tests and the demo, as a table: `make test-boards`.

A board is virtual if its board.toml says so; it needs no line here. Each is built, runs the files
of tests/device (checks.py says what they must print), then the demo with its bars. Writes
out/bench/boards.json and prints the table; with --docs also puts it into docs/boards.md. The rows
of boards that are not named stay as they were. Ends with 1 when something is wrong on a board, or
when the budget was too short for one.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = [str(ROOT / p) for p in ("device_lib", "host")]
sys.path[:0] = [*LIBRARIES, str(ROOT / "tests"), str(ROOT / "tests" / "device")]

from engram_host import boards, build, demo  # noqa: E402
from engram_host.errors import BuildError  # noqa: E402
from fleet import checks, table  # noqa: E402
from hosts import BoardHost  # noqa: E402

OUT = ROOT / "out" / "bench" / "boards.json"
GRACE_S = 30  # for a board's run to put things away when its time is over

# Boards whose RAM is for this format: the demo learns in it, and of the device tests those run
# whose own code leaves room.
IN_Q8 = ("qemu_128k",)

# The demo's bars, those of tests/host/test_demo.py.
LEAST_REPLAY, MOST_FINETUNE, MOST_BELOW_JOINT, PLAN_WITHIN = 0.90, 0.5, 0.04, 0.01


def demo_of(name, out):
    """What the demo measured on a board, for the table."""
    run_result = demo.demo(name, out=out, format="q8" if name in IN_Q8 else None)
    result = json.loads((out / "result.json").read_text())
    steps = [step for session in result["replay"]["sessions"] for step in session["steps"]]
    names = (
        "accuracy_replay accuracy_finetune accuracy_joint ram_peak_bytes ram_planned_bytes "
        "share_outside_kernels flash_programmed_bytes wall_s"
    )
    return {key: run_result["summary"][key] for key in names.split()} | {
        "steps": len(steps),
        "per_step": round(sum(step["total"] for step in steps) / len(steps)),
        "unit": result["counter_unit"],
        "kind": result["counter_kind"],
    }


def faults_of(row):
    """A line for everything that is wrong in a board's row."""
    problems = [f"{check}: {why}" for check, why in row["device_tests"].items() if why]
    figures = row["demo"]
    if figures["accuracy_replay"] < LEAST_REPLAY:
        problems.append(f"accuracy with replay {figures['accuracy_replay']:.3f} < {LEAST_REPLAY}")
    if figures["accuracy_finetune"] >= MOST_FINETUNE:
        problems.append(f"accuracy without replay {figures['accuracy_finetune']:.3f}: no contrast")
    if figures["accuracy_joint"] - figures["accuracy_replay"] > MOST_BELOW_JOINT:
        problems.append(
            f"{figures['accuracy_joint'] - figures['accuracy_replay']:.3f} below joint training"
        )
    plan, peak = figures["ram_planned_bytes"], figures["ram_peak_bytes"]
    # The plan is for 32-bit processors; a process of this computer has wider pointers.
    if row["core"] != "host" and abs(plan - peak) > PLAN_WITHIN * peak:
        problems.append(f"RAM: {plan} bytes planned, {peak} used")
    return problems


def measure(name):
    """The row of one board."""
    board = boards.load(name)
    chip = board.facts["chip"]
    row = {
        "board": name,
        "title": board.title,
        "core": chip["core"],
        "arch": chip["arch"],
        "ram_bytes": chip["ram_bytes"],
        "flash_bytes": chip["flash_bytes"],
    }
    start_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="engram-fleet-") as state:
        host = BoardHost(name, state)
        try:
            host.start()
            tests = checks.SMALL if name in IN_Q8 else checks.CHECKS
            row["device_tests"] = checks.run(host, tests)
        finally:
            host.stop()
    row["demo"] = demo_of(name, OUT.parent / "boards" / name)
    row["wall_s"] = round(time.monotonic() - start_s, 1)
    row["faults"] = faults_of(row)
    return row


def within(name, deadline):
    """The row of one board, measured by a process of its own that ends at the deadline."""
    rest_s = deadline - time.monotonic()
    if rest_s <= 0:
        return unmeasured(name, "the budget was used up")
    with tempfile.TemporaryDirectory(prefix="engram-row-") as place:
        path = Path(place) / "row.json"
        command = [sys.executable, str(Path(__file__).resolve()), "--row", str(path), name]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            error = process.communicate(timeout=rest_s)[1]
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # so that it stops its board
            try:
                process.communicate(timeout=GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            return unmeasured(name, "not ready within the budget")
        if path.exists():
            return json.loads(path.read_text())
        return unmeasured(name, (error.strip().splitlines() or ["no word of it"])[-1])


def unmeasured(name, why):
    chip = boards.load(name).facts["chip"]
    row = {"board": name, "core": chip["core"], "ram_bytes": chip["ram_bytes"]}
    return {**row, "device_tests": {}, "demo": None, "faults": [why]}


def all_rows(names, deadline):
    """Rows of the boards, in the order of their names; each line is told when it is there."""
    unbuilt = {}
    for name in names:
        print(f"building {name}", flush=True)
        try:
            build.build(boards.load(name))
        except BuildError as error:
            unbuilt[name] = str(error).splitlines()[0]

    def row_of(name):
        row = unmeasured(name, unbuilt[name]) if name in unbuilt else within(name, deadline)
        print(f"{name}: {'; '.join(row['faults']) or 'all well'}", flush=True)
        return row

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(row_of, names))


def with_earlier(rows, out):
    """These rows and those that `out` has of other boards, by name."""
    earlier = json.loads(out.read_text())["boards"] if out.exists() else []
    by_name = {row["board"]: row for row in [*earlier, *rows]}
    return [by_name[name] for name in sorted(by_name) if boards.is_known(name)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("boards", nargs="*", help="names of virtual boards; none: all of them")
    parser.add_argument("--budget", type=float, default=60, help="minutes")
    parser.add_argument("--docs", action="store_true", help="table into docs/boards.md")
    parser.add_argument("--row", type=Path, help="write the row of the one board named")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join(LIBRARIES)
    if options.row:
        # A job in the background of a shell ignores it; here it is how the budget ends.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        options.row.write_text(json.dumps(measure(options.boards[0])))
        return
    names = options.boards or [board.name for board in boards.load_all() if board.is_virtual]
    rows = all_rows(names, time.monotonic() + 60 * options.budget)
    rows = with_earlier(rows, OUT) if options.boards else rows
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"boards": rows}, indent=1) + "\n")
    text = table.markdown(rows)
    print(text)
    wrong = [f"{row['board']}: {fault}" for row in rows for fault in row["faults"]]
    if wrong:
        sys.exit("\n".join(wrong))
    if options.docs:
        table.put(text)


if __name__ == "__main__":
    main()
