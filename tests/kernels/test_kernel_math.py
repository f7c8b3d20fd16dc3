"""The kernels' own exp, log and division over a dense sweep of float32, against float64."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

from kernels.common import KERNELS

# What the header promises, in units of the last place of the true value rounded to float32.
EXP_ULP, LOG_ULP = 1.1, 1.0

SHIM = """
#include <stddef.h>
#include "engram_math.h"
#define OVER(name, f) void name(const float *x, float *y, size_t n) { \\
    for (size_t i = 0; i < n; i++) y[i] = f(x[i]); }
OVER(exps, engram_expf)
OVER(logs, engram_logf)
void quotients(const float *x, const float *y, float *q, size_t n) {
    for (size_t i = 0; i < n; i++) q[i] = engram_divide(x[i], y[i]);
}
"""


@pytest.fixture(scope="module")
def functions(tmp_path_factory):
    """(exp, log, divide) over numpy arrays, from the C sources."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    place = tmp_path_factory.mktemp("math")
    (place / "shim.c").write_text(SHIM)
    flags = "-std=c99 -O2 -ffp-contract=off -shared -fPIC".split()
    division = KERNELS.parent / "natmod" / "soft_divide.c"
    sources = [place / "shim.c", KERNELS / "engram_math.c", division]
    own = "-DENGRAM_OWN_DIVISION"
    subprocess.run(["cc", *flags, own, f"-I{KERNELS}", *sources, "-o", place / "m.so"], check=True)
    library = ctypes.CDLL(str(place / "m.so"))

    def over(function):
        def apply(*inputs):
            inputs = [np.ascontiguousarray(x, np.float32) for x in inputs]
            out = np.empty_like(inputs[0])
            pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in (*inputs, out)]
            function(*pointers, ctypes.c_size_t(out.size))
            return out

        return apply

    return over(library.exps), over(library.logs), over(library.quotients)


def ulps(values, target):
    """Distance in units of the last place of the true value, which is float64."""
    place = np.spacing(np.abs(target.astype(np.float32))).astype(np.float64)
    return np.max(np.abs(values.astype(np.float64) - target) / place)


def every(low, high, step):
    """Every step-th float32 from low to high, both positive, by their bits."""
    first, last = np.float32([low, high]).view(np.uint32)
    return np.arange(first, last, step, dtype=np.uint32).view(np.float32)


def test_exp(functions):
    exp, _, _ = functions
    small = every(1e-30, 88.7, 211)
    x = np.concatenate([small, -every(1e-30, 87.3, 211), np.linspace(-87.3, 88.7, 2_000_000)])
    x = x.astype(np.float32)
    assert ulps(exp(x), np.exp(x.astype(np.float64))) <= EXP_ULP


def test_log(functions):
    _, log, _ = functions
    near_one = every(0.5, 2.0, 7)
    assert ulps(log(near_one), np.log(near_one.astype(np.float64))) <= LOG_ULP
    x = every(1.18e-38, 3.4e38, 911)
    assert ulps(log(x), np.log(x.astype(np.float64))) <= LOG_ULP


def test_edges(functions):
    exp, log, _ = functions
    inf, nan = np.inf, np.nan
    assert exp([0.0, -0.0, -inf, inf, -87.5, -1e30, 88.8, 1e30]).tolist() == [
        *(1, 1, 0, inf),
        *(0, 0, inf, inf),
    ]
    assert np.isfinite(exp([88.72])).all() and (exp([-87.33]) > 0).all()
    assert log([1.0, 0.0, -0.0, inf, 1e-40]).tolist() == [0, -inf, -inf, inf, -inf]
    assert np.isnan(exp([nan, -nan])).all() and np.isnan(log([nan, -1.0, -inf])).all()


def test_exp_never_falls(functions):
    """Monotone where a sum of exponentials is compared: no step down over a dense sweep."""
    exp, _, _ = functions
    y = exp(np.linspace(-20, 0, 3_000_001))
    assert (np.diff(y) >= -np.spacing(y[1:])).all()


def test_division_is_ieee_754(functions):
    """The same bits as the processor's, for every kind of number: subnormal, infinite, NaN."""
    _, _, divide = functions
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2**32, (2, 2_000_000), dtype=np.uint32)
    bits[0, ::5] &= 0x80FFFFFF  # near the smallest
    bits[1, ::7] &= 0x80FFFFFF
    bits[0, ::11] |= 0x7F000000  # near the largest
    bits[:, ::13] = bits[:, ::13] & 0x807F0000 | 0x3F800000  # short ones, that end even
    x, y = bits.view(np.float32)
    special = np.float32([0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 1e-45, 3.4e38])
    x = np.concatenate([x, np.repeat(special, len(special))])
    y = np.concatenate([y, np.tile(special, len(special))])
    with np.errstate(all="ignore"):
        target = x / y
    np.testing.assert_array_equal(divide(x, y), target)
    finite = ~np.isnan(target)
    assert (np.signbit(divide(x, y)) == np.signbit(target))[finite].all()
