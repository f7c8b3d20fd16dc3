"""The harness that judges the defaults, on a situation that needs no data set."""

import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "continual"))

import defaults  # noqa: E402
import defaults_page  # noqa: E402
import situations  # noqa: E402
from situations import Part  # noqa: E402

ELEMS = 16


def clouds(labels, seed, shift=0.0):
    """int8 latents: a cloud per class, moved by a shift."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1).normal(0, 40, (6, ELEMS))
    away = np.random.default_rng(2).normal(0, 40, ELEMS) * shift
    x = centres[labels] + away + rng.normal(0, 12, (len(labels), ELEMS))
    return Part(np.clip(np.rint(x), -128, 127).astype(np.int8), np.array(labels))


@pytest.fixture(scope="module")
def new_classes(tmp_path_factory):
    return situation(tmp_path_factory, 4, [clouds([c] * 60, c) for c in (4, 5)], 0.0)


@pytest.fixture(scope="module")
def new_user(tmp_path_factory):
    return situation(tmp_path_factory, 6, [clouds(list(range(6)) * 2, 9, 2.0)], 2.0)


def situation(tmp_path_factory, known, sessions, shift):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(situations.latents, "CACHE", tmp_path_factory.mktemp("latents"))
        raw = situations.head_alone("clouds", ELEMS, 6, 0.05, 0)
    memory = clouds(list(range(known)) * 100, 3)
    model = situations.trained_head(raw, memory, 1)
    tests = [clouds(list(range(known)) * 40, 5)]
    for part in sessions:
        classes = np.unique(part.y).tolist()
        tests.append(clouds(classes * 40, 6, shift))
    return situations.Situation(
        "clouds", model, known, memory, sessions, tests, lambda rows: float(np.mean(rows[-1]))
    )


@pytest.mark.parametrize("settings", [{}, {"goal": "domain"}, {"strategy": "replay_lwf"}], ids=str)
def test_the_defaults_learn_new_classes_and_keep_the_old(new_classes, settings):
    assert defaults.run(new_classes, 1, {"buffer": 120, **settings}) > 0.95


def test_few_samples_of_a_user_count_more_than_before(new_user):
    """12 samples among 600 stored ones."""
    user = new_user._replace(score=lambda rows: rows[-1][1])
    small = {"buffer": 600}
    now = defaults.run(user, 1, small)
    before = defaults.run(user, 1, {**defaults.BEFORE, **small})
    assert now > 0.9 and now > before + 0.2
    assert defaults.run(user, 1, {"goal": "user", **small}) > 0.9


def test_the_share_of_before_is_by_number(new_user):
    assert defaults.BEFORE["by_number"]
    shares = []

    class Sampler:
        new_share = None

    class Learner:
        current = 1
        sampler = Sampler

        class store:
            labels = bytes([0] * 30 + [1] * 30 + [0] * 10 + [255] * 5)
            sessions = np.array([0] * 60 + [1] * 10 + [0] * 5, np.uint16)

    shares.append(defaults._share_by_number(Learner))
    assert shares == [pytest.approx((10 / 40) / 2)]


def test_the_page_has_a_row_for_each_situation_and_says_what_was_not_run():
    names = (*defaults.NAMES, defaults.SKEWED)
    columns = ("before", "now", "tuned", "replay_lwf", "replay_anchor", *defaults.GOALS)
    figures = {n: {c: [90.0, 92.0] for c in columns} | {"settings": {"lr": 0.1}} for n in names}
    figures["P3"]["tuned"] = [93.0, 95.0]
    text = defaults_page.tables(figures, {"P1": {"scores": [80.0, 81.0], "settings": {}}})
    assert text.count("not run") == 10
    assert "| 91.0 ± 1.4 | **91.0 ± 1.4** | 94.0 ± 1.4 | -3.0 | not run |" in text
    assert "80.5 ± 0.7" in text and defaults_page.BEGIN in defaults_page.DOCUMENT.read_text()
