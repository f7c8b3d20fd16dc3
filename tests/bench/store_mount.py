"""What a mount of the replay store takes, and the RAM that its index fills.

    python tests/bench/store_mount.py [--docs]

Puts the rows into out/bench/store.json as "mount" and "index"; with --docs also into
docs/store.md. Instructions and heap are counted on the emulated board, time on this computer.
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter_ns

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT / p) for p in ("device_lib", "host", "tests")]

import store_mounts  # noqa: E402

from engram.store import RamFlash  # noqa: E402
from hosts import BoardHost  # noqa: E402

BOARD = "qemu_m4f"
OUT = ROOT / "out" / "bench" / "store.json"
DOCUMENT = ROOT / "docs" / "store.md"
BEGIN, END = "<!-- store_mount: begin -->", "<!-- store_mount: end -->"
MOUNT = ("units", "records", "slots_read", "taken")
HEAP = ("units", "slots", "records", "heap_bytes")


def parse(text, **common):
    """(rows of mounts, rows of heaps) from what store_mounts prints."""
    entries = {"mount": [], "heap": []}
    for line in text.splitlines():
        kind, *numbers = line.split()
        names = MOUNT if kind == "mount" else HEAP
        row = dict(zip(names, map(int, numbers), strict=True))
        entries[kind].append({**common, **row})
    return entries["mount"], entries["heap"]


def on_board(name, state):
    """Both kinds of rows of a virtual board."""
    host = BoardHost(name, state)
    host.start()
    try:
        host.put(HERE / "store_mounts.py")
        unit = host.exec("import engram_board as b; print(b.COUNTER_UNIT)").strip()
        text = host.exec("import store_mounts; store_mounts.board()")
    finally:
        host.stop()
    kind = "icount" if name == BOARD else "host"
    return parse(text, host=name, unit=unit, kind=kind)


def on_cpython():
    """Rows of mounts on this computer, flash in RAM: the least of 15 times."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        device = RamFlash(max(store_mounts.SIZES), 4096, 256)
        store_mounts.mounts(device, lambda: perf_counter_ns() // 1000, 15)
    return parse(output.getvalue(), host="cpython", unit="us", kind="host")[0]


def slope(rows, x, y):
    """(y a step of x, y at x = 0) of the line through the first and the last row."""
    first, last = rows[0], rows[-1]
    each = (last[y] - first[y]) / (last[x] - first[x])
    return each, first[y] - each * first[x]


def of_size(rows, units):
    return [row for row in rows if row["units"] == units]


def bytes_per_record(heaps):
    """Heap bytes that one more record of capacity takes."""
    return slope(heaps, "records", "heap_bytes")[0]


def rows():
    """{"mount": rows, "index": rows}"""
    with tempfile.TemporaryDirectory(prefix="engram-bench-") as state:
        mounted, heaps = on_board(BOARD, state)
    return {"mount": mounted + on_cpython(), "index": heaps}


def table(tables):
    """The rows as text."""
    boards = [row for row in tables["mount"] if row["host"] == BOARD]
    here = {(r["units"], r["records"]): r["taken"] for r in tables["mount"] if r["host"] != BOARD}
    lines = [
        "A mount reads the header of every unit, and every slot of those in use. `info()` says "
        "how many slots (`mount_slots`) and how long it took (`mount_us`). Latents of 256 bytes, "
        "units of 4096, 15 slots each; a store that is filled unit by unit:",
        "",
        "| erase units | records | slots read | instructions (`icount`) | off the line | "
        "CPython, µs (`host`) |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    each = 0
    for units in store_mounts.SIZES:
        some = of_size(boards, units)
        each, fixed = slope(some, "slots_read", "taken")
        for row in some:
            off = row["taken"] / (fixed + each * row["slots_read"]) - 1
            lines.append(
                f"| {units} | {row['records']} | {row['slots_read']} | {row['taken']} | "
                f"{off:+.2%} | {here[units, row['records']]} |"
            )
    a_record, fixed = slope(tables["index"], "records", "heap_bytes")
    lines += [
        "",
        f"A slot more is {each:.0f} instructions more, in the largest region. The line is through "
        "the first and the last fill of a size. The index is in RAM from then on:",
        "",
        "| erase units | slots | records at capacity | heap of an open store, bytes (`icount`) |",
        "|---:|---:|---:|---:|",
        *(
            f"| {r['units']} | {r['slots']} | {r['records']} | {r['heap_bytes']} |"
            for r in tables["index"]
        ),
        "",
        f"A record more takes {a_record:.2f} bytes of RAM, beside {fixed:.0f} bytes for the store "
        "and a buffer of one slot.",
    ]
    return "\n".join(lines)


def put(text):
    """Replaces the block in the document."""
    before, rest = DOCUMENT.read_text().split(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--docs", action="store_true", help="table into docs/store.md")
    options = options.parse_args()
    tables = rows()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    whole = json.loads(OUT.read_text()) if OUT.exists() else {}
    OUT.write_text(json.dumps({**whole, **tables}, indent=1) + "\n")
    text = table(tables)
    print(text)
    if options.docs:
        put(text)


if __name__ == "__main__":
    main()
