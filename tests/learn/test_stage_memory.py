"""The shared memory of the arena: what is computed in it is what separate buffers give.

The same sections run over two arenas: the one that the plan lays out, and one in which no two
buffers share memory but those that a view makes one, filled with NaN. What comes out must be the
same to the last bit. A lifetime that ends too early, a buffer that is read before it is written,
or a row that works in place where its input is read later, makes a difference.
"""

from array import array
from dataclasses import replace

import pytest

from engram.backend import kernels
from engram.memory.layout import ALIGN, Layout
from engram.memory.lifetimes import Timeline
from engram.nn.program import VIEW
from learn.random_graphs import cases
from learn.stage_cases import Assembled

QUICK = [replace(case, frozen=bool(i % 2)) for i, case in enumerate(cases(30, seed=11))]
MORE = [replace(case, frozen=bool(i % 2)) for i, case in enumerate(cases(400, seed=12))]
OPTIONS = (
    {},
    {"optimiser": "adam", "clip": 0.5},
    {"optimiser": "sgd", "weight_decay": 0.01},
    {"strategy": "ewc"},
    {"strategy": "lwf"},
    {"strategy": "ar1"},
    {"skip": 0.5},
    {"skip": 0.2, "optimiser": "sgd"},
)


def apart(plan):
    """The Layout of a plan in which buffers share memory only where a view makes them one."""
    offsets, owners = plan.layout.offsets, {}
    for section in plan.sections:
        for kernel, args, _ in plan.section(section):
            if kernel == VIEW:
                owners[_owner(owners, args[0][0])] = _owner(owners, args[1][0])
    places, at = {}, 0
    for name, (kind, _, nbytes) in sorted(offsets.items()):
        owner = _owner(owners, name)
        if owner not in places:
            places[owner] = (kind, at, nbytes)
            at += (offsets[owner][2] + ALIGN - 1) // ALIGN * ALIGN
    rows = [(name, kind, nbytes, at, 0, 0) for name, (kind, at, nbytes) in places.items()]
    own = {
        name: (kind, places[_owner(owners, name)][1], nbytes)
        for name, (kind, _, nbytes) in offsets.items()
    }
    return Layout(plan.micro, rows, own, plan.layout.layers)


def _owner(owners, name):
    while name in owners and owners[name] != name:
        name = owners[name]
    return name


def traces(run):
    """[(what, bytes)] of all that the sections of a stage bring out, in the order of a learner."""
    stage, out = run.stage, []

    def note(what, *windows):
        out.extend((what, memoryview(window).tobytes()) for window in windows)

    _evaluate(run, note)
    for _ in range(2):
        stage.start()
        stage.begin()
        for first in range(0, run.case.batch, stage.micro):
            run.fill(first)
            _forward(run, note)
            stage.loss()
            note("stats", *stage.stats.values())
            note("output gradients", *[run.arena.window("d:" + name) for name in stage.stats])
            stage.backward()
        if stage.learned.grads is not None:
            note("gradients", stage.learned.grads)
        stage.update()
        note("parameters", stage.params)
        run.fill(0)
        stage.forward_single()
        note("single", *stage.single.values())
        if "single_backward" in stage.tapes:
            stage.backward_single()
            note("single gradients", stage.learned.grads)
            stage.learned.clear()
        run.fill(0)
        stage.forward_single()
        stage.answer()
        note("answers", *stage.single.values())
        if stage.head:
            run.fill(0)
            stage.features()
            note("features", stage.head.x)
            run.fill(0)
            stage.features_single()
            note("single features", stage.head.single_x)
    return out


def _evaluate(run, note):
    """As Learner.predict does, then Evaluation."""
    stage, qp, elems = run.stage, run.spec.quantization("latent"), run.spec.latent_elems
    inputs = [
        array("f", [(i * 7 + j * 3) % 11 / 8 for j in range(run.spec.input_elems)])
        for i in range(stage.micro)
    ]
    for x in inputs:
        stage.infer(x)
        note("latent", stage.latent)
        kernels.dequantize_s8(stage.single_x, stage.latent, qp)
        stage.forward_single()
        note("single of an input", *stage.single.values())
    for i, x in enumerate(inputs):
        stage.infer(x)
        stage.latents[i * elems : (i + 1) * elems] = stage.latent
    note("latents", stage.latents)
    kernels.dequantize_s8(stage.x, stage.latents, qp)
    stage.forward()
    note("outputs of inputs", *stage.outputs.values())


