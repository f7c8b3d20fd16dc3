"""The choice for a board: kernels, packages, the size of its store, or a refusal.

Every refusal says what was expected, what the board has and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from engram_host.errors import InstallError
from engram_host.install import packages
from engram_host.install.facts import Facts
from engram_host.install.files import Files

OLDEST = (1, 23)  # the first with .mpy files of version 6.3
BUILT = ("x64", "armv6m", "armv7m", "armv7emsp", "armv7emdp", "rv32imc", "xtensawin")
# No float crosses the border of a native module by value, so that an ARM board runs the kernels
# of every ARM architecture that is not above its own.
_ARM = ("armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp")

# Name -> native modules. all: whatever a model may hold that trains in float32. train: a frozen
# int8 stage and an adaptive stage of dense and convolution layers, without other activations, Adam
# and audio. small: as train, compiled for size. q8: small, and what trains in int8.
KERNELS = {
    "all": ("_engram",),
    "train": ("_engram_core", "_engram_int8"),
    "q8": ("_engram_small", "_engram_q8"),
    "small": ("_engram_small",),
}
IN_PYTHON = "python"  # over ulab where the firmware has it
AUTO = "auto"

_LEARNER_BYTES = 112 * 1024  # of heap that `all` leaves for a learner, else `train`
_LEAST_BYTES = 16 * 1024  # that anything must leave
# The choices where no --kernels is given; q8 is for models that train in integers.
_LEFT_BYTES = {"all": _LEARNER_BYTES, "train": _LEARNER_BYTES, "small": _LEAST_BYTES}
_STORE_UNIT_BYTES = 4096
_DATA_BYTES = 64 * 1024
_STORE_UNITS_MOST = 64  # its index is heap: 150 bytes per unit and more
_STORE_UNITS_LEAST = 4


class Refusal(NamedTuple):
    """refused: whether the board is. The rest with the board's facts filled in."""

    refused: Callable[[Facts], bool]
    expected: str
    value: Callable[[Facts], str]
    advice: str


REFUSALS = (
    Refusal(
        lambda f: f.name != "micropython",
        "MicroPython",
        lambda f: f"{f.name} {f.release}",
        "flash MicroPython on the board (micropython.org/download)",
    ),
    Refusal(
        lambda f: tuple(f.version[:2]) < OLDEST,
        f"MicroPython {OLDEST[0]}.{OLDEST[1]} or later",
        lambda f: f.release,
        "flash a newer firmware: older ones do not load these .mpy files",
    ),
    Refusal(
        lambda f: f.mpy & 0xFF != 6,
        ".mpy files of version 6",
        lambda f: f"version {f.mpy & 0xFF}" if f.mpy else "a firmware that loads none",
        "take the Engram release that belongs to this MicroPython, or firmware with "
        "MICROPY_PERSISTENT_CODE_LOAD",
    ),
    Refusal(
        lambda f: f.float_bits not in (32, 64),
        "floats of 32 or 64 bits",
        lambda f: f"floats of {f.float_bits} bits" if f.float_bits else "firmware without floats",
        "this firmware was built with fewer (object representation C, or none): use another build",
    ),
    Refusal(
        lambda f: bool(f.missing),
        "modules that the library needs",
        lambda f: f"a firmware without {', '.join(f.missing)}",
        "use a build with MicroPython's extra features",
    ),
    Refusal(
        lambda f: f.frozen_engram is not None,
        "firmware without Engram",
        lambda f: f"firmware that has Engram {f.frozen_engram} built in, which comes first",
        "there is nothing to install: use the board as it is",
    ),
    Refusal(
        lambda f: f.file_system is None or not f.file_system["writable"],
        "a file system that can be written",
        lambda f: "none" if f.file_system is None else "one that is read-only",
        "mount or format one (os.VfsLfs2.mkfs), eject the board's USB drive, and try again",
    ),
)


@dataclass
class Choice:
    """arch: of the kernels, None for none. why: of the kernels, in words."""

    arch: str | None
    kernels: dict[str, str]  # module -> architecture
    packages: tuple[str, ...]
    why: str


def refuse(facts: Facts) -> None:
    """Raise InstallError where the library cannot run."""
    for row in REFUSALS:
        if row.refused(facts):
            raise InstallError(
                f"expected {row.expected} on this board, got {row.value(facts)}; {row.advice}"
            )


def loads(arch: str) -> tuple[str, ...]:
    """The architectures of BUILT whose kernels a board of this one loads, the best first."""
    if arch in _ARM:
        return tuple(a for a in reversed(_ARM[: _ARM.index(arch) + 1]) if a in BUILT)
    return (arch,) if arch in BUILT else ()


