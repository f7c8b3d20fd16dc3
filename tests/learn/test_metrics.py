"""Continual-learning metrics: by hand, and as a learner collects them."""

import pytest

from engram.continual.metrics import AccuracyMatrix, backward_transfer, forward_transfer

MATRIX = [[0.9, 0.1, 0.2], [0.7, 0.8, 0.3], [0.5, 0.9, 1.0]]


def test_backward_transfer_compares_with_the_session_that_brought_the_task():
    assert backward_transfer(MATRIX) == pytest.approx(((0.5 - 0.9) + (0.9 - 0.8)) / 2)
    assert backward_transfer([[0.9]]) is None
    assert backward_transfer([[0.4], [0.5], [0.6]]) is None  # one test for all sessions


def test_forward_transfer_compares_with_the_model_as_it_came():
    told = forward_transfer(MATRIX, [0.8, 0.0, 0.1])
    assert told == pytest.approx(((0.1 - 0.0) + (0.3 - 0.1)) / 2)
    assert forward_transfer(MATRIX, []) is None
    assert forward_transfer(MATRIX, [0.8, None, 0.1]) == pytest.approx(0.3 - 0.1)


def test_a_matrix_fills_as_it_is_measured():
    found = AccuracyMatrix()
    assert found.summary()["average_accuracy"] is None
    for experience, row in ((0, [0.8, 0.0]), (1, [0.9, 0.1]), (4, [0.7, 0.6])):
        for task in (1, 0):
            found.put(experience, task, row[task])
    found.put(4, 2, 0.5)
    told = found.summary()
    assert told["start"] == [0.8, 0.0, None]
    assert told["matrix"] == [[0.9, 0.1, None], [0.7, 0.6, 0.5]]
    assert told["average_accuracy"] == pytest.approx(0.6)
    assert told["backward_transfer"] == pytest.approx(0.7 - 0.9)
    assert told["forward_transfer"] == pytest.approx(0.1 - 0.0)
