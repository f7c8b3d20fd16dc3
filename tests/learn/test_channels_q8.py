"""Chosen channels in q8: their steps are those of the whole layer, and nothing else changes."""

import random

import numpy as np
import pytest

from engram import DataError, ModelError
from engram.memory.record import EXPONENT
from engram.nn import formats
from engram.nn.channels import Chosen, axes
from engram.nn.names import BIASES, LATENTS, RESTS, WEIGHTS
from engram.nn.ops import bias
from engram.nn.recompute import choosable
from engram.nn.scales import numbers
from learn.chosen_channels import chosen
from learn.random_graphs import Case, cases
from learn.stage_cases import Assembled
from learn.test_channels import buffers, named, part
from learn.test_stage_memory import apart

CASES = cases(80, seed=67)
FORMATS = ("f32", "q8", "mixed")
TYPES = {WEIGHTS: np.int8, RESTS: np.int8, BIASES: np.int32}


def both(case, **options):
    scope, sides = chosen(case, random.Random(case.seed + 1), "q8")
    return assembled(case, scope=scope, **options), sides


def assembled(case, rate=0.25, format="q8", **options):
    """A stage whose groups have this rate, and whose exponents are found."""
    run = Assembled(case, format=format, **options)
    if run.plan.rates:
        run.fill = lambda first: fill(run, first)
        run.stage.refill = lambda: put_latents(run, run.stage.again)
        for group in ("below", "head"):
            run.plan.rates.set(group, 0)
        run.stage.settle(lambda: pass_of(run))
        for group in ("below", "head"):
            run.plan.rates.set(group, rate)
    return run


def pass_of(run):
    run.fill(0)
    run.stage.forward_loss()
    run.stage.backward()


def fill(run, first):
    stage, some = run.stage, slice(first, first + run.stage.micro)
    run.filled = some
    put_latents(run, stage.x)
    stage.labels[:] = run.labels[some].tobytes()
    if run.targets:
        rows = np.concatenate([p[some] for p in run.targets.values()], 1)
        np.frombuffer(stage.targets, np.float32)[:] = rows.ravel()


def put_latents(run, window):
    values = run.x[run.filled].ravel()
    if run.spec.net.latent_format == "q8":
        window[:] = np.clip(np.round(values * 32), -127, 127).astype(np.int8).tobytes()
    else:
        np.frombuffer(window, np.float32)[:] = values


def tensors(run):
    """{tensor: (node, key, int array)} of the q8 nodes, as they are now."""
    integers, out = run.plan.program.integers, {}
    windows = dict(run.stage.integers)
    for node in run.nodes:
        form = formats.load(node["format"])
        for key, _, shape in form.tensors(node) if form.INTEGER else ():
            buffer, at, n, _ = integers.windows[node[key]]
            values = np.frombuffer(bytes(windows[buffer]), TYPES[buffer])
            out[node[key]] = (node, key, values[at : at + n].astype(int).reshape(shape))
    return out


def rests(run):
    """{tensor: int array} of the bytes below what learns."""
    out, windows = {}, dict(run.stage.integers)
    for tensor, (_, at, n, _) in run.plan.program.integers.rests.items():
        out[tensor] = np.frombuffer(bytes(windows[RESTS]), np.int8)[at : at + n].astype(int)
    return out


def step(run):
    """The steps of a mini-batch, without what moves the scales after it."""
    run.stage.start()
    run.stage.begin()
    for first in range(0, run.case.batch, run.stage.micro):
        run.fill(first)
        run.stage.forward()
        run.stage.loss()
        run.stage.backward()