def candidates(facts: Facts, kernels: str) -> tuple[str, ...]:
    """Architectures whose native modules the board loads, the best first; () for none."""
    if kernels == IN_PYTHON or facts.user_module or facts.abi != "6.3":
        return ()
    return loads(facts.arch)


def needs(files: Files, names: Sequence[str]) -> dict[str, int]:
    """Name of KERNELS -> bytes of heap that they and packages take, by the length of the modules
    that every session loads."""
    assert files.arch is not None
    library = sum(files.session_bytes(name) for name in names)
    return {
        name: library + sum(files.kernel(files.arch, module).size for module in modules)
        for name, modules in KERNELS.items()
    }


def least_free(files: Files, names: Sequence[str]) -> dict[str, int]:
    """Name of KERNELS -> bytes of free heap from which a board gets them; the first that fits."""
    sizes = needs(files, names)
    return {name: sizes[name] + left for name, left in _LEFT_BYTES.items()}


def choose(facts: Facts, files: Files, purposes: Sequence[str], kernels: str) -> Choice:
    """The kernels and packages of the board. Raises InstallError when its heap is too small."""
    names = packages.with_needs(purposes)
    if files.arch is None:
        if not facts.user_module:
            names = packages.with_needs((*names, IN_PYTHON))
        return Choice(None, {}, names, _why_not(facts, kernels))
    free = facts.heap["free_bytes"]
    for name, size in needs(files, names).items():
        modules = dict.fromkeys(KERNELS[name], files.arch)
        if kernels == name and size + _LEAST_BYTES <= free:
            return Choice(files.arch, modules, names, f"asked for: {name}")
        if kernels == AUTO and name in _LEFT_BYTES and size + _LEFT_BYTES[name] <= free:
            return Choice(files.arch, modules, names, _why(name, files.arch, facts))
        if kernels == name:
            break
    raise InstallError(
        f"expected {(size + _LEAST_BYTES) // 1000} kB of free heap for {', '.join(names)} and the "
        f"kernels, got {free // 1000} kB; firmware with Engram built in needs a tenth "
        "of it (`engram build`), or install fewer packages (--packages core)"
    )


_FIT = {
    "all": "all kernels fit",
    "train": "those that train fit, all would leave too little heap",
    "small": "those that train, compiled for size: faster ones would leave too little heap",
}


def _why(name: str, arch: str, facts: Facts) -> str:
    loads = f"the board is {facts.arch}"
    if arch != facts.arch:
        loads += f" and loads {arch}"
    return f"{loads}; {_FIT[name]}"


def _why_not(facts: Facts, kernels: str) -> str:
    """Why there is no native module, and what computes."""
    substitute = "ulab of the firmware computes" if facts.ulab else "plain Python computes: slow"
    if facts.user_module:
        return "the firmware has the kernels built in"
    if kernels == IN_PYTHON:
        return f"asked for; {substitute}"
    if facts.arch == "none":
        return f"this firmware loads no native code; {substitute}"
    if facts.abi != "6.3":
        return f"native code of .mpy {facts.abi} wanted, 6.3 is there; {substitute}"
    return f"there are no kernels for {facts.arch}; {substitute}"


def store(kind: str | None, size: int | None, free_bytes: int) -> dict[str, Any]:
    """The "store" of engram_board.json: where samples are kept.

    kind: files, ram, none; None for files. size: bytes; None: the room of the file system but
    64 KiB for models and data, or half of the room, at most 256 KiB. Raises InstallError when
    the file system has no room.
    """
    room = max(free_bytes - _DATA_BYTES, free_bytes // 2) // _STORE_UNIT_BYTES
    units = min(room, _STORE_UNITS_MOST) if size is None else size // _STORE_UNIT_BYTES
    kind = kind or "files"
    if kind == "none":
        return {"kind": "none", "units": 0, "erase_bytes": _STORE_UNIT_BYTES}
    if kind == "ram" and size is None:
        units = _STORE_UNITS_LEAST
    if units < _STORE_UNITS_LEAST or (kind == "files" and units > room):
        raise InstallError(
            "expected room for a store of "
            f"{max(units, _STORE_UNITS_LEAST) * _STORE_UNIT_BYTES} bytes in the file system, got "
            f"{free_bytes} free bytes; remove files, give a smaller --store-bytes, or "
            "--store ram (lost at a reset)"
        )
    return {"kind": kind, "units": units, "erase_bytes": _STORE_UNIT_BYTES}
