"""Makes the files for boards in a checkout: build/device, out of device_lib and firmware/natmod.

    root = make()                     the library, by mpy-cross
    make_kernels("armv6m")            and the kernels for an architecture

    lib/engram/__init__.mpy  lib/engram/<package>.pack  lib/engram/texts
    lib/engram_pack.mpy  lib/engram_board.mpy  kernels/<arch>/_engram*.mpy  made.json

Nothing is made again while the sources are what they were.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import engram
from engram_host import build
from engram_host.boards import home
from engram_host.errors import InstallError
from engram_host.install import literals, pack, packages

ABI = "6.3"  # of the .mpy files that are made; MicroPython 1.23 and later load them
_LEVEL = "-O3"  # without assertions and line numbers, as frozen code
_MORE = "\n_first = _second = 0\n"  # two names: a word of their table
_FIRST = "from engram_pack import mounted\n__path__ = mounted(__file__)\n"


def folder() -> Path:
    """Where they are made."""
    return home() / "build" / "device"


def make() -> Path:
    """The library for boards; its folder. Raises InstallError outside of a checkout."""
    library = home() / "device_lib"
    if not (library / "engram").is_dir():
        raise InstallError(
            "expected files for boards, got an installation without any; install the wheel of a "
            "release archive, or set ENGRAM_HOME to a checkout of Engram"
        )
    cross = mpy_cross()
    sources = {
        path.relative_to(library).as_posix(): path.read_text()
        for part in ("engram", "stock")
        for path in packages.sources(library / part)
    }
    code = [Path(str(module.__file__)) for module in (literals, pack, packages)] + [Path(__file__)]
    digest = hashlib.sha256(repr(sorted(sources.items())).encode())
    digest.update(cross.read_bytes() + b"".join(path.read_bytes() for path in code))
    facts = {"engram": engram.__version__, "abi": ABI, "sources": digest.hexdigest()}
    facts_file = folder() / "made.json"
    with build.locked(folder().parent):
        if not facts_file.exists() or json.loads(facts_file.read_text()) != facts:
            facts_file.unlink(missing_ok=True)
            _make(cross, sources)
            facts_file.write_text(json.dumps(facts, indent=1) + "\n")
    return folder()


def _make(cross: Path, sources: dict[str, str]) -> None:
    out = folder() / "lib"
    shutil.rmtree(out, ignore_errors=True)
    (out / "engram").mkdir(parents=True)
    sources = literals.inlined(sources)
    texts, common = pack.Texts(), pack.common_names(sources.values())
    parts: dict[str, dict[str, bytes]] = {name: {} for name in packages.PACKAGES}
    for name, source in sources.items():
        if name.startswith("stock/"):
            data = _compiled(cross, source, Path(name).stem)
            (out / Path(name).with_suffix(".mpy").name).write_bytes(data)
            continue
        module = name.removeprefix("engram/").removesuffix(".py")
        source = pack.smaller(source, texts, common)
        dotted = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if module == "__init__":
            data = _compiled(cross, _FIRST + source, dotted)
            (out / "engram" / "__init__.mpy").write_bytes(data)
            continue
        package = packages.package_of(module.removesuffix("/__init__"))
        parts[package][module + ".mpy"] = _compiled(cross, source, dotted)
    for package, modules in parts.items():
        (out / "engram" / f"{package}.pack").write_bytes(pack.pack(modules))
    (out / "engram" / "texts").write_bytes(texts.packed())


def make_kernels(arch: str) -> bool:
    """The native modules of an architecture; False when they are not there and cannot be built.

    Raises InstallError when a compiler is here and they do not build.
    """
    tool = home() / "firmware" / "natmod" / "natmod_build.py"
    objects = home() / "build" / "natmod" / arch
    result = subprocess.run([sys.executable, str(tool), arch], capture_output=True, text=True)
    if (
        result.returncode
        and "not found" not in result.stderr
        and "expected one of" not in result.stderr
    ):
        raise InstallError(f"the kernels for {arch} do not build: {result.stderr.strip()[-2000:]}")
    if result.returncode and not list(objects.glob("*.mpy")):
        return False
    out = folder() / "kernels" / arch
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for path in sorted(objects.glob("*.mpy")):
        shutil.copyfile(path, out / path.name)
    return True


def mpy_cross() -> Path:
    """MicroPython's compiler to .mpy: that of the last firmware build, else built now."""
    out = home() / "build" / "firmware" / "mpy-cross"
    program = out / "mpy-cross"
    if not program.exists():
        source = build.find_source()
        with build.locked(out.parent):
            arguments = ["-C", str(source.path / "mpy-cross"), f"BUILD={out}"]
            arguments += [f"PYTHON={sys.executable}", "CFLAGS_EXTRA=-Wno-error"]
            build.make(arguments, 2, source, out.parent / "mpy-cross.log")
    return program


def compiled(source: str, name: str) -> bytes:
    """The .mpy of a module. name: what its tracebacks call it."""
    return _compiled(mpy_cross(), source, name)


def _compiled(cross: Path, source: str, name: str) -> bytes:
    """The .mpy of a module that holds its own memory alone. name: as _cross() takes it."""
    code = _cross(cross, source, name)
    return _cross(cross, source + _MORE, name) if holds_next(code) else code


def holds_next(code: bytes) -> bool:
    """Whether a module, once loaded, keeps alive whatever lies behind its table of names.

    MicroPython (1.25, py/bc.c) puts a module's table of objects behind that of its names, 2 bytes
    each, and keeps a pointer to both. Where there are no objects and the names fill heap blocks
    of 16 bytes, the pointer is the address of the next block. An arena was held that way.
    """
    names, at = _number(code, 4)  # behind "M", version, flags and bits of a small int
    objects, _ = _number(code, at)
    words = (2 * names + 3) // 4
    return objects == 0 and words % 4 == 0


def _number(code: bytes, at: int) -> tuple[int, int]:
    """(number of 7 bits per byte, where the next one begins)"""
    number = 0
    while code[at] & 0x80:
        number, at = number << 7 | code[at] & 0x7F, at + 1
    return number << 7 | code[at], at + 1


def _cross(cross: Path, source: str, name: str) -> bytes:
    """The .mpy of a module. name: what its tracebacks call it; that of the module, so that the
    board holds one text for both."""
    with tempfile.TemporaryDirectory() as place:
        path, target = Path(place) / "module.py", Path(place) / "module.mpy"
        path.write_text(source)
        result = subprocess.run(
            [str(cross), _LEVEL, "-s", name, "-o", str(target), str(path)],
            capture_output=True,
            text=True,
        )
        if result.returncode:
            raise InstallError(f"mpy-cross refuses {name}: {result.stderr.strip()}")
        return target.read_bytes()
