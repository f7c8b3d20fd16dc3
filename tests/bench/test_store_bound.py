"""The bound on write amplification, against reservoirs and a round that are simulated."""

import random
from math import exp

import pytest
import store_bound


def test_the_bound_solves_its_equation():
    for fill in (0.5, 0.8, 0.95):
        a = 1 / (fill * store_bound.least(fill))
        assert a + exp(-a) == pytest.approx(1 / fill)
        moved = exp(-a) / a
        assert store_bound.least(fill) == pytest.approx(1 + moved)
    assert store_bound.least(0.8) == pytest.approx(1.56, abs=0.005)


def test_so_many_records_of_a_reservoir_survive():
    """A records admitted into a reservoir of N leave N exp(-A / N) of those before."""
    rng = random.Random(1)
    size, admitted = 2000, 1600
    old = [True] * size
    for _ in range(admitted):
        old[rng.randrange(size)] = False
    assert sum(old) == pytest.approx(size * exp(-admitted / size), rel=0.05)


@pytest.mark.parametrize("share", [0.3, 0.45, 0.6])
def test_a_swinging_round_is_what_it_says(share):
    """The round in small steps: amounts by the probability that they are still to stay."""
    amplification, least, mean = store_bound.swinging(share)
    steps = 20000
    # in units of all slots; new: admitted and still there; p: of a record to be in the store
    new, old, moved, admitted, area, p = 0.0, least, 0.0, 0.0, 0.0, 1.0
    for _ in range(steps):  # the units that are empty
        part = (1 - least) / steps
        new, admitted = new + part, admitted + part
        area += part * (new + old)
    for i in range(steps):  # the others, each of which moves with `kept`, else is dropped
        part = least / steps
        moved += share * part
        admitted += (1 - share) * part
        p, before = 1 - (i + 1) / steps * (1 - share), p
        old = least * p
        new = new * p / before + (1 - share) * part
        area += (1 - share) * part * (new + old)
    assert p == pytest.approx(share) and old + new == pytest.approx(least, rel=1e-3)
    assert admitted + moved == pytest.approx(1)
    assert (admitted + moved) / admitted == pytest.approx(amplification, rel=1e-3)
    assert area / admitted == pytest.approx(mean, rel=1e-3)


def test_a_swinging_fill_needs_less_than_a_constant_one():
    amplification, least = store_bound.least_swinging(0.8)
    assert 1.2 < amplification < store_bound.least(0.8) and least < 0.8
