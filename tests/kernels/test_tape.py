"""Tapes on CPython: rows that are checked once run as single calls do, and hold their buffers."""

import gc
import signal
import sys
import weakref
from array import array

import kernels_check as cases
import pytest

from kernels.common import C, rows

K = C.values[0]
pytestmark = pytest.mark.skipif(K is None, reason="_engram cannot be imported here")
LIST = rows()
BUILDERS = [
    pytest.param(builder, shapes, exact, id=builder.__name__)
    for builder, _, exact, shapes in cases.CASES
]


def floats(*values):
    return array("f", values)


def relu(*values):
    """A row of relu_fwd, its output and its input."""
    out, x = floats(*[9] * len(values)), floats(*values)
    return (K.relu_fwd, out, x), out, x


def contents(args):
    return [bytes(a) if isinstance(a, (array, bytearray, bytes)) else a for a in args]


@pytest.mark.parametrize(("builder", "shapes", "exact"), BUILDERS)
def test_a_tape_does_what_the_calls_do(builder, shapes, exact):
    """Every kernel, all its shapes as rows of one tape; run twice, as gradients accumulate."""
    kernel = getattr(K, cases.kernel_name(builder))
    calls = [builder(cases.Source(False), *shape) for shape in shapes]
    row_list = [builder(cases.Source(False), *shape) for shape in shapes]
    tape = K.bind([(kernel, *args) for args in row_list])
    for _ in range(2):
        for args in calls:
            result = kernel(*args)
        assert K.run(tape) == result
    assert [contents(args) for args in row_list] == [contents(args) for args in calls]


def test_rows_run_in_order_and_in_part():
    x = floats(1, -2)
    double = (K.scale_f32, x, x, floats(2))
    shift = (K.axpy_f32, x, floats(1, 1), floats(1))
    tape = K.bind((double, shift, double))
    K.run(tape, 1)  # (x + 1) * 2
    assert x.tolist() == [4, -2]
    K.run(tape, 0, 1)
    assert x.tolist() == [8, -4]
    K.run(tape, 1, 2)
    assert x.tolist() == [9, -3]
    K.run(tape, 3)
    K.run(tape, 1, 1)
    assert x.tolist() == [9, -3]
    K.run(K.bind([]))


# ---------------------------------------------------------------- what is refused


def refused(kind, text, function, *args):
    with pytest.raises(kind) as error:
        function(*args)
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (3, "expected a tuple of a kernel and its arguments, got int"),
        ([], "expected a tuple of a kernel and its arguments, got list"),
        ((), "expected a tuple of a kernel and its arguments, got an empty one"),
        ((1, 2), "expected a kernel first, got int"),
        ((len, []), "expected a kernel first, got builtin_function_or_method"),
        ((K and K.spent,), "expected a kernel first, got builtin_function_or_method"),
        ((type("relu_fwd", (), {}), 1, 2), "expected a kernel first, got type"),
    ],
)
def test_what_is_no_row_is_refused_by_its_number(row, text):
    good, _, _ = relu(1)
    refused(TypeError, "bind: row 1: " + text, K.bind, [good, row])
    refused(TypeError, "put: row 0: " + text, K.put, K.bind([good]), 0, row)


def test_rows_come_in_a_list_or_tuple():
    refused(TypeError, "bind: rows: expected a list or tuple of rows, got int", K.bind, 3)
    refused(TypeError, "bind: rows: expected a list or tuple of rows, got dict", K.bind, {})


def message(function, *args):
    try:
        function(*args)
    except (TypeError, ValueError) as error:
        return type(error), str(error)
    return None


@pytest.mark.parametrize(("builder", "shapes", "exact"), BUILDERS)
def test_a_wrong_argument_is_refused_in_the_words_of_a_call(builder, shapes, exact):
    """When the tape is bound, or when it runs: then as the kernel itself refuses it."""
    name = cases.kernel_name(builder)
    kernel, shape = getattr(K, name), cases.misuse_shape(shapes)
    seen = 0
    for i, arg in enumerate(builder(cases.Source(True), *shape)):
        for value in cases.wrong(arg, LIST[name][0][i] < "a"):
            args = list(builder(cases.Source(True), *shape))
            args[i] = value
            expected = message(kernel, *args)
            before = contents(args)
            text = message(lambda: K.run(K.bind([(kernel, *args)])))  # noqa: B023
            assert text == expected
            if expected:
                assert contents(args) == before
                seen += 1
    assert seen


