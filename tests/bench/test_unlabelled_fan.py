"""The benchmark of a watched fan, on a simulated one: seconds, no data set."""

import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / folder) for folder in ("unlabelled", "budget", "continual")]

import fan  # noqa: E402
import fan_course  # noqa: E402
import parts as campaign  # noqa: E402
import rows as stored  # noqa: E402
import unlabelled_page  # noqa: E402


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    rows = stored.Rows(tmp_path_factory.mktemp("rows"))
    names = [fan.PART, fan_course.PART]
    campaign.fill(unlabelled_page.PARTS, rows, 1, names, small=True)
    return rows


def test_the_scores_of_the_library_find_an_imbalance(small):
    for cell in fan.cells(small=True):
        row = small.get(cell.key)
        assert row["auc"]["2"] < row["auc"]["3"], cell  # the larger one
        if fan.METHODS[cell.method].engine:
            assert row["auc"]["2"] > 0.95 and row["mean_auc"]["2"] > row["auc"]["2"], cell


def test_a_new_speed_is_learned_and_a_long_fault_is_not(small):
    new, fault = (small.get(cell.key) for cell in fan_course.cells(small=True))
    assert new["before"]["false_new"] > 0.5 and new["taken"] >= 8
    assert new["after"]["false_new"] < 0.2 and new["after"]["found_new"] > 0.9
    assert fault["taken"] < 0.1 * fault["blocks"] and fault["after"]["found_known"] > 0.8


def test_the_means_are_of_windows_of_one_recording():
    scores = np.array([[0.0, 0, 4], [8, 8, 8]])
    assert fan.means(scores, 2).tolist() == [[0, 2], [8, 8]]
    assert fan.area(np.array([1.0, 2]), np.array([2.0, 3])) == 0.875


def test_tables_name_the_bar_and_what_was_not_run(tmp_path):
    rows = stored.Rows(tmp_path)
    for part in (fan, fan_course):
        assert "not run" in "\n".join(part.section(rows))
    for seed, area in zip(fan.SEEDS, (0.99, 0.97, 0.93)):
        auc = {"2": area, "3": area}
        rows.put(fan.Cell("real", "clusters", seed).key, {"auc": auc, "mean_auc": auc})
    assert "reached; worst seed 0.930" in "\n".join(fan.section(rows))
    shares = {"false_new": 0.8, "found_new": 0.9, "auc_new": 0.5}
    shares |= {"found_known": 0.9, "false_known": 0.0}
    after = {**shares, "false_new": 0.1, "auc_new": 0.97}
    cell = fan_course.Cell("real", "new", "low", "clusters", 1)
    rows.put(cell.key, {"taken": 9, "blocks": 12, "before": shares, "after": after})
    assert "| 75 % | 80 → 10 | 90 → 90 | 0.500 → 0.970 |" in fan_course.section(rows)[2]