def mask_of(values, node, key, sides):
    mask = np.zeros(values.shape, bool)
    numbers = np.arange(mask.size).reshape(mask.shape)
    mask.flat[part(numbers, node, key, sides).ravel()] = True
    return mask


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_step_is_that_of_the_whole_layer_to_the_bit_and_nothing_else_changes(case):
    """The batch is one micro-batch: after it, what did not learn makes other gradients."""
    case = Case(case.seed, case.ops, case.micro, case.micro, "all", case.objective)
    run, sides = both(case, rounding="nearest")
    whole = assembled(case, scope="all", rounding="nearest")
    before = tensors(run)
    for one in (run, whole):
        step(one)
    after, expected = tensors(run), tensors(whole)
    moved = 0
    for tensor, (node, key, values) in after.items():
        mask = mask_of(values, node, key, sides[node["name"]])
        np.testing.assert_array_equal(values[~mask], before[tensor][2][~mask])
        np.testing.assert_array_equal(values[mask], expected[tensor][2][mask])
        moved += (values != before[tensor][2]).sum()
    assert moved


def exponents(run):
    """{node: exponent of its weights}"""
    scales = run.stage.scales
    rows = [(i, name[2:]) for i, name in enumerate(scales.names) if name.startswith("w:")]
    return {name: numbers(*scales.place(i))[EXPONENT] for i, name in rows}


@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.05}, {"clip": 0.5}], ids=["plain", "decay", "clip"]
)
@pytest.mark.parametrize("case", CASES[:30], ids=str)
def test_what_does_not_learn_stays_over_micro_batches_and_updates(case, options):
    """An exponent of a tensor of which a part learns stays: its other weights lose no bit."""
    run, sides = both(case, rate=4, **options)
    before, first = tensors(run), exponents(run)
    for _ in range(4):
        step(run)
        run.stage.update()
    for tensor, (node, key, values) in tensors(run).items():
        if sides[node["name"]]:
            mask = mask_of(values, node, key, sides[node["name"]])
            np.testing.assert_array_equal(values[~mask], before[tensor][2][~mask])
            assert exponents(run)[node["name"]] == first[node["name"]]


def test_a_mistake_in_the_choice_is_seen(monkeypatch):
    """The test of the step can fail: errors of other channels are taken."""
    copies = Chosen.copies

    def shifted(self, side, target, source, rows, kind):
        made = copies(self, side, target, source, rows, kind)
        if (side, kind) == ("out", "i8"):
            for _, args, _ in made:
                parts = args[2]
                for i in range(0, len(parts), 3):
                    parts[i + 1] = (parts[i + 1] + 1) % (args[5] - parts[i + 2] + 1)
        return made

    monkeypatch.setattr(Chosen, "copies", shifted)
    wrong = 0
    for case in CASES:
        try:
            test_a_step_is_that_of_the_whole_layer_to_the_bit_and_nothing_else_changes(case)
        except AssertionError:
            wrong += 1
    assert wrong > 10


@pytest.mark.parametrize("case", CASES[:40], ids=str)
def test_the_bytes_below_are_those_of_the_chosen_weights(case):
    run, sides = both(case)
    whole = assembled(case, scope="all")
    ours, theirs = rests(run), rests(whole)
    assert ours.keys() == theirs.keys()
    for tensor, (node, key, values) in tensors(whole).items():
        if tensor in theirs:
            expected = part(theirs[tensor].reshape(values.shape), node, key, sides[node["name"]])
            np.testing.assert_array_equal(ours[tensor], expected.ravel())


def state(run):
    return [bytes(window) for _, window in run.stage.integers]


@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.05}, {"clip": 0.5}], ids=["plain", "decay", "clip"]
)
@pytest.mark.parametrize("case", CASES[:30], ids=str)
def test_shared_memory_makes_no_difference(case, options):
    for recompute in ([], [LATENTS], choosable):
        states = []
        for layout in (None, apart):
            run, _ = both(case, layout=layout, recompute=recompute, **options)
            for _ in range(2):
                step(run)
                run.stage.update()
            states.append(state(run))
        assert states[0] == states[1]


# -- what is kept ----------------------------------------------------------------------------

LAYERS = Case(53, ("conv2d", "relu", "pointwise", "dense"), batch=4, micro=4)


