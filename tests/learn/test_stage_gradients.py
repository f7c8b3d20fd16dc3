"""The gradients of the assembled stage: random models against slopes of their total loss.

What runs is what a learner runs: rows of the table of ops, bound to an arena whose buffers share
memory. The slopes are central differences of a forward pass of its own, in float64.
"""

from array import array
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from engram.backend import kernels
from engram.nn.names import LATENTS, VELOCITY
from engram.nn.ops import OPS
from engram.nn.program import Program
from learn.random_graphs import ROOM, WITH_GRADIENTS, Case, cases
from learn.stage_cases import Assembled

# Largest difference from a slope, in units of the largest slope by the same tensor, but of a
# hundredth of the largest of the model and of LEAST at least: sums of up to some 100 float32 terms
# (1e-7 each) that cancel down to a hundredth. Of 4,000 models the worst has 1.2e-5.
TOLERANCE, LEAST = 5e-5, 1e-3

QUICK = cases(120, seed=1)
MORE = cases(4000, seed=2)
worst = {op: 0.0 for op in WITH_GRADIENTS}


def errors(run):
    """{tensor: error of its gradient}, in units of TOLERANCE's."""
    loss = run.accumulate()
    assert loss == pytest.approx(run.reference_loss(run.reference_values(run.parameters())), 1e-5)
    gradients, slopes = run.gradients(), run.slopes()
    sizes = {name: np.abs(slope).max() for name, slope in slopes.items()}
    least = max(LEAST, max(sizes.values()) / 100)
    return {
        name: np.abs(gradients[name] - slope).max() / max(sizes[name], least)
        for name, slope in slopes.items()
    }


def check(run):
    """Raises AssertionError on a wrong gradient; enters the errors in `worst`."""
    worst_of_run = errors(run)
    for node, _, name, _, _ in run.plan.program.learned:
        for op in {node["op"], *_ops_above(run.nodes, node)}:
            worst[op] = max(worst[op], worst_of_run[name])
    assert max(worst_of_run.values()) < TOLERANCE, (str(run.case), worst_of_run)


def _ops_above(nodes, node):
    """The ops that a gradient passes on its way down to a node."""
    above, ops = {node["name"]}, set()
    for other in nodes[nodes.index(node) :]:
        if above & set(other["in"]):
            above.add(other["name"])
            ops.add(other["op"])
    return ops


def table():
    """Lines of Markdown: the worst error of the gradients that pass an op, op by op."""
    rows = [f"| {op} | {error:.1e} |" for op, error in sorted(worst.items())]
    return "\n".join(["| op | largest relative error |", "|---|---:|", *rows])


@pytest.fixture(scope="module", autouse=True)
def _summary():
    yield
    print("\n" + table())


@pytest.mark.parametrize("case", QUICK, ids=str)
def test_gradients_are_the_slopes_of_the_loss(case):
    check(Assembled(case))


@pytest.mark.slow
@pytest.mark.parametrize("models", [MORE[:1000], MORE[1000:]], ids=["1000", "3000"])
def test_gradients_are_the_slopes_of_the_loss_in_many_models(models):
    for case in models:
        check(Assembled(case))


# -- nothing is left out ---------------------------------------------------------------------


def asked(op):
    """The gradients that the table has of an op: "dx", "dw", ..., and "db alone"."""
    rows, alone = OPS[op][4:6]
    return {s for row in rows for s in _written(row)} | {
        f"{s} alone" for row in alone for s in _written(row)
    }


def _written(row):
    words = [word.split("=")[0] for word in row.split()[1:]]
    return [word for word in words[: words.index("dout")] if word != "none"]


def answered(case):
    """{(op, gradient)} that a case computes on the way to what learns."""
    run, out, needs = Assembled(case), set(), {":latent": False}
    for node in run.nodes:
        mode = run.config.learns.get(node["name"])
        below = [needs[value] for value in node["in"]]
        needs[node["name"]] = bool(mode) or any(below)
        out |= {(node["op"], key) for key, need in zip(("dx", "dx2"), below) if need}
        own = [symbol for symbol in asked(node["op"]) if symbol not in ("dx", "dx2")]
        symbols = [symbol for symbol in own if symbol.endswith("alone") == (mode == "bias")]
        out |= {(node["op"], symbol) for symbol in symbols if mode}
    return out


