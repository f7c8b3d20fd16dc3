"""The emulated board is killed at random instants of real sessions; flash is all that stays.

After each restart: the store mounts and holds every sample whose receipt was acknowledged, the
last saved state is loaded and predicts as it did when it was saved, and the session goes on.
"""

import os
import random
import threading

import numpy as np
import pytest
import tiny_model

from engram_host import api, boards, virtual
from engram_host.errors import HostError
from engram_host.samples import Samples

BOARD = "qemu_m4f"
KILLS = int(os.environ.get("ENGRAM_KILLS", "20"))
SEED = int(os.environ.get("ENGRAM_KILL_SEED", "1"))


def samples(label, first, count):
    x = np.array([list(tiny_model.sample(label, first + i)) for i in range(count)], "uint8")
    return Samples(x.reshape(count, 6, 6, 2), np.full(count, label, "uint8"))


def mixed(count):
    parts = [samples(label, 500, count) for label in range(tiny_model.CLASSES)]
    return Samples(
        np.concatenate([p.x for p in parts]), np.concatenate([p.labels for p in parts])
    )


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path))
    yield tmp_path
    virtual.stop(BOARD)


class Life:
    """One board and what it has acknowledged."""

    def __init__(self, model, rng):
        self.model = model
        self.rng = rng
        self.test = mixed(6)
        self.acknowledged = 0  # samples in the store
        self.saved = {0: None}  # generation -> predictions when it was saved
        self.next_sample = 0
        self.done = {"observed": 0, "steps": 0, "saves": 0}

    def session(self):
        """Observe, learn, save, until killed."""
        with api.connect(BOARD) as device:
            device.open("model.safetensors")
            while True:
                label = self.rng.randrange(tiny_model.CLASSES)
                for _ in range(3):
                    device.observe(samples(label, self.next_sample, 4))
                    self.next_sample += 4
                    self.acknowledged += 4
                    self.done["observed"] += 4
                for _ in device.learning(epochs=1):
                    self.done["steps"] += 1
                self.acknowledged = 0  # what the policy deletes now may be gone or not
                device.end_experience()
                live = device.store_info()["store"]["live"]
                predictions = device.predict(self.test)
                generation = device.save()["generation"]
                self.done["saves"] += 1
                self.saved[generation] = predictions
                self.acknowledged = live

    def check(self):
        """After a restart: nothing acknowledged is lost, the saved state is whole."""
        newest = max(self.saved)
        with api.connect(BOARD) as device:
            device.open("model.safetensors")
            told = device.store_info()
            assert told["store"]["live"] >= self.acknowledged
            generation = device.load() or 0
            assert generation in (newest, newest + 1), "the last saved state is not there"
            if generation in self.saved and self.saved[generation]:
                assert device.predict(self.test) == self.saved[generation]
            elif generation:  # saved, but killed before the answer came
                self.saved[generation] = device.predict(self.test)
            self.acknowledged = told["store"]["live"]
            return told


@pytest.mark.board
@pytest.mark.slow
def test_nothing_acknowledged_is_lost(state, tmp_path):
    rng = random.Random(SEED)
    model = tmp_path / "tiny.safetensors"
    model.write_bytes(tiny_model.model_bytes())
    board = boards.load(BOARD)
    virtual.start(BOARD, board.command)
    with api.connect(BOARD) as device:
        device.push_model(model, batch=4, lr=0.05, budget=60)
    life = Life(model, rng)
    for kill in range(KILLS):
        ended = []

        def work(ended=ended):
            try:
                life.session()
            except HostError as error:
                ended.append(error)

        worker = threading.Thread(target=work)
        worker.start()
        worker.join(rng.uniform(0.2, 2.0))
        assert worker.is_alive(), f"kill {kill}: the session ended by itself: {ended}"
        virtual.kill(BOARD)
        worker.join(30)
        assert not worker.is_alive() and ended, "the host did not notice that the board died"
        virtual.start(BOARD, board.command)
        told = life.check()
    print(f"\n{KILLS} kills: {life.done}, torn records passed over: {told['store']['torn']}")
    assert life.done["steps"] > KILLS and life.done["saves"] > KILLS // 2
