"""A plan of partial backward passes: fewer products, fewer instructions, some more RAM."""

import pytest

from engram_host import api, boards
from engram_host.device import learner_options
from engram_host.errors import InputError
from engram_host.planning.fit import Wanted
from engram_host.planning.timing import counted
from engram_host.planning.work import instructions
from kernels.common import ROOT

MODEL = ROOT / "examples" / "backbones" / "models" / "fashion.safetensors"


def plan(**options):
    return api.plan(MODEL, boards=["qemu_m4f"], **options)


def test_fewer_products_where_structures_are_kept():
    whole, some = plan(), plan(keep=0.25)
    rows = {row["name"]: row for row in whole["layers"]}
    kept = [row["macs_backward"] / rows[row["name"]]["macs_backward"]
            for row in some["layers"] if row["macs_backward"]]  # fmt: skip
    assert kept == [0.25, 1]  # the convolution, and the head
    assert some["macs_step"] < whole["macs_step"]
    assert some["ram_peak_bytes"] > whole["ram_peak_bytes"]


def test_fewer_products_where_samples_are_skipped():
    whole, some = plan(), plan(skip=0.5)
    for a, b in zip(whole["layers"], some["layers"], strict=True):
        assert b["macs_backward"] == round(a["macs_backward"] / 2)


def test_the_most_that_is_kept_counts():
    assert plan(keep="0.1:0.5")["macs_step"] == plan(keep=0.5)["macs_step"]


@pytest.mark.parametrize("board", ["qemu_m4f", "qemu_m0p"])
def test_a_step_is_predicted_with_the_structures_that_are_left(board):
    """Kernels over lists are predicted as the whole ones of as many structures."""
    costs, steps, backward = counted(boards.load(board).facts), [], []
    for options in ({}, {"keep": 0.5}, {"keep": 0.25}, {"keep": 0.25, "skip": 0.5}):
        wanted = Wanted(MODEL, {"batch": 16, "micro": 4, "bits": 4, "classes": None, **options})
        calls = wanted.work(4, ()).step
        steps.append(instructions(calls, costs))
        passes = [call for call in calls if "_bwd_" in call[0][0]]
        backward.append(instructions(passes, costs))
    assert steps == sorted(steps, reverse=True)
    assert backward[2] < 0.5 * backward[0]


@pytest.mark.parametrize("keep", ["half", "0.5:0.1", "0", "1.5", "0.1:0.2:0.3", "", [0.5, 0.1]])
def test_a_share_is_asked_for(keep):
    with pytest.raises(InputError, match="--keep: expected a share of structures .* --keep 0.25"):
        learner_options.shares(keep)
