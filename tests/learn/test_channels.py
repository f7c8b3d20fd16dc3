"""Chosen channels: their gradients are exact, nothing else changes, and less is kept."""

import random

import numpy as np
import pytest

from engram import DataError
from engram.nn.channels import axes, shape_of
from engram.nn.names import LATENTS
from engram.nn.ops import bias
from engram.nn.program import Program
from learn.chosen_channels import chosen
from learn.random_graphs import Case, cases
from learn.stage_cases import Assembled
from learn.test_stage_memory import apart

CASES = cases(80, seed=31)


def part(array, node, key, sides):
    """The chosen part of a tensor, or of its gradient."""
    where = axes(node)
    if key == bias(node["op"]):
        return array[sides["out"]] if "out" in sides else array
    for side, numbers in sides.items():
        array = array.take(numbers, where[side][0])
        if where["in"] == where["out"]:
            break
    return array


def both(case, seed=1, **options):
    scope, sides = chosen(case, random.Random(case.seed + seed))
    return Assembled(case, scope=scope, **options), sides


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_are_those_of_the_whole_layer(case):
    run, sides = both(case)
    whole = Assembled(case, scope="all")
    assert run.accumulate() == pytest.approx(whole.accumulate(), 1e-6)
    ours, theirs = run.gradients(), whole.gradients()
    size = max(np.abs(g).max() for g in theirs.values())
    for node, key, name, shape, _ in run.plan.program.learned:
        expected = part(theirs[name], node, key, sides[node["name"]])
        assert ours[name].shape == tuple(shape) == expected.shape
        np.testing.assert_allclose(ours[name], expected, atol=1e-5 * size)


OPTIONS = (
    {"optimiser": "sgd"},
    {"optimiser": "momentum", "weight_decay": 0.02},
    {"optimiser": "momentum", "clip": 1e6, "weight_decay": 0.02},
    {"optimiser": "adam", "lr": 0.01},
)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("case", CASES[:25], ids=str)
def test_updates_are_those_of_the_whole_layer_and_nothing_else_changes(case, options):
    """One step: from the second on, what did not learn makes other gradients. With a velocity the
    weight decay is in it from the start of a run."""
    run, sides = both(case, **options)
    whole = Assembled(case, scope="all", **options)
    before = run.parameters()
    for stage in (run, whole):
        stage.accumulate()
        stage.stage.update()
    after, expected = run.parameters(), whole.parameters()
    if whole.config.choice.gradients is None:  # applied at once
        assert run.config.choice.gradients == "grads"
    for node, key, name, _, _ in run.plan.program.tensors:
        mask = np.zeros(before[name].shape, bool)
        numbers = np.arange(mask.size).reshape(mask.shape)
        mask.flat[part(numbers, node, key, sides[node["name"]]).ravel()] = True
        np.testing.assert_array_equal(after[name][~mask], before[name][~mask])
        if case.batch > 1 or options["optimiser"] != "sgd":
            np.testing.assert_allclose(after[name][mask], expected[name][mask], atol=2e-5)


@pytest.mark.parametrize("case", CASES[:30], ids=str)
def test_shared_memory_makes_no_difference(case):
    for micro in (True, False):
        names = [] if micro else [LATENTS]
        runs = [both(case, layout=layout, recompute=names)[0] for layout in (None, apart)]
        for run in runs:
            run.accumulate()
            run.stage.update()
        assert bytes(runs[0].stage.params) == bytes(runs[1].stage.params)


def test_a_mistake_in_the_choice_is_seen(monkeypatch):
    """The gradient test can fail: errors of other channels are taken."""
    errors = Program._errors

    def shifted(self, node, buffer, batch):
        rows, value = errors(self, node, buffer, batch)
        kernel, args, takes = rows[0]
        at = (args[6] + 1) % (args[4] - args[7] + 1)
        return [(kernel, args[:6] + [at] + args[7:], takes)] + rows[1:], value

    monkeypatch.setattr(Program, "_errors", shifted)
    wrong = 0
    for case in CASES:
        try:
            test_gradients_are_those_of_the_whole_layer(case)
        except AssertionError:
            wrong += 1
    assert wrong > 10


# -- what is kept ----------------------------------------------------------------------------

LAYERS = Case(53, ("conv2d", "relu", "pointwise", "dense"), batch=4, micro=4)


def buffers(run):
    return {row[0]: row for row in run.layout.rows}


def named(rows):
    """The buffers that rows name."""
    return {arg[0] for _, args, _ in rows for arg in args if isinstance(arg, tuple)}


def test_less_is_kept_of_activations_that_nothing_else_reads():
    """The latent of the first layer dies after the forward pass; a channel of it stays."""
    first = Assembled(LAYERS).nodes[0]["name"]
    whole, run = Assembled(LAYERS, scope=first), Assembled(LAYERS, scope=first + ".in:0")
    kept = buffers(run)["in:" + first]
    latent = buffers(whole)[":latent"]
    assert kept[2] * axes(run.nodes[0])["in"][1] == latent[2]
    assert buffers(run)[":latent"][5] < latent[5]
    read = [named(one.plan.section("backward")) for one in (whole, run)]
    assert ":latent" in read[0] - read[1]


