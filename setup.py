"""What pyproject.toml cannot say: the kernels as an extension, the boards as package data.

The extension ``_engram`` is optional. Where it cannot be compiled the installation succeeds
without it, says so, and ``engram.backend`` falls back to numpy (the same results, more slowly).
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
KERNELS = ROOT / "firmware" / "kernels"
BINDING = ROOT / "firmware" / "binding"
# Names of functions that nobody outside calls: 13 kB of a compressed wheel.
HIDDEN = ["-fvisibility=hidden"] if sys.platform.startswith("linux") else []
STRIPPED = ["-s"] if sys.platform.startswith("linux") else []


def relative(paths) -> list[str]:
    """Sorted, as setuptools wants them: relative to setup.py, with slashes."""
    return sorted(path.relative_to(ROOT).as_posix() for path in paths)


def kernel_extension() -> Extension:
    """``_engram`` from the same C sources as the firmware's, behind the CPython face.

    No contraction of a*b+c to one rounding: the results are those of the definition, bit by bit.
    """
    return Extension(
        "_engram",
        sources=relative([*KERNELS.glob("*.c"), *BINDING.glob("cp_*.c")]),
        depends=relative(
            [*KERNELS.glob("*.h"), *KERNELS.glob("*.def"), *BINDING.glob("*.h")]
        ),
        include_dirs=["firmware/kernels", "firmware/binding"],
        define_macros=[("Py_LIMITED_API", "0x030B0000")],
        extra_compile_args=["-std=c99", "-O3", "-g0", "-ffp-contract=off", *HIDDEN],
        extra_link_args=STRIPPED,
        py_limited_api=True,
        optional=True,
    )


class BuildExtOrSay(build_ext):
    """build_ext that, where the kernels cannot be compiled, says in full what that means."""

    def build_extension(self, ext):
        try:
            super().build_extension(ext)
        except Exception as why:
            print(
                f"engram: the C kernels were not built ({why}).\n"
                "engram: the installation goes on without them. On this computer Engram falls\n"
                "engram: back to numpy: the same results, more slowly. To have the C kernels,\n"
                "engram: install a C compiler and Python's headers (Debian: build-essential\n"
                "engram: python3-dev) and install again.",
                file=sys.stderr,
                flush=True,
            )
            raise  # setuptools knows that it is optional, and goes on


# What an installation carries of a checkout: the facts of boards, the demo's model and settings.
CARRIED = ("boards/*/board.toml", "examples/digits/*.toml", "examples/digits/*.safetensors")


class BuildPyWithBoards(build_py):
    """build_py that takes files of the checkout along as package data, for plain installations.

    A checkout and an editable installation read the files where they lie. For a release there is
    more: ENGRAM_DEVICE_FILES=1, what `engram install` puts on boards (build/device);
    ENGRAM_FIRMWARE, a folder with the firmware of virtual boards.
    """

    def run(self):
        super().run()
        if self.editable_mode:
            return
        data = Path(self.build_lib, "engram_host/_data")
        for path in sorted(path for pattern in CARRIED for path in ROOT.glob(pattern)):
            target = data / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        if os.environ.get("ENGRAM_DEVICE_FILES") == "1":
            replace(ROOT / "build" / "device", data / "device")
        if "ENGRAM_FIRMWARE" in os.environ:
            replace(Path(os.environ["ENGRAM_FIRMWARE"]), data / "build" / "firmware")


def replace(source: Path, target: Path) -> None:
    """Copy a folder to the place of another."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


# ENGRAM_EXTENSION=0: a wheel without C, for any computer. ENGRAM_BUILD: a build folder of its own,
# so that a release and the extension in place do not meet.
WITH_C = os.environ.get("ENGRAM_EXTENSION", "1") == "1"
options = {"bdist_wheel": {"py_limited_api": "cp311"}} if WITH_C else {}
if "ENGRAM_BUILD" in os.environ:
    options["build"] = {"build_base": os.environ["ENGRAM_BUILD"]}

setup(
    ext_modules=[kernel_extension()] if WITH_C else [],
    cmdclass={"build_ext": BuildExtOrSay, "build_py": BuildPyWithBoards},
    options=options,
)
