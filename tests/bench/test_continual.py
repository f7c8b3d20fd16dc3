"""The harness of the continual-learning benchmark, on few samples: streams, bounds, document.

Fashion-MNIST where it is there, else the scanned digits, widened to its size.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "continual"))

import cells  # noqa: E402
import few_shot  # noqa: E402
import float_latents  # noqa: E402
import latents_protocols as protocols  # noqa: E402
import pages  # noqa: E402
import plots  # noqa: E402
import results  # noqa: E402
import streams  # noqa: E402

from engram.nn.model import ModelSpec  # noqa: E402
from engram_host.datasets import fashion_mnist, scanned_digits  # noqa: E402

EACH = 60


def small_stream():
    """2,000 samples to train on and 800 to test, in P1's sessions."""
    if (Path(os.environ.get("ENGRAM_DATA", "/nowhere")) / "fashion_mnist").is_dir():
        data = fashion_mnist()
        x, y = data.x_train[:2800], data.y_train[:2800]
    else:
        images, y = scanned_digits.scans()
        wide = np.kron(images[:, 1:, 1:, 0], np.ones((4, 4)))  # 28 x 28
        x = np.uint8(wide * 15.9)[..., None]
    test = len(x) * 2 // 7
    return protocols.Stream(x[test:], y[test:], x[:test], y[:test], protocols.FASHION_GROUPS)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("latents")
    return streams.data_of(small_stream(), "fashion_dense", real=True, folder=folder)


@pytest.fixture(scope="module")
def rows(data):
    grid = [
        cells.Cell(strategy="finetune", buffer=100),
        cells.Cell(strategy="replay", buffer=100),
        cells.Cell(strategy="replay", buffer=100, bits=4),
        cells.Cell(strategy="replay", buffer=100, bits=32),
    ]
    how = {"epochs": 2, "lr": 0.03, "lr_decay": 1.0, "batch": 16}
    return {(c.strategy, c.bits): streams.run(c, data, how, EACH) for c in grid}


def test_replay_forgets_less_than_plain_training_and_less_than_joint_knows(data, rows):
    bound = streams.joint(data, cells.SEEDS[0], EACH, 6, 0.03)
    replay, plain = rows["replay", 8], rows["finetune", 8]
    assert bound > replay["accuracy"] > plain["accuracy"] + 0.2
    assert replay["forgetting"] < plain["forgetting"] - 0.3


def test_bits_cost_little_accuracy_and_halve_the_flash(rows):
    eight, four, full = (rows["replay", bits] for bits in (8, 4, 32))
    assert abs(eight["accuracy"] - four["accuracy"]) < 0.05
    assert abs(eight["accuracy"] - full["accuracy"]) < 0.05
    assert full["flash_bytes"] > 3.5 * eight["flash_bytes"] > 6 * four["flash_bytes"]


def test_a_seed_gives_the_same_cell_again(data, rows):
    how = {"epochs": 2, "lr": 0.03, "lr_decay": 1.0, "batch": 16}
    again = streams.run(cells.Cell(strategy="replay", buffer=100), data, how, EACH)
    for field in ("accuracy", "matrix", "kept", "flash_bytes"):
        assert again[field] == rows["replay", 8][field]
    other = streams.run(cells.Cell(strategy="replay", buffer=100, seed=99), data, how, EACH)
    assert other["matrix"] != again["matrix"]


def test_float_latents_are_the_int8_ones_before_rounding(data):
    """Off by rounding of a few layers, but for what int8 cuts off at its upper end."""
    with open(data.model, "rb") as file:
        scale, zero = ModelSpec(file).quantization("latent")
    inside = data.x_test < 127
    apart = np.abs(data.real_test - (data.x_test.astype(float) - zero) * scale) / scale
    assert apart[inside].mean() < 0.6 and np.quantile(apart[inside], 0.999) < 6
    assert not float_latents.float_latents(data.model, np.empty((0, 28, 28, 1), np.uint8)).size


def test_classes_are_numbered_as_they_come_with_their_own_rows_of_the_head(data):
    reverse = data._replace(order=(9, 8, 7, 6, 5, 4, 3, 2, 1, 0))

    def head(d):
        spec = streams.spec_of(d)
        layer = spec.net.head
        out = np.empty((10, 256), np.float32)
        spec.file.read_into(layer["w"], out.reshape(-1).view(np.uint8))
        return out

    assert (head(reverse) == head(data)[::-1]).all() and head(data).any()


def test_few_shot_episodes_are_learned_in_one_pass():
    rng = np.random.default_rng(1)
    middle = rng.integers(-100, 100, (few_shot.WAYS, 1, 512))
    values = (middle + rng.integers(-20, 20, (few_shot.WAYS, 8, 512))).astype(np.int8)
    places = np.arange(few_shot.WAYS * 8).reshape(few_shot.WAYS, 8)
    session = protocols.Episode(places[:, :5], places[:, 5:])
    assert few_shot.episode_accuracy(values.reshape(-1, 512), session, 8, 1) == 1.0


def test_results_survive_a_new_start_and_make_the_document(rows, tmp_path):
    grid = results.Results(tmp_path / "continual.json")
    for row in rows.values():
        for seed in cells.SEEDS:
            grid.put({**row, "seed": seed, "buffer": 500})
    again = results.Results(tmp_path / "continual.json")
    assert again.rows == grid.rows and again.has(cells.Cell(strategy="replay"))
    again.save_csv(tmp_path / "continual.csv")
    assert len((tmp_path / "continual.csv").read_text().splitlines()) == 1 + len(again.rows)
    page = pages.text(again)
    assert "| replay |" in page and "| finetune |" in page and "±" in page
    assert [name for _, name in plots.draw(again, tmp_path)] == ["continual-p1.png"]
    assert (tmp_path / "continual-p1.png").stat().st_size > 10_000


def test_the_front_holds_what_nothing_beats():
    points = [(1, 5), (2, 4), (2, 7), (3, 7), (4, 9)]
    assert plots.front(points) == [(1, 5), (2, 7), (4, 9)]


def test_the_grid_names_each_cell_once_and_every_strategy_and_policy():
    grid = list(cells.grid())
    assert len({cell.key for cell in grid}) == len(grid)
    assert {c.strategy for c in grid} == set(cells.STRATEGIES)
    assert {c.policy for c in grid} == set(cells.POLICIES)
    assert {c.bits for c in grid} == set(cells.BITS)
    assert {c.buffer for c in grid} == set(cells.BUFFERS)
