"""Partial backward passes of the assembled stage: the choice, and exact gradients of the rest.

No two buffers share memory here but views, so that each row of a backward pass can be computed
again, in float64 by the dense kernels, from what it has read.
"""

from array import array
from dataclasses import replace

import numpy as np
import pytest

from engram import DataError
from engram.nn.names import LATENT
from kernels.common import reference
from learn.random_graphs import Case, cases
from learn.stage_cases import Assembled
from learn.test_stage_memory import apart

CASES = [replace(case, micro=case.batch) for case in cases(60, seed=21)]
SUM, KEEP = "sum_errors", "keep_largest"


def chosen(run):
    """Whether the backward pass of a run keeps some structures of some layer."""
    return any(row[0] == KEEP for row in run.plan.section("backward"))


def wanted(case, **options):
    """A run of a case over buffers of their own; None where it has nothing to keep."""
    try:
        return Assembled(case, layout=apart, recompute=(), **options)
    except DataError as error:
        assert "structures to keep" in str(error)
        return None


def values(run, arg):
    """A copy of what an argument of a row holds, as an array or an int."""
    if not isinstance(arg, tuple):
        return run.stage.known if arg == "#" else arg
    name, first, n, per_class = arg
    window = run.arena.window(name, first, n)
    is_int = run.layout.offsets[name][0] == "i32"
    if per_class:
        window = window[: per_class * run.stage.known * (len(window) // n)]
    return array("i", bytes(window)) if is_int else array("f", bytes(window))


def masked(dout, kept, B):
    out = np.array(dout, np.float64).reshape(B, -1, len(kept) // B)
    for b, listed in enumerate(np.reshape(kept, (B, -1))):
        out[b][:, sorted(set(range(len(listed))) - set(listed))] = 0
    return array("d", out.ravel())


def check_rows(run):
    """Computes each row of a list's layers again; how many there were. Gradients were 0."""
    count = 0
    for kernel, args, _ in run.plan.section("backward"):
        args = [values(run, arg) for arg in args]
        if kernel == SUM:
            sums, dout, B, P, M = args
            np.testing.assert_allclose(
                sums, np.abs(np.reshape(dout, (B, P, M))).sum(1).ravel(), rtol=1e-5, atol=1e-9
            )
        if not kernel.endswith("_some"):
            continue
        count += 1
        written = 1 if "_dx_" in kernel else 2
        at = next(i for i, a in enumerate(args) if isinstance(a, array) and a.typecode == "i")
        kept, B = args.pop(at), args[at] if kernel.startswith("dense") else args[-1]
        args[written] = masked(args[written], kept, B)
        if kernel.startswith("dense"):
            args[-4:] = [args[-4] * args[-3], *args[-2:]]
        results = args[:written]
        args[:written] = [array("f", [0] * len(result)) for result in results]
        targets = reference(kernel.removesuffix("_some"), args)[:written]
        for result, target in zip(results, targets, strict=True):
            if len(result):
                size = max(np.abs(target).max(), 1e-6)
                np.testing.assert_allclose(result, target, atol=1e-5 * size)
    return count


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("keep", [0.5, (0.1, 0.8)])
def test_gradients_are_exact_for_what_is_kept(case, keep):
    """Each row on what it has read; the table test and the dense ones say that rows are right."""
    run = wanted(case, keep=keep)
    if run:
        run.accumulate()
        assert check_rows(run) or not chosen(run)


def test_enough_of_them_have_something_to_keep():
    runs = [wanted(case, keep=0.5) for case in CASES]
    kernels = {row[0] for run in runs if run for row in run.plan.section("backward")}
    assert {k for k in kernels if k.endswith("_some")} == {
        f"{op}_bwd_{what}_some" for op in ("dense", "conv2d", "depthwise") for what in ("dx", "dw")
    }


@pytest.mark.parametrize("case", cases(40, seed=22), ids=str)
def test_keeping_all_is_the_whole_gradient(case):
    """Also a micro-batch at a time, with biases alone, and recomputed activations."""
    whole = Assembled(case)
    whole.accumulate()
    expected = whole.gradients()
    some = Assembled(case, skip=1e-9)  # nothing is skipped, and every layer has its lists
    some.accumulate()
    size = max(np.abs(g).max() for g in expected.values())
    for name, gradient in some.gradients().items():
        np.testing.assert_allclose(gradient, expected[name], atol=1e-5 * size)


CASE = Case(5, ("conv2d", "relu", "depthwise", "pointwise", "dense"), batch=4, micro=4)


def test_lists_are_the_largest_errors_of_each_sample():
    run = wanted(CASE, keep=0.3)
    run.accumulate()
    lists = 0
    for kernel, args, _ in run.plan.section("backward"):
        if kernel == KEEP:
            kept, _, sums, _, B, M = [values(run, arg) for arg in args]
            k = max(1, int(0.3 * M + 1e-6))
            rows = np.reshape(sums, (B, M)), np.reshape(kept, (B, M))
            for row, listed in zip(*rows, strict=True):
                best = np.argsort(-row, kind="stable")[:k]
                assert [m for m in listed if m >= 0] == sorted(best[row[best] > 0])
                lists += 1
    assert lists >= 4 * 3


def test_the_head_keeps_all():
    kept, whole = wanted(CASE, keep=0.25), Assembled(CASE, layout=apart)
    kept.accumulate()
    whole.accumulate()
    head, first = whole.spec.net.head["w"], whole.nodes[0]["w"]
    np.testing.assert_array_equal(kept.gradients()[head], whole.gradients()[head])
    assert not np.allclose(kept.gradients()[first], whole.gradients()[first])


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_a_sample_that_is_skipped_adds_nothing(share):
    """Steps of a stage whose parameters stay: gradients are those of the other samples."""
    run, whole = wanted(CASE, skip=share), Assembled(CASE, layout=apart, recompute=())
    name = run.outputs[0]["node"]
    rng, gone, lists_of_gone = np.random.default_rng(1), 0, 0
    for step in range(80):
        run.x[:] = whole.x[:] = rng.normal(0, 1, run.x.shape)
        if step == 0:
            run.accumulate()
        else:
            run.stage.learned.clear()
            run.stage.begin()
            run.fill(0)
            run.stage.forward_loss()
            run.stage.backward()
        errors = np.reshape(run.arena.window("d:" + name), (4, -1))
        skipped = ~errors.any(1)
        gone += skipped.sum() if step >= 20 else 0
        if not skipped.any():
            continue
        whole.stage.start()
        whole.stage.begin()
        whole.fill(0)
        whole.stage.forward_loss()
        own = np.reshape(whole.arena.window("d:" + name), (4, -1)).copy()
        sizes = np.abs(own).sum(1)
        assert sizes[skipped].max() < 2 * np.median(sizes)
        own[skipped] = 0
        whole.arena.window("d:" + name)[:] = array("f", own.ravel())
        whole.stage.backward()
        expected = whole.gradients()
        size = max(np.abs(g).max() for g in expected.values()) or 1
        for tensor, gradient in run.gradients().items():
            np.testing.assert_allclose(gradient, expected[tensor], atol=1e-5 * size)
        for kernel, args, _ in run.plan.section("backward"):
            if kernel == KEEP:
                kept = np.reshape(values(run, args[0]), (4, -1))
                assert (kept[skipped] == -1).all()
                lists_of_gone += skipped.sum()
    assert abs(gone / 240 - share) < 0.15
    assert lists_of_gone > 100


def test_a_run_starts_from_nothing_seen():
    run = wanted(CASE, keep=(0.1, 1), skip=0.5)
    run.accumulate()
    assert all(state[0] or state[1] for state in run.plan.partial.states.values())
    run.stage.start()
    assert not any(any(state) for state in run.plan.partial.states.values())


@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "adam"])
def test_gradients_that_are_applied_at_once_are_the_same(optimiser):
    """With sgd and a batch of 1 there is no buffer of gradients."""
    case = replace(CASE, batch=1, micro=1)
    run = Assembled(case, keep=0.5, optimiser=optimiser, lr=0.5)
    whole = Assembled(case, keep=0.5, optimiser="momentum", clip=1e6)
    before = run.parameters()
    whole.accumulate()
    run.accumulate()
    if optimiser == "sgd":
        assert run.stage.learned.grads is None
        for tensor, gradient in whole.gradients().items():
            moved = before[tensor] - run.parameters()[tensor]
            np.testing.assert_allclose(moved, 0.5 * gradient, atol=1e-6)
    else:
        for tensor, gradient in whole.gradients().items():
            np.testing.assert_allclose(run.gradients()[tensor], gradient, atol=1e-6)


def test_new_classes_have_lists_too():
    run = Assembled(CASE, known=2, skip=0.2)
    run.accumulate()
    run.stage.resize(4)
    run.draw_labels()
    whole = Assembled(CASE)
    whole.accumulate()
    run.accumulate()
    for tensor, gradient in whole.gradients().items():
        np.testing.assert_allclose(run.gradients()[tensor], gradient, atol=1e-6)


@pytest.mark.parametrize("keep", [0, -0.5, 1.5, "half", (0.5,), (0.5, 0.2), (0, 0), True, [1, 2]])
def test_a_share_to_keep_is_one(keep):
    with pytest.raises(DataError, match="expected a share of structures to keep .* got"):
        Assembled(CASE, keep=keep)


@pytest.mark.parametrize("skip", [1, -0.1, 2, "half", (0.5, 0.5), True])
def test_a_share_to_skip_is_one(skip):
    with pytest.raises(DataError, match="expected a share of samples to skip .* got"):
        Assembled(CASE, skip=skip)


def test_there_is_something_to_keep():
    with pytest.raises(DataError, match="structures to keep .* scope head; leave keep out"):
        Assembled(CASE, keep=0.5, scope="head")


def test_the_whole_pass_has_no_rows_for_it():
    assert Assembled(CASE).plan.partial is None
    assert Assembled(CASE, skip=0).plan.partial is None
    names = {row[0] for row in Assembled(CASE, layout=apart).layout.rows}
    assert not any(name.startswith(("kept:", "sums:")) for name in names)
    assert LATENT in names
