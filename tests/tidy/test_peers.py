"""docs/peers.json: other libraries' figures say whose they are, and add up."""

import json
import re

import pytest

from tidy import tree

PEERS = json.loads((tree.ROOT / "docs" / "peers.json").read_text())
FIGURES = PEERS["figures"]


def test_every_peer_names_its_commit_and_licence():
    """A figure that nobody can find again is not a measurement."""
    for peer in PEERS["peers"].values():
        assert re.fullmatch(r"[0-9a-f]{40}", peer["commit"])
        assert peer["repository"] and peer["licence"] and peer["date"]
    assert {row["peer"] for row in FIGURES} == set(PEERS["peers"])


def test_every_figure_adds_up():
    for row in FIGURES:
        assert row["instructions"] > 0 and row["flags"].startswith("-O")
        assert row["instr_per_mac"] == pytest.approx(row["instructions"] / row["macs"], abs=6e-4)


def test_the_best_of_each_layer_is_marked_once():
    best = {}
    for row in FIGURES:
        best.setdefault((row["kernel"], row["shape"], row["core"]), []).append(row)
    for rows in best.values():
        marked = [row for row in rows if row["best"]]
        assert len(marked) == 1
        assert marked[0]["instructions"] == min(row["instructions"] for row in rows)


def test_a_wrong_answer_has_no_figure():
    """What a peer computes wrongly is named, and does not count."""
    wrong = {(row["peer"], row["kernel"], row["function"]) for row in PEERS["not_counted"]}
    assert wrong
    assert wrong & {(row["peer"], row["kernel"], row["function"]) for row in FIGURES} == set()