def _forward(run, note):
    """As the strategy does it: a teacher in between, where there is one."""
    stage = run.stage
    if "teacher" in stage.tapes:
        kernels.run(stage.learned.snapshots(run.arena.window("teacher")))
        tape = stage.tapes["forward"]
        tape.run_rows(0, stage.upper_at)
        stage.tapes["teacher"].run()
        note("teacher", run.arena.window("t:" + run.plan.program.head))
        tape.run_rows(stage.upper_at, stage.loss_at)
    else:
        stage.forward()
    note("outputs", *stage.outputs.values())


def differences(case, **options):
    """What the shared arena computes otherwise than separate buffers do, in the order in which it
    comes out; a row that the kernels refuse to run in it counts too."""
    lonely = traces(Assembled(case, layout=apart, **options))
    try:
        shared = traces(Assembled(case, **options))
    except ValueError as e:
        return [str(e)]
    assert [what for what, _ in shared] == [what for what, _ in lonely]
    return [a[0] for a, b in zip(shared, lonely, strict=True) if a[1] != b[1]]


def fitting(case, options):
    """The case as these options can have it."""
    if options.get("optimiser") == "sgd":
        return replace(case, batch=1, micro=1)
    if options.get("strategy") in ("lwf", "ar1"):
        return replace(case, objective="classify")
    return case


def _sweep(some):
    for i, case in enumerate(some):
        options = OPTIONS[i % len(OPTIONS)]
        case = fitting(case, options)
        faults = differences(case, **options)
        assert not faults, (str(case), options, faults)


def test_shared_memory_changes_nothing():
    _sweep(QUICK)


@pytest.mark.slow
def test_shared_memory_changes_nothing_in_many_models():
    _sweep(MORE)


def test_separate_buffers_are_separate():
    run = Assembled(QUICK[1], layout=apart)
    rows = sorted(row[3:4] + row[2:3] for row in run.layout.rows)
    assert all(a[0] + a[1] <= b[0] for a, b in zip(rows, rows[1:]))
    assert run.layout.block_bytes > run.plan.layout.block_bytes


# -- planted faults: the comparison sees a wrong lifetime ------------------------------------


def _forgets_last_mention(monkeypatch):
    """A buffer lives to the row before the last that names it."""
    touch = Timeline.touch

    def short(self, names):
        before = {name: list(span) for name, span in self._spans.items()}
        touch(self, names)
        for name in names:
            if name in before:
                self._spans[name][1] = max(before[name][1], self.at - 2)

    monkeypatch.setattr(Timeline, "touch", short)


def _in_place_regardless(monkeypatch):
    """A row writes into the memory of its input although a later row reads that."""
    share = Timeline._share

    def greedy(self, sizes):
        self._takes = [(*take[:4], True) for take in self._takes]
        return share(self, sizes)

    monkeypatch.setattr(Timeline, "_share", greedy)


def _views_end_early(monkeypatch):
    """The memory of a view is free when the buffer that it is a view of is."""
    share = Timeline._share

    def short(self, sizes):
        spans = {name: list(span) for name, span in self._spans.items()}
        owners = share(self, sizes)
        self._spans.update({name: spans[name] for name in spans if name not in self._always})
        return owners

    monkeypatch.setattr(Timeline, "_share", short)


def _outputs_die_young(monkeypatch):
    """What a head needs of the layers below is not kept for the backward pass."""
    rows = Timeline.rows

    def forward_alone(self, some, view):
        backward = any("_bwd_" in row[0] for row in some)
        rows(self, [] if backward else some, view)
        if backward:  # its own buffers only
            seen = set(self._spans)
            names = {arg[0] for row in some for arg in row[1] if isinstance(arg, tuple)}
            self.touch(sorted(names - seen))

    monkeypatch.setattr(Timeline, "rows", forward_alone)


@pytest.mark.parametrize(
    "plant",
    [_forgets_last_mention, _in_place_regardless, _views_end_early, _outputs_die_young],
)
def test_a_wrong_lifetime_is_seen(monkeypatch, plant):
    with monkeypatch.context() as patch:
        plant(patch)
        assert any(differences(case) for case in QUICK)
    assert not any(differences(case) for case in QUICK)
