"""The same files on every host: exact lines byte for byte, float32 ones within a tolerance.

CPython runs them with each backend (C, numpy, plain Python), the virtual boards with the
firmware's kernels. The reference is the definition, engram.kernels.python on CPython.
"""

import pytest

from hosts import BOARDS, CPYTHON

REFERENCE = "cpython-py"
HOSTS = [name for name in CPYTHON if name != REFERENCE] + [
    pytest.param(name, marks=pytest.mark.board) for name in BOARDS
]

# A float32 training run of 40 steps: sums of a different order differ in the last bits of
# each step and the differences add up. Measured: at most 5e-6 relative.
RTOL, ATOL = 1e-4, 1e-6


def split(lines):
    exact = [line for line in lines if line.startswith("exact")]
    close = {}
    for line in lines:
        if line.startswith("close"):
            name, *values = line.split()[1:]
            close.setdefault(name, []).extend(float(v) for v in values)
    return exact, close


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "check",
    [
        "learner_check",
        "strategies_check",
        "objectives_check",
        "unlabelled_check",
        "vibration_check",
        "watch_check",
        "once_check",
        "misuse_check",
        "kernels_check",
        "store_check",
        "wire_check",
    ],
)
def test_exact_lines_are_equal(outputs, host, check):
    expected, _ = split(outputs(REFERENCE, check))
    assert expected
    assert split(outputs(host, check))[0] == expected


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "check", ["learner_check", "strategies_check", "objectives_check", "unlabelled_check"]
)
def test_float32_values_are_close(outputs, host, check):
    _, expected = split(outputs(REFERENCE, check))
    _, result = split(outputs(host, check))
    assert expected.keys() == result.keys()
    assert sum(map(len, expected.values())) > 300
    for name, values in expected.items():
        assert result[name] == pytest.approx(values, rel=RTOL, abs=ATOL), name


def test_micro_batches_take_the_steps_of_the_whole_batch(outputs):
    _, values = split(outputs(REFERENCE, "objectives_check"))
    assert len(values["both-losses"]) == 27
    for what in ("losses", "params", "place-mse", "predict"):
        assert values[f"micro-{what}"] == pytest.approx(values[f"both-{what}"], rel=RTOL, abs=ATOL)


@pytest.mark.parametrize("host", HOSTS)
def test_a_watch_scores_the_same_on_every_host(outputs, host):
    """Scores of four engines, and what their means are compared with."""
    _, expected = split(outputs(REFERENCE, "watch_check"))
    _, result = split(outputs(host, "watch_check"))
    assert len(expected) == 9 and expected.keys() == result.keys()
    for name, values in expected.items():
        assert result[name] == pytest.approx(values, rel=RTOL, abs=1e-3), name


@pytest.mark.board
@pytest.mark.parametrize("host", BOARDS)
def test_c_kernels_fit_the_same_clusters_on_every_host(outputs, host):
    """To the bit, and so are the scores: all sums are float32."""
    bits = [line for line in outputs("cpython-c", "watch_check") if line.startswith("bits")]
    assert len(bits) == 4
    assert [line for line in outputs(host, "watch_check") if line.startswith("bits")] == bits


@pytest.mark.board
@pytest.mark.parametrize("host", BOARDS)
def test_c_kernels_give_the_same_bits_on_every_host(outputs, host):
    """Real inputs too: one order of sums, no contraction, and own exp and log."""
    assert outputs(host, "kernels_check") == outputs("cpython-c", "kernels_check")


@pytest.mark.board
def test_the_definition_runs_on_micropython(outputs):
    """Plain Python with single-precision floats gives the bytes that CPython's doubles give."""
    expected = outputs(REFERENCE, "definition_check")
    assert len(expected) > 500
    assert outputs("unix", "definition_check") == expected


@pytest.mark.board
@pytest.mark.parametrize("host", BOARDS)
def test_a_step_allocates_nothing(outputs, host):
    assert outputs(host, "heap_check") == ["exact step allocates nothing", "lock works"]


@pytest.mark.board
def test_the_same_run_counts_the_same_instructions(tmp_path):
    from hosts import BoardHost

    counts = []
    for run in range(2):
        host = BoardHost("qemu_m4f", tmp_path / str(run))
        host.start()
        try:
            counts.append(host.run("count_check"))
        finally:
            host.stop()
    assert counts[0] == counts[1]
    assert len(counts[0]) > 20 and all(int(line.split()[1]) > 1000 for line in counts[0])
