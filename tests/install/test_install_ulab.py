"""Stock firmware with ulab: `engram install` takes it where no native code is wanted, and the
library computes over it what it computes everywhere.

Needs EXTRA_C_MODULES=<checkout of ulab>; the firmware is built for it then.
"""

import kernels_check as cases
import numpy as np
import pytest

from engram_host import boards, build
from engram_host.install import installer
from engram_host.progress import Silent
from hosts import run_cpython
from install import ulab_boards
from kernels.common import reference
from kernels.test_kernel_cases import ATOL, RTOL
from parity import test_parity as parity

NAME = "unix_stock"
DEFINITION = "cpython-py"

pytestmark = [
    pytest.mark.board,
    pytest.mark.slow,
    pytest.mark.skipif(
        ulab_boards.modules() is None,
        reason="EXTRA_C_MODULES names no checkout of ulab (github.com/v923z/micropython-ulab)",
    ),
]
ON_BOARDS = pytest.mark.parametrize("board", ulab_boards.NAMES)


@pytest.fixture(scope="module", autouse=True)
def with_ulab():
    with ulab_boards.home():
        build.build(boards.load(NAME))
        yield


@pytest.fixture(scope="module")
def prints(tmp_path_factory):
    """prints(board, check): what tests/device/<check>.py prints over ulab, each run once."""
    hosts, seen = {}, {}

    def run(board, check):
        if board not in hosts:
            hosts[board] = ulab_boards.UlabHost(board, tmp_path_factory.mktemp(board))
            hosts[board].start()
            output = hosts[board].exec(
                "from engram.backend import kernels; print(kernels.__name__)"
            )
            assert output == "engram.kernels.numpy\n"
        if (board, check) not in seen:
            seen[board, check] = hosts[board].run(check)
        return seen[board, check]

    yield run
    for host in hosts.values():
        host.stop()


# ---------------------------------------------------------------- the choice


def test_ulab_computes_where_it_is_asked_for(stock):
    result = installer.install(stock(NAME), installer.Wishes(kernels="python"), Silent())
    assert result["board"]["ulab"] and "ulab" in result["kernels"]["why"]
    assert result["self_test"] == {"kernels": "engram.kernels.numpy", "learner": True}


def test_native_kernels_come_first(stock):
    result = installer.install(stock(NAME), installer.Wishes(), Silent())
    assert result["board"]["ulab"]
    assert result["self_test"] == {"kernels": "_engram", "learner": True}


# ---------------------------------------------------------------- parity


@ON_BOARDS
def test_every_case_gives_the_bytes_of_the_definition(prints, board):
    """Exact inputs, buffers in place, and the messages for wrong arguments."""
    expected = run_cpython(DEFINITION, "kernels_check")
    assert len(expected) > 700
    assert prints(board, "kernels_check") == expected


def floats(text):
    return np.frombuffer(bytes.fromhex(text.removeprefix(":")), "<f4")


def float32_after(builder, written, shape):
    """The buffers that real_check prints, by the definition in float64."""
    args = list(builder(cases.Source(False), *shape))
    target = reference(cases.kernel_name(builder), args)
    return [target[i] for i in range(written) if getattr(args[i], "typecode", "") == "f"]


@ON_BOARDS
def test_real_inputs_are_close_to_float64(prints, board):
    """Every case that writes float32, within the tolerance that holds for the other backends."""
    target = {
        (builder.__name__, i): float32_after(builder, written, shape)
        for builder, written, _, shapes in cases.CASES
        for i, shape in enumerate(shapes)
    }
    target = {case: buffers for case, buffers in target.items() if buffers}
    lines = [line.split() for line in prints(board, "real_check") if line.startswith("real")]
    assert {(name, int(i)) for _, name, i, *_ in lines} == set(target) and len(lines) > 400
    for _, name, i, *texts in lines:
        for text, values in zip(texts, target[name, int(i)], strict=True):
            np.testing.assert_allclose(
                floats(text), np.array(values), rtol=RTOL, atol=ATOL, err_msg=f"{name} {i}"
            )


@ON_BOARDS
def test_what_is_no_number_stays_none(prints, board):
    target = [x for x in run_cpython(DEFINITION, "real_check") if x.startswith("exact")]
    assert len(target) == 4
    assert [line for line in prints(board, "real_check") if line.startswith("exact")] == target


# ---------------------------------------------------------------- learning


def test_a_learner_is_that_of_the_definition(prints):
    exact, close = parity.split(run_cpython(DEFINITION, "learner_check"))
    got_exact, result = parity.split(prints(NAME, "learner_check"))
    assert exact and got_exact == exact
    assert result.keys() == close.keys()
    for name, values in close.items():
        assert result[name] == pytest.approx(values, rel=parity.RTOL, abs=parity.ATOL), name
