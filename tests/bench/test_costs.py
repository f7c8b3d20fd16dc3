"""The costs of kernels: what `make bench` has counted predicts whole steps of other models."""

import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import cost_kernels as costs  # noqa: E402
import cost_shapes  # noqa: E402
import cost_steps as steps  # noqa: E402

from engram.kernels.demands import ROWS, parsed  # noqa: E402
from engram_host import boards  # noqa: E402
from engram_host.planning import kernel_costs  # noqa: E402
from engram_host.planning.energy import code_of  # noqa: E402
from engram_host.planning.sizes import STEP, names, sizes, terms  # noqa: E402
from engram_host.planning.work import instructions, not_counted  # noqa: E402

CONTENT = json.loads(kernel_costs.FILE.read_text())
# Share by which a prediction of a whole step may be wrong. The steps are of models that no
# coefficient was fitted to; the largest error of 60 was 0.151 (0.141 in q8).
MOST = 0.16


def core(board):
    return kernel_costs.measured()[code_of(boards.load(board).facts)]


@pytest.mark.parametrize("board", costs.BOARDS)
def test_a_whole_step_is_predicted(board, tmp_path):
    rows = CONTENT["boards"][board]["steps"]
    assert len(rows) == sum(map(len, steps.COMPARED.values()))
    for row in rows:
        path = steps.model_file(row["model"], tmp_path)
        predicted = instructions(steps.sizes_of(path, row["options"]), core(board))
        assert abs(predicted / row["instructions"] - 1) < MOST, row


@pytest.mark.parametrize("board", costs.BOARDS)
def test_every_kernel_of_the_models_is_counted(board, tmp_path):
    for name, options_of in {**steps.FITTED, **steps.COMPARED}.items():
        path = steps.model_file(name, tmp_path)
        for options in options_of:
            assert not_counted(steps.sizes_of(path, options), core(board)) == []
    assert {STEP, "draw_batch", "gather_latents"} <= set(core(board).counts)


def test_the_shapes_in_the_file_are_those_of_the_benchmark():
    """A kernel that came after the last `make bench` is in no shape there."""
    wanted = {kernel: shapes for kernel, shapes in costs.kernels().items()
              if kernel in CONTENT["shapes"]}  # fmt: skip
    assert CONTENT["shapes"] == costs.wanted_sizes(wanted)
    for row in CONTENT["boards"].values():
        assert set(row["instructions"]) <= {*wanted, STEP}


def test_a_kernel_is_sized_by_its_demands_alone(monkeypatch):
    """A new one, of another number format, has shapes and terms without a word about it."""
    monkeypatch.setitem(ROWS, "dense_fwd_q4", ROWS["dense_fwd"])
    row = [("out", 0, 40, 0), ("x", 0, 64, 0), ("w", 0, 160, 0), None, 4, 16, 10]
    assert sizes("dense_fwd_q4", row) == {"B": 4, "N": 16, "M": 10}
    assert terms("dense_fwd_q4") == terms("dense_fwd")
    arguments = parsed(ROWS["dense_fwd_q4"])[0]
    assert cost_shapes.shapes("dense_fwd_q4", arguments, ()) == cost_shapes.SHAPES["B N M"]


def test_a_kernel_without_a_count_takes_the_mean_of_its_core_and_is_named(monkeypatch):
    monkeypatch.setitem(ROWS, "dense_fwd_q4", ROWS["dense_fwd"])
    m4f = core("qemu_m4f")
    of = {"B": 4, "N": 64, "M": 64}
    calls = [(("dense_fwd_q4", of), 1), (("dense_fwd", of), 1)]
    assert not_counted(calls, m4f) == ["dense_fwd_q4"]
    assert 1 < m4f.instructions("dense_fwd_q4", of) / (4 * 64 * 64) < 60


def test_padding_costs_nothing():
    """Taps outside of the input are no work: half the windows of a row of two."""
    geom = [2, 2, 4, 4, 3, 3, 1, 1, 1, 1, 1, 1, 2, 2]
    of = sizes("conv2d_fwd", [[0] * 16, [0] * 16, [0] * 144, [0] * 4, geom, 1])
    assert (of["TH"], of["TW"]) == (4, 4)
    assert set(names("conv2d_fwd")) == {"B", "C", "H", "K", "OH", "OW", "R", "S", "TH", "TW", "W"}


def test_a_fit_gives_back_what_it_was_made_of():
    counts = [({"n": n}, 100 + 7 * n) for n in (1, 16, 160, 1000)]
    fit = kernel_costs.Fitted("relu_fwd", counts)
    assert fit.at({"n": 500}) == pytest.approx(3600, rel=1e-3)
    assert (fit._factors >= 0).all()


def test_records_of_a_whole_buffer_have_their_number(tmp_path):
    """The records are of gradients: their number is known when all rows are made."""
    options = {"batch": 4, "micro": 4, "bits": 4, "format": "q8"}
    calls = steps.sizes_of(steps.model_file("digits", tmp_path), options)
    cleared = [of["any"] for (kernel, of), _ in calls if kernel == "clear_q8"]
    assert len(cleared) == 2 and all(n > 0 and n % 6 == 0 for n in cleared)


def test_integer_latents_are_read_by_their_own_kernel(tmp_path):
    path, options = steps.model_file("digits", tmp_path), {"batch": 4, "micro": 4, "bits": 4}
    for form, kernel in (("f32", "gather_latents"), ("q8", "gather_codes")):
        calls = steps.sizes_of(path, {**options, "format": form})
        assert [name for (name, _), _ in calls if name.startswith("gather")] == [kernel]


def test_no_count_takes_biases_for_a_record():
    """Records of q8 are known by their length (cost_count.settle)."""
    for kernel, shapes in costs.kernels().items():
        if kernel.endswith("_q8"):
            names = [name for name, _, _, _ in parsed(ROWS[kernel])[0]]
            for shape in shapes if "b" in names else ():
                args = costs.builder_of(kernel)(costs.kernels_check.Source(False), *shape)
                assert len(args[names.index("b")]) != 6, (kernel, shape)


def test_what_is_fitted_is_never_negative():
    counts = [({"n": 1}, 1000), ({"n": 16}, 900), ({"n": 160}, 800)]
    assert (kernel_costs.Fitted("relu_fwd", counts)._factors >= 0).all()
