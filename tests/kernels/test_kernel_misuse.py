"""Wrong arguments: refused by name, in the same words by every backend, with nothing written."""

import subprocess
import sys
from array import array

import kernels_check as cases
import numpy as np
import pytest

from kernels.common import BACKENDS, PYTHON, C, rows

LIST = rows()
BUILDERS = [
    pytest.param(*case, shapes, id=case[0].__name__)
    for *case, shapes in cases.CASES
    if "_no_" not in case[0].__name__
]
by_name = {case[0].__name__: case for case in cases.CASES}


# Where a buffer has no other to agree with, one element more or less is right as well: how often.
ANY_LENGTH = dict.fromkeys(("zero_f32", "check_finite", "sum_squares", "clip_norm"), 2)
ANY_LENGTH |= dict.fromkeys(("uniform_f32", "gaussian_f32", "hann_window"), 2)
ANY_LENGTH["draw_batch"] = 5  # batch, spare entries
ANY_LENGTH |= dict.fromkeys(("gather_latents", "gather_codes"), 3)  # flash, padding bits
ANY_LENGTH["gather_targets"] = 2  # flash
# Arguments that only fit or do not fit together: the one that is named need not be the one that
# the test made wrong.
TOGETHER = {"draw_batch", "gather_latents", "gather_codes", "gather_targets", "carry_q8"}


def messages(kernels, builder, written, shapes):
    return cases.misused(kernels, builder, written, cases.misuse_shape(shapes))


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize(("builder", "written", "exact", "shapes"), BUILDERS)
def test_every_wrong_argument_is_named(kernels, builder, written, exact, shapes):
    """cases.misused also asserts that no written buffer changed."""
    name = builder.__name__
    letters, names, _ = LIST[name]
    names = [n.split("=")[0] for n in names]
    found = messages(kernels, builder, written, shapes)
    assert sum(text == "no error" for _, text in found) == ANY_LENGTH.get(name, 0)
    assert {i for i, _ in found} == set(range(len(letters)))
    for i, text in found:
        if text != "no error":
            kind, kernel, argument, expected = text.split(" ", 3)
            assert kernel == f"{name}:"
            # where any length of the first is right, the others are wrong
            blamed = argument.rstrip(":")
            partners = names if name in TOGETHER else names[1:] if i == 0 else ()
            assert blamed == names[i] or blamed in partners, text
            assert expected.startswith(("expected ", "entry ")), text


@pytest.mark.parametrize("kernels", [p for p in BACKENDS if p is not PYTHON])
@pytest.mark.parametrize(("builder", "written", "exact", "shapes"), BUILDERS)
def test_in_the_words_of_the_definition(kernels, builder, written, exact, shapes):
    definition = PYTHON.values[0]
    assert messages(kernels, builder, written, shapes) == messages(
        definition, builder, written, shapes
    )


def call(kernels, name, **changes):
    """Calls a kernel of the table with some arguments replaced, by name."""
    builder, _, _, shapes = by_name[name]
    args = list(builder(cases.Source(True), *cases.misuse_shape(shapes)))
    names = [n.split("=")[0] for n in LIST[name][1]]
    for argument, value in changes.items():
        args[names.index(argument)] = value
    return getattr(kernels, name)(*args)


def entry(values, i, v):
    values = array("i", values)
    values[i] = v
    return values


