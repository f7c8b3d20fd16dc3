"""Training steps: which samples, in which order of phases, what each of them cost."""

from array import array

from ..backend import kernels
from ..compat import forget, ticks_diff
from ..errors import DataError, DivergedError, StoreError
from .numbers import DEAD, NO_CLASS

EVERY = 16  # steps from one look at q8 tensors to the next

PHASES = ("replay_read", "forward", "backward", "update")
_SEEDS = 1 << 14  # of noise
_TRIES = 16  # damaged records of one micro-batch before the store is given up


def _nothing_spent():
    return 0


class Trainer:
    """Takes the steps of a learner.

    learner: continual.learner.Learner. optimiser: nn.optimisers.Optimiser; hypers: {group:
    array('f')}, its hyperparameters. reader: LatentReader, None where there is no store. lr_decay:
    share of the rate that is taken away in the course of a run. counter: as Learner takes it.

    .fresh   rows of the micro-batch that are new: the first ones
    .rates   {group: its learning rate in units of the learner's}
    .reader  another may take its place between two steps
    """

    def __init__(self, learner, optimiser, hypers, reader, lr_decay, counter):
        self._learner, self._stage = learner, learner.stage
        self._optimiser, self._hypers, self.reader = optimiser, hypers, reader
        self.lr_decay, self.counter = lr_decay, counter
        self.rates = {group: 1 for group in hypers}
        # Of the last step: units of its phases, modulo 2**30, and the counters around it.
        self._spans = array("i", range(len(PHASES)))
        self._fills = {}
        self.fresh = 0
        self._start = self._end = self._spent_before = self._spent_after = 0
        self._spent = getattr(kernels, "spent", _nothing_spent)

    def steps(self, epochs, replay, steps=None):
        """A generator of one record per step: as Learner.steps()."""
        learner, sampler = self._learner, self._learner.sampler
        strategy, store = learner.strategy, learner.store
        for name, value in (("epochs", epochs), ("steps", steps)):
            if value is not None and (not isinstance(value, int) or value < 1):
                raise DataError("expected %s of at least 1, got %r" % (name, value))
        if epochs and steps:
            raise DataError("expected epochs or steps, got both")
        sampler.begin(
            store.labels, store.sessions, learner.current, learner.batch,
            replay and strategy.REPLAY, learner.brought,
        )
        if not sampler.new:
            raise DataError(
                "expected new samples to learn, got none%s; observe some first"
                % (" (the policy stored none of the last ones)" if learner.skipped else "")
            )
        self._make_room(store.labels)
        self._bind_fills()
        variational, noise = self._stage.variational, 0
        if variational:
            noise = learner.rng.below(_SEEDS)
            variational.begin(noise)  # errors of spreads are those of a code with noise
            variational.warm(learner.steps_done + 1)
        self._settle()
        self._stage.start()
        if variational:
            variational.begin(noise)  # that of the steps begins with them
        self._optimiser.start()
        self.set_rates(1)
        strategy.begin()
        total = steps or (epochs or 1) * sampler.steps_per_epoch
        if not steps and not epochs:
            total = max(total, strategy.STEPS)
        divergence = _divergence(learner, total, sampler.old > 0)
        health = _health(self._stage)
        for n in range(total):
            self._optimiser.next_step()
            self.set_rates(1 - self.lr_decay * n / total)
            if variational:
                variational.warm(learner.steps_done + 1)
            self.step()
            if n + 1 == total:
                strategy.finish()
            record = self._record(n + 1, total)
            problem = divergence.of_step(n + 1, record["loss"], record["acc"])
            if health and ((n + 1) % EVERY == 0 or n + 1 == total):
                problem = problem or health.look()
                if n + 1 == total:
                    record["scales"] = health.facts()
            if problem:
                raise self._diverged(n + 1, *problem)
            if variational and n + 1 == total:
                self._look_at_code(record)
            yield record

    def _look_at_code(self, record):
        """Puts a "warning" into the last record where units of the code carry nothing."""
        from .collapse import warning  # few learners need it

        text = warning(self._learner)
        forget(("engram.continual.collapse",))
        if text:
            record["warning"] = text

    def _settle(self):
        """Lets the scales of q8 tensors find their size on the first samples of a run."""
        stage, strategy = self._stage, self._learner.strategy
        if stage.scales is None:
            return
        self.set_rates(0)
        self._fill(min(self._learner.sampler.new_per_batch, stage.micro))

        def run():
            self.reader.read(0, stage.micro)  # a pass may leave something else where latents lie
            stage.begin()
            strategy.forward()
            strategy.backward()

        stage.settle(run)

    def _make_room(self, labels):
        """Lets the head tell the classes of all records apart: of those that were stored before a
        saved state came back it may know fewer."""
        stage = self._stage
        top = max([label for label in set(labels) if label < NO_CLASS] or [0])
        if self._learner.head_name and top >= stage.known:
            stage.resize(top + 1)

    def _diverged(self, n, expected, value):
        """Sets the learner back; the error that says so."""
        from .recovery import set_back

        where, lr = set_back(self._learner), self._optimiser.lr
        forget(("engram.continual.recovery",))
        return DivergedError(
            "expected %s, got %s at step %d: learning diverges with a learning rate of %g; %s; "
            "the samples stay stored, learn them %s"
            % (expected, value, n, lr, where, self._advice(lr))
        )

    def _advice(self, lr):
        text = "with a smaller rate, such as %g" % min(lr / 10, 0.03)
        rounding = self._stage.rounding
        if rounding in ("floor", "nearest"):
            return "with the rounding res8, as %s loses small steps, or %s" % (rounding, text)
        return text

    def _bind_fills(self):
        """Tapes that draw and read a micro-batch, by how many of its records are new."""
        sampler, rows, slots = self._learner.sampler, self._stage.micro, self._learner.slots
        self._fills = {}
        fresh = sampler.new_per_batch
        for _ in range(self._learner.batch // rows):
            new = min(fresh, rows)
            if self.reader.rows() and new not in self._fills:
                self._fills[new] = kernels.bind([sampler.row(slots, new)] + self.reader.rows())
            fresh -= new

    @property
    def lr(self):
        """The learning rate at the start of a run."""
        return self._optimiser.lr

    def hyper(self, group):
        """array('f') of a group's hyperparameters; the first is its learning rate now."""
        return self._hypers[group]

    def set_rates(self, share):
        """Sets all learning rates to a share of those of the start of a run."""
        for group, hyper in self._hypers.items():
            rate = self._optimiser.lr * share * self.rates[group]
            self._optimiser.set_rate(hyper, rate, group)

    def step(self):
        """One step on the batch that the sampler composes. Allocates nothing."""
        counter, spans, learner = self.counter, self._spans, self._learner
        strategy, rows = learner.strategy, self._stage.micro
        fresh, rest = learner.sampler.new_per_batch, learner.batch
        self._spent_before = self._spent()
        self._start = now = counter()
        self._stage.begin()
        spans[0] = spans[1] = spans[2] = 0
        while rest:
            start = now
            self.fresh = fresh if fresh < rows else rows
            self._fill(self.fresh)
            if self._stage.variational:
                self._stage.variational.count(self._stage.labels)
            read_end = counter()
            strategy.forward()
            step_end = counter()
            strategy.backward()
            now = counter()
            spans[0] += read_end - start
            spans[1] += step_end - read_end
            spans[2] += now - step_end
            fresh = fresh - rows if fresh > rows else 0
            rest -= rows
        strategy.update()
        self._end = counter()
        spans[3] = self._end - now
        self._spent_after = self._spent()
        learner.steps_done += 1

    def _fill(self, fresh):
        """Latents and labels of a micro-batch, `fresh` of them new, from flash into the arena."""
        learner, rows = self._learner, self._stage.micro
        learner.store.settle()
        if self._fills:
            row = kernels.run(self._fills[fresh])
        else:
            learner.sampler.draw(learner.slots, fresh)
            row = self.reader.read(0, rows)
        if row < rows:
            self._replace(row, rows, fresh)

    def _replace(self, row, rows, fresh):
        """Draws and reads others in the place of damaged records, from a row on."""
        learner, tries = self._learner, 0
        while row < rows:
            if tries == _TRIES:
                raise StoreError(
                    "%d records of a batch are damaged: check the flash with `engram info`" % tries
                )
            tries += 1
            if not learner.readable(learner.slots[row]):
                learner.sampler.draw_again(learner.slots, row, fresh)
            row = self.reader.read(row, rows - row)

    def _record(self, n, total):
        learner, stats = self._learner, self._stage.stats
        losses = {name: numbers[0] / learner.batch for name, numbers in stats.items()}
        without = self._stage.variational
        total_units = ticks_diff(self._end, self._start)
        inside = ticks_diff(self._spent_after, self._spent_before)
        head = learner.head_name
        record = {
            "step": n,
            "of": total,
            "loss": sum(losses.values()),
            "acc": stats[head][1] / learner.batch if head else None,
            "new": learner.sampler.new_per_batch,
            "replayed": learner.batch - learner.sampler.new_per_batch,
            "at": self._start,
            "phases": {name: ticks_diff(self._spans[i], 0) for i, name in enumerate(PHASES)},
            "total": total_units,
            "outside": total_units - inside,
        }
        if without:
            record["loss"], record["losses"] = without.loss(losses), losses
            record["acc"] = without.share(stats[head][1]) if head else None
        return record


def _divergence(learner, steps, replay):
    from .divergence import Divergence

    watch = Divergence(learner, steps, replay)
    forget(("engram.continual.divergence",))  # its code goes with the run
    return watch


def _health(stage):
    """health.Health of a stage that has q8 nodes, else None."""
    if stage.scales is None:
        return None
    from .health import Health

    health = Health(stage)
    forget(("engram.continual.health",))
    return health


def readable(store, slot, packed):
    """Whether a record that was not read is there after all; a damaged one is marked.

    packed: a buffer for a packed latent.
    """
    if store.labels[slot] == DEAD:
        return False
    try:
        store.read_into(slot, packed)
    except StoreError:
        return False
    return True
