"""The tables of `make bench-models`: whole models by board, layers beside another library's."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "benchmarks-models.md"
PEERS = ROOT / "docs" / "peers.json"
# Board whose layers are shown -> the code that they are beside another library's in. A model that
# does not fit on the first board of a code is shown from the next.
LAYERS_OF = {"qemu_m4f": "armv7emsp", "qemu_m7": "armv7emsp", "qemu_m0p": "armv6m"}
TITLES = {"armv7emsp": "M4F", "armv6m": "M0+"}


def peers():
    """{(model, arch): {layer: instructions}} of docs/peers.json."""
    figures = json.loads(PEERS.read_text())["models"]
    return {(row["model"], row["arch"]): row["layers"] for row in figures}


def times(row, theirs):
    """How many times as many instructions another library's kernels take, over all layers."""
    ours = sum(layer["instructions"] for layer in row["layers"])
    return sum_of(row, theirs) / ours


def sum_of(row, theirs):
    """Their instructions over all layers; for a copy they have no kernel."""
    return sum(theirs.get(layer["layer"], 0) for layer in row["layers"])


def whole(rows):
    lines = [
        "| model | board | instructions per inference | CMSIS-NN's kernels | | RAM planned | "
        "measured | weights in flash | model file |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    figures = peers()
    for row in rows:
        head = f"| {row['model']} | {row['board']} |"
        if "refused" in row:
            lines.append(f"{head} no room for two slots | | | | | | {row['flash_bytes']:,} |")
            continue
        theirs = figures.get((row["model"], LAYERS_OF.get(row["board"])))
        beside = " | "
        if theirs:
            beside = f"{sum_of(row, theirs):,} | {times(row, theirs):.2f} times"
        lines.append(
            f"{head} {row['instructions']:,} | {beside} | {row['ram_planned_bytes']:,} | "
            f"{row['ram_measured_bytes']:,} | {row['frozen_weight_bytes']:,} | "
            f"{row['flash_bytes']:,} |"
        )
    return "\n".join(lines)


def by_layer(rows):
    lines = [
        "| model | layer | products | code | instructions | per product | CMSIS-NN | |",
        "|---|---|---:|---|---:|---:|---:|---:|",
    ]
    figures = peers()
    shown = {}
    for row in rows:
        if row["board"] in LAYERS_OF and "refused" not in row:
            shown.setdefault((row["model"], LAYERS_OF[row["board"]]), row)
    for (model, arch), row in sorted(shown.items(), key=lambda item: item[0]):
        theirs = figures[model, arch]
        for layer in row["layers"]:
            if layer["layer"] not in theirs:
                continue
            n, their = layer["instructions"], theirs[layer["layer"]]
            each = f"{n / layer['products']:.2f}" if layer["products"] else ""
            lines.append(
                f"| {row['model']} | `{layer['layer']}` | {layer['products']:,} | "
                f"{TITLES[arch]} | {n:,} | {each} | {their:,} | {their / n:.2f} times |"
            )
    return "\n".join(lines)


def tables(rows):
    return {"models": whole(rows), "layers": by_layer(rows)}


def put(texts):
    """Fills the tables into the document."""
    page = DOCUMENT.read_text()
    for name, text in texts.items():
        begin, end = f"<!-- {name}: begin -->\n", f"\n<!-- {name}: end -->"
        page = re.sub(
            f"(?s){begin}.*?{end}", lambda _, t=begin + text + end: t, page, count=1
        )
    DOCUMENT.write_text(page)