def test_types_ranges_alignment_and_overlap_are_checked_when_the_tape_is_bound():
    x, odd = floats(1, 2), memoryview(bytearray(12))[1:9]
    float32 = "float32 buffer (array 'f'), got"
    for args, text in (
        ((x, 5), f"x: expected a {float32} int"),
        ((x,), "expected 2 positional arguments, got 1"),
        ((x,) * 300, "expected 2 positional arguments, got 300"),
        ((bytes(8), x), f"out: expected a writable {float32} a read-only one"),
        ((memoryview(x)[1:], x), "out: must not share memory with x"),
        ((x, odd), f"x: expected a {float32} one that is not aligned to its elements"),
    ):
        kind = ValueError if "share" in text else TypeError
        refused(kind, "relu_fwd: " + text, K.bind, [(K.relu_fwd, *args)])
    K.bind([(K.relu_fwd, x, x)])  # in place
    text = "dense_fwd: B: expected an int from -2**30 to 2**30 - 1"
    refused(ValueError, text, K.bind, [(K.dense_fwd, x, x, x, None, 2**30, 1, 1)])


def test_dimensions_and_values_are_checked_when_the_tape_runs():
    first, second, _ = relu(-1)
    hyper = floats(2)
    x = floats(1)
    tape = K.bind([first, (K.clip_norm, x, floats(4), hyper), relu(1)[0]])
    K.run(tape)
    hyper[0], second[0] = 0, 9
    with pytest.raises(ValueError, match="clip_norm: limit: expected a finite number above 0"):
        K.run(tape)
    assert second[0] == 0  # what stands before it has run
    bad = K.bind([(K.relu_fwd, floats(1, 2), floats(1))])
    refused(ValueError, "relu_fwd: x: expected 2 elements for its shape, got 1", K.run, bad)


@pytest.mark.parametrize(
    ("args", "kind", "text"),
    [
        ((3,), ValueError, "run: first: expected an int from 0 to 2, got 3"),
        ((-1,), ValueError, "run: first: expected an int from 0 to 2, got -1"),
        ((1, 0), ValueError, "run: last: expected an int from 1 to 2, got 0"),
        ((0, 3), ValueError, "run: last: expected an int from 0 to 2, got 3"),
        (("a",), TypeError, "run: first: expected an int, got str"),
        ((0, None), TypeError, "run: last: expected an int, got NoneType"),
        ((True,), TypeError, "run: first: expected an int, got bool"),
        ((0, 1, 2), TypeError, "run: expected 1 to 3 positional arguments, got 4"),
    ],
)
def test_a_range_out_of_the_tape_is_refused(args, kind, text):
    one, out, _ = relu(-1)
    two, _, _ = relu(-1)
    refused(kind, text, K.run, K.bind([one, two]), *args)
    assert out[0] == 9


def test_a_number_of_any_size_is_out_of_range():
    tape = K.bind([relu(1)[0]])
    with pytest.raises(ValueError, match="run: first: expected an int from 0 to 1, got "):
        K.run(tape, 2**80)
    with pytest.raises(ValueError, match="put: at: expected an int from 0 to 0, got -"):
        K.put(tape, -(2**80), relu(1)[0])


def test_only_a_tape_is_one():
    refused(TypeError, "run: tape: expected a tape, got list", K.run, [])
    refused(TypeError, "put: tape: expected a tape, got int", K.put, 1, 0, ())
    refused(TypeError, "run: expected 1 to 3 positional arguments, got 0", K.run)
    refused(TypeError, "put: expected 3 positional arguments, got 1", K.put, K.bind([]))
    tape = type(K.bind([]))
    with pytest.raises(TypeError, match="cannot create"):
        tape()
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("other", (tape,), {})


# ---------------------------------------------------------------- put


def test_put_replaces_a_row_by_one_of_its_kernel():
    """As a head grows: other buffers of another length."""
    (one, *_), (two, out, _), (other, new, _) = relu(1), relu(2), relu(3, -4)
    tape = K.bind([one, two, one])
    assert K.put(tape, 1, other) is None
    K.run(tape)
    assert out.tolist() == [9] and new.tolist() == [3, 0]


