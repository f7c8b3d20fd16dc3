"""Sizes of the kernels: bytes of code and of stack of each function, bytes of each native module.

    python natmod_sizes.py                out/sizes.csv
    python natmod_sizes.py --baseline     docs/sizes.csv, the committed one
    python natmod_sizes.py --diff         out/sizes.csv against the committed one

One row a function, constant table or module; code as the native modules are compiled:

    arch     MicroPython's name of the architecture
    file     kernel source; empty for a module
    name     function, "(constants)" of a file, or module
    text     bytes of code or constants; of a module: bytes of the .mpy, which is about its RAM
    stack    bytes of the function's own frame; 0 where there is none

The row "gcc <version>" of an architecture says what compiled it: another one gives other sizes.

--diff fails when a module grew by more than MODULE_BUDGET, or a function by more than
FUNCTION_BUDGET and FUNCTION_BYTES, or when a frame is new and larger than STACK_LIMIT or grew by
more than STACK_BYTES. What is meant to be larger gets a new baseline, and its reviewer sees it.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
from pathlib import Path

import natmod_build as build
import natmod_modules as modules

BASELINE = build.ROOT / "docs" / "sizes.csv"
RESULT = build.ROOT / "out" / "sizes.csv"
FIELDS = ("arch", "file", "name", "text", "stack")

MODULE_BUDGET = 0.03  # of the module
FUNCTION_BUDGET = 0.15  # of the function
FUNCTION_BYTES = 64  # and at least this: small functions jump with a compiler's mood
STACK_BYTES = 32
STACK_LIMIT = 2048


def frames(path: Path) -> dict[str, int]:
    """Function -> bytes of its frame, from what -fstack-usage wrote next to an object."""
    report = path.with_suffix(".su")
    sizes = {}
    for line in report.read_text().splitlines():
        place, size, _ = line.split("\t")
        sizes[place.rsplit(":", 1)[1]] = int(size)
    return sizes


def functions(arch: str, path: Path) -> list[dict]:
    """Rows of one object: its functions, and its constants as one row."""
    nm = build.COMPILERS[arch][0].removesuffix("gcc") + "nm"
    listing = subprocess.run([nm, "-S", path], check=True, capture_output=True, text=True).stdout
    stack, rows, constants = frames(path), [], 0
    for words in (line.split() for line in listing.splitlines()):
        if len(words) != 4:
            continue  # undefined, or without a size
        _, size, kind, name = words
        if kind in "tTW":
            row = {"name": name, "text": int(size, 16), "stack": stack.get(name, 0)}
            rows.append(row)
        elif kind in "rR":
            constants += int(size, 16)
    if constants:
        rows.append({"name": "(constants)", "text": constants, "stack": 0})
    return [{"arch": arch, "file": path.stem + ".c", **row} for row in rows]


def compiler(arch: str) -> dict:
    program = build.COMPILERS[arch][0]
    text = subprocess.run([program, "-dumpfullversion"], capture_output=True, text=True)
    return {"arch": arch, "file": "", "name": f"gcc {text.stdout.strip()}", "text": 0, "stack": 0}


def measure(arches: list[str], say=print) -> list[dict]:
    """Build every module of these architectures; all rows, in the order of the file."""
    source, rows = build.micropython(), []
    for arch in arches:
        rows.append(compiler(arch))
        for module in modules.MODULES:
            path = build.build(arch, module, source)
            size = path.stat().st_size
            rows.append({"arch": arch, "file": "", "name": module, "text": size, "stack": 0})
            say(f"{size:7d} bytes  {os.path.relpath(path)}", flush=True)
        stems = {Path(name).stem for name in build.sources()}
        objects = [p for p in (build.OUT / arch / "obj").glob("*.o") if p.stem in stems]
        objects += [path.parent / f"{modules.WHOLE}.build" / f"{face}.o" for face in build.FACE]
        for path in sorted(objects, key=lambda p: p.name):
            rows += functions(arch, path)
    return sorted(rows, key=lambda row: (row["arch"], row["file"], row["name"]))


def write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read(path: Path) -> list[dict]:
    with open(path, newline="") as file:
        return [
            {**row, "text": int(row["text"]), "stack": int(row["stack"])}
            for row in csv.DictReader(file)
        ]


def other_compilers(before: list[dict], now: list[dict]) -> list[str]:
    """A line for every architecture that another compiler compiled before."""
    old, new = (
        {row["arch"]: row["name"] for row in rows if row["name"].startswith("gcc ")}
        for rows in (before, now)
    )
    return [
        f"{arch}: {new[arch]}, the baseline is of {old[arch]}: compare with care"
        for arch in sorted(old.keys() & new.keys())
        if old[arch] != new[arch]
    ]


def _key(row):
    return row["arch"], row["file"], row["name"]


def grown(before: list[dict], now: list[dict]) -> list[str]:
    """A line for every row of `now` that is beyond its budget; empty when all is well.

    Architectures that only one of the two has are not compared.
    """
    old = {_key(row): row for row in before}
    both = {row["arch"] for row in before} & {row["arch"] for row in now}
    problems = []
    for row in now:
        if row["arch"] not in both:
            continue
        base = old.get(_key(row))
        place = " ".join(filter(None, _key(row)))
        if base is None:
            if row["stack"] > STACK_LIMIT:
                problems.append(f"{place}: a frame of {row['stack']} bytes, limit {STACK_LIMIT}")
            continue
        more, part = row["text"] - base["text"], FUNCTION_BUDGET if row["file"] else MODULE_BUDGET
        least = FUNCTION_BYTES if row["file"] else 0
        if more > least and more > part * base["text"]:
            change = f"{base['text']} -> {row['text']} bytes"
            problems.append(f"{place}: {change}, budget {part:.0%}")
        if row["stack"] > base["stack"] + STACK_BYTES:
            change = f"frame {base['stack']} -> {row['stack']} bytes"
            problems.append(f"{place}: {change}, budget {STACK_BYTES}")
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", action="append", help="default: every one with a compiler")
    parser.add_argument("--baseline", action="store_true", help="write docs/sizes.csv")
    parser.add_argument("--diff", action="store_true", help="compare with docs/sizes.csv")
    options = parser.parse_args()
    try:
        rows = measure(options.arch or build.available())
    except build.Failed as why:
        sys.exit(f"engram: {why}")
    target = BASELINE if options.baseline else RESULT
    write(target, rows)
    print(f"{len(rows)} rows in {os.path.relpath(target)}")
    if options.diff:
        before = read(BASELINE)
        lines = grown(before, rows)
        print("\n".join(other_compilers(before, rows) + lines) or "nothing grew beyond its budget")
        if lines:
            sys.exit(
                "engram: if this is meant, write the new baseline with\n"
                "        python firmware/natmod/natmod_sizes.py --baseline, and commit it"
            )


if __name__ == "__main__":
    main()
