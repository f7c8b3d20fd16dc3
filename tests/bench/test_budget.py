"""The harness of the benchmark of learning on a budget, on the digits: seconds, no data set."""

import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "budget"), str(HERE / "continual")]

import budget_page  # noqa: E402
import campaign  # noqa: E402
import drifted  # noqa: E402
import partial  # noqa: E402
import parts  # noqa: E402
import published  # noqa: E402
import rows as stored  # noqa: E402
import scratch  # noqa: E402
import scratch_networks as networks  # noqa: E402
import steps  # noqa: E402
import variants  # noqa: E402

SHORT = scratch.SETS["digits"]._replace(epochs=12)


@pytest.fixture(scope="module")
def reached():
    """{variant: row} of one seed."""
    return {
        name: scratch.run(scratch.Cell("digits", name, 1), SHORT)
        for name, variant in variants.VARIANTS.items()
        if not variant.broken
    }


def test_each_format_learns_the_digits(reached):
    for name, row in reached.items():
        assert row["accuracy"] > 0.85, (name, row)
        assert row["losses"][-1] < 0.5 * row["losses"][0], (name, row)


def test_all_four_layers_learn():
    graph, tensors = networks.graph_of("n", networks.SMALL_CNN, (8, 8, 1), 1)
    assert [t.size for n, t in tensors.items() if n[0] == "w"] == [144, 4608, 8192, 640]
    again = networks.graph_of("n", networks.SMALL_CNN, (8, 8, 1), 1)[1]
    assert all(np.array_equal(tensors[name], again[name]) for name in tensors)
    raw = networks.file_of(graph, tensors)
    assert memory_of(raw) > 2 * 4 * sum(t.size for t in tensors.values())  # weights, gradients


def memory_of(raw):
    return scratch.memory.of(raw, 16)["train_bytes"]


@pytest.mark.parametrize(
    ("inputs", "stride", "sides"),
    [(28, 2, (0, 1)), (14, 2, (0, 1)), (7, 2, (1, 1)), (8, 1, (1, 1))],
)
def test_the_output_of_a_convolution_is_its_input_over_the_stride(inputs, stride, sides):
    assert networks.padding(inputs, 3, stride) == sides
    assert (inputs + sum(sides) - 3) // stride + 1 == -(-inputs // stride)


def test_a_campaign_goes_on_where_it_stopped(tmp_path, monkeypatch):
    made = []

    def fake(cell):
        made.append(cell.key)
        return {"accuracy": 0.9, "losses": [2.0, 0.1], "seconds": 0, "train_bytes": 1000}

    monkeypatch.setattr(scratch, "run", fake)
    rows = stored.Rows(tmp_path)
    assert parts.fill(campaign.PARTS, rows, 0, ["scratch"]) == 0
    count = parts.fill(campaign.PARTS, rows, 1, ["scratch"])
    assert count == len(made) == len(set(made)) == len(list(scratch.cells()))
    assert parts.fill(campaign.PARTS, rows, 1, ["scratch"]) == 0
    assert parts.missing(campaign.PARTS, rows)["scratch"] == 0
    assert rows.drop(["scratch/digits/f32/*"]) == len(scratch.SETS["digits"].seeds)
    assert parts.fill(campaign.PARTS, rows, 1, ["scratch"]) == len(scratch.SETS["digits"].seeds)


def test_the_page_says_what_reached_its_bar_what_did_not_and_what_was_not_run(tmp_path):
    rows = stored.Rows(tmp_path)
    assert "not run" in budget_page.text(rows)
    for accuracy, said in ((0.86, "not reached"), (0.88, "| reached |")):
        for seed in scratch.SEEDS:
            rows.put(scratch.Cell("fashion", "f32", seed).key,
                     {"accuracy": accuracy + seed / 1000, "train_bytes": 9000})  # fmt: skip
        assert said in budget_page.text(rows)
    assert "88.2 ± 0.1" in budget_page.text(rows)


def test_a_gap_is_of_the_same_seeds_and_a_run_that_diverged_has_none(tmp_path, monkeypatch):
    monkeypatch.setitem(scratch.VARIANTS, "q8", variants.Variant("integers"))
    rows = stored.Rows(tmp_path)
    for name, values in (("f32", (0.90, 0.80, 0.70)), ("q8", (0.89, None, 0.68))):
        for seed, value in zip(scratch.SEEDS, values):
            rows.put(scratch.Cell("fashion", name, seed).key,
                     {"accuracy": value, "train_bytes": 9000})  # fmt: skip
    assert scratch.behind(rows, "fashion", "q8") == pytest.approx(-0.015)
    assert "-1.5" in budget_page.text(rows) and "(1 of 3 diverged)" in budget_page.text(rows)


