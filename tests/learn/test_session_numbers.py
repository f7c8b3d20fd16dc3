"""A record belongs to the session that it came in, however many sessions there were."""

import io

import pytest
import tiny_model

from engram import Learner, ModelSpec
from engram.continual.numbers import next_session, number_of
from engram.store import Checkpoints, RamFlash, ReplayStore, regions
from engram_host.learning.latent_store import LatentStore

DEAD = 255


class Board:
    """A learner over flash that outlives it, in the session that is asked for."""

    def __init__(self, session=0):
        self.device = RamFlash(16)
        self.switch_on()
        self.learner.session = session

    def switch_on(self):
        spec = ModelSpec(io.BytesIO(tiny_model.model_bytes()))
        log, region = regions(self.device, 4000)
        store = ReplayStore(log, 256, spec.latent_id, spec.latent_elems)
        checkpoints = Checkpoints(region, 256, spec.model_id)
        self.learner = Learner(spec, store, checkpoints, batch=16, budget=60)
        self.learner.load()

    def observe(self, count):
        for i in range(count):
            self.learner.observe(tiny_model.sample(i % 3, i), i % 3)

    def numbers(self):
        """The session of each record, in flash order."""
        store = self.learner.store
        return [e for e, label in zip(store.sessions, store.labels) if label != DEAD]

    def step(self):
        return next(self.learner.steps())


@pytest.mark.parametrize("session", [255, 256, 300, 512, 65535])
def test_records_of_long_ago_are_not_new(session):
    board = Board()
    board.observe(15)
    board.learner.end_session()
    board.learner.session = session
    board.observe(1)
    assert len(board.learner.current_slots()) == 1
    board.step()
    assert (board.learner.sampler.new, board.learner.sampler.old) == (1, 15)
    board.learner.end_session()
    assert board.numbers().count(session) == 1


@pytest.mark.parametrize("session", [256, 65535, 65536, 70000])
def test_the_number_is_there_again_after_a_reset(session):
    board = Board(session - 1)
    board.observe(3)
    board.learner.end_session()
    board.learner.save()
    board.observe(2)
    board.switch_on()
    assert board.learner.session == session
    assert len(board.learner.current_slots()) == 2 and len(board.learner.store) == 5


def test_records_of_an_old_store_are_old():
    """Stores of earlier versions have the session modulo 256: 300 is there as 44."""
    board = Board(44)
    board.observe(15)
    board.learner.session = 300
    board.observe(1)
    board.step()
    assert (board.learner.sampler.new, board.learner.sampler.old) == (1, 15)


# -- 65,536 sessions --------------------------------------------------------------------


def test_numbers_come_again_but_for_those_that_records_have():
    """Session 65,536 would have the number of session 0, of which there are records."""
    board = Board(0)
    board.observe(9)
    board.learner.session = 1
    board.observe(6)
    board.learner.session = 65535
    board.observe(3)
    board.learner.end_session()
    assert board.learner.session == 65536 + 2
    assert board.learner.current_slots() == []
    board.observe(4)
    board.learner.save()
    assert len(board.learner.current_slots()) == 4
    board.step()
    assert (board.learner.sampler.new, board.learner.sampler.old) == (4, 18)
    board.switch_on()
    assert len(board.learner.current_slots()) == 4
    assert sorted(set(board.numbers())) == [0, 1, 2, 65535]


def test_a_life_of_records_that_stay_never_confuses_two_sessions():
    """One record of each session stays; the oldest goes when the store is full."""
    store = LatentStore(7, 4)
    mine, session, stay = {}, 65536 - 10, []
    for _ in range(200):
        if len(store) == store.capacity:
            victim = stay.pop(len(stay) // 2)
            store.delete(victim)
            del mine[victim]
        number = number_of(session)
        assert number not in mine.values()
        slot = store.append(bytes(4), 0, number)
        mine[slot] = number
        stay.append(slot)
        later = next_session(store, session)
        assert session < later <= session + 1 + store.capacity
        session = later


def test_an_empty_store_and_none_take_every_number():
    assert next_session(LatentStore(3, 4), 65535) == 65536
    assert next_session(None, 131071) == 131072
    assert number_of(65536) == 0 and number_of(300) == 300


def test_accuracies_beyond_the_numbers_do_not_keep_a_state_from_being_saved():
    board = Board(65535)
    board.learner.tested(0, 0.5)
    board.learner.session += 1
    board.learner.tested(0, 0.75)
    board.learner.save()
    assert [row[0] for row in board.learner.metrics()["matrix"]] == [0.5, 0.75]
    board.switch_on()
    assert board.learner.session == 65536
    assert [row[0] for row in board.learner.metrics()["matrix"]] == [0.5]
