"""Build the firmware of a real board: the port's own make, with our kernels and frozen library.

    path = build(boards.load("rpi_pico"))           # build/firmware/rpi_pico/firmware.uf2
    print("\\n".join(recipe(boards.load("esp32"))))   # the commands, to type

What is added to a build of MicroPython alone are two of its own variables: USER_C_MODULES, our
kernels, and FROZEN_MANIFEST, the board's own manifest with ours behind it. board.toml's [build]
names port, board and manifest; `PORTS` says what a port wants beside MicroPython's source.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engram import __version__

from .boards import Board, home, store
from .build import find_source, make
from .build_rp2 import linked_tree, provided
from .build_steps import Say, Source, locked, run, same_as_before
from .errors import BuildError

# What a firmware of ours carries in its bytes: who it is for, and its version.
MARK = "engram-firmware:{board}:{version};"

ARM = {
    "make": "make",
    "gcc": "gcc libc6-dev",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
}
UNKNOWN_SOURCE = "$MICROPY_DIR"


@dataclass(frozen=True)
class Port:
    """A port of MicroPython.

    tools: program -> Debian package. libraries: folders of lib/ -> a file of theirs; they are
    submodules of MicroPython's repository, in no source package of it. modules: the file that a
    user C module has for this port. needs: variables that the vendor's tools set -> how to get
    them. first: commands that come before all others when a build is typed. environment: for a board, what make is given beside its arguments. finish: makes of what
    the port leaves what a board takes.
    """

    libraries: dict[str, str]
    tools: dict[str, str] = field(default_factory=lambda: ARM)
    modules: str = "micropython.mk"
    needs: dict[str, str] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    environment: Callable[[Board, Source, Path], dict[str, str]] = lambda *_: {}
    finish: Callable[[Board, Source, Path], None] = lambda *_: None


def _rp2_environment(board: Board, source: Source, log: Path) -> dict[str, str]:
    """The SDK would fetch and build picotool, for the UF2 file alone; and it links as for C++,
    where an empty library is enough."""
    shim = board.build_dir.with_name(board.name + ".inputs") / "shim"
    shim.mkdir(parents=True, exist_ok=True)
    run(["arm-none-eabi-ar", "rc", str(shim / "libstdc++.a")], source, log)
    maps = f"-ffile-prefix-map={source.path}=micropython -ffile-prefix-map={home()}=engram"
    return {
        "CFLAGS": maps,
        "CMAKE_ARGS": "-DPICO_NO_PICOTOOL=1",
        "CXXFLAGS": maps + " -DPICO_CXX_DISABLE_ALLOCATION_OVERRIDES=1",
        "LDFLAGS": f"-L{shim}",
    }


def _rp2_finish(board: Board, source: Source, log: Path) -> None:
    """firmware.uf2 of firmware.bin, by MicroPython's own tool."""
    out, facts = board.build_dir, board.facts["upload"]["uf2"]
    tool = [sys.executable, str(source.path / "tools" / "uf2conv.py"), "-c"]
    place = ["-b", hex(board.facts["build"]["address"]), "-f", hex(facts["family"])]
    made = ["-o", str(out / facts["file"])]
    run([*tool, *place, *made, str(out / "firmware.bin")], source, log)


