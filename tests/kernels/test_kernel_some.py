"""Backward passes of some structures: the dense ones with the other errors set to 0."""

from array import array

import kernels_check as cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.common import BACKENDS, NUMPY, C, reference
from kernels.shapes import geometries, held_to_the_definition

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)
ON = pytest.mark.parametrize("kernels", BACKENDS)
WINDOWS = [f"{op}_bwd_{what}_some" for op in ("conv2d", "depthwise") for what in ("dx", "dw")]
DENSE = ["dense_bwd_dx_some", "dense_bwd_dw_some"]


def of(name):
    """(builder, written buffers, shapes) of a kernel's row of cases."""
    return next((c[0], c[1], c[3]) for c in cases.CASES if c[0].__name__ == name)


@pytest.mark.parametrize("kernels", [C, NUMPY])
@given(B=st.integers(0, 4), geom=geometries())
@SETTINGS
def test_windows(kernels, B, geom):
    for name in WINDOWS:
        held_to_the_definition(kernels, *of(name)[:2], (B, *geom))


@pytest.mark.parametrize("kernels", [C, NUMPY])
@given(shape=st.tuples(*[st.integers(0, n) for n in (4, 5, 20, 11)]))
@SETTINGS
def test_dense(kernels, shape):
    for name in DENSE:
        held_to_the_definition(kernels, *of(name)[:2], shape)
    B, P, _, M = shape
    held_to_the_definition(kernels, *of("sum_errors")[:2], (B, P, M))


def masked(dout, kept, B, M):
    """A copy of dout (B, positions, M) with 0 where a sample's list has no structure."""
    out = np.array(dout, np.float64).reshape(B, -1, M)
    for b, listed in enumerate(np.array(kept).reshape(B, M)):
        out[b][:, sorted(set(range(M)) - set(listed))] = 0
    return array("d", out.ravel())


