"""Cuts of cuts, random long lives, wear and mutants: `make test-power BUDGET=10 SEED=1`.

Writes out/bench/power.json and prints the figures; with --docs also puts the tables into
docs/power.md. Ends with 1 at the first thing lost, torn or not caught.
"""

import argparse
import collections
import random
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STORE = ROOT / "tests" / "store"
sys.path[:0] = [str(ROOT / p) for p in ("device_lib", "host", "tests", "tests/device")]
sys.path.append(str(STORE))

import cuts  # noqa: E402
import dropping  # noqa: E402
import lives  # noqa: E402
import mutants  # noqa: E402
import power_table  # noqa: E402
from nor import MIXED  # noqa: E402
from store_life import Scene  # noqa: E402

REPLACEMENTS = 100_000
# One in five slots is spare: a store that is 80 % full
WEAR = Scene(34, 4096, 256, 256, reserve=6)


def until(minutes):
    end = time.monotonic() + 60 * minutes
    return lambda: time.monotonic() < end


def every_cut(figures, rng, minutes):
    """The small scenes of the tests, then random geometries until the time is up."""
    in_time = until(minutes)
    cuts.cut_twice(Scene(5, 512, 1, 60), rng, figures, in_time=until(0.4 * minutes))
    before = figures["cuts"]
    scene = Scene(6, 512, 16, 100, align=True, order=MIXED)
    dropped = dropping.lived(scene)[1]
    cuts.cut_twice(scene, rng, figures, in_time=until(0.3 * minutes), lived=dropped)
    figures["cuts_with_drops"] = figures["cuts"] - before
    blank = Scene(5, 512, 16, 60)
    cuts.cut_format(blank, blank.flash(), figures)
    while in_time():
        cuts.cut_twice(cuts.some_scene(rng), rng, figures, most=200, in_time=in_time)


def all_lives(figures, rng, minutes):
    in_time = until(minutes)
    while in_time():
        lives.random_life(rng, figures)


def mutants_caught():
    """Runs the tests that plant them; (planted, caught)."""

    class Count:
        passed = planted = 0

        def pytest_runtest_logreport(self, report):
            if report.when == "call" and "catch" in report.nodeid:
                self.planted += 1
                self.passed += report.passed

    count = Count()
    pytest.main(["-q", "-p", "no:cacheprovider", str(STORE / "test_mutants.py")], plugins=[count])
    return count.planted, count.passed


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--budget", type=float, default=10, help="minutes for cuts and lives")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--docs", action="store_true", help="tables into docs/power.md")
    options = options.parse_args()
    rng = random.Random(options.seed)
    of_cuts, of_lives = collections.Counter(), collections.Counter()
    every_cut(of_cuts, rng, options.budget * 0.6)
    print(dict(of_cuts), flush=True)
    all_lives(of_lives, rng, options.budget * 0.4)
    print(dict(of_lives), flush=True)
    wear = lives.wear_is_counted(WEAR, REPLACEMENTS, rng)
    print(wear, flush=True)
    planted, finds = mutants_caught()
    figures = {
        "seed": options.seed,
        "minutes": options.budget,
        "cuts": dict(of_cuts),
        "lives": dict(of_lives),
        "wear": wear,
        "mutants": {"in_table": mutants_in_tables(), "planted": planted, "caught": finds},
        "lost": 0,  # the first loss ends this program before it comes here
        "torn": 0,
    }
    power_table.write("power", figures)
    print(power_table.power(figures))
    if options.docs:
        power_table.put()
    return 0 if planted == finds == mutants_in_tables() else 1


def mutants_in_tables():
    return sum(len(table) for name, table in vars(mutants).items() if name.endswith("_MUTANTS"))


if __name__ == "__main__":
    sys.exit(main())
