"""Continual-learning metrics: by hand, and as a learner collects them."""

import io

import pytest
import tiny_model

from engram import Learner, ModelSpec
from engram.continual.metrics import AccuracyMatrix, backward_transfer, forward_transfer
from engram.store import Checkpoints, RamFlash, Region, ReplayStore

MATRIX = [[0.9, 0.1, 0.2], [0.7, 0.8, 0.3], [0.5, 0.9, 1.0]]


def test_backward_transfer_compares_with_the_session_that_brought_the_samples():
    assert backward_transfer(MATRIX) == pytest.approx(((0.5 - 0.9) + (0.9 - 0.8)) / 2)
    assert backward_transfer([[0.9]]) is None
    assert backward_transfer([[0.4], [0.5], [0.6]]) is None  # one test for all sessions


def test_forward_transfer_compares_with_the_model_as_it_came():
    transfer = forward_transfer(MATRIX, [0.8, 0.0, 0.1])
    assert transfer == pytest.approx(((0.1 - 0.0) + (0.3 - 0.1)) / 2)
    assert forward_transfer(MATRIX, []) is None
    assert forward_transfer(MATRIX, [0.8, None, 0.1]) == pytest.approx(0.3 - 0.1)


def test_a_matrix_fills_as_it_is_measured():
    matrix = AccuracyMatrix()
    assert matrix.summary()["average_accuracy"] is None
    for session, row in ((0, [0.8, 0.0]), (1, [0.9, 0.1]), (4, [0.7, 0.6])):
        for test in (1, 0):
            matrix.put(session, test, row[test])
    matrix.put(4, 2, 0.5)
    figures = matrix.summary()
    assert figures["start"] == [0.8, 0.0, None]
    assert figures["matrix"] == [[0.9, 0.1, None], [0.7, 0.6, 0.5]]
    assert figures["average_accuracy"] == pytest.approx(0.6)
    assert figures["backward_transfer"] == pytest.approx(0.7 - 0.9)
    assert figures["forward_transfer"] == pytest.approx(0.1 - 0.0)


def test_a_matrix_comes_back_from_its_bytes():
    matrix, again = AccuracyMatrix(), AccuracyMatrix()
    assert not len(matrix) and matrix.pack() == b""
    for session, test, accuracy in ((0, 1, 1 / 3), (2, 0, 0.7), (2, 3, 0.0), (3, 1, 1.0)):
        matrix.put(session, test, accuracy)
    again.unpack(matrix.pack())
    assert again.summary() == matrix.summary() and len(again) == 3
    assert again.summary()["matrix"][0] == [0.7, None, None, 0.0]
    again.forget_after(2)
    assert again.summary()["matrix"] == [[0.7, None, None, 0.0]]
    again.put(2, 0, 0.9)
    again.unpack(matrix.pack())  # what was measured since is not undone
    assert [row[0] for row in again.summary()["matrix"]] == [0.9, None]


# --- as a learner saves it ----------------------------------------------------------------------


def open_learner(flash, blocks=4):
    spec = ModelSpec(io.BytesIO(tiny_model.model_bytes()))
    store = ReplayStore(Region(flash, 0, 8), 16, spec.latent_id, spec.latent_elems)
    region = Checkpoints(Region(flash, 8, blocks), 16, spec.model_id)
    return Learner(spec, store, region, batch=4)


def test_a_matrix_is_saved_with_what_was_learned():
    flash = RamFlash(12, 1024, 16)
    learner = open_learner(flash)
    learner.begin_stream(77)
    learner.tested(1, 0.25)
    learner.save()
    learner.tested(0, 0.5)  # after the save
    other = open_learner(flash)
    assert other.load() == 2 and other.stream.id == 77 and other.stream.saved
    assert other.metrics()["start"] == [None, 0.25] and learner.metrics()["start"] == [0.5, 0.25]
    assert other.observed_since_save() == 0
    for label in (0, 1, 1):
        other.observe(tiny_model.sample(label, 3), label)
    again = open_learner(flash)
    assert again.load() == 2 and again.observed_since_save() == 3
    again.learn()
    again.tested(0, 0.75)
    again.load()  # back to where nothing had been learned
    assert again.metrics()["matrix"] == [] and again.metrics()["start"] == [None, 0.25]


def test_without_tests_a_state_is_what_it_was_before_there_were_matrices():
    flash = RamFlash(12, 1024, 16)
    learner = open_learner(flash)
    learner.save()
    assert learner.checkpoints.sizes() == tuple(len(bytes(part)) for part in learner.state.parts)
    other = open_learner(flash)
    assert other.load() == 1 and other.stream.id == 0 and other.observed_since_save() is None


def test_a_matrix_without_room_does_not_keep_what_was_learned_from_being_saved():
    flash = RamFlash(12, 1024, 16)
    learner = open_learner(flash)
    learner.begin_stream(5)
    assert learner.stream.saved
    for session in range(250):
        learner.tested(session, 0.5)
    learner.steps_done = 9
    learner.save()
    assert not learner.stream.saved
    other = open_learner(flash)
    other.load()
    assert other.steps_done == 9 and other.stream.id == 0 and other.observed_since_save() is None
