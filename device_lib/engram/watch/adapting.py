"""Adaptation without labels: a watched learner takes in what is new and not a fault."""

from array import array

from ..errors import DataError
from .quarantine import BLOCK, BLOCKS, Quarantine
from .records import check_count, need_room
from .watch import Watch

_SURE = 0.25  # of the blocks that were learned first score above the limit of what is normal
_ROUNDS, _GAIN = 8, 0.05  # of learning runs; the least by which one has to lower the loss
_FEW = 8  # blocks: less is not worth a learning run


class Adaptation:
    """Feeds a watch, and lets its learner follow what it watches.

    watch: a Watch that is prepared. steps: of a learning run. first: number of the session whose
    records say what is normal for good; None: the oldest that is stored. prepare: False leaves it
    to preparing(), which comes before feed() then.

    .watch        the Watch
    .quarantine   quarantine.Quarantine: what waits, what was taken in and refused
    .ready        whether enough was taken in: adapt() learns it
    .told         what adapt() returned last, None before

    Samples that are taken in are stored in the current session. Raises DataError where the learner
    takes no samples without an answer, or steps are no count; FitError where there is no room.
    """

    def __init__(self, watch, steps=100, first=None, prepare=True):
        learner = watch.learner
        if not learner.stage.variational:
            raise DataError(
                "expected a model that learns without answers, to adapt, got one of %s; make one "
                "with `engram make vae`"
                % ", ".join(sorted([kind for kind, _, _ in learner.outputs.values()]))
            )
        check_count("steps", steps)
        self.watch, self._learner, self._steps, self._first = watch, learner, steps, first
        self._elems = n = len(learner.stage.latent)
        need_room(
            "%d blocks of %d samples that wait" % (BLOCKS, BLOCK), (BLOCKS + 1) * BLOCK * n,
            "take a model with fewer values in a latent",
        )
        self._block, self._rows = bytearray(BLOCK * n), 0
        self.quarantine = Quarantine(BLOCK, n, None)
        self._taken, self._new, self.told = array("i", ()), False, None
        if prepare:
            for _ in self.preparing():
                pass

    def preparing(self):
        """Learns what is normal for good: a generator that yields now and then."""
        if self.watch.threshold is None:
            for _ in self.watch.preparing():
                yield
        first, watch = self._first, self.watch
        if first is None:
            first = min([number for _, number in _sessions(self._learner.store)])
        # What learning changes cannot say what stays normal for good.
        engine = "clusters" if watch.engine_name == "loss" else watch.engine_name
        self._anchor = Watch(
            self._learner, engine, BLOCK, _SURE, session=first, **watch.options
        )
        for _ in self._anchor.preparing():
            yield
        self.quarantine.limit = self._anchor.threshold.value

    @property
    def ready(self):
        return len(self._taken) >= _FEW

    def feed(self, x):
        """Takes the next sample; returns the Reading of the watch, and learns nothing yet."""
        self._learner.infer(x)
        n = self._elems
        self._block[self._rows * n : self._rows * n + n] = self._learner.stage.latent
        mean = self._anchor.feed_latent().mean
        reading = self.watch.feed_latent()  # last: a loss writes over the latent
        self._new = self._new or reading.mean > self.watch.threshold.value
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
        self._taken.append(BLOCK * (self.quarantine.blocks - 1 - BLOCKS))

    def adapt(self):
        """Learns what was taken in, beside what is stored, until its loss has settled; saves the
        learned state and sets a new threshold. Returns {"blocks": that were taken in, "samples":
        [the first of each, as they were fed from 0], "rounds", "steps": of learning, "before",
        "after": the loss of these samples, "threshold_before", "threshold": of the watch,
        "generation": of the saved state, None without}.

        The state before stays where it was saved: rollback("previous") goes back to it.
        """
        for _ in self.adapting():
            pass
        return self.told

    def adapting(self):
        """adapt() as a generator that yields now and then; .told is its answer at the end."""
        learner, watch, before = self._learner, self.watch, self.watch.threshold.value
        slots, samples = learner.current_slots(), list(self._taken)
        self._taken, losses, steps = array("i", ()), [], 0
        for _ in self._scoring(slots, losses):
            yield
        while len(losses) <= _ROUNDS:
            for _ in learner.steps(steps=self._steps):
                steps += 1
                yield
            for _ in self._scoring(slots, losses):
                yield
            if losses[-1] > (1 - _GAIN) * losses[-2]:
                break
        learner.end_session()
        generation = learner.save() if learner.checkpoints else None
        yield
        for _ in watch.preparing():
            yield
        self.told = {
            "blocks": len(samples), "samples": samples, "rounds": len(losses) - 1, "steps": steps,
            "before": losses[0], "after": losses[-1],
            "threshold_before": before, "threshold": watch.threshold.value,
            "generation": generation,
        }

    def _scoring(self, slots, losses):
        """Appends the mean loss of records: a generator that yields after each."""
        learner = self._learner
        stage, total, count = learner.stage, 0.0, 0
        for slot in slots:
            if learner.read_one(slot):
                stage.forward_single()
                total += stage.variational.score()
                count += 1
            yield
        losses.append(total / count if count else 0.0)

    def info(self):
        """Watch.info(), and "adopted", "refused", "waiting": blocks; "taken": blocks of those
        adopted that wait to be learned; "limit": mean score up to which a block is normal."""
        facts, quarantine = self.watch.info(), self.quarantine
        facts["adopted"], facts["refused"] = quarantine.adopted, quarantine.refused
        facts["waiting"], facts["taken"] = quarantine.waiting, len(self._taken)
        facts["limit"] = quarantine.limit
        return facts


def _sessions(store):
    from ..continual.numbers import DEAD

    return [(slot, store.sessions[slot]) for slot in range(len(store.labels))
            if store.labels[slot] != DEAD]
