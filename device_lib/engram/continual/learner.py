"""The learner: observe, learn, predict, evaluate, save, load."""

from array import array

from ..arena import Arena
from ..backend import kernels
from ..compat import forget, heap_free, heap_used, ticks_diff, ticks_us
from ..errors import DataError, DivergedError, StoreError
from ..nn.adaptive import AdaptiveStage, hyperparameters
from ..nn.frozen import FrozenStage
from .policies import TRIMMING, policy_class
from .reading import LatentReader
from .rng import Rng
from .sampling import COMPOSITIONS, DEAD, Sampler, next_experience, number_of
from .strategies import Sizes, options_of, saved_names, strategy_class
from .stream import Stream

PHASES = ("replay_read", "forward", "backward", "update")
_TRIES = 16  # damaged records of one batch before the store is given up
_MAX_TASKS = 256
_STATE_INTS = 8  # experience, spare, steps, three of the generator, classes known, spare


def _planned(*args):
    """plan.plan(), whose code is gone when the arena needs the room."""
    from ..plan import plan

    layout = plan(*args)
    forget(("engram.plan",))
    return layout


def _nothing_spent():
    return 0


class Learner:
    """A model that keeps learning, over one arena.

    spec            nn.model.ModelSpec; its tensors are read, then it can be closed
    store           store.ReplayStore of spec.latent_id, or None (then it only predicts)
    checkpoints     store.Checkpoints of spec.model_id, or None (then it cannot save)
    batch           mini-batch, samples
    lr, momentum, weight_decay   of SGD
    lr_decay        share of lr that is taken away in the course of a learning run, in equal steps:
                    0, none; 1, the rate after the last step would be 0
    seed            of the random picks: the same seed picks the same records on every host
    strategy        how it learns: a name of strategies.NAMES
    strategy_options   dict of numbers, by the names in OPTIONS of that strategy
    composition     of a batch from new and old records: one of sampling.COMPOSITIONS; None: the
                    strategy's
    depth           layers with parameters that learn, counted from the head; None: as many as
                    the strategy says, all as a rule
    classes         room in the head; None: the classes that the model knows. A label beyond those
                    known makes the head grow.
    known           how many of the classes in the model file count as known; None: all. New ones
                    start from the weights that the file has for them.
    policy, budget  what stays in the store: a name of policies.NAMES, and how many latents at
                    most when an experience ends (None: half the store)
    budget_bytes    the budget in bytes of flash instead, what a record needs beside its latent
                    included
    counter         function: a counter modulo 2**30 that phases are measured with. It is asked
                    when a phase of a step, or the flash write of observe(), begins or ends, and
                    at no other time; another may take its place between two steps
    available       bytes of heap it may use; None asks the heap
    heap_base       bytes of heap that were in use before the spec and the store were opened

    .skipped   samples observed that the policy did not let in, since the learner was opened

    Raises FitError before anything is allocated, ModelError on a damaged file.
    """

    def __init__(
        self,
        spec,
        store=None,
        checkpoints=None,
        batch=16,
        lr=0.05,
        momentum=0.9,
        weight_decay=0.0,
        lr_decay=0.0,
        seed=1,
        strategy="replay",
        strategy_options=None,
        composition=None,
        depth=None,
        classes=None,
        known=None,
        policy="balanced",
        budget=None,
        budget_bytes=None,
        counter=ticks_us,
        available=None,
        heap_base=None,
    ):
        self.policy_name = policy
        policy = policy_class(policy)
        if composition is not None and composition not in COMPOSITIONS:
            raise DataError(
                "composition %s expected, %s came" % (" or ".join(COMPOSITIONS), composition)
            )
        if batch < 1:
            raise DataError("a batch of at least 1 expected, %d came" % batch)
        if classes is not None:
            spec.widen(classes)
        if known is not None:
            spec.limit(known)
        if not 0 <= lr_decay <= 1:
            raise DataError("lr_decay from 0 to 1 expected, %r came" % lr_decay)
        slots = 0 if store is None else store.capacity
        self.strategy_name = strategy
        strategy = strategy_class(strategy)
        options = options_of(strategy, strategy_options)
        depth = strategy.DEPTH if depth is None else depth
        sizes = Sizes(spec, batch, depth, strategy.BIASES)
        extras = strategy.buffers(sizes)
        bits = 8 if store is None else store.bits
        layout = _planned(spec, batch, slots, bits, depth, extras, strategy.BIASES)
        if available is None:
            available = heap_free()
            if store is not None:  # it is open: what the plan counts of it is in use already
                available += 3 * len(store.labels)
        arena = Arena(layout, available)
        self.planned_bytes = layout.total_bytes
        self.name = spec.name
        self.classes = spec.classes
        self.input_elems = spec.input_elems
        self.input_dtype = spec.graph["input"]["dtype"]
        self.batch = batch
        self.frozen = FrozenStage(spec, arena)
        self.adaptive = AdaptiveStage(spec, arena, batch, depth, strategy.BIASES)
        self.store = store
        self.checkpoints = checkpoints
        self.hyper = hyperparameters(lr, momentum, weight_decay)
        self._lr, self._lr_decay = lr, lr_decay
        self.budget = _budget(store, budget, budget_bytes)
        self.rng = Rng(seed)
        self.policy = policy(store, spec.classes, self.rng, self.budget)
        self.skipped = 0
        self.sampler = Sampler(
            slots, spec.classes, self.rng, composition or strategy.COMPOSITION
        )
        self.experience = 0
        self.steps_done = 0
        self.stream = Stream()
        self._latent_qp = spec.quantization("latent")
        self._latents = arena.i8("latents")
        self._latent = arena.i8("latents", 0, spec.latent_elems)
        self._labels = self.labels = arena.i8("labels")
        self._slots = self.slots = array("i", range(batch))
        if store is not None:
            self._packed = self._packed_latent(spec)
            self._reader = LatentReader(
                store, self.adaptive.x, self._labels, self._slots, self._latent_qp
            )
        self._stats = self.stats = array("f", (0.0, 0.0))
        self.feature_elems = sizes.features
        self._state = array("i", [0] * (_STATE_INTS + spec.classes))
        self.brought = memoryview(self._state)[_STATE_INTS:]
        self.counter = counter
        self.write_units = 0  # of the counter, the flash write of the last observe()
        self._ticks = array("i", range(len(PHASES) + 1))
        self._spent = getattr(kernels, "spent", _nothing_spent)
        self._outside = 0
        self.strategy = strategy(self, spec, arena, options)
        self._saved = (self._state,) + self.policy.saved + (self.adaptive.params,) + tuple(
            [arena.f32(name) for name in saved_names(strategy, sizes)]
        )
        arena.close()
        self._heap_base = heap_base

    def _packed_latent(self, spec):
        """A buffer for one packed latent. Raises StoreError when the store's have another size."""
        size, bits = kernels.packed_bytes(spec.latent_elems, self.store.bits), self.store.bits
        if size != self.store.latent_bytes:
            raise StoreError(
                "latents of %d bytes (%d elements of %d bits) expected in the store, its have %d"
                % (size, spec.latent_elems, bits, self.store.latent_bytes)
            )
        return bytearray(size)

    # -- observing and predicting ------------------------------------------------------

    def _check_input(self, x):
        expected = "an input of %d %s expected, " % (self.input_elems, self.input_dtype)
        floats = self.input_dtype == "float32"
        try:
            if len(x) != self.input_elems:
                raise DataError(expected + "%d came" % len(x))
            if isinstance(x[0], float) != floats:
                raise DataError(expected + "a buffer of another type came (%s)" % type(x).__name__)
            if floats and kernels.check_finite(x):
                raise DataError(expected + "it holds NaN or infinity")
        except TypeError:
            raise DataError(expected + "a %s came" % type(x).__name__)

    def _check_label(self, y):
        if not isinstance(y, int) or not 0 <= y < self.classes:
            raise DataError("a label from 0 to %d expected, %r came" % (self.classes - 1, y))

    def _infer(self, x, latent):
        self._check_input(x)
        self._run_frozen(x, latent)

    def _run_frozen(self, x, latent):
        try:
            self.frozen.fwd(latent, x)
        except TypeError as e:  # a list, or an array of another item size
            raise DataError("an input of %s expected (%s)" % (self.input_dtype, e))

    def observe(self, x, y):
        """Takes one labelled sample; whether it is stored: its latent is in flash then.

        x: input_elems of the model's input dtype; y: label. Where the policy does not admit the
        sample it is only counted, in .skipped too, and takes no part in learning. Raises
        DataError, StoreError.
        """
        self._check_label(y)
        if self.store is None:
            raise StoreError("this learner has no replay store: open it with one to observe")
        self._check_input(x)
        if not self.policy.admit(y):
            self.skipped += 1
            self.write_units = 0
            return False
        self._run_frozen(x, self._latent)
        if y >= self.adaptive.known:
            self.adaptive.resize(y + 1)
        kernels.pack_s8(self._packed, self._latent, self.store.bits)
        start = self.counter()
        self.store.append(self._packed, y, number_of(self.experience))
        self.write_units = ticks_diff(self.counter(), start)
        return True

    def predict(self, x):
        """(label, probability of that label) of one input."""
        self._infer(x, self._latent)
        stage = self.adaptive
        kernels.dequantize_s8(stage.single_x, self._latent, self._latent_qp)
        stage.forward_single()
        kernels.softmax_fwd(stage.probabilities, stage.single_logits, 1, stage.known)
        return _argmax(stage.probabilities, 0, stage.known)

    def evaluating(self, samples, task=None):
        """Evaluates (x, y) pairs a batch at a time: a generator of results so far.

        Each result is {"n", "correct", "total": [a class], "right": [a class]}.
        task: number of the task that they test: the accuracy at the end goes into metrics().
        """
        self._check_task(task)
        total, right = [0] * self.classes, [0] * self.classes
        filled, elems = 0, len(self._latent)
        for x, y in samples:
            self._check_label(y)
            self._infer(x, self._latents[filled * elems : (filled + 1) * elems])
            self._labels[filled] = y
            filled += 1
            if filled == self.batch:
                self._score(filled, total, right)
                filled = 0
                yield _result(total, right)
        if filled:
            self._score(filled, total, right)
        if task is not None and sum(total):
            self.tested(task, sum(right) / sum(total))
        yield _result(total, right)

    def evaluate(self, samples, task=None):
        """The accuracy on (x, y) pairs: the last result of evaluating().

        task: number of the task that they test, for metrics().
        """
        for result in self.evaluating(samples, task):
            pass
        result["accuracy"] = result["correct"] / result["n"] if result["n"] else 0.0
        return result

    def tested(self, task, accuracy):
        """Enters an accuracy on a task, measured now, into the matrix of metrics()."""
        self._check_task(task)
        self.stream.matrix.put(self.experience, task, accuracy)

    def _check_task(self, task):
        if task is not None and (not isinstance(task, int) or not 0 <= task < _MAX_TASKS):
            raise DataError("a task from 0 to %d expected, %r came" % (_MAX_TASKS - 1, task))

    def metrics(self):
        """What the tests so far say: AccuracyMatrix.summary(). Saved with the learned state."""
        return self.stream.matrix.summary()

    def begin_stream(self, number):
        """Begins a stream of tasks that its feeder knows by a number, u32 but 0, and saves it."""
        self.stream.begin(number)
        return self.save()

    def observed_since_save(self):
        """Samples stored since the learned state was saved or loaded; None where the policy
        stores a choice of them, or no such state tells."""
        if not self.stream.saved or self.policy_name not in TRIMMING:
            return None
        return self.store.next_sequence - self.stream.began_at

    def _score(self, n, total, right):
        kernels.dequantize_s8(self.adaptive.x, self._latents, self._latent_qp)
        self.adaptive.forward()
        logits, known = self.adaptive.logits, self.adaptive.known
        for i in range(n):
            label = self._labels[i]
            total[label] += 1
            if _argmax(logits, i * known, known)[0] == label:
                right[label] += 1

    # -- learning ----------------------------------------------------------------------

    def steps(self, epochs=1, replay=True):
        """Learns the records of the current experience: a generator of one dict a step.

        {"step", "of", "loss", "acc", "new", "replayed", "at", "phases": {name: counter units},
        "total", "outside"}; at: the counter when the step began; outside: units not spent inside
        kernels. Raises DataError when
        there is nothing new, DivergedError when the loss stops being a number (load() the
        last saved state then).
        """
        if self.store is None:
            raise StoreError("this learner has no replay store: open it with one to learn")
        sampler = self.sampler
        sampler.begin(
            self.store.labels,
            self.store.experiences,
            number_of(self.experience),
            self.batch,
            replay and self.strategy.REPLAY,
        )
        if not sampler.new:
            raise DataError(
                "nothing new to learn: observe labelled samples first%s"
                % (" (the policy stored none of the last ones)" if self.skipped else "")
            )
        self.hyper[0] = self._lr
        self.adaptive.start()
        self.strategy.begin()
        total = epochs * sampler.steps_per_epoch
        for n in range(total):
            self.hyper[0] = self._lr * (1 - self._lr_decay * n / total)
            self.step()
            if n + 1 == total:
                self.strategy.finish()
            yield self._record(n + 1, total)

    def step(self):
        """One SGD step on the batch that the sampler composes. Allocates nothing."""
        counter, ticks, strategy = self.counter, self._ticks, self.strategy
        spent = self._spent()
        ticks[0] = counter()
        self._fill()
        ticks[1] = counter()
        strategy.forward()
        ticks[2] = counter()
        strategy.backward()
        ticks[3] = counter()
        strategy.update()
        ticks[4] = counter()
        inside = ticks_diff(self._spent(), spent)
        self._outside = ticks_diff(ticks[4], ticks[0]) - inside
        self.steps_done += 1

    def _fill(self):
        """Latents and labels of one batch, from flash into the arena."""
        self.store.settle()
        self.sampler.draw(self._slots)
        row, tries = self._reader.read(0, self.batch), 0
        while row < self.batch:
            if tries == _TRIES:
                raise StoreError(
                    "%d records of a batch are damaged: check the flash with `engram info`" % tries
                )
            tries += 1
            if not self._readable(self._slots[row]):
                self.sampler.draw_again(self._slots, row)
            row = self._reader.read(row, self.batch - row)

    def current_slots(self):
        """List of the slots of the current experience's records."""
        store = self.store
        labels, experiences = ((), ()) if store is None else (store.labels, store.experiences)
        current = number_of(self.experience)
        return [
            slot
            for slot in range(len(labels))
            if labels[slot] != DEAD and experiences[slot] == current
        ]

    def read_one(self, slot):
        """Latent and label of a record into the first row of the batch; whether it is intact."""
        self.store.settle()
        self._slots[0] = slot
        return self._reader.read(0, 1) == 1

    def features(self, slot):
        """float32 window of the head's inputs for a record, until the next call or step; None
        where the record is damaged."""
        if not self.read_one(slot):
            return None
        for layer in self.adaptive.single_layers[:-1]:
            layer.fwd()
        return self.adaptive.single_head.x

    def _readable(self, slot):
        """Whether a record that was not read is there after all; a damaged one is marked."""
        if self.store.labels[slot] == DEAD:
            return False
        try:
            self.store.read_into(slot, self._packed)
        except StoreError:
            return False
        return True

    def _record(self, n, total):
        loss = self._stats[0] / self.batch
        if loss != loss or loss in (float("inf"), float("-inf")):
            raise DivergedError(
                "the loss is no longer a number after %d steps: load() the last saved state "
                "and use a smaller learning rate than %g" % (n, self.hyper[0])
            )
        ticks = self._ticks
        return {
            "step": n,
            "of": total,
            "loss": loss,
            "acc": self._stats[1] / self.batch,
            "new": self.sampler.new_per_batch,
            "replayed": self.batch - self.sampler.new_per_batch,
            "at": ticks[0],
            "phases": {
                name: ticks_diff(ticks[i + 1], ticks[i]) for i, name in enumerate(PHASES)
            },
            "total": ticks_diff(ticks[len(PHASES)], ticks[0]),
            "outside": self._outside,
        }

    def learn(self, epochs=1, replay=True, on_step=None):
        """Learns the current experience to its end; returns a summary.

        on_step: called with each record of steps().
        """
        first = last = None
        for record in self.steps(epochs, replay):
            last = record
            first = first or record
            if on_step:
                on_step(record)
        self.end_experience()
        return {"steps": last["step"], "first_loss": first["loss"], "last_loss": last["loss"]}

    def end_experience(self):
        """Ends the current experience: the strategy takes stock, the policy may trim the store."""
        self.strategy.end()
        if self.store is not None:
            self.policy.end(self)
        self.experience = next_experience(self.store, self.experience)

    @property
    def seen(self):
        """Records that the stream has brought in the experiences that ended."""
        return sum(self.brought)

    # -- the learned state -------------------------------------------------------------

    def _need_checkpoints(self):
        if self.checkpoints is None:
            raise StoreError("this learner has no checkpoints: open it with a flash region")

    def save(self):
        """Saves the learned state atomically; returns its generation (int)."""
        self._need_checkpoints()
        state = self._state
        state[0], state[2] = self.experience, self.steps_done
        state[3], state[4], state[5] = self.rng.state
        state[6] = self.adaptive.known
        self.policy.saving()
        extra = self.stream.pack(0 if self.store is None else self.store.next_sequence)
        parts = self._saved + ((extra,) if extra else ())
        # a matrix too large for the flash is no reason to lose what was learned
        self.stream.saved = bool(extra) and self.checkpoints.room_for(parts)
        return self.checkpoints.save(parts if self.stream.saved else self._saved)

    def load(self):
        """Loads the last saved state; returns its generation, or None when there is none."""
        self._need_checkpoints()
        sizes = self.checkpoints.sizes()
        extra = bytearray(sizes[-1] if len(sizes) == len(self._saved) + 1 else 0)
        generation = self.checkpoints.load_into(self._saved + ((extra,) if extra else ()))
        if generation is not None:
            state = self._state
            self.experience, self.steps_done = state[0], state[2]
            for i in range(3):
                self.rng.state[i] = state[3 + i]
            self.adaptive.resize(state[6])
            self.stream.unpack(bytes(extra), self.experience)
        self.policy.loaded()
        return generation

    def rollback(self, to="last"):
        """Goes back to a saved state: its generation; what was learned since is lost. Stored
        samples stay; those of experiences that are undone count as new again.

        to: "last"; "previous", the one before, and the last one is erased; "factory": both are
        erased, None is returned, and this learner saves no more: open the model again, which
        starts from the parameters in its file. Power-safe. Raises StoreError when there is no
        such state.
        """
        self._need_checkpoints()
        if self.checkpoints.roll_back(to):
            return self.load()
        self.checkpoints = None
        return None

    def info(self):
        """What it is and what it uses, as a dict of plain values."""
        return {
            "model": self.name,
            "classes": self.classes,
            "known": self.adaptive.known,
            "strategy": self.strategy_name,
            "policy": self.policy_name,
            "batch": self.batch,
            "experience": self.experience,
            "seen": self.seen,
            "skipped": self.skipped,
            "steps": self.steps_done,
            "budget": self.budget,
            "ram_planned_bytes": self.planned_bytes,
            "ram_measured_bytes": self.heap_growth(),
            "parameters": len(self.adaptive.params),
        }

    def heap_growth(self):
        """Bytes of heap since heap_base; None where there is nothing to compare with."""
        used = heap_used()
        return used - self._heap_base if used and self._heap_base is not None else None


def _budget(store, latents, budget_bytes):
    """How many latents may stay in a store. Raises DataError where both budgets are given."""
    if store is None:
        return 0
    if budget_bytes is None:
        return store.capacity // 2 if latents is None else latents
    if latents is not None:
        raise DataError("a budget in latents or in bytes expected, both came")
    facts = store.info()
    return budget_bytes * facts["slots_per_block"] // facts["erase_bytes"]


def _argmax(values, start, n):
    best = start
    for i in range(start + 1, start + n):
        if values[i] > values[best]:
            best = i
    return best - start, values[best]


def _result(total, right):
    return {"n": sum(total), "correct": sum(right), "total": total[:], "right": right[:]}
