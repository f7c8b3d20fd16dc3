"""The learner: observe, learn, predict, evaluate, save, load."""

from array import array

from ..backend import kernels
from ..compat import bytes_of, collect_often, collect_rarely, forget, heap_free, heap_used
from ..compat import ticks_diff, ticks_us
from ..errors import DataError, StoreError
from ..nn import objectives
from .defaults import LR, LR_DECAY, POLICY
from .inputs import Inputs
from .numbers import DEAD, NO_CLASS, next_session, number_of
from .policies import TRIMMING, budget_of, policy_class, room_in
from .reading import LatentReader, code_values
from .rng import Rng
from .sampling import Sampler
from .state import State
from .strategies import options_of, strategy_class
from .stream import Stream
from .trainer import Trainer, readable

_MAX_TESTS = 256


def fit(spec, classes=None, known=None):
    """Makes room for classes in a ModelSpec, and limits those that it knows: as Learner's."""
    if classes is not None:
        spec.widen(classes)
    if known is not None:
        spec.limit(known)


class Released:
    """In the place of each part of a learner that was closed."""

    def __getattr__(self, name):
        raise StoreError(
            "expected an open learner, got one that was released: its memory went to the next "
            "engram.open(); use the learner that it returned"
        )


class Learner:
    """A model that keeps learning, over one arena.

    spec            nn.model.ModelSpec; its tensors are read, then it can be closed
    store           store.ReplayStore of spec.latent_id, or None (then it only predicts)
    checkpoints     store.Checkpoints of spec.model_id, or None (then it cannot save)
    batch           mini-batch, samples
    micro           samples that are in memory at a time, a divisor of batch; their gradients add
                    up to those of the mini-batch. None: as many as fit
    lr, momentum, weight_decay   of the optimiser
    lr_decay        share of lr that is taken away in the course of a learning run, in equal
                    parts: 1, the rate falls to 0; 0, it stays
    optimiser       a name of nn.optimisers.NAMES
    clip            largest norm of all gradients together; None: any
    keep            share of each layer's structures (filters, rows) that the backward pass of a
                    sample has: those with the largest errors; or the least and the most such
                    share; None: all of them (nn.partial)
    skip            share of the samples, those with the smallest errors, that have no backward
                    pass; None: all have one
    format          number format of what learns: "f32", "q8" (8-bit integers, as far as the ops
                    have it) or "mixed" (the head stays float32); None: as the model file says
    rounding        of q8 steps, one of nn.steps.ROUNDINGS; None: "res8"
    recompute       values that each step computes twice instead of keeping them: names of nodes,
                    and "latents" (read again), in a list or as a text with commas; "none"; None or
                    "auto": as few as it takes to fit (nn.recompute)
    seed            of the random picks: the same seed picks the same records on every host
    strategy        how it learns: a name of strategies.NAMES
    strategy_options   dict of numbers, by the names in OPTIONS of that strategy
    goal            what is learned for, "classes", "domain" or "user": a row of composition.GOALS
                    with a composition and a new_share; None: the strategy's composition
    composition     of a batch from new and old records: one of composition.COMPOSITIONS; None:
                    that of the goal
    new_share       share of a batch that is new records, above 0 and at most 1; None: that of the
                    goal
    scope           what learns, as nn.scope reads it: "all", "head", "last:2", "bias", names of
                    nodes, their channels ("conv1.in:0-7"); None: what the strategy says, all as a
                    rule
    depth           the scope "last:DEPTH", in short
    classes         room in the head; None: the classes that the model knows. A label beyond those
                    known makes the head grow.
    known           how many of the classes in the model file count as known; None: all. New ones
                    start from the weights that the file has for them.
    policy, budget  what stays in the store: a name of policies.NAMES, and how many latents at
                    most when a session ends (None: half the store)
    budget_bytes    the budget in bytes of flash instead, what a record needs beside its latent
                    included
    counter         function: a counter modulo 2**30 that phases are measured with. It is asked
                    when a phase of a step, or the flash write of observe(), begins or ends, and
                    at no other time; another may take its place between two steps
    available       bytes of heap it may use; None asks the heap
    heap_base       bytes of heap that were in use before the spec and the store were opened
    prepared        opening.Prepared for these options, before the store was opened; None: its
                    layers are put into memory now

    .stored, .skipped   samples observed since the learner was opened: those that are in flash
               and those that the policy did not let in
    .stage     nn.stage.Stage
    .matched   samples that the weights were matched with; 0: as they have learned
    .rehearsed records in the store, when it was opened, that came with the model file
    .path      of the model file, to which a run that diverges goes back where no state was saved;
               None: it has none
    .inputs    inputs.Inputs

    Raises FitError before anything is allocated, ModelError on a damaged file.
    """

    is_open = True

    def __init__(
        self,
        spec,
        store=None,
        checkpoints=None,
        batch=16,
        lr=LR,
        momentum=0.9,
        weight_decay=0.0,
        lr_decay=LR_DECAY,
        seed=1,
        strategy="replay",
        strategy_options=None,
        goal=None,
        composition=None,
        new_share=None,
        depth=None,
        classes=None,
        known=None,
        policy=POLICY,
        budget=None,
        budget_bytes=None,
        counter=ticks_us,
        available=None,
        heap_base=None,
        micro=None,
        scope=None,
        optimiser="momentum",
        clip=None,
        keep=None,
        skip=None,
        format=None,
        rounding=None,
        recompute=None,
        prepared=None,
    ):
        from . import opening

        # Objects that outlive planning lie together at the low end, and the arena finds one piece.
        collect_often()
        self.policy_name = policy
        policy = policy_class(policy)
        from .composition import of_goal

        composition, new_share = of_goal(goal, composition, new_share)
        forget(("engram.continual.composition",))
        if prepared is None:
            fit(spec, classes, known)
        if not 0 <= lr_decay <= 1:
            raise DataError("expected lr_decay from 0 to 1, got %r" % lr_decay)
        slots = 0 if store is None else store.capacity
        if available is None:
            available = heap_free()
            if store is not None:  # it is open: what the plan counts of it is in use already
                available += 3 * len(store.labels)
        self.store, self.checkpoints = store, checkpoints
        self.budget = budget_of(store, budget, budget_bytes)
        if store is not None and not self.budget and strategy_class(strategy).REPLAY:
            raise DataError(
                "expected a budget of at least 1 latent, as strategy %s replays them, got 0; "
                "finetune learns without replay" % strategy
            )
        self.rng = Rng(seed)
        # that records are balanced over: classes, and one of records without a class
        self.groups = groups = (spec.classes or 1) + bool(spec.classes and spec.unlabelled)
        self.policy = policy(store, groups, self.rng, self.budget)
        composition = composition or strategy_class(strategy).COMPOSITION
        self.sampler = Sampler(slots, groups, self.rng, composition, new_share)
        options = options_of(strategy_class(strategy), strategy_options)
        if prepared is None:
            prepared = opening.prepare(
                spec,
                {
                    "batch": batch, "micro": micro, "strategy": strategy,
                    "strategy_options": strategy_options, "scope": scope, "depth": depth,
                    "optimiser": optimiser, "lr": lr, "momentum": momentum,
                    "weight_decay": weight_decay, "clip": clip, "keep": keep, "skip": skip,
                    "format": format, "rounding": rounding, "recompute": recompute,
                },
                slots,
                8 if store is None else store.bits,
                available,
            )
        parts = prepared
        self.planned_bytes, self.stage = parts.planned_bytes, parts.stage
        self.outputs, self.targets, self.head_name = parts.outputs, parts.targets, parts.head
        self.strategy_name, self.scope = strategy, parts.scope
        self.optimiser_name, self.clip = parts.optimiser.name, clip
        self.format = parts.format
        self.name, self.classes, self.batch = spec.name, spec.classes, batch
        self.class_names, self.front_end = spec.class_names, spec.front_end
        self.inputs = Inputs(spec, self.head_name is not None)
        self.input_elems, self.input_dtype = self.inputs.elems, self.inputs.dtype
        self.answers = [
            (name, objectives.load(kind).value) for name, (kind, _, _) in self.outputs.items()
        ]
        self.stored = self.skipped = self.session = self.steps_done = self.matched = 0
        self.path, self.known_at_first, self.rehearsed = None, spec.known, 0
        self.stream = Stream()
        self.latent_qp = spec.quantization("latent")
        self.feature_elems = self.stage.head.n if self.stage.head else 0
        self.write_units = 0  # of the counter, the flash write of the last observe()
        self.labels, self.slots = self.stage.labels, array("i", range(self.stage.micro))
        reader = None
        if store is not None:
            self.packed = _packed_latent(spec, store)
            codes = self.stage.codes(code_values(self.latent_qp, store.bits))
            reader = LatentReader(
                store, self.stage.x, self.labels, self.slots, codes, self.stage.targets,
                self.stage.again,
            )
            self.stage.refill = reader.read_again
        self.trainer = Trainer(self, parts.optimiser, parts.hypers, reader, lr_decay, counter)
        self.strategy = strategy_class(strategy)(self, parts.arena, options)
        self.state = State(self, [(name, parts.arena.window(name)) for name in parts.saved])
        self.brought = self.state.brought
        parts.arena.close()
        forget(("engram.continual.opening",))
        self.heap_base = heap_base
        collect_rarely()

    # -- observing and predicting ------------------------------------------------------

    def infer(self, x, row=0):
        """Runs the frozen stage on one input: row `row` of stage.latents. Raises DataError."""
        _infer(self, self.inputs.check(x), row)

    def latent(self, x):
        """The latent of one input, as observe() stores it: a bytearray of int8 in two's
        complement."""
        self.infer(x)
        return bytearray(self.stage.latent)

    def observe(self, x, y=None):
        """Takes one sample: its latent is in flash then, and it is counted in .stored.

        x: a buffer of input_elems items of the model's input dtype; on a PC also an array of any
        shape that has as many, float64 where the model takes float32. y: as Inputs.expected()
        takes it; None where nobody knows, for a model that learns without. Where the policy does
        not admit the sample it is counted in .skipped alone, and takes no part in learning. In a
        store that is full the policy makes room first, by the rule that it trims with.
        Raises DataError, StoreError.
        """
        label, target = self.inputs.expected(y)
        if self.store is None:
            raise StoreError("this learner has no replay store: open it with one to observe")
        x = self.inputs.check(x)
        if _admit(self, label):
            _infer(self, x, 0)
            _store(self, label, target)

    def observe_latent(self, y=None):
        """Takes the sample whose latent is in stage.latent, such as the last that was inferred;
        as observe() does."""
        label, target = self.inputs.expected(y)
        if _admit(self, label):
            _store(self, label, target)

    def observe_all(self, samples):
        """Takes (x, y) pairs as observe() takes them; returns how many of them are stored."""
        before = self.stored
        for x, y in samples:
            self.observe(x, y)
        return self.stored - before

    def predict(self, x):
        """The answer to one input: (label, probability of that label) where it tells
        classes apart, a list of values where it regresses; {output: answer} of several outputs."""
        self.infer(x)
        stage = self.stage
        stage.take_latent()
        stage.forward_single()
        stage.answer()
        if len(self.answers) == 1:
            name, value = self.answers[0]
            return value(stage.single[name])
        return {name: value(stage.single[name]) for name, value in self.answers}

    def score(self, x):
        """How unlike one input is to those that were learned: the loss of a model that learns
        without answers, with the code's mean in the place of a drawn code.

        For a variational auto-encoder: minus the lower bound of log p(x), per value of x. Raises
        DataError for other models.
        """
        from .scoring import score

        return score(self, x)

    def watch(self, **options):
        """A watch.watch.Watch, which compares samples with those in the store and raises alarms:
        watch(engine="clusters", window=8, false_alarms="1/day", every=10).feed(x)

        options: as Watch takes them. Raises DataError where too few samples are stored.
        """
        from ..watch.watch import watch

        return watch(self, **options)

    def match(self, samples):
        """Lets the model answer for another sensor, from samples of it without labels: each value
        of their latents is given the mean and the deviation of the stored ones, by changing the
        weights of the dense layers that read latents. An answer takes no longer than before.

        samples: 20 inputs or more, better 50, of about the classes that are stored, in about the
        same shares. Returns {"samples", "stored": how many were compared, "moved": how far the
        mean was, in standard deviations}. Stored samples stay as they are: learning that replays
        them undoes it. save() keeps it, rollback() undoes it; it works once. Raises DataError, and
        changes nothing, where it cannot be done.
        """
        from ..watch.parts import part

        shift = part("shift", "matches samples")
        forget(("engram.watch.shift",))
        return shift.match(self, samples)

    def class_name(self, label):
        """The name of a class as a text: the one in the model file, else its number."""
        from .facts import class_name

        return class_name(self, label)

    def evaluating(self, samples, session=None, said=None):
        """Evaluates (x, y) pairs a micro-batch at a time: a generator of results so far.

        Each result is {"n", "correct", "total": [per class], "right": [per class]} for classes,
        {"n", "mse", "mae"} for a regression.
        session: number of the one that they test: the accuracy at the end goes into metrics().
        said: None, or a list that gets the class that the model gives each sample.
        """
        from .evaluation import Evaluation

        _check_session(session)
        for result in Evaluation(self, said).run(samples):
            yield result
        if session is not None and result.get("correct") is not None and result["n"]:
            self.tested(session, result["correct"] / result["n"])

    def evaluate(self, samples, session=None):
        """The result on (x, y) pairs, the last of evaluating(), with "accuracy" for classes.

        session: number of the session that they test, for metrics().
        """
        for result in self.evaluating(samples, session):
            pass
        if "correct" in result:
            result["accuracy"] = result["correct"] / result["n"] if result["n"] else 0.0
        return result

    def tested(self, session, accuracy):
        """Enters an accuracy on the test of a session, measured now, into metrics()."""
        _check_session(session)
        self.stream.matrix.put(self.session - self.stream.began, session, accuracy)

    def metrics(self):
        """The figures of the tests so far, AccuracyMatrix.summary(); saved with the state."""
        return self.stream.matrix.summary()

    def begin_stream(self, number, sessions=0, known=b""):
        """Begins a stream of sessions and saves the learned state.

        number: the feeder's name for the stream, u32 but 0. sessions: how many it has. known:
        bytes, 16 at most, with a bit for each class that was learned before and is tested first;
        these classes count as a session that has been learned.
        """
        first = self.session - (1 if known else 0)
        self.stream.begin(number, max(0, first), sessions, known)
        return self.save()

    def observed_since_save(self):
        """Samples stored since the learned state was saved or loaded; None where the policy
        stores a choice of them, the store was full, or no such state tells."""
        if not self.stream.saved:
            return None
        count = self.store.next_sequence - self.stream.began_at
        if count and (self.policy_name not in TRIMMING or len(self.store) >= room_in(self.store)):
            return None
        return count

    def forget_current(self):
        """Deletes the records of the current session; returns how many there were."""
        slots = self.current_slots()
        for slot in slots:
            self.store.delete(slot)
        return len(slots)

    # -- learning ----------------------------------------------------------------------

    def steps(self, epochs=None, replay=True, steps=None):
        """Learns the records of the current session: a generator of one dict per step.

        epochs: passes over the new records; or steps: how many, whatever there is to learn from.
        Neither: the strategy's STEPS, or one pass where that is more. replay: mix in old records.
        {"step", "of", "loss", "acc", "new", "replayed", "at", "phases": {name: counter units},
        "total", "outside"}; acc: None without classes; at: the counter when the step began;
        outside: units not spent inside kernels; the last one may have a "warning", of a code that
        carries nothing. Raises DataError when there is nothing new,
        DivergedError when the run diverges, as divergence.py says: the learner is back at its last
        saved state then, without one at its model file.
        """
        if self.store is None:
            raise StoreError("this learner has no replay store: open it with one to learn")
        return self.trainer.steps(epochs, replay, steps)

    def step(self):
        """One step on the batch that the sampler composes. Allocates nothing."""
        self.trainer.step()

    @property
    def current(self):
        """The number that records of the current session have in the store."""
        return number_of(self.session)

    @property
    def counter(self):
        return self.trainer.counter

    @counter.setter
    def counter(self, function):
        self.trainer.counter = function

    def current_slots(self):
        """List of the slots of the current session's records."""
        store, current = self.store, self.current
        labels, sessions = ((), ()) if store is None else (store.labels, store.sessions)
        return [
            slot
            for slot in range(len(labels))
            if labels[slot] != DEAD and sessions[slot] == current
        ]

    def read_one(self, slot):
        """Latent and label of a record into the first row of the batch; whether it is intact."""
        self.store.settle()
        self.slots[0] = slot
        return self.trainer.reader.read(0, 1) == 1

    def features(self, slot):
        """float32 window of the head's inputs for a record, until the next call or step; None
        where the record is damaged."""
        if not self.read_one(slot):
            return None
        self.stage.features_single()
        return self.stage.head.single_x

    def readable(self, slot):
        """Whether a record that was not read is there after all; a damaged one is marked."""
        return readable(self.store, slot, self.packed)

    def learn(self, epochs=None, replay=True, on_step=None, steps=None):
        """Learns the current session to its end; returns a summary.

        epochs, replay, steps: as steps() takes them. on_step: called with each record of steps().
        Where a strategy replays, but nothing is stored of the classes that the model file knows, a
        line is printed that says so: they are forgotten. "unrehearsed" in the summary is the
        number of these classes. A line is printed too where units of a code carry nothing.
        """
        from .rehearsal import unrehearsed

        classes = unrehearsed(self) if replay and self.store is not None else 0
        forget(("engram.continual.rehearsal",))
        if classes:
            print(
                "Warning: expected stored samples of the %d classes that the model knows beside "
                "the new ones, got none: it will forget them. Observe some and call "
                "end_session() first" % classes
            )
        first = last = None
        for record in self.steps(epochs, replay, steps):
            last = record
            first = first or record
            if on_step:
                on_step(record)
        if last.get("warning"):
            print("Warning: " + last["warning"])
        self.end_session()
        return {
            "steps": last["step"], "first_loss": first["loss"], "last_loss": last["loss"],
            "unrehearsed": classes,
        }

    def end_session(self):
        """Ends the current session: the strategy takes stock, the policy may trim the store."""
        self.strategy.end()
        if self.store is not None:
            self.policy.end(self)
        self.session = next_session(self.store, self.session)

    @property
    def seen(self):
        """Records that the stream has brought in the sessions that ended."""
        return sum(self.brought)

    # -- the learned state -------------------------------------------------------------

    def save(self):
        """Saves the learned state atomically; returns its generation (int).

        Raises DivergedError, and leaves the saved state, where a weight is not finite.
        """
        return self.state.save(_checkpoints(self))

    def load(self):
        """Loads the last saved state; returns its generation, or None when there is none."""
        return self.state.load(_checkpoints(self))

    def rollback(self, to="last"):
        """Goes back to a saved state and returns its generation; later learning is lost. Stored
        samples stay; the samples of undone sessions count as new again.

        to: "last"; "previous", the one before, and the last one is erased; "factory": both are
        erased, None is returned, and this learner saves no more: open the model again, which
        starts from the parameters in its file. Power-safe. Raises StoreError when there is no
        such state.
        """
        if _checkpoints(self).roll_back(to):
            return self.load()
        self.checkpoints = None
        return None

    def close(self):
        """Gives its memory back, without saving; whatever it is asked for from then on raises
        StoreError."""
        stub = Released()
        for name in list(self.__dict__):
            setattr(self, name, stub)
        self.is_open = False

    def info(self):
        """The settings, sizes and counts of the learner, as a dict of plain values."""
        from .facts import facts

        values = facts(self)
        forget(("engram.continual.facts",))
        return values

    def __repr__(self):
        from .summary import words

        forget(("engram.continual.summary",))
        return words(self)

    def heap_growth(self):
        """Bytes of heap since heap_base; None where there is nothing to compare with."""
        size = heap_used()
        return size - self.heap_base if size and self.heap_base is not None else None


