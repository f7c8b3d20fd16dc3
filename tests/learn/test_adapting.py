"""A fan that is watched: a fault raises the alarm, a new speed is learned, the alarm stays."""

import numpy as np
import pytest

import engram
from engram.errors import DataError
from engram.vibration import Vibration
from engram.watch.adapting import BLOCK, Adaptation
from engram_host.demo.fan_signal import BALANCED, IMBALANCED, Fan
from engram_host.make import vae

KNOWN, NEW = (15, 25), 20  # turns per second


class Watched:
    """A learner that has learned a fan at the known speeds, and an Adaptation of it."""

    def __init__(self, tmp_path, seed):
        path = tmp_path / "fan.safetensors"
        vae.write(path, vae.Recipe(
            [21], hidden=(16,), code=4, variational=False, likelihood="gaussian", low=-4.0,
            high=4.0, spread=0.3,
        ))  # fmt: skip
        self.learner = engram.open(
            path, folder=tmp_path / "state", optimiser="adam", lr=0.005, bits=8
        )
        self.fan, self.front = Fan(seed), Vibration(64, 3)
        self.random = np.random.default_rng(seed)
        for i in range(160):
            self.learner.observe(self.features(KNOWN[i // BLOCK % 2], BALANCED))
        self.learner.learn(steps=100)
        self.learner.save()
        self.watch = self.learner.watch(window=BLOCK, false_alarms=1e-4, seed=seed)
        self.adaptation = Adaptation(self.watch, steps=100)
        self.adapted = []

    def features(self, hz, imbalance):
        return self.front.features(self.fan.window(hz, imbalance))

    def run(self, speeds, blocks, imbalance=BALANCED):
        """Share of the windows of some blocks at which there is an alarm."""
        alarms = 0
        for _ in range(blocks):
            hz = self.random.choice(speeds)
            for _ in range(BLOCK):
                alarms += self.adaptation.feed(self.features(hz, imbalance)).alarm
                if self.adaptation.ready:
                    self.adapted.append(self.adaptation.adapt())
        return alarms / (blocks * BLOCK)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_new_speed_is_learned_and_no_alarm_is_lost(tmp_path, seed):
    fan = Watched(tmp_path, seed)
    assert fan.run(KNOWN, 20) < 0.05
    assert fan.run(KNOWN, 30, IMBALANCED) > 0.9
    fan.run(KNOWN, 18)
    assert not fan.adapted and fan.adaptation.quarantine.adopted == 0
    assert fan.run([NEW], 2) > 0.3
    fan.run([*KNOWN, NEW], 50)
    assert fan.adapted
    assert fan.run([NEW], 10) < 0.05
    assert fan.run([NEW], 10, IMBALANCED) > 0.9
    assert fan.run(KNOWN, 10, IMBALANCED) > 0.9


def test_what_stays_normal_is_not_decided_by_a_loss_that_learning_changes(tmp_path):
    """Watched by the loss, which writes over latents, a speed far from those known is learned."""
    fan = Watched(tmp_path, 1)
    watch = fan.learner.watch(engine="loss", window=BLOCK, false_alarms=1e-3)
    fan.adaptation = Adaptation(watch, steps=50)
    limit = fan.adaptation.info()["limit"]
    assert limit == Adaptation(fan.watch, steps=50).info()["limit"]  # of clusters
    fan.run(KNOWN, 16)
    assert fan.run([40], 2) > 0.3
    fan.run([*KNOWN, 40], 50)
    assert fan.adapted and fan.adaptation.info()["limit"] == limit


def test_what_was_learned_is_told_and_can_be_undone(tmp_path):
    fan = Watched(tmp_path, 1)
    threshold = fan.watch.threshold.value
    fan.run(KNOWN, 16)
    fan.run([*KNOWN, NEW], 60)
    told = fan.adapted[0]
    assert told["blocks"] == 8 and told["steps"] == 100 * told["rounds"] >= 200
    assert told["after"] < told["before"] and told["threshold_before"] == threshold
    before = np.array(fan.learner.stage.params)
    assert fan.learner.rollback("previous") == told["generation"] + len(fan.adapted) - 2
    assert not np.array_equal(before, np.array(fan.learner.stage.params))


def test_a_model_that_needs_answers_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    vae.write(path, vae.Recipe([4], hidden=(4,), code=2))
    learner = engram.open(path, folder=tmp_path / "state", bits=8)
    for i in range(64):
        learner.observe(bytes([i, 2 * i % 50, 7, 9]))
    watch = learner.watch(engine="clusters", window=2, false_alarms=0.1)
    learner.stage.variational = None
    with pytest.raises(DataError, match="learns without answers, to adapt"):
        Adaptation(watch)
