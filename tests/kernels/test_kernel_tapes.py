"""Tapes of the kernels in Python: rows run as single calls do, in the order they were bound."""

from array import array

import kernels_check as cases
import pytest

from kernels.common import NUMPY, PYTHON

BUILDERS = [
    pytest.param(builder, shapes, id=builder.__name__) for builder, _, _, shapes in cases.CASES
]
pytestmark = pytest.mark.parametrize("kernels", [NUMPY, PYTHON])


def floats(*values):
    return array("f", values)


def relu(kernels, *values):
    """A row of relu_fwd and its output."""
    out = floats(*[9] * len(values))
    return (kernels.relu_fwd, out, floats(*values)), out


def contents(args):
    return [bytes(a) if isinstance(a, (array, bytearray, bytes)) else a for a in args]


@pytest.mark.parametrize(("builder", "shapes"), BUILDERS)
def test_a_tape_does_what_the_calls_do(kernels, builder, shapes):
    """Every kernel, all its shapes as rows of one tape; run twice, as gradients accumulate."""
    kernel = getattr(kernels, cases.kernel_name(builder))
    calls = [builder(cases.Source(True), *shape) for shape in shapes]
    rows = [builder(cases.Source(True), *shape) for shape in shapes]
    tape = kernels.bind([(kernel, *args) for args in rows])
    for _ in range(2):
        for args in calls:
            result = kernel(*args)
        assert kernels.run(tape) == result
    assert [contents(args) for args in rows] == [contents(args) for args in calls]


def test_rows_run_in_order_and_in_part(kernels):
    x = floats(1, -2)
    double = (kernels.scale_f32, x, x, floats(2))
    shift = (kernels.axpy_f32, x, floats(1, 1), floats(1))
    tape = kernels.bind((double, shift, double))
    for rows, expected in (
        ((1,), [4, -2]),  # (x + 1) * 2
        ((0, 1), [8, -4]),
        ((1, 2), [9, -3]),
        ((3,), [9, -3]),
        ((1, 1), [9, -3]),
        ((0, None), [38, -10]),
    ):
        kernels.run(tape, *rows)
        assert x.tolist() == expected, rows
    kernels.run(kernels.bind([]))


def test_an_error_is_the_kernels_own_and_rows_before_it_have_run(kernels):
    (first, second), (last, never) = relu(kernels, -1), relu(kernels, 1)
    tape = kernels.bind([first, (kernels.relu_fwd, floats(1, 2), floats(1)), last])
    with pytest.raises(ValueError, match="^relu_fwd: x: expected 2 elements for its shape, got 1"):
        kernels.run(tape)
    assert (second[0], never[0]) == (0, 9)


def test_put_replaces_a_row_by_one_of_its_kernel(kernels):
    (one, _), (two, out), (other, new) = (relu(kernels, *v) for v in ((1,), (2,), (3, -4)))
    tape = kernels.bind([one, two])
    assert kernels.put(tape, 1, other) is None
    kernels.run(tape)
    assert out.tolist() == [9] and new.tolist() == [3, 0]


def test_rows_of_the_caller_are_the_callers(kernels):
    row, out = relu(kernels, -1)
    rows = [row]
    tape = kernels.bind(rows)
    rows.clear()
    kernels.run(tape)
    assert out.tolist() == [0]


@pytest.mark.parametrize(
    ("function", "args", "kind", "text"),
    [
        ("run", (3,), ValueError, "run: first: expected an int from 0 to 2, got 3"),
        ("run", (-1,), ValueError, "run: first: expected an int from 0 to 2, got -1"),
        ("run", (1, 0), ValueError, "run: last: expected an int from 1 to 2, got 0"),
        ("run", (0, 3), ValueError, "run: last: expected an int from 0 to 2, got 3"),
        ("run", ("a",), TypeError, "run: first: expected an int, got str"),
        ("run", (True,), TypeError, "run: first: expected an int, got bool"),
        ("put", (2, ()), ValueError, "put: at: expected an int from 0 to 1, got 2"),
        ("put", (-1, ()), ValueError, "put: at: expected an int from 0 to 1, got -1"),
        ("put", (0, (len, 1)), ValueError, "put: row 0: expected relu_fwd, got len"),
        ("put", (0, (3,)), ValueError, "put: row 0: expected relu_fwd, got 3"),
    ],
)
def test_what_a_tape_has_not_is_refused(kernels, function, args, kind, text):
    (one, out), (two, _) = relu(kernels, -1), relu(kernels, -1)
    with pytest.raises(kind) as error:
        getattr(kernels, function)(kernels.bind([one, two]), *args)
    assert str(error.value) == text
    assert out[0] == 9
