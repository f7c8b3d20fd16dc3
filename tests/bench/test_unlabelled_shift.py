"""The benchmark of another sensor, on the digits of the demo: seconds, no data set."""

import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / folder) for folder in ("unlabelled", "budget", "continual")]

import parts as campaign  # noqa: E402
import rows as stored  # noqa: E402
import shift  # noqa: E402
import unlabelled_page  # noqa: E402


@pytest.fixture(scope="module")
def row(tmp_path_factory):
    rows = stored.Rows(tmp_path_factory.mktemp("rows"))
    campaign.fill(unlabelled_page.PARTS, rows, 1, [shift.PART], small=True)
    (cell,) = shift.cells(small=True)
    return rows.get(cell.key)


def test_matching_helps_and_does_not_pass_the_bound_by_far(row):
    assert row["before"] < row["match"] < row["bound"] + 0.02
    assert set(shift.METHODS) <= set(row) and set(row["risk"]) == set(shift.RISKS)


def test_no_unlabelled_picture_is_one_with_a_label():
    at = shift.situation(shift.Cell("digits", "none", 2))
    known = {picture.tobytes() for picture in at.x}
    assert not known & {picture.tobytes() for picture in at.unlabelled}
    assert not known & {picture.tobytes() for picture in at.tests}


def test_sensors_do_what_they_are_called():
    x = np.zeros((1, 28, 28, 1), np.uint8)
    x[0, 10:18, 12:16] = 200
    rng = np.random.default_rng(1)

    def of(name):
        return shift.seen(x, name, rng, 255)

    assert np.array_equal(of("none"), x)
    assert of("dark").max() == 60 and (of("contrast").min(), of("contrast").max()) == (90, 160)
    assert of("blur").sum() == pytest.approx(x.sum(), rel=0.02) and of("blur").max() <= 200
    assert (of("noise") > 0).sum() > (x > 0).sum()
    turned = of("rotation")[0, ..., 0] > 0
    assert not np.array_equal(turned, x[0, ..., 0] > 0) and abs(int(turned.sum()) - 32) < 8


def test_the_risk_of_pseudo_labels_is_of_those_that_were_given():
    chosen = np.array([True, True, True, False])
    labels, right = np.array([1, 1, 2, 0]), np.array([1, 0, 2, 1])
    assert shift._risk(chosen, labels, right) == [3, pytest.approx(1 / 3), 0.5]
    assert shift._risk(chosen & False, labels, right) == [0, 0.0, 0.0]


def test_tables_say_what_was_not_run(tmp_path, row):
    rows = stored.Rows(tmp_path)
    assert "not run" in "\n".join(shift.section(rows))
    rows.put(shift.Cell("fashion", "dark", 1).key, {**row, "match": 0.987})
    assert "98.7" in "\n".join(shift.section(rows))
