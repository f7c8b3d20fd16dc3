"""The benchmark's table: our counts beside the best peer's (docs/peers.json) and the bar."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "benchmarks.md"
PEERS = ROOT / "docs" / "peers.json"
BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"

# (kernel, shape, arch) -> most instructions per product that are aimed at
BARS = {
    ("f32_dense_fwd", "256-32 B1", "armv7emsp"): 1.6,
    ("f32_dense_bwd_dx", "256-32 B1", "armv7emsp"): 1.8,
    ("f32_matmul", "16x64x64", "armv7emsp"): 1.5,
    ("f32_pointwise_fwd", "8x8x64-64", "armv7emsp"): 1.5,
    ("f32_pointwise_bwd_dx", "8x8x64-64", "armv7emsp"): 1.5,
    ("f32_pointwise_bwd_dw", "8x8x64-64", "armv7emsp"): 1.6,
    ("f32_conv3x3_fwd", "8x8x32-32", "armv7emsp"): 1.8,
    ("f32_conv3x3_bwd_dx", "8x8x32-32", "armv7emsp"): 1.9,
    ("f32_conv3x3_bwd_dw", "8x8x32-32", "armv7emsp"): 1.9,
    ("s8_pointwise_fwd", "8x8x64-64", "armv7emsp"): 1.3,
    ("s8_conv3x3_fwd", "8x8x32-32", "armv7emsp"): 1.3,
    ("s8_depthwise3x3_fwd", "8x8x64", "armv7emsp"): 5,
    ("s8_dense_fwd", "256-64", "armv7emsp"): 1.5,
    ("s8_dense_fwd", "256-32", "armv6m"): 5,
    ("s8_pointwise_fwd", "8x8x64-64", "armv6m"): 5,
    ("call", "dense_fwd 1x1x1", "armv7emsp"): 400,
    ("tape: row", "dense_fwd 1x1x1", "armv7emsp"): 250,
}
ONE_PRODUCT = ("call", "tape")
HALF_OF_BEST = "f32_depthwise3x3"


def best_peers():
    """(kernel, shape, arch) -> (instructions per product, peer), the fewest of each."""
    best = {}
    for row in json.loads(PEERS.read_text())["figures"]:
        key = row["kernel"], row["shape"], row["arch"]
        best[key] = min(best.get(key, (1e9, "")), (row["instr_per_mac"], row["peer"]))
    return best


def markdown(rows):
    """The table as text."""
    peers = best_peers()
    lines = [
        "| kernel | shape | code | instructions | per product | stack | best peer | bar | |",
        "|---|---|---|---:|---:|---:|---|---:|---|",
    ]
    for row in rows:
        key = row["kernel"], row["shape"], row["arch"]
        peer = peers.get(key)
        bar = BARS.get(key)
        if peer and row["kernel"].startswith(HALF_OF_BEST):
            bar = round(peer[0] / 2, 2)
        verdict = ""
        if bar is not None:
            verdict = "reached" if row["instr_per_mac"] <= bar else "not reached"
        lines.append(
            "| {kernel} | {shape} | {arch} {build} | {instructions} | {each} | {scratch_bytes} "
            "| {peer} | {bar} | {verdict} |".format(
                **row,
                each=row["instr_per_mac"] if not row["kernel"].startswith(ONE_PRODUCT) else "–",
                peer=f"{peer[0]} {peer[1]}" if peer else "–",
                bar="–" if bar is None else f"≤ {bar}",
                verdict=verdict,
            )
        )
    return "\n".join(lines)


def put(text, begin=BEGIN, end=END):
    """Replaces the table between two marks of the document."""
    before, rest = DOCUMENT.read_text().split(begin)
    after = rest.split(end)[1]
    DOCUMENT.write_text(f"{before}{begin}\n{text}\n{end}{after}")
