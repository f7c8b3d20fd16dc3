"""Measures what the library takes of heap, as .mpy on stock firmware and frozen in ours.

    python tests/install/heap_table.py            prints the table
    python tests/install/heap_table.py --docs     and writes it into docs/install.md
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "host"), str(ROOT / "device_lib")]

from engram_host import boards, build, virtual  # noqa: E402
from engram_host.install import check, facts, installer, packages  # noqa: E402
from engram_host.install.raw_repl import RawRepl  # noqa: E402
from engram_host.line.transport.serial_port import SerialTransport  # noqa: E402
from engram_host.progress import Silent  # noqa: E402

STOCK = ("qemu_m0p_stock", "qemu_m4f_stock")
FROZEN = "qemu_m4f"
OPENING = "beside these, until a model is open"
MARK = re.compile(r"(<!-- dist: heap -->\n).*?(<!-- end -->)", re.S)


def line(name: str) -> SerialTransport:
    """A transport to a board that was just started."""
    board = boards.load(name)
    if not board.artefact.exists():
        build.build(board)
    return SerialTransport(str(virtual.ensure(name, board.command).tty), board.baud, name=name)


def usual() -> dict[str, list[str]]:
    """Package -> the modules that a session with a learner imports of it."""
    return {name: check.IMPORTS[name].split() for name in packages.USUAL}


def whole() -> dict[str, list[str]]:
    """Package -> every module of it, those that are loaded when an option asks for them too."""
    lists: dict[str, list[str]] = {name: [] for name in packages.USUAL}
    library = ROOT / "device_lib" / "engram"
    for path in packages.sources(library):
        module = path.relative_to(library).with_suffix("").as_posix().removesuffix("/__init__")
        package = packages.package_of(module)
        if package in lists:
            dotted = "engram" if module == "__init__" else "engram." + module.replace("/", ".")
            lists[package].append(dotted)
    return lists


def frozen(repl: RawRepl, modules_of: dict[str, list[str]]) -> dict[str, int]:
    """Package -> bytes of heap after its import, of firmware that has the library frozen."""
    repl.reset()
    repl.run(facts.script("check"))
    rows = list(modules_of.items())
    return dict(json.loads(repl.run(f"_say(_cost({rows!r}))")))


def while_opening(repl: RawRepl) -> int:
    """Bytes of heap, beside the library's, of the code that is needed until a model is open."""
    repl.reset()
    repl.run(facts.script("check"))
    for row in usual().items():
        repl.run(f"_cost({[row]!r})")
    costs = json.loads(repl.run(f"_say(_cost({[(OPENING, check.OPENING.split())]!r}))"))
    return int(costs[0][1])


def table() -> str:
    """The table, in Markdown."""
    runs, opening = {}, {}
    for name in STOCK:
        transport = line(name)
        wishes = installer.Wishes(board=boards.load(name).facts)
        runs[name] = installer.install(transport, wishes, Silent())
        repl = RawRepl(transport)
        repl.enter()
        opening[name] = while_opening(repl)
    repl = RawRepl(line(FROZEN))
    repl.enter()
    built_in, all_of_it = frozen(repl, usual()), frozen(repl, whole())
    opening[FROZEN] = while_opening(repl)
    titles = [f"`{name}` ({runs[name]['kernels']['arch']})" for name in STOCK]
    head = ["part", "bytes of files", *(f"heap, {title}" for title in titles)]
    head += [f"frozen, `{FROZEN}`", "frozen, every module loaded"]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    rows = {name: {row["part"]: row for row in runs[name]["parts"]} for name in STOCK}
    for part, row in rows[STOCK[-1]].items():
        cells = [f"{row['file_bytes']:,}"]
        cells += [f"{rows[name][part]['heap_bytes']:,}" for name in STOCK]
        cells += [f"{figures.get(part, 0):,}" for figures in (built_in, all_of_it)]
        lines.append(f"| {part} | " + " | ".join(cells) + " |")
    cells = [f"{opening[name]:,}" for name in (*STOCK, FROZEN)]
    lines.append(f"| {OPENING} | | " + " | ".join(cells) + " | |")
    for name in STOCK:
        modules = ", ".join(f"`{m}` of {a}" for m, a in runs[name]["kernels"]["modules"].items())
        lines.append(f"\nKernels of `{name}`: {modules}.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--docs", action="store_true", help="write it into docs/install.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as state:
        os.environ["ENGRAM_STATE"] = state
        try:
            text = table()
        finally:
            for name in (*STOCK, FROZEN):
                virtual.stop(name)
    print(text)
    if options.docs:
        docs = ROOT / "docs" / "install.md"
        docs.write_text(MARK.sub(lambda m: m[1] + text + "\n" + m[2], docs.read_text()))


if __name__ == "__main__":
    main()
