"""Which kernel is in which native module, and that part of the kernel list.

    python natmod_modules.py                  the modules' names
    python natmod_modules.py _engram_audio    its rows of engram_kernels.def

_engram_core, _engram_int8, _engram_q8, _engram_layers and _engram_audio hold a family each, and
every kernel is in exactly one of them: what no pattern of FAMILIES takes is core. _engram holds
all families but _engram_q8, which only a model that trains in integers needs.
_engram_small holds, compiled for size, the kernels that the device library itself calls and those
of the ops of SMALL_OPS.
"""

import fnmatch
import re
import sys
from pathlib import Path

LIST = Path(__file__).resolve().parents[1] / "kernels" / "engram_kernels.def"

WHOLE = "_engram"
CORE = "_engram_core"
Q8 = "_engram_q8"
FRONT_ENDS = "_engram_audio"
FAMILIES = {
    "_engram_int8": (
        "conv2d_s8 depthwise_s8 dense_s8 avgpool_s8 maxpool_s8 add_s8 requantize_s8 lookup_s8 "
        "copy_s8 copy_channels_s8 pad_s8 conv2d_t_s8 softmax_s8"
    ),
    Q8: "*_q8 gather_codes",
    "_engram_layers": (
        "conv2d_t_* maxpool_* avgpool_* relu6_* leaky_relu_* hard_swish_* sigmoid_* tanh_* "
        "softmax_bwd_* scale_shift_bwd_* add_f32 mse adam_step exp_f32 log_f32 sqrt_f32 "
        "pad_* uniform_f32 gaussian_f32 sample_code* kl_* logistic_xent "
        "sum_errors keep_largest skip_smallest *_some"
    ),
    FRONT_ENDS: "hann_window rfft* power_spectrum mel_* log_mel dct_* vibration_*",
}
SMALL = "_engram_small"
# Format -> ops of device_lib/engram/nn/ops.py.
SMALL_OPS = {
    "f32": "dense conv2d pointwise relu global_avgpool flatten cast",
    "s8": "dense conv2d pointwise depthwise avgpool global_avgpool flatten cast",
}
SMALL_HOLDS = """
dense_fwd dense_bwd_dx dense_bwd_dw conv2d_fwd conv2d_bwd_dx conv2d_bwd_dw relu_fwd relu_bwd_dx
global_avgpool_fwd global_avgpool_bwd_dx softmax_xent softmax_fwd sgd_step sgd_plain zero_f32
check_finite
quantize_s8 dequantize_s8 u8_to_s8 conv2d_s8 depthwise_s8 dense_s8 avgpool_s8
axpy_f32 scale_f32 mul_f32 sum_squares scale_shift_fwd copy_channels copy_f32
lookup_s8 packed_bytes pack_s8 unpack_f32 draw_batch gather_latents gather_targets
""".split()
MODULES = (WHOLE, CORE, *FAMILIES, SMALL)


def rows(text=None):
    """Kernel name -> its row of the list, as text."""
    macros = re.findall(r"^ENGRAM_KERNEL\((?:.|\n)*?\)\)$", text or LIST.read_text(), re.M)
    return {re.match(r"ENGRAM_KERNEL\((\w+)", row)[1]: row for row in macros}


def family(kernel):
    """The module, other than the whole one, that holds a kernel: the first that names it."""
    for module, patterns in FAMILIES.items():
        if any(fnmatch.fnmatchcase(kernel, pattern) for pattern in patterns.split()):
            return module
    return CORE


def holds(module, kernel):
    """Whether a module has a kernel."""
    if module == SMALL:
        return kernel in SMALL_HOLDS
    own = family(kernel)
    return module == own or module == WHOLE and own != Q8


def main():
    if len(sys.argv) == 1:
        print(*MODULES)
        return
    module = sys.argv[1]
    if module not in MODULES:
        sys.exit("natmod_modules.py: expected one of %s, got %s" % (" ".join(MODULES), module))
    for kernel, row in rows().items():
        if holds(module, kernel):
            print(row)


if __name__ == "__main__":
    main()