# kernel, changed arguments, what the message must say
REFUSED = [
    ("dense_fwd", {"w": array("f", bytes(56))}, "w: expected 15 elements for its shape, got 14"),
    ("dense_fwd", {"B": -1}, "B: expected an int of at least 0, got -1"),
    ("dense_fwd", {"out": memoryview(array("f", bytes(40))).toreadonly()}, "out: .*read-only"),
    ("dense_fwd", {"x": array("d", bytes(48))}, "x: expected a float32 .* got typecode 'd'"),
    ("dense_s8", {"out": bytes(10)}, "out: expected a writable 8-bit .* got a read-only one"),
    ("dense_s8", {"bias": array("h", bytes(10))}, "bias: expected an int32 .* got typecode 'h'"),
    ("dense_s8", {"bias": array("l", [0] * 5)}, "bias: expected an int32 .* got typecode 'l'"),
    ("dense_s8", {"mult": array("i", [0, 1, -5, 0, 0])}, "mult: entry 2: expected 0 to 214748"),
    (
        "dense_s8",
        {"shift": array("i", [0, 0, 0, 31, 0])},
        "shift: entry 3: expected -31 to 30",
    ),
    ("dense_s8", {"q": array("i", [0, 0, 5, 4])}, "q: entry 3: expected 5 to 127, got 4"),
    ("dense_s8", {"q": array("i", [0, 128, 0, 1])}, "q: entry 1: expected -128 to 127, got 128"),
    ("softmax_xent", {"labels": b"\0\3"}, "labels: entry 1: expected 0 to 2, got 3"),
    ("softmax_xent", {"labels": b"\0\xff"}, "labels: entry 1: expected 0 to 2, got 255"),
    ("softmax_fwd", {"K": 0}, "K: expected an int of at least 1, got 0"),
    ("global_avgpool_fwd", {"P": 0}, "P: expected an int of at least 1, got 0"),
    ("sgd_step", {"hyper": array("f", [float("nan"), 0, 0])}, "hyper: expected lr, momentum"),
    ("sgd_step", {"hyper": array("f", [0.1, float("inf"), 0])}, "hyper: expected lr, momentum"),
    ("sgd_step", {"hyper": array("f", [0.1, 0, -1])}, "hyper: expected lr, momentum"),
    ("sgd_plain", {"hyper": array("f", [float("nan"), 0])}, "hyper: expected lr and weight_decay"),
    ("sgd_plain", {"hyper": array("f", [0.1, -1])}, "hyper: expected lr and weight_decay"),
    ("quantize_s8", {"qp": array("f", [0, 0])}, "qp: expected scale > 0"),
    ("quantize_s8", {"qp": array("f", [float("nan"), 0])}, "qp: expected scale > 0"),
    ("quantize_s8", {"qp": array("f", [float("inf"), 0])}, "qp: expected scale > 0"),
    ("quantize_s8", {"qp": array("f", [1, 0.5])}, "qp: expected scale > 0 and an integer"),
    ("quantize_s8", {"qp": array("f", [1, 128])}, "qp: expected scale > 0 and an integer"),
    ("dequantize_s8", {"qp": array("f", [1, float("nan")])}, "qp: expected scale > 0"),
    # the first window would miss the input; so would the last
    ("conv2d_fwd", {"geom": entry(cases.GEOM[1], 8, 3)}, "geom: entry 8: expected 0 to 2"),
    (
        "conv2d_fwd",
        {"geom": entry(cases.GEOM[1], 13, 6)},
        "geom: entry 13: expected 1 to 5",
    ),
    ("depthwise_s8", {"geom": array("i", cases.GEOM[1])}, "geom: entry 3: expected 3 to 3, got 5"),
    ("avgpool_s8", {"geom": array("i", cases.GEOM[1])}, "geom: entry 3: expected 3 to 3, got 5"),
    ("leaky_relu_fwd", {"slope": array("f", [-1])}, "slope: expected a finite number that is not"),
    ("leaky_relu_bwd_dx", {"slope": array("f", [float("inf")])}, "slope: expected a finite num"),
    ("copy_channels", {"to": 4}, r"to: expected to \+ C to be at most M"),
    ("copy_channels", {"at": 2}, r"at: expected at \+ C to be at most N"),
    ("copy_channels", {"C": 2**30 - 1}, r"to: expected to \+ C to be at most M"),
    ("pad_fwd", {"top": 4}, r"top: expected top \+ H to be at most OH"),
    ("pad_fwd", {"OW": 5}, r"left: expected left \+ W to be at most OW"),
    ("pad_bwd_dx", {"H": 2**30 - 1}, r"top: expected top \+ H to be at most OH"),
    ("pad_s8", {"left": 4}, r"left: expected left \+ W to be at most OW"),
    ("softmax_s8", {"K": 4096}, "K: expected at most 4095 classes"),
    ("softmax_s8", {"table": array("i", [1] * 256)}, "table: entry 0: expected 2147483647 to 21"),
    ("softmax_s8", {"table": entry([2**31 - 1] * 256, 9, -1)}, "table: entry 9: expected 0 to 21"),
    ("pad_s8", {"value": b""}, "value: expected 1 elements for its shape, got 0"),
    ("copy_channels_s8", {"at": 2}, r"at: expected at \+ C to be at most N"),
    ("copy_parts_q8", {"parts": array("i", (0, 0))}, "parts: expected parts of 3 entries"),
    ("copy_parts_q8", {"parts": array("i", (-1, 0, 0))}, "parts: entry 0: expected 0 to 3, got"),
    ("copy_parts_q8", {"parts": array("i", (0, 10, 0))}, "parts: entry 1: expected 0 to 9, got"),
    ("copy_parts_q8", {"parts": array("i", (2, 0, 2))}, "parts: entry 2: expected 0 to 1, got 2"),
    ("copy_parts_q8", {"parts": array("i", (0, 8, 2))}, "parts: entry 2: expected 0 to 1, got 2"),
    ("copy_parts_q8", {"parts": array("i", (0, 0, -1))}, "parts: entry 2: expected 0 to 3, got"),
    ("mse", {"N": 0}, "N: expected an int of at least 1, got 0"),
    ("adam_step", {"hyper": array("f", [0.1, 1, 0, 1e-8, 0, 1, 1])}, "hyper: expected lr and w"),
    ("adam_step", {"hyper": array("f", [0.1, 0, 0, 0, 0, 1, 1])}, "hyper: expected lr and w"),
    ("adam_step", {"hyper": array("f", [0.1, 0, 0, 1, 0, 1, 0])}, "hyper: expected lr and w"),
    ("adam_step", {"hyper": array("f", [float("nan"), 0, 0, 1, 0, 1, 1])}, "hyper: expected lr"),
    ("clip_norm", {"limit": array("f", [0])}, "limit: expected a finite number above 0"),
    ("clip_norm", {"limit": array("f", [float("inf")])}, "limit: expected a finite number above"),
    ("gaussian_f32", {"seed": -1}, "seed: expected an int of at least 0, got -1"),
    ("maxpool_s8", {"q": array("i", [0, 0, 5, 4])}, "q: entry 3: expected 5 to 127, got 4"),
    ("add_s8", {"q": entry([0] * 12, 5, 21)}, "q: entry 5: expected 0 to 20, got 21"),
    ("add_s8", {"q": entry([0] * 12, 6, -1)}, "q: entry 6: expected 0 to 2147483647, got -1"),
    ("add_s8", {"q": entry([0] * 12, 9, 1)}, "q: entry 9: expected -31 to 0, got 1"),
    ("add_s8", {"q": entry([0] * 12, 4, -1)}, "q: entry 4: expected 0 to 127, got -1"),
    ("requantize_s8", {"shift": array("i", [31])}, "shift: entry 0: expected -31 to 30, got 31"),
    ("requantize_s8", {"mult": array("i", [-2])}, "mult: entry 0: expected 0 to 2147483647"),
    ("packed_bytes", {"bits": 9}, "bits: expected a number of bits from 1 to 8"),
    ("pack_s8", {"bits": 0}, "bits: expected an int of at least 1, got 0"),
    ("pack_s8", {"x": bytes(99)}, "x: expected as many elements as fill out at this number of"),
    ("unpack_s8", {"x": bytes(7)}, "x: expected 6 elements for its shape, got 7"),
    ("unpack_f32", {"qp": array("f", [0, 0])}, "qp: expected scale > 0"),
    ("dense_fwd_q8", {"so": array("i", [41] * 6)}, "so: entry 0: expected -40 to 40, got 41"),
    ("dense_logits_q8", {"sw": array("i", [-41] * 6)}, "sw: entry 0: expected -40 to 40"),
    ("dense_fwd_q8", {"N": 65536}, "N: expected at most 65535 products in a sum"),
    ("dense_bwd_dx_q8", {"M": 65536}, "M: expected at most 65535 products in a sum"),
    ("dense_step_q8", {"B": 65536}, "B: expected at most 65535 products in a sum"),
    ("dense_step_q8", {"rest": bytearray(14)}, "rest: expected no element, or as many as w"),
    ("dense_step_q8", {"rates": array("i", (128, 0, 0))}, "rates: entry 0: expected 0 to 127"),
    ("dense_step_q8", {"rates": array("i", (1, -65, 0))}, "rates: entry 1: expected -64 to 64"),
    ("dense_step_q8", {"rates": array("i", (1, 2, 4))}, "rates: entry 2: expected 0 to 3, got 4"),
    ("conv2d_fwd_q8", {"geom": entry(cases.GEOM[1], 2, 7300)}, "geom: expected at most 65535 pr"),
    ("conv2d_bwd_dx_q8", {"geom": entry(cases.GEOM[1], 3, 7300)}, "geom: expected at most 65535"),
    ("conv2d_step_q8", {"B": 4096}, "geom: expected at most 65535 products in a sum"),
    ("depthwise_step_q8", {"B": 4096}, "geom: expected at most 65535 products in a sum"),
    ("follow_q8", {"records": array("i", [0] * 7)}, "records: expected records of 6 entries"),
    ("clear_q8", {"records": entry([0] * 12, 6, 41)}, "records: entry 6: expected -40 to 40, got"),
    ("rfft", {"N": 12}, "N: expected a power of two from 4 to 32768"),
    ("rfft_table_size", {"N": 2}, "N: expected an int of at least 4, got 2"),
    ("rfft_table_size", {"N": 65536}, "N: expected a power of two from 4 to 32768"),
    ("mel_table", {"hyper": array("f", [16000, 300, 300])}, "hyper: expected a sample rate above"),
    ("mel_table", {"M": 0}, "M: expected an int of at least 1, got 0"),
    ("log_mel", {"floor": array("f", [0])}, "floor: expected a finite number of at least 1.17"),
    ("dct_matrix", {"K": 11}, "K: expected at most M rows"),
    ("dct_matrix", {"M": 32768}, "M: expected at most 32767 points"),
    ("hann_window", {"out": array("f", bytes(4 * 32769))}, "out: expected at most 32768 elements"),
    ("vibration_features", {"N": 7}, "N: expected an int of at least 8, got 7"),
    ("vibration_features", {"N": 32769}, "N: expected at most 32768 samples"),
    ("vibration_features", {"C": 7}, "C: expected at most 6 axes"),
    ("vibration_features", {"floor": array("f", [0])}, "floor: expected a number from 1e-6 to"),
    ("vibration_features", {"floor": array("f", [float("nan")])}, "floor: expected a number from"),
    ("vibration_features", {"floor": array("f", [2e6])}, "floor: expected a number from 1e-6 to"),
]


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize(("name", "changes", "text"), REFUSED)
def test_the_message_says_what_was_expected_and_what_came(kernels, name, changes, text):
    call(kernels, name)
    with pytest.raises((ValueError, TypeError), match=f"^{name}: {text}"):
        call(kernels, name, **changes)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("B", [2**16, 2**29])