PORTS = {
    "rp2": Port(
        {
            "pico-sdk": "pico_sdk_init.cmake",
            "tinyusb": "src/tusb.c",
            "mbedtls": "library/sha256.c",
            "micropython-lib": "README.md",
        },
        {**ARM, "g++": "g++", "cmake": "cmake"},
        modules="micropython.cmake",
        environment=_rp2_environment,
        finish=_rp2_finish,
    ),
    "stm32": Port({"stm32lib": "README.md", "micropython-lib": "README.md"}),
    "nrf": Port({"nrfx": "nrfx.h", "tinyusb": "src/tusb.c", "micropython-lib": "README.md"}),
    "mimxrt": Port({"nxp_driver": "README.md", "tinyusb": "src/tusb.c"}),
    "samd": Port({"asf4": "README.md", "tinyusb": "src/tusb.c", "micropython-lib": "README.md"}),
    "esp32": Port(
        {"tinyusb": "src/tusb.c", "micropython-lib": "README.md"},
        {"make": "make", "idf.py": "(none: Espressif's ESP-IDF 5.2 to 5.4, its export.sh)"},
        modules="micropython.cmake",
        needs={"IDF_PATH": "source export.sh of Espressif's ESP-IDF 5.2 to 5.4 first"},
        first=('. "$IDF_PATH/export.sh"  # of Espressif\'s ESP-IDF, 5.2 to 5.4',),
    ),
}
# Those that a board may want beside its port's: a file of each.
MORE_LIBRARIES = {
    "btstack": "src/btstack.h",
    "cyw43-driver": "src/cyw43.h",
    "lwip": "src/core/tcp.c",
    "mbedtls": "library/sha256.c",
    "micropython-lib": "README.md",
    "mynewt-nimble": "README.md",
}

MANIFEST = """\
# What the board of MicroPython freezes by itself, then Engram.
include("{manifest}")
include("{home}/device_lib/manifest.py")
module("engram_board.py", base_path="{home}/device_lib/stock", opt=3)
module("engram_firmware.py", base_path="{frozen}", opt=3)
"""
FROZEN = '''\
"""Which firmware of Engram this is."""

import os

MARK = "{mark}"
BOARD = "{board}"
VERSION = "{version}"
# For engram_board. The port has mounted its file system.
FACTS = {{
    "name": BOARD,
    "root": "/flash" if "flash" in os.listdir("/") else "",
    "max_payload_bytes": {max_payload_bytes},
    "store": {store!r},
}}
'''


def port_of(board: Board) -> Port:
    """Raises BuildError when the board has no [build]."""
    facts = board.facts.get("build")
    if facts is None and board.is_virtual:
        raise BuildError(
            f"{board.name} is a virtual board: `engram build {board.name}` builds it; there are "
            "commands to type for real boards only"
        )
    if facts is None:
        raise BuildError(
            f"{board.name}: no port of MicroPython is known for it ({board.status}); its "
            "board.toml wants a table [build] (boards/README.md)"
        )
    if facts["port"] not in PORTS:
        raise BuildError(
            f"{board.name}: [build] port: one of {', '.join(PORTS)} expected, "
            f"{facts['port']!r} came"
        )
    return PORTS[facts["port"]]


def libraries(board: Board) -> dict[str, str]:
    """Folder below lib/ of MicroPython -> a file that is there when it is."""
    more = board.facts["build"].get("libraries", ())
    return {**port_of(board).libraries, **{name: MORE_LIBRARIES[name] for name in more}}


def artefact(board: Board) -> Path:
    """The file that is flashed the usual way: that of the first table of [upload]."""
    first = next(iter(board.facts["upload"].values()))
    return board.build_dir / str(first["file"])


def mark(board: Board) -> str:
    return MARK.format(board=board.name, version=__version__)


def write_inputs(board: Board, base: str) -> tuple[Path, Path]:
    """The manifest, and what USER_C_MODULES gets; files of build/firmware/<board>.inputs.

    base: the manifest that ours includes.
    """
    folder = board.build_dir.with_name(board.name + ".inputs")
    folder.mkdir(parents=True, exist_ok=True)
    kept = store(board.facts)
    assert kept is not None  # boards.read() demands [flash]
    _write(
        folder / "engram_firmware.py",
        FROZEN.format(
            mark=mark(board),
            board=board.name,
            version=__version__,
            max_payload_bytes=board.max_payload_bytes,
            store={name: getattr(kept, name) for name in ("kind", "units", "erase_bytes")},
        ),
    )
    manifest = MANIFEST.format(manifest=base, home=home(), frozen=folder)
    _write(folder / "manifest.py", manifest)
    return folder / "manifest.py", MODULES[port_of(board).modules](folder)


