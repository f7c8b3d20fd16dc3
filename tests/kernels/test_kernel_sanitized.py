"""The kernels and their CPython face under the address and undefined-behaviour sanitizers."""

import os
import shutil
import subprocess
import sys
import sysconfig

import pytest

from kernels.common import KERNELS, ROOT

pytestmark = pytest.mark.slow

FOLDERS = [str(ROOT / name) for name in ("device_lib", "tests/device", "tests/kernels")]

PROGRAM = """
import sys
sys.path[:0] = {paths!r}
import _engram, kernels_check
assert _engram.__file__.startswith({place!r})
kernels_check.main()
import fuzz
print("fuzz", *fuzz.main(4000))
"""


def sanitizer(name):
    """Path of the sanitizer's runtime; skips the test when the compiler has none."""
    answer = subprocess.run(
        ["cc", f"-print-file-name={name}"], capture_output=True, text=True
    ).stdout.strip()
    if not os.path.isabs(answer):
        pytest.skip(f"the C compiler has no {name}")
    return answer


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_every_case_and_misuse_is_clean(tmp_path):
    include = sysconfig.get_path("include")
    if not os.path.exists(os.path.join(include, "Python.h")):
        pytest.skip("Python's headers are not installed")
    runtime = f"{sanitizer('libasan.so')} {sanitizer('libubsan.so')}"
    flags = (
        "-std=c99 -O1 -g -Wall -Wextra -Werror -pedantic -ffp-contract=off -shared -fPIC"
        " -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
    ).split()
    sources = [*sorted(KERNELS.glob("*.c")), ROOT / "firmware" / "binding" / "cp_engram.c"]
    target = tmp_path / ("_engram" + sysconfig.get_config_var("EXT_SUFFIX"))
    subprocess.run(
        ["cc", *flags, f"-I{include}", f"-I{KERNELS}", *sources, "-o", target], check=True
    )
    place = str(tmp_path)
    program = PROGRAM.format(paths=[place, *FOLDERS], place=place)
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        # Python itself leaks at exit; its small objects hide overruns from the sanitizer
        env={
            **os.environ,
            "LD_PRELOAD": runtime,
            "ASAN_OPTIONS": "detect_leaks=0",
            "PYTHONMALLOC": "malloc",
        },
    )
    assert result.returncode == 0, result.stderr[-4000:]
    assert result.stderr == ""
    assert result.stdout.count("exact misuse") > 20
    succeeded, refusals = map(int, result.stdout.splitlines()[-1].removeprefix("fuzz ").split())
    assert min(succeeded, refusals) > 1000


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_sanitizer_would_speak(tmp_path):
    """The same flags on a program with an overrun: else the test above could not fail."""
    runtime = sanitizer("libasan.so")
    (tmp_path / "bad.c").write_text(
        "#include <stdlib.h>\nint read_past(int n) { char *p = malloc(8); return p[n]; }\n"
    )
    flags = "-O1 -shared -fPIC -fsanitize=address -fno-sanitize-recover=all".split()
    subprocess.run(["cc", *flags, tmp_path / "bad.c", "-o", tmp_path / "bad.so"], check=True)
    program = f"import ctypes; ctypes.CDLL({str(tmp_path / 'bad.so')!r}).read_past(9)"
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert result.returncode != 0 and "heap-buffer-overflow" in result.stderr
