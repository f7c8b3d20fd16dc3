"""The table of ops against the list of kernels: no dead kernel, no row that a kernel cannot take.

A layer is one entry of nn/ops.py. Plan, stage, model check, converter and docs read it, so a row
whose symbols are not the kernel's would be found on a board at last.
"""

import fnmatch
import re

import pytest

from engram.nn import formats
from engram.nn.ops import OPS
from engram.nn.program import VIEW
from engram_host.convert.float_ops import FLOAT
from engram_host.convert.int8_ops import INT8
from kernels.common import rows as listed
from tidy import tree

LIST = listed()  # {kernel: (letters, argument names, call)}
ROWS = [
    pytest.param(text, id=f"{form}: {text}")
    for form in formats.NAMES
    for op in (OPS if form == "f32" else formats.load(form).ROWS)
    for part in formats.load(form).rows(op) + (formats.load(form).some(op) or ())
    for text in part
    if text.split()[0] != VIEW
]
# Symbols that stand in the place of the argument of a list's row: the first input of an op is x
# wherever its kernel has another name for it, and so on.
ALSO = {"x": {"a", "mean"}, "x2": {"b", "x", "spread"}, "dx": {"out"}, "dout": {"x"}}
ALSO["dx2"] = {"dx", "out", "dspread"}
ALSO.update({"none": {"dw", "x"}, "dshift": {"db", "dshift"}, "db": {"db"}})
# Of int8: one weight per channel is a depthwise kernel; the padding holds the zero point.
ALSO.update({"scale": {"w"}, "line": {"geom"}, "zp": {"value"}})
# In q8: int8 tensors that are empty; an output and the gradient by it as integers; records like
# tensors.
ALSO.update({"none8": {"w", "rest", "x"}, "e": {"dout", "out"}, "se": {"sdout", "so"}})
ALSO.update({"v": {"out", "x"}, "so": {"sx"}})
ALSO.update({"sx": {"sx", "sa"}, "sx2": {"sb"}, "sdx": {"so"}, "sdout": {"sx"}, "full": {"q"}})
ALSO.update({"shift": {"b"}})

# What kernels that no op has are for; a pattern of names.
OTHERS = {
    "the frozen stage's input and the latents": "u8_to_s8 *pack_s8 packed_bytes unpack_f32",
    "objectives, optimisers, gradients that add up": "softmax_xent logistic_xent mse sgd_* "
    "adam_step zero_f32 axpy_f32 scale_f32 sum_squares clip_norm check_finite",
    "partial backward passes": "sum_errors keep_largest* skip_smallest",
    "records of q8 tensors, their weights between two steps": "clear_q8 follow_q8 rescale_q8 "
    "decay_q8 clip_q8 carry_q8",
    "chosen channels of q8 nodes, which lie side by side for a step": "copy_parts_q8",
    "the store and the sampler": "gather_* draw_batch",
    "strategies and policies": "mul_f32 copy_f32",
    "the converter: an int8 tensor at another scale": "requantize_s8 copy_s8",
    "the audio front-end": "hann_window rfft* power_spectrum mel_table log_mel dct_matrix",
    "the front-end of vibration": "vibration_features",
    "variational auto-encoders": "kl_* exp_f32 log_f32 sqrt_f32 uniform_f32 gaussian_f32",
}


def words(text):
    kernel, *symbols = text.split()
    return kernel, symbols


@pytest.mark.parametrize("text", ROWS)
def test_a_row_is_one_that_its_kernel_takes(text):
    kernel, symbols = words(text)
    letters, names, _ = LIST[kernel]
    assert len(symbols) == len(names), f"expected {names}, got {symbols}"
    for symbol, letter, name in zip(symbols, letters, names):
        symbol, _, takes = symbol.partition("=")
        name, _, may_take = name.partition("=")
        if letter == "i":  # a dimension: any number of the node
            assert re.fullmatch(r"[A-Z0-9]+(\*[A-Z0-9]+)*", symbol), symbol
            continue
        assert symbol == name or name in ALSO.get(symbol, ()), f"expected {name}, got {symbol}"
        if takes:
            source = [s.partition("=")[0] for s in symbols].index(takes)
            there = names[source].partition("=")[0]
            assert there == may_take, f"{kernel} cannot write {name} into {there}"


def used():
    return {words(param.values[0])[0] for param in ROWS}


@pytest.mark.parametrize("kernel", [name for name in LIST if name.endswith("_fwd")])
def test_every_forward_kernel_is_in_a_row(kernel):
    """34 of 75 kernels were once reached by nothing but tests."""
    assert kernel in used(), "give it an op in device_lib/engram/nn/ops.py"


@pytest.mark.parametrize("kernel", LIST)
def test_every_kernel_is_reached(kernel):
    patterns = " ".join(OTHERS.values()).split()
    assert kernel in used() or any(fnmatch.fnmatchcase(kernel, p) for p in patterns)


def test_kernels_beside_the_ops_are_still_there():
    """A pattern that names no kernel any more would let the next one in unseen."""
    for pattern in " ".join(OTHERS.values()).split():
        assert fnmatch.filter(LIST, pattern), pattern


def test_ops_are_named_in_no_other_place():
    """A second list of ops would have to be kept in step with the table."""
    names = sorted(set(OPS) - {"add", "pad", "cast", "uncast"})
    quoted = re.compile("[\"'](" + "|".join(names) + ")[\"']")
    may = {"device_lib/engram/nn/ops.py", "device_lib/engram/nn/formats/s8.py"}
    may |= {"device_lib/engram/nn/formats/q8.py"}
    may |= {f"host/engram_host/make/{p}.py" for p in ("features", "layers", "vae")}  # networks
    others = ("kinds", "tflite_ops", "onnx_network", "torch_graph")  # the ops of other frameworks
    may |= {f"host/engram_host/imports/{name}.py" for name in others}
    may |= {f"host/engram_host/convert/{table}_ops.py" for table in ("float", "int8")}  # see below
    rows = {}
    for path in tree.files():
        name = path.relative_to(tree.ROOT).as_posix()
        if path.suffix == ".py" and name.startswith(("device_lib/engram/", "host/")):
            ops = set(quoted.findall(path.read_text()))
            if len(ops) > 3 and name not in may:
                rows[name] = ops
    assert rows == {}


@pytest.mark.parametrize(
    ("table", "ops"),
    [(FLOAT, set(OPS) - {"uncast"}), (INT8, set(formats.load("s8").ROWS))],
    ids=["float32", "int8"],
)
def test_the_converter_computes_every_op(table, ops):
    """Calibration and reference run what the device runs: an op is missing in none of its tables,
    and none has one that the device lacks."""
    assert set(table) == ops