def test_a_product_of_dimensions_that_overflows_is_not_a_small_one(kernels, B):
    """2**16 * 2**16 elements are 0 in 32 bits, 2**29 four times over are 0 in 64."""
    empty = array("f", [])
    with pytest.raises(ValueError, match="dense_fwd: out: "):
        kernels.dense_fwd(empty, empty, empty, None, B, B, B)
    geom = array("i", [32767] * 14)
    geom[4:12] = array("i", [1, 1, 1, 1, 0, 0, 1, 1])
    with pytest.raises(ValueError, match="conv2d_fwd: out: "):
        kernels.conv2d_fwd(empty, empty, empty, None, geom, B)


@pytest.mark.parametrize("kernels", [C])
@pytest.mark.parametrize(("builder", "written", "exact", "shapes"), BUILDERS)
def test_shared_memory_is_refused(kernels, builder, written, exact, shapes):
    """The aliasing rule: a written buffer overlaps no other argument, bar what may be in place."""
    found = cases.overlapping(kernels, builder, written, cases.misuse_shape(shapes))
    assert all("must not share memory with" in text for text in found), found
    kinds = LIST[builder.__name__][0].lower().replace("o", "f")
    assert len(found) == sum(kinds.count(kinds[i]) - 1 for i in range(written))


@pytest.mark.parametrize("kernels", [C])
def test_overlap_is_judged_by_the_byte(kernels):
    room = memoryview(array("f", range(8)))
    kernels.relu_fwd(room[0:4], room[4:8])  # neighbours share nothing
    kernels.relu_fwd(room[0:0], room[0:8][0:0])  # and nothing shares nothing
    with pytest.raises(ValueError, match="relu_fwd: out: must not share memory with x"):
        kernels.relu_fwd(room[0:4], room[3:7])


