"""The packages of the device library, with their modules. A new package is a row here.

Modules are files below device_lib/engram, without their ending; a folder's name is its __init__.
A pattern of fnmatch may stand for several. A test holds that each module is in one package.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from engram_host.errors import InputError


class Package(NamedTuple):
    """A package: its purpose, its modules, the packages that it needs.

    asked: the modules among them that a session loads only where an option asks for them.
    """

    title: str
    modules: str
    needs: tuple[str, ...] = ()
    asked: str = ""

    def is_asked(self, module: str) -> bool:
        """Whether a session loads a module, as `nn/model`, only where an option asks for it."""
        return any(fnmatchcase(module, pattern) for pattern in self.asked.split())


PACKAGES = {
    "core": Package(
        "a model file, its layers forward and backward over one arena",
        "__init__ backend compat errors holder npy places progress memory memory/* nn nn/* "
        "vibration",
        asked="nn/integers nn/integer_stage nn/steps nn/quantizing nn/scales nn/formats/q8 "
        "nn/partial nn/channels nn/channel_steps nn/recompute nn/clipping nn/velocity "
        "nn/variational nn/objectives/reconstruct nn/objectives/bernoulli nn/objectives/kl_* "
        "nn/objectives/regress vibration",
    ),
    "store": Package(
        "samples and learned states in flash",
        "store store/*",
        ("core",),
    ),
    "continual": Package(
        "the learner: strategies, policies, metrics, watches",
        "continual continual/* opener stores watch watch/*",
        ("core", "store"),
        asked="continual/strategies/[!_br]* continual/policies/[!_b]* continual/strategies/bias "
        "continual/strategies/replay_* continual/health continual/herd continual/moving "
        "continual/scoring continual/collapse watch watch/*",
    ),
    "link": Package(
        "the agent that the `engram` command talks to",
        "link link/*",
        ("core",),
        asked="link/watches",
    ),
    "python": Package(
        "the kernels in Python, and over ulab where the firmware has it",
        "kernels kernels/*",
        ("core",),
    ),
}

# What is installed when nothing is said; "python" only where no native module can run.
USUAL = ("core", "store", "continual", "link")


FOR_PCS = "pc"  # the folder of the device library that runs on CPython alone: no package has it


def sources(library: Path) -> list[Path]:
    """The files below device_lib/engram that boards get, sorted."""
    return [p for p in sorted(library.rglob("*.py")) if p.parent != library / FOR_PCS]


def package_of(module: str) -> str:
    """The package of a module, as `nn/model`. Raises InputError when no row names it."""
    for name, package in PACKAGES.items():
        if any(fnmatchcase(module, pattern) for pattern in package.modules.split()):
            return name
    raise InputError(f"engram/{module}: no package of install/packages.py has it; give it a row")


def with_needs(names: Iterable[str]) -> tuple[str, ...]:
    """The packages named and those they need, in the order of the table. Raises InputError."""
    closure: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in PACKAGES:
            raise InputError(f"expected a package of {', '.join(PACKAGES)}; got {name!r}")
        closure.add(name)
        todo += PACKAGES[name].needs
    return tuple(name for name in PACKAGES if name in closure)
