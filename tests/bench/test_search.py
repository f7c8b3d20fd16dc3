"""The harness of the search's benchmark, on a small grid of the digits."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "budget"))

import rows as stored  # noqa: E402
import search  # noqa: E402
import search_grid  # noqa: E402

CHOICES = {"bits": 4, "batch": 8, "steps": 100}


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    model = search_grid.DIGITS.model(tmp_path_factory.mktemp("grid"))
    return search_grid.Grid(search_grid.DIGITS, model, {}, CHOICES)


@pytest.fixture(scope="module")
def whole(grid):
    return search_grid.whole_of(grid)


def test_a_small_grid_is_found_with_a_part_of_its_trainings(grid, whole):
    """The bar of 15 % is for grids of hundreds; here the ten random ones at the start count."""
    for seed in (1, 2):
        row = search_grid.counted(grid, whole, seed)
        assert 25 < row["fitting"] <= row["points"] == 54
        assert len(grid.kept) == row["fitting"]  # each point once, a refused one never
        assert 0.8 < row["best"] <= 1 and row["front"] > 10
        assert row["search"]["share_at_bar"] > 0.6
        for name in ("search", "random"):
            n = row[name]["trainings"]
            assert n is None or 1 <= n <= search.MOST * row["fitting"]


def test_the_whole_grid_has_all_of_its_hypervolume(grid, whole):
    everything = [grid.tried(point) for point in grid.points]
    assert search_grid.share(grid, everything, whole.hypervolume) == pytest.approx(1)
    n = search_grid.trainings(grid, everything, whole.hypervolume)
    assert search_grid.share(grid, everything[:n], whole.hypervolume) >= search_grid.GOAL
    assert search_grid.share(grid, everything[: n - 1], whole.hypervolume) < search_grid.GOAL


def test_an_accuracy_that_is_kept_is_of_one_size_of_micro_batch_in_q8(grid):
    keys = {point["format"]: grid.key(point) for point in grid.points}
    assert set(keys) == {"f32", "q8", "mixed"}
    assert "micro" not in keys["f32"] and keys["q8"].endswith("/micro 8")


def test_each_point_of_a_grid_is_in_one_cell(grid, tmp_path):
    cells = [cell for cell in search.cells() if cell.case == "digits"]
    parts = [cell.part for cell in cells if cell.part]
    for point in grid.points:
        assert parts.count((point["scope"], point["format"])) == 1
    assert [cell.seed for cell in cells if not cell.part] == list(search.SEEDS)
    assert len({cell.key for cell in cells}) == len(cells)


def test_the_table_has_the_seeds_that_were_run(tmp_path):
    rows = stored.Rows(tmp_path)
    assert "| digits | not run |" in search.text(rows)
    for seed, n in ((1, 10), (2, 20)):
        found = {"trainings": n, "share_at_bar": 0.99}
        row = {"points": 900, "fitting": 100, "front": 30, "search": found, "random": found}
        rows.put(search.Cell("digits", (), seed).key, row)
    assert "| digits | 900 | 100 | 30 | 10, 20 | 10.0% to 20.0% |" in search.text(rows)
    assert "| not reached |" in search.text(rows)


def test_the_bar_is_of_every_seed():
    row = {"fitting": 100, "search": {"trainings": [10, 15]}}
    assert search.reached(row)
    assert not search.reached({**row, "search": {"trainings": [10, 16]}})
    assert not search.reached({**row, "search": {"trainings": [10, None]}})


def test_the_document_has_the_table_that_the_command_makes():
    text = search.DOCUMENT.read_text()
    table = text[text.index(search.BEGIN) : text.index(search.END)]
    assert "| digits | 4,320 | " in table and "| spoken digits | 1,944 | " in table