@pytest.mark.parametrize("kernels", [C])
def test_only_as_many_arguments_as_there_are(kernels):
    with pytest.raises(TypeError, match="dense_fwd: expected 7 positional arguments, got 2"):
        kernels.dense_fwd(1, 2)
    with pytest.raises(TypeError):
        kernels.relu_fwd(out=array("f"), x=array("f"))


@pytest.mark.parametrize("kernels", [C])
def test_numpy_arrays_are_buffers(kernels):
    x, out = np.float32([[-1, 2], [3, -4]]), np.zeros((2, 2), np.float32)
    kernels.relu_fwd(out, x)
    assert out.tolist() == [[0, 2], [3, 0]]
    kernels.softmax_fwd(out, x, np.int64(2), 2)
    for bad, why in (
        (x[:, ::-1], "not contiguous"),
        (x.astype(">f4"), "typecode '>f'"),
        (np.frombuffer(bytes(17), np.uint8)[1:].view(np.float32), "not aligned"),
    ):
        with pytest.raises(TypeError, match=f"relu_fwd: x: .*{why}"):
            kernels.relu_fwd(out, bad)


@pytest.mark.parametrize("kernels", [C])
def test_buffers_are_released(kernels):
    """A bytearray that a view still holds cannot grow; after success and any error it can."""
    out, x = bytearray(4), bytearray(4)
    for call in (
        lambda: kernels.u8_to_s8(out, x),
        lambda: kernels.u8_to_s8(out, bytes(3)),
        lambda: kernels.u8_to_s8(out, 5),
        lambda: kernels.u8_to_s8(bytes(4), x),
        lambda: kernels.u8_to_s8(out, memoryview(out)[1:]),
    ):
        try:
            call()
        except (ValueError, TypeError):
            pass
        out.append(0)
        x.append(0)
        del out[-1], x[-1]


def test_no_reference_is_lost():
    """Calls, right and wrong, leave the reference counts where they were."""
    kernels = C.values[0]
    if kernels is None:
        pytest.skip("_engram cannot be imported here")
    out, x, n = array("f", [0]), array("f", [1]), 70000
    before = sys.getrefcount(out), sys.getrefcount(x), sys.getrefcount(n)
    for _ in range(2000):
        kernels.relu_fwd(out, x)
        for args in ((out, x, n, 1), (out, n, 1, 1), (out, x, 1.5, 1), (x, x, 2**40, 1)):
            with pytest.raises((ValueError, TypeError)):
                kernels.softmax_fwd(*args)
    del args  # it holds two of them
    assert (sys.getrefcount(out), sys.getrefcount(x), sys.getrefcount(n)) == before


def test_import_twice_and_in_a_fresh_interpreter():
    program = "import _engram, sys; del sys.modules['_engram']; import _engram; _engram.relu_fwd"
    if C.values[0] is None:
        pytest.skip("_engram cannot be imported here")
    subprocess.run([sys.executable, "-c", program], check=True)
