"""Build the firmware of a real board: the port's own make, with our kernels and frozen library.

    path = build(boards.load("rpi_pico"))           # build/firmware/rpi_pico/firmware.uf2
    print("\\n".join(recipe(boards.load("esp32"))))   # the commands, to type

What is added to a build of MicroPython alone are two of its own variables: USER_C_MODULES, our
kernels, and FROZEN_MANIFEST, the board's own manifest with ours behind it. Where port_table names
a folder of ours for the port, its board module and its manifest are in their places, and the store
is a region of flash. board.toml's [build] names port, board and manifest; port_table says what a
port wants beside MicroPython's source.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from engram import __version__

from ..boards import Board, home, store
from ..errors import BuildError
from . import find_source, modules
from .modules import write_changed
from .port_table import libraries, port_of
from .rp2 import linked_tree, provided
from .steps import Say, Source, locked, mpy_cross, need, run, same_as_before

# What a firmware of ours carries in its bytes: who it is for, and its version.
MARK = "engram-firmware:{board}:{version};"

UNKNOWN_SOURCE = "$MICROPY_DIR"


MANIFEST = """\
# What the board of MicroPython freezes by itself, then Engram.
include("{manifest}")
include("{home}/device_lib/manifest.py", python_kernels=False, short={short})
module("engram_board.py", base_path="{home}/device_lib/stock", opt=2)
module("engram_firmware.py", base_path="{frozen}", opt=2)
"""
OUR_MANIFEST = """\
# What a board of the port freezes with a boot and a board module of ours.
include(
    "{ours}/manifest.py",
    board="{manifest}",
    drivers={drivers},
    networking={networking},
    short={short},
)
module("engram_firmware.py", base_path="{frozen}", opt=2)
"""
FROZEN = '''\
"""Which firmware of Engram this is."""

MARK = "{mark}"
BOARD = "{board}"
VERSION = "{version}"
'''
# Behind it where a driver of the port's is under the board module of ours.
FROZEN_FLASH = '''\
# For engram_board. Sizes in bytes; DATA_AT: where the processor sees the data flash, or None.
DATA_AT = {data_at}
FS_BYTES = {fs_bytes}
STORE_BYTES = {store_bytes}
ERASE_BYTES = {erase_bytes}
PROGRAM_BYTES = {program_bytes}
PROGRAM_ONCE = {program_once}
MAX_PAYLOAD_BYTES = {max_payload_bytes}
'''
# Behind it where the board keeps the boot of MicroPython.
FROZEN_FACTS = '''\
# For engram_board. The port has mounted its file system.
import os

FACTS = {{
    "name": BOARD,
    "root": "/flash" if "flash" in os.listdir("/") else "",
    "max_payload_bytes": {max_payload_bytes},
    "store": {region!r},
}}
'''


def artefact(board: Board) -> Path:
    """The file that is flashed the usual way: the file of the first table of [upload]."""
    first = next(iter(board.facts["upload"].values()))
    return board.build_dir / str(first["file"])


def mark(board: Board) -> str:
    return MARK.format(board=board.name, version=__version__)


def frozen_facts(board: Board) -> str:
    """The module engram_firmware of a board."""
    region = store(board.facts)
    assert region is not None  # boards.read() demands [flash]
    port = port_of(board)
    facts = (FROZEN_FLASH if port.driver else "") if port.ours else FROZEN_FACTS
    return (FROZEN + facts).format(
        **{"data_at": None, **board.facts["flash"]},
        mark=mark(board),
        board=board.name,
        version=__version__,
        max_payload_bytes=board.max_payload_bytes,
        region={name: getattr(region, name) for name in ("kind", "units", "erase_bytes")},
    )


def write_inputs(board: Board, whole: bool) -> tuple[Path, Path]:
    """The manifest, and what USER_C_MODULES gets; files of build/firmware/<board>.inputs.

    whole: MicroPython's tree has all of its libraries.
    """
    folder = board.build_dir.with_name(board.name + ".inputs")
    folder.mkdir(parents=True, exist_ok=True)
    facts, ours = board.facts["build"], port_of(board).ours
    write_changed(folder / "engram_firmware.py", frozen_facts(board))
    manifest = (OUR_MANIFEST if ours else MANIFEST).format(
        manifest="$(PORT_DIR)/" + facts["manifest"],
        ours=home() / "firmware" / "ports" / ours,
        drivers=whole,
        networking=whole and "micropython-lib" in facts.get("libraries", ()),
        home=home(),
        frozen=folder,
        short=facts.get("short", False),
    )
    write_changed(folder / "manifest.py", manifest)
    return folder / "manifest.py", user_modules(board, folder)


def user_modules(board: Board, folder: Path) -> Path:
    """The value of USER_C_MODULES: a folder for make, a file for CMake."""
    port = port_of(board)
    name = port.modules
    own = modules.ours(name)
    if port.ours and not port.driver:
        own.append(home() / "firmware" / "ports" / port.ours / name)
    files = modules.with_extra(own, name)
    values = {"BOARD_TOML": board.folder / "board.toml"}
    if name == modules.CMAKE:
        return modules.for_cmake(files, folder, values)
    return modules.for_make(files, folder / "modules", values)


def arguments(board: Board, source: str, whole: bool = True) -> list[str]:
    """The arguments of make for the port.

    source: MicroPython's tree. whole: it has all of its libraries.
    """
    facts = board.facts["build"]
    manifest, modules = write_inputs(board, whole)
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
    manifest = source.path / "ports" / facts["port"] / facts["manifest"]
    if not manifest.is_file():
        raise BuildError(f"{board.name}: [build] manifest: there is no {manifest}")
    for name, what in port.needs.items():
        if not os.environ.get(name):
            raise BuildError(f"{board.name}: {name} is not set: {what}")
    need(port.tools, board.name)


def absent(board: Board, source: Source) -> list[str]:
    """The libraries that the tree has not."""
    lib = source.path / "lib"
    return [name for name, file in libraries(board).items() if not (lib / name / file).exists()]


def with_libraries(board: Board, source: Source) -> Source:
    """A tree with the libraries that the port wants.

    That is MicroPython's repository with its submodules. For an RP2 board without a radio, what
    packages have is enough: a tree of links to them. Raises BuildError.
    """
    missing = absent(board, source)
    if not missing:
        return source
    facts = board.facts["build"]
    if facts["port"] == "rp2" and not facts.get("libraries"):
        tree = board.build_dir.parent / "rp2-tree"
        linked_tree(source, provided("--no-emulator"), tree)
        return Source(tree)
    raise BuildError(
        f"the port {facts['port']} wants {', '.join('lib/' + name for name in missing)}, which "
        f"{source.path} has not: they are submodules of MicroPython's repository, in no source "
        "package. Take a clone of it, say MICROPY_DIR=<clone>, and run there\n"
        f"    make -C ports/{facts['port']} BOARD={facts['board']} submodules"
    )


def _with_cmake(board: Board, tree: Source, words: list[str], jobs: int) -> list[list[str]]:
    """The commands of the rp2 port's Makefile, which finds no way in a tree of links."""
    variables = dict(word.split("=", 1) for word in words if "=" in word)
    values = {
        "MICROPY_BOARD": variables["BOARD"],
        "MICROPY_FROZEN_MANIFEST": variables["FROZEN_MANIFEST"],
        "USER_C_MODULES": variables["USER_C_MODULES"],
        "PICO_BUILD_DOCS": "0",
        "PICO_NO_PICOTOOL": "1",
        "CMAKE_EXPORT_COMPILE_COMMANDS": "1",
        "Python3_EXECUTABLE": sys.executable,
    }
    out = str(board.build_dir)
    configure = ["cmake", "-S", str(tree.path / "ports" / "rp2"), "-B", out]
    return [[*configure, *(f"-D{name}={value}" for name, value in values.items())],
            ["make", f"-j{jobs}", "-C", out]]  # fmt: skip


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
        tree = with_libraries(board, source)
        cross = mpy_cross(root, source, jobs, log, say)
        words = arguments(board, str(tree.path), tree is source)
        if not same_as_before(root / (board.name + ".stamp"), source, words):
            shutil.rmtree(out, ignore_errors=True)
        say(f"building the firmware of {board.name}, some minutes the first time")
        extras = {
            "MICROPY_MPYCROSS": str(cross),
            "MICROPY_MPYCROSS_DEPENDENCY": str(cross),
            **port.environment(board, source, log),
        }
        commands = [["make", f"-j{jobs}", *words, f"PYTHON={sys.executable}"]]
        for command in commands if tree is source else _with_cmake(board, tree, words, jobs):
            run(command, source, log, extras)
        port.finish(board, source, log)
    product = artefact(board)
    if not product.exists():
        raise BuildError(f"the build of {board.name} made no {product.name}; see {log}")
    return product
