"""The benchmark of learning without labels, on the digits: seconds, no data set, no board."""

import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / folder) for folder in ("unlabelled", "budget", "continual")]

import few_labels  # noqa: E402
import paper  # noqa: E402
import parts as campaign  # noqa: E402
import rows as stored  # noqa: E402
import unlabelled_page  # noqa: E402
import vae_steps  # noqa: E402


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The rows of a small campaign; of the VAE a shorter one."""
    rows = stored.Rows(tmp_path_factory.mktemp("rows"))
    campaign.fill(unlabelled_page.PARTS, rows, 1, [few_labels.PART, vae_steps.PART], small=True)
    (cell,) = paper.cells(small=True)
    rows.put(cell.key, paper.run(cell, (600,)))
    return rows


def test_each_method_learns_from_ten_labels_a_class(small):
    for cell in few_labels.cells(small=True):
        assert small.get(cell.key)["accuracy"] > 0.8, cell
    features, cnn = (
        small.get(few_labels.Cell("digits", name, 10, 1).key) for name in ("features", "cnn")
    )
    assert features["accuracy"] > cnn["accuracy"]
    assert features["ram"] < few_labels.BAR_RAM and features["fits"]


def test_a_classifier_learns_on_the_code_of_a_vae(small):
    row = small.get(paper.Cell("digits", 1).key)
    (point,) = row["points"].values()
    assert point["samples"] == 60_000 and point["100"] > max(0.75, point["10"]), point


def test_no_labelled_picture_is_a_test_picture():
    data = few_labels.SETS["digits"].load()
    x, y = few_labels.drawn(data, 10, 2)
    assert np.bincount(y).tolist() == [10] * 10
    tests = {picture.tobytes() for picture in data.x_test}
    assert not tests & {picture.tobytes() for picture in x}


def test_a_part_of_the_structures_takes_fewer_instructions(small):
    for board in vae_steps.CORES:
        whole, part = (
            small.get(vae_steps.Cell("small", board, name, "model").key)["sample"]
            for name in ("f32", "f32 keep 0.1")
        )
        assert 0.3 * whole < part < 0.9 * whole


def test_a_second_campaign_runs_nothing(small):
    names = [few_labels.PART, vae_steps.PART]
    assert campaign.fill(unlabelled_page.PARTS, small, 1, names, small=True) == 0


def test_the_page_says_what_reached_its_bar_and_what_was_not_run(tmp_path):
    rows = stored.Rows(tmp_path / "rows")
    assert "not run" in unlabelled_page.text(rows) and "## Not run" in unlabelled_page.text(rows)
    for accuracy, ram, said in (
        (0.85, 180_000, "KB: reached"), (0.83, 180_000, "KB: not reached"),
        (0.85, 280_000, "KB: not reached"),
    ):  # fmt: skip
        for seed in few_labels.SEEDS:
            for name, less in (("features", 0), ("features_q8", 0.003)):
                rows.put(few_labels.Cell("fashion", name, 100, seed).key,
                         {"accuracy": accuracy - less, "ram": ram, "fits": True})  # fmt: skip
        text = unlabelled_page.text(rows)
        assert said in text and "100 labels -0.3 points (reached)" in text
    document = tmp_path / "page.md"
    document.write_text(unlabelled_page.DOCUMENT.read_text())
    unlabelled_page.write(rows, document)
    assert document.read_text().count(unlabelled_page.BEGIN) == 1


def test_the_time_on_a_board_is_of_clock_and_cycles(tmp_path):
    rows = stored.Rows(tmp_path)
    for chip in vae_steps.CHIPS.values():
        cell = vae_steps.Cell("paper", chip.core, "f32", "model")
        rows.put(cell.key, {"sample": chip.hertz / chip.cycles, "ram": 500_000})  # a second each
    for seed in paper.SEEDS:
        points = {"20": {"samples": 2000, "100": 0.5}, "400": {"samples": 40_000, "100": 0.7}}
        rows.put(paper.Cell("fashion", seed).key, {"points": points, "train_bytes": 500_000})
    text = "\n".join(vae_steps.section(rows))
    assert "1000 ms | 16.7 h | 69.4 days | 3,600" in text
    assert "| 3,600 | 50.0 ± 0.0, after 2,000 |" in text
    assert "not run" in text  # 8-bit integers
