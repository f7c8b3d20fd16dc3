"""Tests of the tests: each planted mistake must be caught by the kind of test that is for it."""

import sys
from collections import Counter
from pathlib import Path

import mutants
import pytest
from nor import CLEARING, FIELDS, UP
from store_life import FULL_LIFE, FullLife, Scene, try_cuts
from test_bit_flips import try_flips
from test_interrupts import try_interrupts
from test_power_cuts import FORMAT_SCENES, format_cuts
from test_read_faults import try_reads

from engram import EngramError

sys.path.append(str(Path(__file__).resolve().parents[1] / "power"))
from cuts import cut_format
from dropping import cut_everywhere

SCENE = Scene(5, 512, 16, 60, order=UP)
SCENE_OF_FLIPS = Scene(5, 512, 16, 40, order=UP, targets=5)

SCENE_OF_FIELDS = Scene(5, 512, 16, 60, order=FIELDS)
SCENE_OF_CLEARING = Scene(5, 512, 16, 60, order=CLEARING)
SCENE_OF_DROPS = Scene(7, 512, 16, 100)

# What a mistake may come to light as
LIGHT = (AssertionError, EngramError, OSError)


def names(table):
    return [mutant.__name__ for mutant in table]


@pytest.mark.parametrize("mutant", mutants.CUT_MUTANTS, ids=names(mutants.CUT_MUTANTS))
def test_power_cuts_catch(mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(LIGHT):
        try_cuts(SCENE, 2, second=40)


@pytest.mark.parametrize("mutant", mutants.INTERRUPT_MUTANTS, ids=names(mutants.INTERRUPT_MUTANTS))
def test_interrupts_catch(mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(LIGHT):
        try_interrupts(SCENE)


@pytest.mark.parametrize("mutant", mutants.FLIP_MUTANTS, ids=names(mutants.FLIP_MUTANTS))
def test_bit_flips_catch(mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(LIGHT):
        try_flips(SCENE_OF_FLIPS, every=1)


@pytest.mark.parametrize("mutant", mutants.FORMAT_MUTANTS, ids=names(mutants.FORMAT_MUTANTS))
def test_formats_catch(mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(LIGHT):
        assert format_cuts(FORMAT_SCENES[0], "foreign") > 0


@pytest.mark.parametrize("mutant", mutants.READ_MUTANTS, ids=names(mutants.READ_MUTANTS))
def test_reads_catch(mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(LIGHT):
        try_reads(mapped=True)


@pytest.mark.parametrize("mutant", mutants.DROP_MUTANTS, ids=names(mutants.DROP_MUTANTS))
def test_cuts_of_drops_catch(mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(LIGHT):
        cut_everywhere(SCENE_OF_DROPS)


@pytest.mark.parametrize("mutant", mutants.REFORMAT_MUTANTS, ids=names(mutants.REFORMAT_MUTANTS))
def test_cuts_of_cut_formats_catch(mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(LIGHT):
        flash = SCENE.flash()
        life = FullLife(SCENE, flash, 1)
        life.live(FULL_LIFE)
        cut_format(SCENE, flash, Counter(), life.records, share=4)


@pytest.mark.parametrize("mutant, scene", mutants.STRONG_MUTANTS)
def test_cuts_of_stronger_tearing_catch(mutant, scene, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(LIGHT):
        try_cuts({"fields": SCENE_OF_FIELDS, "clearing": SCENE_OF_CLEARING}[scene])


def test_without_a_mutant_all_pass():
    """So that the mutants are what was caught above."""
    try_cuts(SCENE, 61, second=10)
    try_interrupts(SCENE)
    try_flips(SCENE_OF_FLIPS, every=3)
    try_reads(mapped=True)
