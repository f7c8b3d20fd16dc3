"""Samples without a label, through power cuts: whatever instant the power goes while a learner
takes them in, learns and trims its store."""

import contextlib
import io
import random

import pytest
import tiny_model
import unlabelled_check as autoencoder
from nor import DOWN, MIXED, UP, NorFlash, PowerCut

from engram import Learner, ModelSpec
from engram.backend import kernels
from engram.continual.numbers import DEAD, NO_CLASS
from engram.errors import DataError
from engram.store import Checkpoints, ReplayStore, regions

BUDGET, PAGE = 12, 16
MODEL = autoencoder.model("bernoulli", False)


def opened(flash):
    """A learner as a board opens it after a reset."""
    spec = ModelSpec(io.BytesIO(MODEL))
    replay, saved = regions(flash, 128 + 3 * spec.parameter_bytes, PAGE)
    store = ReplayStore(replay, PAGE, spec.latent_id, spec.latent_elems)
    learner = Learner(spec, store, Checkpoints(saved, PAGE, spec.model_id), batch=4, lr=0.1,
                      seed=3, budget=BUDGET, policy="reservoir")  # fmt: skip
    learner.load()
    return learner


def served(learner):
    """{latent} of all records; each is there once, and none has a label."""
    store, out = learner.store, []
    for slot, label in enumerate(store.labels):
        if label != DEAD:
            latent = bytearray(store.latent_bytes)
            assert store.read_into(slot, latent) == label == NO_CLASS
            out.append(bytes(latent))
    assert len(set(out)) == len(out) == len(store)
    return set(out)


class Session:
    """A learner's life on a flash that loses power.

    .cuts   how often it did; .sure: the latents that are stored, as far as was acknowledged
    """

    def __init__(self, rng, order):
        self.rng, self.flash, self.cuts, self.seen = rng, NorFlash(24, 1024, PAGE, order), 0, 0
        self.learner = opened(self.flash)
        self.sure = served(self.learner)

    def do(self, act, most):
        """Runs an act whose power may go; True where it went. Then the board starts again."""
        self.flash.fuel = self.rng.randrange(most)
        try:
            act()
            return False
        except PowerCut:
            self.cuts += 1
            return True
        finally:
            self.flash.fuel = -1

    def observe(self):
        x = tiny_model.sample(self.seen % 4, self.seen)
        self.seen += 1
        self.learner.infer(x)
        new = bytearray(self.learner.store.latent_bytes)
        kernels.pack_s8(new, self.learner.stage.latent, self.learner.store.bits)
        new = bytes(new)
        cut = self.do(lambda: self.learner.observe(x), 200)
        if cut:
            self.learner = opened(self.flash)
        found, full = served(self.learner), len(self.sure) >= BUDGET
        assert found - self.sure <= {new}, "a deleted sample came back"
        gone = self.sure - found
        assert len(gone) <= full, "an acknowledged sample was lost"
        if not cut and not full:
            assert new in found, "an acknowledged sample is not there"
        self.sure = found

    def learn(self):
        """A run, the end of the session, which trims the store, and a save."""

        def act():
            with contextlib.suppress(DataError):  # the reservoir may have kept no new one
                self.learner.learn(steps=2)
            self.learner.end_session()
            self.learner.save()

        if self.do(act, 4000):
            self.learner = opened(self.flash)
        found = served(self.learner)
        assert found <= self.sure, "a deleted sample came back"
        assert len(found) >= min(BUDGET, len(self.sure)), "more were deleted than the budget asks"
        self.sure = found


@pytest.mark.parametrize("order", (UP, DOWN, MIXED))
def test_no_unlabelled_sample_is_lost_and_none_comes_back(order):
    session = Session(random.Random(order), order)
    for _ in range(6):
        for _ in range(14):
            session.observe()
        session.learn()
    assert session.cuts > 20 and len(session.sure) >= BUDGET - 1