def _admit(learner, label):
    """Makes room for a record; whether the policy lets it in."""
    if len(learner.store) >= learner.store.capacity:
        learner.policy.make_room(learner)
    admitted = learner.policy.admit(label)
    if not admitted:
        learner.skipped += 1
        learner.write_units = 0
    return admitted


def _store(learner, label, target):
    """Appends the latent that was inferred last to the store."""
    store, counter = learner.store, learner.trainer.counter
    if learner.head_name and learner.stage.known <= label < NO_CLASS:
        learner.stage.resize(label + 1)
    kernels.pack_s8(learner.packed, learner.stage.latent, store.bits)
    start = counter()
    store.append(
        learner.packed, label, learner.current, None if target is None else bytes_of(target)
    )
    learner.write_units = ticks_diff(counter(), start)
    learner.stored += 1


def _infer(learner, x, row):
    """Runs the frozen stage on a checked input."""
    try:
        learner.stage.infer_row(x, row)
    except TypeError as e:  # a list, or an array of another item size
        raise DataError(
            "expected an input of %s, got %s (%s)" % (learner.inputs.dtype, type(x).__name__, e)
        )


def _packed_latent(spec, store):
    """A buffer for one packed latent. Raises StoreError when those in the store differ in size."""
    size = kernels.packed_bytes(spec.latent_elems, store.bits)
    if size != store.latent_bytes:
        raise StoreError(
            "expected latents of %d bytes (%d elements of %d bits) in the store, got %d"
            % (size, spec.latent_elems, store.bits, store.latent_bytes)
        )
    return bytearray(size)


def _check_session(session):
    if session is not None and (not isinstance(session, int) or not 0 <= session < _MAX_TESTS):
        raise DataError("expected a session from 0 to %d, got %r" % (_MAX_TESTS - 1, session))


def _checkpoints(learner):
    if learner.checkpoints is None:
        raise StoreError("this learner has no checkpoints: open it with a flash region")
    return learner.checkpoints