def test_what_stays_anyway_is_copied_where_it_is_read():
    """A ReLU below reads its own output again: a copy from the forward pass would cost memory."""
    run = Assembled(LAYERS, scope="all")
    names = [node["name"] for node in run.nodes]
    after = names[[node["op"] for node in run.nodes].index("relu") + 1]
    run = Assembled(LAYERS, scope=f"all.b,{after}.in:0")
    assert run.plan.program._stored == {}
    assert "in:" + after in named(run.plan.section("backward"))
    assert "in:" + after not in named(run.plan.section("forward"))


def test_gradients_and_velocity_are_of_what_learns():
    node = Assembled(LAYERS).nodes[0]
    scope = f"{node['name']}.in:0,{node['name']}.out:0"
    run = Assembled(LAYERS, scope=scope, optimiser="adam")
    shape, where = list(shape_of(node)), axes(node)
    shape[where["in"][0]] = shape[where["out"][0]] = 1
    n = int(np.prod(shape)) + 1
    assert run.plan.program.learned_elems == n == run.config.sizes(1).learned
    assert {buffers(run)[name][2] for name in ("grads", "mean", "square")} == {4 * n}


def test_the_largest_channels_by_their_norm():
    run = Assembled(LAYERS, scope="all")
    for node, _, name, shape, _ in run.plan.program.learned:
        if len(shape) < 2 or run.spec.net.head is node:
            continue
        weights = run.parameters()[name]
        for side in ("in", "out"):
            axis, count = axes(node)[side]
            norms = (weights**2).sum(tuple(i for i in range(len(shape)) if i != axis))
            best = np.sort(np.argsort(-norms, kind="stable")[: max(1, count // 2)])
            other = Assembled(LAYERS, scope=f"{node['name']}.{side}:norm:0.5")
            mode = other.config.learns[node["name"]]
            same = f"{node['name']}.{side}:{'+'.join(map(str, best))}"
            assert mode == Assembled(LAYERS, scope=same).config.learns[node["name"]]


def test_dynamic_lists_and_chosen_channels_go_together():
    case = LAYERS
    name = Assembled(case).nodes[0]["name"]
    for scope in (f"all,{name}.in:0", f"{name}.in:0,{name}.out:0", f"{name}.in:0"):
        run = Assembled(case, scope=scope, keep=0.5, layout=apart)
        run.accumulate()
        assert any(run.stage.learned.grads)
        whole = Assembled(case, scope=scope, skip=1e-9)
        dense = Assembled(case, scope=scope)
        whole.accumulate()
        dense.accumulate()
        for tensor, gradient in dense.gradients().items():
            np.testing.assert_allclose(whole.gradients()[tensor], gradient, atol=1e-6)


def test_strategies_that_look_at_what_learns_have_its_values():
    name = Assembled(LAYERS).nodes[0]["name"]
    run = Assembled(LAYERS, scope=f"{name}.in:0,{name}.out:0", strategy="ewc")
    out = run.arena.window("anchor")
    from engram.backend import kernels

    kernels.run(run.stage.learned.snapshots(out))
    node, key, tensor, shape, at = run.plan.program.learned[0]
    values = part(run.parameters()[tensor], node, key, {"in": [0], "out": [0]})
    np.testing.assert_array_equal(np.reshape(out[at : at + values.size], values.shape), values)


REFUSED = [
    ("{0}.in:99", "expected input channels of {0} from 0 to "),
    ("{0}.in:0+0", "each once"),
    ("{0}.in:2-1", "as 0-3[+]6"),
    ("{0}.out:x", "got 'x'"),
    ("{0}.out:", "got ''"),
    ("{0}.out:norm:0", "a share of the channels of {0} above 0"),
    ("{0}.out:norm:2", "got '2'"),
    ("{0}.out:norm:half", "got 'half'"),
    ("{0}.in:0,{0}.in:1", "one choice of channels of {0}, got two"),
    ("nobody.in:0", "a node that has weights"),
]


@pytest.mark.parametrize(("scope", "text"), REFUSED)
def test_a_choice_that_is_none_is_refused(scope, text):
    name = Assembled(LAYERS).nodes[0]["name"]
    with pytest.raises(DataError, match=text.format(name)):
        Assembled(LAYERS, scope=scope.format(name))


def test_the_outputs_of_the_head_are_the_classes():
    run = Assembled(LAYERS)
    head = run.spec.net.head["name"]
    with pytest.raises(DataError, match="whose outputs are the classes"):
        Assembled(LAYERS, scope=f"{head}.out:0")
    Assembled(LAYERS, scope=f"{head}.in:0").accumulate()


def test_a_teacher_has_whole_nodes():
    name = Assembled(LAYERS).nodes[0]["name"]
    with pytest.raises(DataError, match=f"strategy lwf: expected whole nodes .* of {name}"):
        Assembled(LAYERS, scope=f"{name}.in:0", strategy="lwf")