def test_the_document_takes_the_tables(tmp_path):
    document = tmp_path / "page.md"
    document.write_text(budget_page.DOCUMENT.read_text())
    rows = stored.Rows(tmp_path)
    for keep, backward in (("1", 400), ("0.1", 100)):
        rows.put(partial.Cell("P1", keep, 11).key, {"accuracy": 0.8})
        step = {"total": 900, "phases": {"backward": backward}, "train_bytes": 9000}
        rows.put(partial.Cell("P1", keep, None).key, step)
    assert partial.savings(rows, "P1") == [(4.0, 0.0)]
    budget_page.write(rows, document, tmp_path)
    assert (tmp_path / "budget.png").stat().st_size > 5000
    text = document.read_text()
    assert text.count(budget_page.BEGIN) == 1 and "## From scratch" in text


def put_step(rows, variant, total, train_bytes):
    cell = steps.Cell("digits", "virtual_pico", variant)
    rows.put(cell.key, {**cell._asdict(), "total": total, "train_bytes": train_bytes})


def test_a_step_is_held_to_its_bars(tmp_path, monkeypatch):
    monkeypatch.setitem(variants.VARIANTS, "q8", variants.Variant("integers", on_boards=True))
    rows = stored.Rows(tmp_path)
    put_step(rows, "f32", 90_000_000, 30_000)
    put_step(rows, "q8", 5_900_000, 15_000)
    text = budget_page.text(rows)
    assert "5.900 (15.3 ×)" in text
    assert "virtual Pico ≤ 6 M: reached; memory 50 % ≤ 50 %: reached" in text
    put_step(rows, "q8", 6_100_000, 16_000)
    text = budget_page.text(rows)
    assert "virtual Pico ≤ 6 M: not reached; memory 53 % ≤ 50 %: not reached" in text
    put_step(rows, "f32", None, 30_000)
    assert "does not fit" in budget_page.text(rows)


def test_a_row_of_a_board_fits_the_page(tmp_path):
    assert steps.line({"total": None, "fits": "expected less"}) == "does not fit: expected less"
    records = [{"total": -369_340_092, "outside": 5}, {"total": -369_340_090, "outside": 5}]
    assert steps._typical(records, lambda r: r["total"]) == steps.COUNTER - 369_340_091
    many = [{"total": n} for n in (9, 9, 4, 6)]  # what is skipped differs from step to step
    assert steps._typical(many, lambda r: r["total"]) == 5


def test_a_partial_update_is_held_to_points_and_instructions(tmp_path):
    rows = stored.Rows(tmp_path)
    for keep, accuracy, backward, train_bytes in (
        ("1", 0.9, 400, 9000), ("0.25", 0.897, 99, 9000), ("0.1", 0.89, 50, 9000),
        ("in 0.25", 0.891, 199, 4400), ("out 0.25", 0.891, 199, 4600),
    ):  # fmt: skip
        for seed in partial.SEEDS["P1"]:
            rows.put(partial.Cell("P1", keep, seed).key, {"accuracy": accuracy})
        step = {"total": 400 + backward, "phases": {"backward": backward}}
        rows.put(partial.Cell("P1", keep, None).key, {**step, "train_bytes": train_bytes})
    lines = {line.split("|")[2].strip(): line for line in partial.section(rows)[-1].splitlines()
             if line.startswith("| " + partial.TITLES["P1"])}  # fmt: skip
    assert "| -0.3 | 0.000 (4.0 ×) | 0.000 (1.6 ×) | 9.0 (1.0 ×) |" in lines["0.25"]
    said = {name: line.split("|")[-2].split(": ")[-1].strip() for name, line in lines.items()}
    assert said["0.25"] == said["in 0.25"] == "reached"
    assert said["0.1"] == said["out 0.25"] == "not reached"
    assert partial.Cell("scratch", "1", 2).key == scratch.Cell(seed=2).key
    assert partial.settings("scratch") == ["1", "0.5", "0.25", "0.1", "0.1-1"]


def test_what_was_learned_is_in_the_file_that_fine_tuning_starts_from():
    data, plain = SHORT.load(), variants.VARIANTS["f32"]
    raw = bytearray(scratch.untrained(data, 1))
    before = drifted.accuracy_before(bytes(raw), data)
    row, learner = scratch.learned(bytes(raw), data, SHORT, plain, 1)
    drifted.put_weights(raw, learner)
    assert before < 0.3 < row["accuracy"] == drifted.accuracy_before(bytes(raw), data)


def test_the_simulation_of_published_rules_is_the_library_in_float32(reached):
    """The same weights to begin with, other orders of the samples."""
    rows = {name: published.run(published.Cell(name, 1), SHORT)
            for name in ("float32", "deutel_nearest", "deutel")}  # fmt: skip
    assert rows["float32"]["accuracy"] == pytest.approx(reached["f32"]["accuracy"], abs=0.03)
    assert rows["float32"]["losses"][-1] == pytest.approx(reached["f32"]["losses"][-1], rel=0.15)
    for row in rows.values():
        assert row["kind"] == "simulated" and len(row["losses"]) == SHORT.epochs
    assert rows["deutel_nearest"]["losses"][-1] < rows["deutel"]["losses"][-1]
