"""The harness of the search's benchmark, on a small grid of the digits."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "budget"))

import search  # noqa: E402

CHOICES = {"bits": 4, "batch": 8}


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    return search.Grid(search.digits_case(tmp_path_factory.mktemp("grid")), {}, CHOICES)


def test_a_small_grid_is_found_with_a_part_of_its_trainings(grid):
    """The bar of 15 % is for grids of hundreds; here the ten random ones at the start count."""
    row = search.compared(grid, seeds=(1, 2))
    assert 40 < row["fitting"] <= row["points"] == 90
    assert len(grid.kept) == row["fitting"]  # each point once, a refused one never
    assert 0.8 < row["best"] <= 1 and row["front"] > 10
    assert min(row["search"]["share_at_bar"]) > 0.8
    for counts in (row["search"]["trainings"], row["random"]["trainings"]):
        assert all(n is None or 1 <= n <= search.MOST * row["fitting"] for n in counts)


def test_the_whole_grid_has_all_of_its_hypervolume(grid):
    everything = [grid.tried(point) for point in grid.points]
    whole = search.hypervolume([values for values, _ in search.pareto(everything, grid.limits)])
    assert search.share(grid, everything, whole) == pytest.approx(1)
    n = search.trainings(grid, everything, whole)
    assert search.share(grid, everything[:n], whole) >= search.GOAL
    assert search.share(grid, everything[: n - 1], whole) < search.GOAL


def test_the_bar_is_of_every_seed():
    row = {"fitting": 100, "search": {"trainings": [10, 15]}}
    assert search.reached(row)
    assert not search.reached({**row, "search": {"trainings": [10, 16]}})
    assert not search.reached({**row, "search": {"trainings": [10, None]}})


def test_the_document_has_the_table_that_the_command_makes():
    text = search.DOCUMENT.read_text()
    table = text[text.index(search.BEGIN) : text.index(search.END)]
    assert "| digits | 1,440 | " in table and "| spoken digits | 1,440 | " in table