def test_less_is_kept_of_activations_and_of_bytes_below():
    first = Assembled(LAYERS).nodes[0]["name"]
    whole = Assembled(LAYERS, scope=first, format="q8")
    run = Assembled(LAYERS, scope=first + ".in:0", format="q8")
    channels = axes(run.nodes[0])["in"][1]
    assert channels > 1
    kept, latent = buffers(run)["in:" + first], buffers(whole)[":latent"]
    assert kept[1] == "i8" and kept[2] * channels == latent[2]
    assert buffers(run)[":latent"][5] < latent[5]
    assert buffers(run)[RESTS][2] * channels == buffers(whole)[RESTS][2]
    assert buffers(run)[WEIGHTS][2] == buffers(whole)[WEIGHTS][2]
    read = [named(one.plan.section("backward")) for one in (whole, run)]
    assert ":latent" in read[0] - read[1]


def test_what_lies_in_one_piece_is_not_copied():
    name = Assembled(LAYERS).nodes[0]["name"]
    run = Assembled(LAYERS, scope=name + ".out:1", format="q8", rounding="sr")
    rows = run.plan.section("backward")
    (errors,) = [args[0][0] for kernel, args, _ in rows if kernel == "copy_parts_q8"]
    assert errors == "errors:" + name


def test_the_largest_channels_are_those_of_float32():
    for side in ("in", "out"):
        scope = f"head,all.{side}:norm:0.5"
        modes = [Assembled(LAYERS, scope=scope, format=form).config.learns for form in FORMATS]
        assert modes[0] == modes[1] == modes[2]


@pytest.mark.parametrize("form", FORMATS)
def test_chosen_channels_go_with_biases_and_whole_layers(form):
    """In each format; with "mixed" the layer nearest to an output is float32."""
    nodes = Assembled(LAYERS).nodes
    names = [node["name"] for node in nodes if "w" in node]
    run = assembled(LAYERS, scope=f"all.b,{names[1]}.in:0,{names[2]},head.in:0-1", format=form)
    before, params = tensors(run) if form != "f32" else {}, bytes(run.stage.params)
    step(run)
    run.stage.update()
    after = tensors(run) if form != "f32" else {}
    changed = [t for t in after if not np.array_equal(after[t][2], before[t][2])]
    assert (len(changed) > 3) == (form != "f32")
    assert (bytes(run.stage.params) != params) == (form != "q8")
    for tensor in changed:
        node, key, _ = before[tensor]
        assert key == bias(node["op"]) or node["name"] != names[0]


def test_strategies_without_integers_refuse_them_by_name():
    name = Assembled(LAYERS).nodes[0]["name"]
    for strategy, words in (("lwf", "whole nodes"), ("ewc", "number formats among f32")):
        with pytest.raises(DataError, match=f"strategy {strategy}: expected {words}"):
            Assembled(LAYERS, scope=f"{name}.in:0", strategy=strategy, format="q8")
    head = Assembled(LAYERS).spec.net.head["name"]
    with pytest.raises(DataError, match="whose outputs are the classes"):
        Assembled(LAYERS, scope=f"{head}.out:0", format="q8")


@pytest.mark.parametrize("part_of", ["{0}.in:0", "{0}.out:0", "{0}.in:0,{0}.out:0"])
def test_dynamic_lists_and_chosen_channels_go_together(part_of):
    """Where no sample is skipped and all is kept, the steps are those without lists."""
    scope, states = "head," + part_of.format(Assembled(LAYERS).nodes[0]["name"]), []
    for options in ({}, {"keep": 1}, {"keep": 0.5}):
        run = assembled(LAYERS, scope=scope, rounding="nearest", layout=apart, **options)
        before = state(run)
        step(run)
        states.append(state(run))
        assert states[-1] != before
    assert states[0][:2] == states[1][:2]


def test_velocities_have_whole_layers():
    name = Assembled(LAYERS).nodes[0]["name"]
    with pytest.raises(ModelError, match="rounding velocity, got chosen channels"):
        Assembled(LAYERS, scope=name + ".in:0", format="q8", rounding="velocity")