def test_a_row_that_is_refused_changes_nothing():
    row, out, _ = relu(1)
    tape = K.bind([row])
    zero = (K.zero_f32, out)
    refused(ValueError, "put: row 0: expected relu_fwd, got zero_f32", K.put, tape, 0, zero)
    text = "put: at: expected an int from 0 to 0, got 1"
    refused(ValueError, text, K.put, tape, 1, row)
    with pytest.raises(TypeError, match="relu_fwd: x: expected a float32 buffer"):
        K.put(tape, 0, (K.relu_fwd, floats(1), "x"))
    room = memoryview(floats(1, 2, 3))
    with pytest.raises(ValueError, match="relu_fwd: out: must not share memory with x"):
        K.put(tape, 0, (K.relu_fwd, room[0:2], room[1:3]))
    K.run(tape)
    assert out.tolist() == [1]


# ---------------------------------------------------------------- memory


class Room(bytearray):
    """A buffer that says when it is gone."""


def test_a_tape_keeps_its_buffers():
    out, x = Room(8), Room(floats(-3, 4).tobytes())
    reference = weakref.ref(x)
    view = memoryview(out)
    tape = K.bind([(K.relu_fwd, out, x)])
    del out, x
    gc.collect()
    assert reference() is not None
    K.run(tape)
    assert array("f", bytes(view)).tolist() == [0, 4]
    del tape
    assert reference() is None


def test_a_buffer_cannot_be_resized_while_a_tape_holds_it():
    row, out, x = relu(1)
    tape = K.bind([row])
    with pytest.raises(BufferError):
        x.append(1)
    K.put(tape, 0, relu(2)[0])
    x.append(1)  # put let it go
    del tape
    out.append(1)


@pytest.mark.parametrize("at", range(3))
def test_a_tape_that_is_refused_holds_nothing(at):
    good = [relu(i) for i in range(3)]
    source = [row for row, _, _ in good]
    source[at] = (K.relu_fwd, good[at][1], 5)
    with pytest.raises(TypeError):
        K.bind(source)
    for _, out, x in good:
        out.append(1)
        x.append(1)


def test_no_reference_is_lost():
    row, out, x = relu(1, 2)
    other, _, _ = relu(3)
    names = (out, x, K.relu_fwd, row)
    before = [sys.getrefcount(a) for a in names]
    for _ in range(500):
        tape = K.bind([row, row])
        K.run(tape)
        K.put(tape, 0, other)
        K.put(tape, 0, row)
        assert message(K.put, tape, 0, (K.zero_f32, out))
        for wrong in ((K.relu_fwd, out, 5), (K.relu_fwd, out, x, x), (out, x), 7):
            assert message(K.put, tape, 0, wrong)
            assert message(K.bind, [row, wrong])
    del tape, wrong
    assert [sys.getrefcount(a) for a in names] == before


def test_a_cycle_through_a_tape_is_collected():
    room = Room(8)
    reference = weakref.ref(room)
    room.tape = K.bind([(K.zero_f32, room)])
    del room
    gc.collect()
    assert reference() is None


def test_an_argument_that_changes_the_rows_while_they_are_read():
    class Int:
        def __index__(self):
            source.clear()
            gc.collect()
            return 1

    out = floats(0)
    source = [(K.dense_fwd, out, floats(2), floats(3), None, Int(), 1, 1)]
    source.append((K.scale_f32, out, out, floats(2)))
    tape = K.bind(source)
    assert source == []
    K.run(tape)
    assert out[0] == 12


# ---------------------------------------------------------------- interrupts


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer that sends a signal")
def test_a_signal_ends_a_tape_between_rows():
    first, out, _ = relu(1)
    last, never, _ = relu(2)
    long = [(K.zero_f32, floats(0) * 1000000)] * 3000
    tape = K.bind([first, *long, last])

    def handler(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            K.run(tape)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert out.tolist() == [1] and never.tolist() == [9]


def test_memoryviews_in_a_cycle_are_collected_with_their_tape():
    """The collector clears a memoryview in a cycle first, and crashed on one that a tape held."""

    class Learner:
        pass

    learner = Learner()
    learner.window = memoryview(floats(1, -2, 3))[1:]
    learner.tape = K.bind([(K.relu_fwd, learner.window, learner.window)])
    learner.self = learner
    reference = weakref.ref(learner)
    del learner
    gc.collect()
    assert reference() is None


def test_a_released_memoryview_does_not_move_what_a_tape_uses():
    x = floats(-1, 2)
    view = memoryview(x)
    tape = K.bind([(K.relu_fwd, view, view)])
    view.release()
    with pytest.raises(BufferError):
        x.append(1)
    K.run(tape)
    assert x.tolist() == [0, 2]
