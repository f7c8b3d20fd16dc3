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
    "names",
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
    names: str,
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
    result = api.install(
        port,
        Bars(output.errors()),
        say=lambda line: output.errors().print(line, highlight=False),
        packages=[name.strip() for name in names.split(",") if name.strip()],
        kernels=kernels,
        store=store,
        store_bytes=store_bytes,
        dry_run=dry_run,
    )
    if as_json:
        output.show_json(result)
        return
    output.show(_facts(result))
    output.show(_parts(result))
    if dry_run:
        output.show(
            f"would send {len(result['send'])} files ({output.size(result['send_bytes'])}), "
            f"remove {len(result['stale'])}, keep {result['kept']}"
        )
    else:
        output.show(
            f"[green]✓[/] {len(result['send'])} files sent, {len(result['stale'])} removed, "
            f"{result['kept']} were there; the self-test passed with "
            f"{result['self_test']['kernels']}"
        )


def _facts(result: dict[str, Any]) -> Table:
    board, fs = result["board"], result["board"]["file_system"]
    flash = board["flash"]
    rows = [
        ("board", board["machine"]),
        ("firmware", f"MicroPython {'.'.join(map(str, board['version']))}, .mpy {board['abi']}"),
        ("native code", f"{result['kernels']['arch'] or 'none'}: {result['kernels']['why']}"),
        ("floats", f"{board['float_bits']} bits"),
        ("heap", f"{output.size(board['heap']['free_bytes'])} free"),
        (
            "files",
            f"{output.size(fs['free_bytes'])} of {output.size(fs['total_bytes'])} free, blocks of "
            f"{output.size(fs['block_bytes'])}",
        ),
        ("flash driver", flash["driver"] if flash else "not known"),
        ("was there", result["before"]),
    ]
    if "store" in result:
        rows.append(("store", _store(result["store"])))
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


def _parts(result: dict[str, Any]) -> Table:
    table = Table(box=None)
    for name in ("part", "files", "flash", "heap"):
        table.add_column(name, justify="left" if name == "part" else "right")
    for row in result["parts"]:
        heap = row.get("heap_bytes")
        table.add_row(
            row["part"],
            str(row["files"]),
            output.size(row["file_bytes"]),
            "" if heap is None else output.size(heap),
        )
    return table
