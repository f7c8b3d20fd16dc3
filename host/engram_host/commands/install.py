"""engram install"""

from __future__ import annotations

from typing import Any

import rich_click as click
from rich.table import Table

from engram_host import api
from engram_host.commands import options, output
from engram_host.install import choice, packages
from engram_host.progress import Bars


@click.command(epilog="Example: engram install --port /dev/ttyACM0")
@options.port
@click.option("--dry-run", is_flag=True, help="Ask the board and show what an install would do.")
@click.option(
    "--packages",
    "wanted",
    metavar="NAMES",
    default=",".join(packages.USUAL),
    show_default=True,
    help="Packages of the library, with commas; the packages they need come along.",
)
@click.option(
    "--kernels",
    type=click.Choice([choice.AUTO, *choice.KERNELS, choice.IN_PYTHON]),
    default=choice.AUTO,
    show_default=True,
    help="Which native kernels: all, those that train, or none (Python, or ulab of the firmware).",
)
@click.option(
    "--store",
    type=click.Choice(["files", "ram", "none"]),
    help="Where samples are kept: files of the file system, or RAM, lost at a reset. Default: as "
    "it was, else files.",
)
@click.option("--store-bytes", type=click.IntRange(4096), metavar="N", help="Size of the store.")
@options.json
@options.debug
def command(
    port: str | None,
    dry_run: bool,
    wanted: str,
    kernels: str,
    store: str | None,
    store_bytes: int | None,
    as_json: bool,
) -> None:
    """Put the library and its kernels on a board that runs plain MicroPython.

    Firmware from `engram build` has both already. Engram asks the board for its facts, sends the
    files that fit, verifies them and tries them out. Run the verb again to update, or to mend an
    install that was cut off.
    """
    told = api.install(
        port,
        Bars(output.errors()),
        say=lambda line: output.errors().print(line, highlight=False),
        packages=[name.strip() for name in wanted.split(",") if name.strip()],
        kernels=kernels,
        store=store,
        store_bytes=store_bytes,
        dry_run=dry_run,
    )
    if as_json:
        output.show_json(told)
        return
    output.show(_facts(told))
    output.show(_parts(told))
    if dry_run:
        output.show(
            f"would send {len(told['send'])} files ({output.size(told['send_bytes'])}), "
            f"remove {len(told['stale'])}, keep {told['kept']}"
        )
    else:
        output.show(
            f"[green]✓[/] {len(told['send'])} files sent, {len(told['stale'])} removed, "
            f"{told['kept']} were there; the self-test passed with {told['self_test']['kernels']}"
        )


def _facts(told: dict[str, Any]) -> Table:
    board, fs = told["board"], told["board"]["file_system"]
    flash = board["flash"]
    rows = [
        ("board", board["machine"]),
        ("firmware", f"MicroPython {'.'.join(map(str, board['version']))}, .mpy {board['abi']}"),
        ("native code", f"{told['kernels']['arch'] or 'none'}: {told['kernels']['why']}"),
        ("floats", f"{board['float_bits']} bits"),
        ("heap", f"{output.size(board['heap']['free_bytes'])} free"),
        (
            "files",
            f"{output.size(fs['free_bytes'])} of {output.size(fs['total_bytes'])} free, blocks of "
            f"{output.size(fs['block_bytes'])}",
        ),
        ("flash driver", flash["driver"] if flash else "not known"),
        ("was there", told["before"]),
    ]
    if "store" in told:
        rows.append(("store", _store(told["store"])))
    return _rows(rows)


def _store(store: dict[str, Any]) -> str:
    size = output.size(store["units"] * store["erase_bytes"])
    return {
        "files": f"{size}, in files: kept over a reset",
        "ram": f"{size}, in RAM: lost at a reset",
        "none": "none: this board learns nothing that stays",
    }[store["kind"]]


def _rows(rows: list[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in rows:
        table.add_row(name, value)
    return table


def _parts(told: dict[str, Any]) -> Table:
    table = Table(box=None)
    for name in ("part", "files", "flash", "heap"):
        table.add_column(name, justify="left" if name == "part" else "right")
    for row in told["parts"]:
        heap = row.get("heap_bytes")
        table.add_row(
            row["part"],
            str(row["files"]),
            output.size(row["file_bytes"]),
            "" if heap is None else output.size(heap),
        )
    return table
