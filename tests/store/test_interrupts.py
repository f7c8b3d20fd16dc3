"""An exception between two flash operations (Ctrl-C, a failing bus): the same object goes on."""

import pytest
from store_life import FullLife, Scene, check, records_of, saved_of

SCENES = (
    Scene(5, 512, 1, 60),
    Scene(5, 512, 16, 60, align=True),
    Scene(5, 512, 1, 45, targets=3),
)
STEPS = (("mount", 1), ("append", 2), ("save", 1), ("fill", 1), ("churn", 3), ("save", 1))


class InterruptedLife(FullLife):
    """A life in which operations are interrupted after a growing number of device calls."""

    call = 0
    interrupted = 0

    def act(self, operation, *args):
        if operation in (self.fill, self.churn, self.mount):
            super().act(operation, *args)
            return
        if operation == self.append and len(self.store) == self.store.capacity:
            return  # what was to make room was interrupted
        before = self.state()
        self.flash.calls_left = self.call
        try:
            operation(*args)
            self.call = max(0, self.flash.calls_left)
            self.flash.calls_left = -1
            return
        except KeyboardInterrupt:
            self.interrupted += 1
        # Most operations are a few calls, a collection is many.
        self.call = (self.call * 5 + 7) % (60 if self.interrupted % 3 == 0 else 5)
        assert self.store.info()["live"] == len(self.store)  # settles what was interrupted
        states = [before, self.intent]
        self.records, self.saved = check(self.scene, self.flash.like(self.flash.data), states)
        assert records_of(self.store) == self.records, "store and flash disagree"
        assert saved_of(self.scene, self.checkpoints) == saved_of(
            self.scene, self.scene.checkpoints(self.flash)
        )


def try_interrupts(scene):
    """Interrupts every operation of a life, each after another number of device calls."""
    count = 0
    for start in range(0, 60, 4):
        flash = scene.flash()
        flash.once = False
        life = InterruptedLife(scene, flash, 1)
        life.call = start
        life.live(STEPS)
        count += life.interrupted
        assert records_of(scene.store(flash)) == life.records
    return count


@pytest.mark.parametrize("scene", SCENES, ids=repr)
def test_the_same_object_goes_on_after_an_exception(scene):
    assert try_interrupts(scene) > 100