@cache
def all_answered():
    return {case: answered(case) for case in QUICK}


ASKED = [(op, symbol) for op in WITH_GRADIENTS for symbol in sorted(asked(op))]


def test_every_gradient_of_the_table_is_checked():
    assert set(ASKED) - set().union(*all_answered().values()) == set()


# -- planted faults: the check is able to fail, for every gradient of the table ---------------


def plant(monkeypatch, op, symbol, factor):
    """Multiplies a gradient by `factor` where the rows of an op have computed it."""
    node_rows, (name, *alone) = Program._node_rows, symbol.split()

    def faulty(self, node, texts, symbols, prefix, params):
        rows = node_rows(self, node, texts, symbols, prefix, params)
        out = []
        for text, row in zip(texts, rows, strict=True):
            out.append(row)
            words = [word.split("=")[0] for word in text.split()[1:]]
            if node["op"] == op and name in words and bool(alone) == ("none" in words):
                window = row[1][words.index(name)]
                out.append(("scale_f32", [window, window, array("f", (factor,))], ()))
        return out

    monkeypatch.setattr(Program, "_node_rows", faulty)


FAULTS = [(op, symbol, 0.75) for op, symbol in ASKED] + [
    ("conv2d", "dx", 0), ("global_avgpool", "dx", 0.25), ("conv2d", "db", 0),
]  # fmt: skip


@pytest.mark.parametrize("op, symbol, factor", FAULTS)
def test_a_wrong_gradient_is_found(monkeypatch, op, symbol, factor):
    some = [case for case, answers in all_answered().items() if (op, symbol) in answers]
    plant(monkeypatch, op, symbol, factor)
    assert any(max(errors(Assembled(case)).values()) > 100 * TOLERANCE for case in some)


# -- micro-batches ---------------------------------------------------------------------------


@pytest.mark.parametrize("case", QUICK[:24:3], ids=str)
def test_micro_batches_add_up_to_the_batch(case):
    whole = Assembled(replace(case, batch=6, micro=6))
    loss, gradients = whole.accumulate(), whole.gradients()
    for micro in (1, 2, 3):
        run = Assembled(replace(case, batch=6, micro=micro))
        assert run.accumulate() == pytest.approx(loss, rel=1e-6)
        for name, part in run.gradients().items():
            np.testing.assert_allclose(part, gradients[name], rtol=1e-5, atol=1e-6)


# -- recomputation ---------------------------------------------------------------------------

RECOMPUTED = [
    case for case in QUICK if "again" in Assembled(case, recompute=[LATENTS]).plan.sections
]


def test_recomputation_gives_the_same_gradients_to_the_last_bit():
    assert len(RECOMPUTED) > len(QUICK) / 2
    for case in RECOMPUTED:
        whole, again = [Assembled(case, recompute=names) for names in ([], [LATENTS])]
        assert again.accumulate() == whole.accumulate()
        assert bytes(again.stage.learned.grads) == bytes(whole.stage.learned.grads), str(case)


def test_the_backward_pass_has_the_latents_of_the_second_reading_alone():
    different = 0
    for case in RECOMPUTED:
        right, wrong = [Assembled(case, recompute=[LATENTS]) for _ in range(2)]
        wrong.stage.refill = lambda stage=wrong.stage: kernels.zero_f32(stage.again)
        right.accumulate(), wrong.accumulate()
        different += bytes(right.stage.learned.grads) != bytes(wrong.stage.learned.grads)
    assert different > 0.9 * len(RECOMPUTED)  # what zeros do not change has gradients of zero


# -- updates ---------------------------------------------------------------------------------

RATES = {"below": 0.1, "head": 0.03}