def _write(path: Path, text: str) -> None:
    """Leave a file alone that is as it should be: make goes by its date."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def _module_folders() -> list[Path]:
    more = os.environ.get("EXTRA_C_MODULES", "").split(os.pathsep)
    return [home() / "firmware" / "usermod", *(Path(folder) for folder in more if folder)]


def _found(pattern: str) -> list[Path]:
    """The files of our user C modules and those of $EXTRA_C_MODULES."""
    files: list[Path] = []
    for folder in _module_folders():
        here = sorted(folder.resolve().glob("*/" + pattern))
        if not here:
            raise BuildError(
                f"EXTRA_C_MODULES: {folder} expected to hold folders with a {pattern}"
            )
        files += here
    return files


def _modules_for_make(folder: Path) -> Path:
    modules = folder / "modules"
    for file in _found("micropython.mk"):
        (modules / file.parent.name).mkdir(parents=True, exist_ok=True)
        text = f"USERMOD_DIR := {file.parent}\ninclude {file}\n"
        _write(modules / file.parent.name / "micropython.mk", text)
    return modules


def _modules_for_cmake(folder: Path) -> Path:
    lines = [f"include({file})\n" for file in _found("micropython.cmake")]
    _write(folder / "micropython.cmake", "".join(lines))
    return folder / "micropython.cmake"


MODULES = {"micropython.mk": _modules_for_make, "micropython.cmake": _modules_for_cmake}


def arguments(board: Board, source: str, base: str | None = None) -> list[str]:
    """Of make, for the port. source: MicroPython's tree. base: a manifest for the board's own."""
    facts = board.facts["build"]
    manifest, modules = write_inputs(board, base or "$(PORT_DIR)/" + facts["manifest"])
    return [
        "-C",
        f"{source}/ports/{facts['port']}",
        f"BOARD={facts['board']}",
        f"BUILD={board.build_dir}",
        f"USER_C_MODULES={modules}",
        f"FROZEN_MANIFEST={manifest}",
        *facts.get("arguments", ()),
    ]


def recipe(board: Board, micropython_dir: Path | str | None = None) -> list[str]:
    """The commands that build the firmware, as lines for a shell; files they name are written.

    Nothing is looked for, so that they can be typed elsewhere: without a tree $MICROPY_DIR is it.
    """
    source = str(micropython_dir or UNKNOWN_SOURCE)
    port, facts = port_of(board), board.facts["build"]
    at = ["make", "-C", f"{source}/ports/{facts['port']}", f"BOARD={facts['board']}"]
    commands = [
        [*at, *facts.get("arguments", ()), "submodules"],
        ["make", "-C", f"{source}/mpy-cross"],
        ["make", *arguments(board, source)],
    ]
    return [*port.first, *(" ".join(map(_quoted, command)) for command in commands)]


def _quoted(word: str) -> str:
    """For a shell, which is to replace the name of the unknown tree."""
    return word if word.startswith(UNKNOWN_SOURCE) else shlex.quote(word)


def check(board: Board, source: Source) -> None:
    """Raise BuildError for what is missing: a program, a library of the port, an SDK."""
    port, facts = port_of(board), board.facts["build"]
    if not (source.path / "ports" / facts["port"] / "boards" / facts["board"]).is_dir():
        raise BuildError(
            f"MicroPython {source.version} in {source.path} has no board {facts['board']} in "
            f"ports/{facts['port']}/boards"
        )
    for name, what in port.needs.items():
        if not os.environ.get(name):
            raise BuildError(f"{board.name}: {name} is not set: {what}")
    missing = [program for program in port.tools if shutil.which(program) is None]
    if missing:
        packages = " ".join(dict.fromkeys(port.tools[program] for program in missing))
        raise BuildError(
            f"{', '.join(missing)} expected to build {board.name}, not found: "
            f"apt-get install {packages}"
        )


def absent(board: Board, source: Source) -> list[str]:
    """The libraries that the tree has not."""
    lib = source.path / "lib"
    return [name for name, file in libraries(board).items() if not (lib / name / file).exists()]


def with_libraries(board: Board, source: Source) -> tuple[Source, str | None]:
    """A tree with the libraries that the port wants; a manifest where it has less to freeze.

    That is MicroPython's repository with its submodules. For an RP2 board without a radio, what
    packages have is enough: a tree of links to them. Raises BuildError.
    """
    missing = absent(board, source)
    if not missing:
        return source, None
    facts = board.facts["build"]
    if facts["port"] == "rp2" and not facts.get("libraries"):
        tree = board.build_dir.parent / "rp2-tree"
        linked_tree(source, provided("--no-emulator"), tree)
        return Source(tree), str(home() / "firmware" / "ports" / "rp2" / "stock" / "manifest.py")
    raise BuildError(
        f"the port {facts['port']} wants {', '.join('lib/' + name for name in missing)}, which "
        f"{source.path} has not: they are submodules of MicroPython's repository, in no source "
        "package. Take a clone of it, say MICROPY_DIR=<clone>, and run there\n"
        f"    make -C ports/{facts['port']} BOARD={facts['board']} submodules"
    )


def _with_cmake(board: Board, tree: Source, told: list[str]) -> list[list[str]]:
    """What the rp2 port's Makefile does, which does not find its way in a tree of links."""
    given = dict(word.split("=", 1) for word in told if "=" in word)
    values = {
        "MICROPY_BOARD": given["BOARD"],
        "MICROPY_FROZEN_MANIFEST": given["FROZEN_MANIFEST"],
        "USER_C_MODULES": given["USER_C_MODULES"],
        "PICO_BUILD_DOCS": "0",
        "PICO_NO_PICOTOOL": "1",
    }
    out = str(board.build_dir)
    configure = ["cmake", "-S", str(tree.path / "ports" / "rp2"), "-B", out]
    return [[*configure, *(f"-D{name}={value}" for name, value in values.items())],
            ["make", "-C", out]]  # fmt: skip


