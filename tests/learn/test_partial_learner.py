"""Partial updates of a learner on a board: opened from options, learned with, reset."""

import tiny_model

from learn.ram_board import board, observe, opened

OPTIONS = {"keep": (0.25, 0.75), "skip": 0.25}
SCOPE = "all.b,a2.in:norm:0.5,a0.out:0-2"


def model(tmp_path):
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(tiny_model.with_outputs("classes"))
    return path


def learned(path, on, **options):
    learner = opened(path, on, **options)
    observe(learner, 0, 1, 2)
    losses = [record["loss"] for record in learner.steps(steps=60)]
    learner.end_session()
    learner.save()
    return learner, losses


def test_a_learner_learns_and_comes_back(tmp_path):
    path, on = model(tmp_path), board()
    learner, losses = learned(path, on, scope=SCOPE, **OPTIONS)
    assert learner.scope == SCOPE
    assert sum(losses[-10:]) < sum(losses[:10])
    before = list(learner.stage.params)
    again = opened(path, board(flash=on.flash), scope=SCOPE, **OPTIONS)
    assert list(again.stage.params) == before


def test_what_is_not_chosen_is_that_of_the_model_file(tmp_path):
    path = model(tmp_path)
    fresh = list(opened(path, board()).stage.params)
    learner, _ = learned(path, board(), scope="a2.in:1+4")
    changed = [i for i, (a, b) in enumerate(zip(fresh, learner.stage.params)) if a != b]
    first = 6 * 9 * 5 + 6  # behind a0: its weights (8, 1, 1, 6), then 8 biases
    inputs = {(i - first) % 6 for i in changed if i < first + 48}
    assert inputs == {1, 4}
    assert min(changed) >= first and max(changed) < first + 48 + 8


def test_the_same_run_chooses_the_same(tmp_path):
    path = model(tmp_path)
    runs = [learned(path, board(), **OPTIONS) for _ in range(2)]
    assert runs[0][1] == runs[1][1]
    assert bytes(runs[0][0].stage.params) == bytes(runs[1][0].stage.params)
    whole, _ = learned(path, board())
    assert bytes(whole.stage.params) != bytes(runs[0][0].stage.params)