def step(run, number):
    """One step as the trainer takes it; the gradients that it applied, None where fused."""
    optimiser = run.config.optimiser
    optimiser.next_step()
    for group, hyper in run.plan.groups.items():
        optimiser.set_rate(hyper, RATES[group], group)
    run.x = np.roll(run.x, number, 1)  # another sample
    run.stage.begin()
    before = run.gradients() if run.stage.learned.grads else None  # a velocity, with weight decay
    for first in range(0, run.case.batch, run.stage.micro):
        run.fill(first)
        run.stage.forward()
        run.stage.loss()
        run.stage.backward()
    gradients = run.gradients() if run.stage.learned.grads else None
    run.stage.update()
    return gradients and {name: gradients[name] - before[name] for name in gradients}


def rates_of(run):
    """{tensor that learns: the rate of its group}"""
    return {
        name: RATES["head" if node["name"] in run.config.heads else "below"]
        for node, _, name, _, _ in run.plan.program.learned
    }


def assert_parameters(run, target):
    for name, values in run.parameters().items():
        np.testing.assert_allclose(values, target[name], rtol=1e-5, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("decay", [0.0, 0.05])
@pytest.mark.parametrize("case", QUICK[:40:4], ids=str)
def test_gradients_applied_at_once_do_what_an_update_does(case, decay):
    case = replace(case, batch=1, micro=1)
    fused = Assembled(case, optimiser="sgd", weight_decay=decay)
    plain = Assembled(case)
    assert fused.config.choice.gradients is None and fused.stage.learned.grads is None
    rates = rates_of(plain)
    for run in (fused, plain):
        run.stage.start()
    for number in range(3):
        plain.stage.params[:] = fused.stage.params
        target = plain.parameters()
        step(fused, number)
        for name, gradient in step(plain, number).items():
            target[name] = target[name] - rates[name] * (gradient + decay * target[name])
        assert_parameters(fused, target)


def sgd(state, t, g, rate):
    return rate * g


def momentum(state, t, g, rate):
    state["v"] = 0.9 * state.get("v", 0) + g
    return rate * state["v"]


def adam(state, t, g, rate):
    """Kingma and Ba, ICLR 2015, algorithm 1."""
    state["m"] = 0.9 * state.get("m", 0) + 0.1 * g
    state["v"] = 0.999 * state.get("v", 0) + 0.001 * g * g
    m, v = state["m"] / (1 - 0.9**t), state["v"] / (1 - 0.999**t)
    return rate * m / (np.sqrt(v) + 1e-8)


@pytest.mark.parametrize("clip", [None, 0.2, 1e6])
@pytest.mark.parametrize("decay", [0.0, 0.05])
@pytest.mark.parametrize("optimiser", [sgd, momentum, adam])
def test_updates_are_those_of_the_definition(optimiser, decay, clip):
    case = Case(5, ("conv2d", "scale_shift", "tanh"), 4, 2, "last:2,first.b", "both")
    options = {"optimiser": optimiser.__name__, "weight_decay": decay, "clip": clip}
    run = Assembled(case, **options)
    run.stage.start()
    run.config.optimiser.start()
    target, rates, states = run.parameters(), rates_of(run), {}
    for number in range(4):
        gradients = step(run, number)
        norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
        shrink = min(1, clip / norm) if clip else 1
        for name, gradient in gradients.items():
            g = shrink * gradient + decay * target[name]
            state = states.setdefault(name, {})
            target[name] = target[name] - optimiser(state, number + 1, g, rates[name])
        assert_parameters(run, target)
        assert any(run.stage.learned.grads) == (run.config.choice.gradients == VELOCITY)
        target = run.parameters()


# -- a head that grows -----------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["classify", "both"])
@pytest.mark.parametrize("case", QUICK[1:33:4], ids=str)
def test_gradients_are_right_as_the_head_grows(case, objective):
    run = Assembled(replace(case, objective=objective), known=2)
    for known in (2, 3, ROOM):
        run.stage.resize(known)
        run.draw_labels()
        check(run)
        beyond = run.gradients().get(run.spec.net.head["b"], np.zeros(ROOM))[known:]
        assert not beyond.any()