def build(
    board: Board,
    micropython_dir: Path | str | None = None,
    jobs: int | None = None,
    say: Say = lambda text: None,
) -> Path:
    """Build the firmware of a real board and return the file to flash.

    say gets one line at the start of each part that takes long. Raises BuildError: something is
    missing, and how to get it; or it does not compile, with the last lines of the log.
    """
    port = port_of(board)
    source = find_source(micropython_dir)
    check(board, source)
    jobs = jobs or os.cpu_count() or 2
    out = board.build_dir
    root = out.parent
    log = root / (board.name + ".log")
    with locked(root):
        log.write_text(f"MicroPython {source.version} in {source.path}\n")
        tree, base = with_libraries(board, source)
        cross = root / "mpy-cross"
        if not same_as_before(root / "mpy-cross.stamp", source, []):
            shutil.rmtree(cross, ignore_errors=True)
        if not (cross / "mpy-cross").exists():
            say(f"building mpy-cross {source.version}")
        python = f"PYTHON={sys.executable}"
        at = ["-C", str(source.path / "mpy-cross"), f"BUILD={cross}", python]
        make([*at, "CFLAGS_EXTRA=-Wno-error"], jobs, source, log)
        told = arguments(board, str(tree.path), base)
        if not same_as_before(root / (board.name + ".stamp"), source, told):
            shutil.rmtree(out, ignore_errors=True)
        say(f"building the firmware of {board.name}, some minutes the first time")
        compiler = {
            "MICROPY_MPYCROSS": str(cross / "mpy-cross"),
            "MICROPY_MPYCROSS_DEPENDENCY": str(cross / "mpy-cross"),
        }
        added = compiler | port.environment(board, source, log)
        direct = tree is source
        for command in [["make", *told, python]] if direct else _with_cmake(board, tree, told):
            run([*command, f"-j{jobs}"] if command[0] == "make" else command, source, log, added)
        port.finish(board, source, log)
    made = artefact(board)
    if not made.exists():
        raise BuildError(f"the build of {board.name} made no {made.name}; see {log}")
    return made
