"""The device tests of one board: which there are, and what each must print."""

import functools

from hosts import run_cpython
from parity.test_parity import ATOL, RTOL, split

# Files of tests/device in the order they run; those that take a few seconds together.
CHECKS = (
    "kernels_check",
    "tape_check",
    "learner_check",
    "strategies_check",
    "objectives_check",
    "once_check",
    "misuse_check",
    "store_check",
    "wire_check",
    "heap_check",
)
SMALL = ("wire_check", "heap_check")
QUICK = ("learner_check", "misuse_check", "wire_check", "heap_check")

NO_HEAP = ["exact step allocates nothing", "lock works"]


@functools.cache
def reference(host, check):
    return tuple(run_cpython(host, check))


def fault(check, lines):
    """What is wrong with the output of a check on a board; None if nothing is.

    Lines that say "exact" are held to plain Python on CPython; all lines of the kernels, real
    inputs included, and of their tapes to the C kernels there; lines that say "close" within the
    tolerance of a float32 training run.
    """
    if check == "heap_check":
        return None if lines == NO_HEAP else f"{NO_HEAP} expected, got {lines}"
    if check in ("kernels_check", "tape_check"):
        return differing(lines, list(reference("cpython-c", check)))
    exact, close = split(lines)
    expected_exact, expected_close = split(list(reference("cpython-py", check)))
    return differing(exact, expected_exact) or far(close, expected_close)


def differing(lines, expected):
    """The first line that is not the expected one, None if all are; no line at all is wrong."""
    if lines == expected and lines:
        return None
    for line, target in zip(lines, expected):
        if line != target:
            return f"{target!r} expected, got {line!r}"
    return f"{len(expected)} lines expected, got {len(lines)}"


def far(figures, expected):
    """The first row of numbers that is not within the tolerance of the expected one, or None."""
    if figures.keys() != expected.keys():
        return f"{sorted(expected)} expected, got {sorted(figures)}"
    for name, values in expected.items():
        if len(figures[name]) != len(values) or any(
            not abs(a - b) <= max(RTOL * abs(b), ATOL) for a, b in zip(figures[name], values)
        ):
            return f"{name}: {values} expected, got {figures[name]}"
    return None


def run(host, checks=CHECKS):
    """Check -> fault or None, each in a fresh interpreter of a running BoardHost.

    A check that raises on the board has the exception as its fault.
    """
    faults = {}
    for check in checks:
        try:
            faults[check] = fault(check, host.run(check))
        except Exception as error:  # whatever the board or the line to it did: it is this board's
            faults[check] = f"{type(error).__name__}: {error}"
    return faults