@ON
@pytest.mark.parametrize("name", WINDOWS + DENSE)
def test_it_is_the_dense_one_of_the_errors_that_are_kept(kernels, name):
    builder, written, shapes = of(name)
    for shape in shapes:
        args = list(builder(cases.Source(False), *shape))
        at = next(i for i, a in enumerate(args) if isinstance(a, array) and a.typecode == "i")
        B, dout = shape[0], 1 if "_dx_" in name else 2
        if B == 0:
            continue
        wide = args[:at] + args[at + 1 :]
        wide[dout] = masked(args[dout], args[at], B, len(args[at]) // B)
        if name in DENSE:
            wide[-4:] = [shape[0] * shape[1], *shape[2:]]
        expected = reference(name.removesuffix("_some"), wide)[:written]
        getattr(kernels, name)(*args)
        for result, target in zip(args[:written], expected, strict=True):
            np.testing.assert_allclose(result, target, rtol=1e-5, atol=1e-5)


def keep(kernels, sums, least, most, largest=0.0):
    """(lists of each sample, state) of sums (B, M)."""
    B, M = sums.shape
    kept, state = array("i", [7] * sums.size), array("f", (largest, 0))
    shares = array("f", (least, most))
    kernels.keep_largest(kept, state, array("f", sums.ravel()), shares, B, M)
    return [[m for m in row if m >= 0] for row in np.reshape(kept, (B, M)).tolist()], state


@ON
@pytest.mark.parametrize("M", [1, 2, 7, 64, 300])
@pytest.mark.parametrize("share", [0, 0.1, 0.25, 0.5, 0.7, 1])
def test_the_largest_are_kept(kernels, M, share):
    rng = np.random.default_rng(M)
    sums = rng.random((20, M)).astype(np.float32)
    sums[::3] = np.round(4 * sums[::3]) / 4 + 0.25  # many are equal: the first ones win
    k = max(1, int(share * M + 1e-6))
    for row, listed in zip(sums, keep(kernels, sums, share, share)[0], strict=True):
        assert listed == sorted(np.argsort(-row, kind="stable")[:k].tolist())


@ON
def test_a_smaller_error_keeps_fewer(kernels):
    """The rule of Deutel et al., eq. 7 of 2025, and its largest error so far."""
    totals = (3.0, 6.0, 1.5, 6.0, 0.0)
    sums = np.array([[t / 12] * 12 for t in totals], np.float32)
    lists, state = keep(kernels, sums, 0.25, 1)
    # 3 is the largest so far; then 6, of which 1.5 is a quarter: 0.25 + 0.25 * 0.75 of 12
    assert [len(listed) for listed in lists] == [12, 12, 5, 12, 0]
    assert state[0] == 6
    assert [len(x) for x in keep(kernels, sums, 0.25, 1, largest=60)[0]] == [3, 3, 3, 3, 0]


@ON
def test_what_has_no_error_is_never_kept(kernels):
    sums = np.array([[0, 2, 0, 1, 0, 0], [0] * 6], np.float32)
    assert keep(kernels, sums, 1, 1)[0] == [[1, 3], []]
    assert keep(kernels, sums, 0.2, 0.2)[0] == [[1], []]


@ON
def test_a_run_that_diverges_is_seen(kernels):
    """Errors that are no numbers pass, and leave no trace in what is kept for later."""
    sums = np.array([[1, np.nan, 3], [1, np.inf, 3], [1, 1, 3]], np.float32)
    lists, state = keep(kernels, sums, 0.4, 0.4)
    assert lists == [[0, 1, 2], [0, 1, 2], [2]]
    assert state[0] == 5
    dout, own = array("f", [1.0] * 2), array("f", (10, 1, 0))
    hyper = array("f", (0.5, 0.5))
    kernels.skip_smallest(dout, own, array("f", [np.nan, np.inf]), hyper, 2, 1)
    assert list(dout) == [1, 1]
    assert list(own) == [10, 1, 0]


@ON
@pytest.mark.parametrize("share", [0, 0.25, 0.5, 0.9])
def test_the_share_of_samples_that_is_skipped_is_the_one_asked_for(kernels, share):
    rng = np.random.default_rng(3)
    state, hyper = array("f", (0, 0, 0)), array("f", (share, 1 / 32))
    skipped = []
    for step in range(300):
        sums = rng.gamma(2, 1 / (1 + step / 30), 8).astype(np.float32)  # they fall
        dout = array("f", [1.0] * 24)
        kernels.skip_smallest(dout, state, array("f", sums), hyper, 8, 3)
        rows = np.reshape(dout, (8, 3))
        assert (rows.min(1) == rows.max(1)).all()
        skipped.append(1 - rows[:, 0])
        if 0 < rows[:, 0].sum() < 8 and step > 50:
            # those with the smallest errors, but for the quantile's own steps between them
            gone, others = sums[rows[:, 0] == 0], sums[rows[:, 0] == 1]
            assert gone.max() < others.min() + 0.5 * sums.mean()
    assert abs(np.mean(skipped[100:]) - share) < 0.03


REFUSED = [
    ("dense_bwd_dx_some", 3, [2, 1, -1], "kept: entry 1: expected 3 to 3, got 1"),
    ("dense_bwd_dx_some", 3, [4], "kept: entry 0: expected 0 to 3, got 4"),
    ("dense_bwd_dx_some", 3, [1, -1, 2], "kept: entry 2: expected -1 to -1, got 2"),
    ("dense_bwd_dw_some", 4, [3, 3], "kept: entry 1: expected -1 to -1, got 3"),
    ("conv2d_bwd_dx_some", 3, [-2], "kept: entry 0: expected 0 to 4, got -2"),
    ("conv2d_bwd_dw_some", 4, [5], "kept: entry 0: expected 0 to 4, got 5"),
    ("depthwise_bwd_dx_some", 3, [3], "kept: entry 0: expected 0 to 2, got 3"),
    ("depthwise_bwd_dw_some", 4, [1, 0], "kept: entry 1: expected 2 to 2, got 0"),
]


@ON
@pytest.mark.parametrize(("name", "at", "entries", "text"), REFUSED)
def test_a_list_that_is_none_is_refused(kernels, name, at, entries, text):
    """It would be read as places in memory."""
    builder, written, _ = of(name)
    shape = (3, 1, 5, 4) if name in DENSE else (3, *cases.GEOM[1])
    args = list(builder(cases.Source(True), *shape))
    kept = [-1] * len(args[at])
    kept[: len(entries)] = entries
    args[at] = array("i", kept)
    before = [bytes(a) for a in args[:written]]
    with pytest.raises(ValueError, match=f"^{name}: {text}"):
        getattr(kernels, name)(*args)
    assert [bytes(a) for a in args[:written]] == before


@ON
def test_shares_are_shares(kernels):
    for shares in ((0.5, 0.25), (-0.1, 1), (0, 1.5), (float("nan"), 1)):
        args = list(of("keep_largest")[0](cases.Source(True), 2, 4, 1, 1))
        args[3] = array("f", shares)
        with pytest.raises(ValueError, match="keep_largest: shares: expected two shares from 0 t"):
            kernels.keep_largest(*args)
    for hyper in ((1.5, 0.5), (0.5, -1), (float("nan"), 0)):
        args = list(of("skip_smallest")[0](cases.Source(True), 2, 4))
        args[3] = array("f", hyper)
        with pytest.raises(ValueError, match="skip_smallest: hyper: expected a share and a rate"):
            kernels.skip_smallest(*args)
