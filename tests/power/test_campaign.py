"""A small part of `make test-power`, and that what it found stays right."""

import collections
import random

import pytest
from cuts import cut_format, cut_twice, some_scene
from dropping import cut_everywhere
from lives import random_life, wear_is_counted
from nor import DOWN, MIXED
from store_life import FULL_LIFE, FullLife, Scene, records_of

pytestmark = pytest.mark.slow

SMALL = Scene(5, 512, 1, 60)


def test_recoveries_are_cut():
    figures = collections.Counter()
    cut_twice(SMALL, random.Random(1), figures, most=150)
    assert figures["recoveries_with_steps"] > 30 and figures["cuts_in_recoveries"] > 200
    assert figures["deepest"] > 1


DROP_SCENES = (
    Scene(7, 512, 1, 100),
    Scene(6, 512, 16, 100, align=True, order=MIXED),
)


@pytest.mark.parametrize("scene", DROP_SCENES, ids=repr)
def test_drops_of_units_are_cut(scene):
    """A policy drops units, with and without records to move; the least worn unit moves."""
    life, cuts = cut_everywhere(scene)
    assert cuts > 2000 and life.drops > life.moving > 3 and life.levelled > 1, vars(life)


@pytest.mark.parametrize("scene", [Scene(5, 512, 16, 60), Scene(5, 512, 4, 40, order=DOWN)])
def test_a_format_of_a_blank_region_is_cut_twice(scene):
    """The second header that says so has another erase count than the first."""
    figures = collections.Counter()
    cut_format(scene, scene.flash(), figures, share=4)
    assert figures["format_cuts"] > 50 and figures["cuts_in_recoveries"] > 250


def test_a_format_of_a_used_region_is_cut_twice():
    scene = Scene(5, 512, 16, 60, align=True, order=MIXED)
    flash = scene.flash()
    FullLife(scene, flash, 1).live(FULL_LIFE)
    old = records_of(scene.store(flash))
    flash.written.clear()
    figures = collections.Counter()
    cut_format(scene, flash, figures, old)
    assert figures["format_cuts"] > 50 and figures["cuts_in_recoveries"] > 100


@pytest.mark.parametrize("seed", range(6))
def test_a_random_life(seed):
    figures = collections.Counter()
    random_life(random.Random(seed), figures, 150)
    assert figures["lives"] == 1 and figures["operations"]


def test_geometries_differ():
    rng = random.Random(1)
    scenes = [some_scene(rng) for _ in range(40)]
    assert {scene.align for scene in scenes} == {True, False}
    assert len({scene.erase_bytes for scene in scenes}) > 4
    assert len({scene.program_bytes for scene in scenes}) > 5


def test_the_simulator_counts_the_same_wear():
    figures = wear_is_counted(Scene(12, 512, 16, 40, reserve=3), 6000, random.Random(1))
    assert figures["erases"] > 600
