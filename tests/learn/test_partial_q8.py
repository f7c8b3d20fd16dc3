"""Partial backward passes in q8: the choice, what goes by it, and gradients of what is kept.

No two buffers share memory here but views, so that a row can be computed again from what it has
read, in float64 by the definition of float32.
"""

from array import array
from dataclasses import replace

import numpy as np
import pytest

from engram import DataError
from engram.memory.record import EXPONENT
from kernels.common import reference
from learn.random_graphs import Case, cases
from learn.stage_cases import Assembled
from learn.test_stage_memory import apart

KEEP = "keep_largest_q8"
CASE = Case(5, ("conv2d", "relu", "depthwise", "pointwise", "relu", "dense"), batch=4, micro=4)
CASES = [CASE] + [replace(case, micro=case.batch) for case in cases(40, seed=23)]
DX = {"dense_bwd_dx_q8", "conv2d_bwd_dx_q8", "depthwise_bwd_dx_q8"}
STEPS = {"dense_step_q8", "conv2d_step_q8", "depthwise_step_q8"}


class Whole(Assembled):
    """Its latents may be integers."""

    def fill(self, first):
        if self.stage.x.format == "f":
            super().fill(first)
            return
        latents = np.clip(np.round(self.x * 40), -127, 127).astype(np.int8)
        self.stage.x[:] = latents.tobytes()
        self.stage.labels[:] = self.labels.tobytes()
        if self.targets:
            rows_of = np.concatenate(list(self.targets.values()), 1)
            self.stage.targets[:] = array("f", rows_of.ravel())


def assembled(case, **options):
    """A stage in q8 whose scales are found, after a backward pass; None where there is nothing to
    keep."""
    try:
        run = Whole(case, layout=apart, recompute=(), format="q8", **options)
    except DataError as error:
        assert "structures to keep" in str(error)
        return None
    if run.stage.scales is None:
        return None

    def both():
        run.stage.begin()
        run.stage.forward()
        run.stage.loss()
        run.stage.backward()

    for kernel, args, _ in rows(run):
        if kernel.endswith("_step_q8"):
            args[-4 if "dense" in kernel else -3][0] = 0  # the rate: weights stay
    run.fill(0)
    run.stage.settle(both)
    run.accumulate()
    return run


def read(run, arg):
    """The value of an argument of a row: an array, or an int."""
    if not isinstance(arg, tuple):
        return run.stage.known if arg == "#" else arg
    name, first, n, per_class = arg
    window = run.arena.window(name, first, n)
    if per_class:
        window = window[: per_class * run.stage.known * (len(window) // n)]
    kind = run.layout.offsets[name][0]
    if kind == "i8":
        return np.frombuffer(bytes(window), np.int8).astype(float)
    return array("i" if kind == "i32" else "f", bytes(window))


def rows(run):
    return run.plan.section("backward")


def kept_rows(run):
    """{buffer of errors with zeros: (errors, errors with zeros, state)}, (B, P, M) each."""
    found = {}
    for kernel, args, _ in rows(run):
        if kernel == KEEP:
            shape = [read(run, arg) for arg in args[-3:]]
            out, dout = (np.reshape(read(run, args[i]), shape) for i in (0, 4))
            found[args[0][0]] = dout, out, args[1]
    return found


@pytest.mark.parametrize("keep", [0.3, (0.1, 0.8)])
def test_each_sample_keeps_its_largest_errors(keep):
    run = assembled(CASE, keep=keep)
    found = kept_rows(run)
    assert len(found) > 2
    assert not any(name.startswith("d:" + run.plan.program.head) for name in found)
    least, most = keep if isinstance(keep, tuple) else (keep, keep)
    fewer = 0
    for dout, out, state in found.values():
        sums, largest = np.abs(dout).sum(1), 0
        for b, own in enumerate(sums):
            largest = max(largest, own.sum())
            share = least + own.sum() / largest * (most - least)
            k = max(1, int(share * len(own) + 1e-3))
            fewer += k < int(most * len(own) + 1e-3)
            best = np.zeros(len(own), bool)
            best[np.argsort(-own, kind="stable")[:k]] = True
            np.testing.assert_array_equal(out[b], dout[b] * best)
        assert state[0] > 0
    assert (fewer > 0) == isinstance(keep, tuple)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_passes_below_and_the_steps_read_what_is_kept(case):
    """Every row of a layer that keeps some: none reads its whole errors. The gradient of its input
    is that of float64 at the errors that are kept, within half a unit."""
    run = assembled(case, keep=0.4)
    if run is None:
        return
    found = kept_rows(run)
    whole = {args[4][0] for kernel, args, _ in rows(run) if kernel == KEEP}
    for kernel, args, _ in rows(run):
        at = 2 if kernel in DX else 4 if kernel in STEPS else None
        assert at is None or args[at][0] not in whole
        if kernel not in DX or args[at][0] not in found:
            continue
        dx, sdx, dout, sdout, w, sw, *end = [read(run, arg) for arg in args]
        exact = array("d", bytes(8 * len(dx)))
        unit = 2.0 ** -(sdout[EXPONENT] + sw[EXPONENT])
        inputs = [array("d", v.tolist()) for v in (dout, w)]
        exact = np.array(reference(kernel.removesuffix("_q8"), [exact, *inputs, *end])[0]) * unit
        exact = np.clip(exact * 2.0 ** sdx[EXPONENT], -127, 127)
        assert np.abs(dx - exact).max(initial=0) <= 0.5 + 1e-9


def test_enough_of_them_have_something_to_keep():
    kernels = set()
    for run in [assembled(case, keep=0.4) for case in CASES]:
        found = kept_rows(run) if run else {}
        read_by = [row for row in rows(run) if row[0] in DX] if run else []
        kernels |= {kernel for kernel, args, _ in read_by if args[2][0] in found}
    assert kernels == DX
