"""Adaptation without labels: a watched learner takes in what is new and not a fault."""

from ..errors import DataError
from .quarantine import Quarantine
from .watch import Watch

BLOCK = 8  # samples that wait together
_SURE = 0.25  # of the blocks that were learned first score above the limit of what is normal
_ROUNDS, _GAIN = 8, 0.05  # of learning runs; the least by which one has to lower the loss
_FEW = 8  # blocks: less is not worth a learning run


class Adaptation:
    """Feeds a watch, and lets its learner follow what it watches.

    watch: a Watch that is prepared. steps: of a learning run. first: number of the session whose
    records say what is normal for good; None: the oldest that is stored.

    .quarantine   quarantine.Quarantine: what waits, what was taken in and refused
    .ready        whether enough was taken in: adapt() learns it

    Samples that are taken in are stored in the current session. Raises DataError where the learner
    takes no samples without an answer.
    """

    def __init__(self, watch, steps=100, first=None):
        learner = watch.learner
        if not learner.stage.variational:
            raise DataError(
                "expected a model that learns without answers, to adapt, got one of %s; make one "
                "with `engram make vae`"
                % ", ".join(sorted([kind for kind, _, _ in learner.outputs.values()]))
            )
        self.watch, self._learner, self._steps = watch, learner, steps
        if first is None:
            first = min([number for _, number in _sessions(learner.store)])
        self._anchor = Watch(
            learner, watch.engine_name, BLOCK, _SURE, session=first, **watch.options
        )
        for _ in self._anchor.preparing():
            pass
        self._elems = len(learner.stage.latent)
        self._block, self._rows = bytearray(BLOCK * self._elems), 0
        self.quarantine = Quarantine(BLOCK, self._elems, self._anchor.threshold.value)
        self._taken, self._new = 0, False

    @property
    def ready(self):
        return self._taken >= _FEW

    def feed(self, x):
        """Takes the next sample; returns the Reading of the watch, and learns nothing yet."""
        reading = self.watch.feed(x)
        mean = self._anchor.feed_latent().mean
        self._new = self._new or reading.mean > self.watch.threshold.value
        n = self._elems
        self._block[self._rows * n : self._rows * n + n] = self._learner.stage.latent
        self._rows += 1
        if self._rows == BLOCK:
            found = self.quarantine.feed(mean, self._new, self._block)
            self._rows, self._new = 0, False
            if found is not None:
                self._store(found)
        return reading

    def _store(self, latents):
        n, latent = self._elems, self._learner.stage.latent
        for at in range(0, len(latents), n):
            latent[:] = latents[at : at + n]
            self._learner.observe_latent()
        self._taken += 1

    def adapt(self):
        """Learns what was taken in, beside what is stored, until its loss has settled; saves the
        learned state and sets a new threshold. Returns {"blocks": that were taken in, "rounds",
        "steps": of learning, "before", "after": the loss of these samples, "threshold_before",
        "threshold": of the watch, "generation": of the saved state, None without}.

        The state before stays where it was saved: rollback("previous") goes back to it.
        """
        learner, watch, before = self._learner, self.watch, self.watch.threshold.value
        slots, blocks = learner.current_slots(), self._taken
        losses, steps = [self._loss(slots)], 0
        while len(losses) <= _ROUNDS:
            for record in learner.steps(steps=self._steps):
                steps += 1
            losses.append(self._loss(slots))
            if losses[-1] > (1 - _GAIN) * losses[-2]:
                break
        learner.end_session()
        self._taken = 0
        generation = learner.save() if learner.checkpoints else None
        for _ in watch.preparing():
            pass
        return {
            "blocks": blocks, "rounds": len(losses) - 1, "steps": steps,
            "before": losses[0], "after": losses[-1],
            "threshold_before": before, "threshold": watch.threshold.value,
            "generation": generation,
        }

    def _loss(self, slots):
        """The mean loss of records."""
        learner = self._learner
        stage, total, count = learner.stage, 0.0, 0
        for slot in slots:
            if learner.read_one(slot):
                stage.forward_single()
                total += stage.variational.score()
                count += 1
        return total / count if count else 0.0


def _sessions(store):
    from ..continual.numbers import DEAD

    return [(slot, store.sessions[slot]) for slot in range(len(store.labels))
            if store.labels[slot] != DEAD]
