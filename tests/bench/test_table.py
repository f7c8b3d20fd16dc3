"""The benchmark's document: made by the command, with every row that the benchmark runs."""

import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import run  # noqa: E402
import table  # noqa: E402

ROWS = [
    (name, shape, arch, build)
    for build, (arch, _, _, wanted) in run.BUILDS.items()
    for name, _, _, _, shape in wanted
]


def printed():
    text = table.DOCUMENT.read_text()
    return text[text.index(table.BEGIN) : text.index(table.END)]


@pytest.mark.parametrize(("name", "shape", "arch", "build"), ROWS)
def test_the_document_has_a_figure_for_every_row(name, shape, arch, build):
    start = f"| {name} | {shape} | {arch} {build} | "
    lines = [line for line in printed().splitlines() if line.startswith(start)]
    assert len(lines) == 1
    assert int(lines[0].removeprefix(start).split(" | ")[0]) > 0


def test_every_bar_is_of_a_row():
    rows = {(name, shape, arch) for name, shape, arch, _ in ROWS}
    assert set(table.BARS) - rows == {
        (name, "dense_fwd 1x1x1", "armv7emsp") for name in ("call", "tape: row")
    }


def test_a_figure_above_the_bar_is_not_called_reached():
    row = {"kernel": "s8_dense_fwd", "shape": "256-32", "arch": "armv6m", "build": ".mpy"}
    row |= {"instructions": 0, "scratch_bytes": 0}
    for each, verdict in ((4.99, "| reached |"), (5, "| reached |"), (5.01, "| not reached |")):
        assert verdict in table.markdown([row | {"instr_per_mac": each}])


def test_the_best_peer_is_the_one_with_the_fewest():
    figures = json.loads(table.PEERS.read_text())["figures"]
    for (kernel, shape, arch), (least, _) in table.best_peers().items():
        same = [r for r in figures if r["kernel"] == kernel and r["shape"] == shape]
        assert least == min(r["instr_per_mac"] for r in same if r["arch"] == arch)
