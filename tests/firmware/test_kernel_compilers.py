"""The kernels compile at every usual setting, so that a port may choose its own.

Blocks in assembler name most of a core's registers. Whether that is too many depends on the
compiler, its settings and what it inlines a block into. The Cortex-M4F has most of them.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

KERNELS = Path(__file__).resolve().parents[2] / "firmware" / "kernels"
COMPILER = shutil.which("arm-none-eabi-gcc")
CORE = "-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard"
SETTINGS = {
    "O0": "-O0",
    "Os": "-Os",
    "O2": "-O2",
    "O3": "-O3",
    "frame pointer": "-O2 -fno-omit-frame-pointer",
    "small with a frame pointer": "-Os -fno-omit-frame-pointer",
    "a module's": "-O2 -fPIC -msingle-pic-base -mno-pic-data-is-text-relative",
}
QUICK = "frame pointer"


@pytest.mark.skipif(COMPILER is None, reason="arm-none-eabi-gcc is not installed: make setup")
@pytest.mark.parametrize(
    "setting",
    # each compiles all kernels, which takes seconds; the quick one leaves the fewest registers
    [pytest.param(s, marks=() if s == QUICK else pytest.mark.slow) for s in SETTINGS],
)
def test_every_kernel_compiles(tmp_path, setting):
    flags = f"-mthumb -std=c99 -c -Wall -Wextra -Werror {CORE} {SETTINGS[setting]}"
    sources = sorted(map(str, KERNELS.glob("*.c")))
    run = subprocess.run(
        [COMPILER, *flags.split(), *sources],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert len(list(tmp_path.glob("*.o"))) == len(sources)
