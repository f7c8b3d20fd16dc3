"""MicroPython's own ports that firmware is built with: a row each, and what a board adds to it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..boards import Board, home
from ..errors import BuildError
from .modules import CMAKE, MAKE
from .steps import ARM_TOOLS, Source, run


@dataclass(frozen=True)
class Port:
    """A port of MicroPython.

    libraries    folders of lib/ -> a file of theirs; they are submodules of MicroPython's
                 repository, in no source package of it
    tools        program -> Debian package
    modules      the file that a user C module has for this port
    needs        variables that the vendor's tools set -> how to get them
    first        commands that come before all others when a build is typed
    ours         our folder in firmware/ports: the board module, the boot and what is frozen, the
                 same as an emulated board's; "": the board keeps those of MicroPython
    driver       the port's own driver is under that board module, by Python; else it has C
    environment  of a board: what make is given beside its arguments
    finish       makes of what the port leaves what a board takes
    """

    libraries: dict[str, str]
    tools: dict[str, str] = field(default_factory=lambda: ARM_TOOLS)
    modules: str = MAKE
    needs: dict[str, str] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    ours: str = ""
    driver: bool = False
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
    target = ["-o", str(out / facts["file"])]
    run([*tool, *place, *target, str(out / "firmware.bin")], source, log)


PORTS = {
    "rp2": Port(
        {
            "pico-sdk": "pico_sdk_init.cmake",
            "tinyusb": "src/tusb.c",
            "mbedtls": "library/sha256.c",
            "micropython-lib": "README.md",
        },
        {**ARM_TOOLS, "g++": "g++", "cmake": "cmake"},
        modules=CMAKE,
        ours="rp2",
        environment=_rp2_environment,
        finish=_rp2_finish,
    ),
    "stm32": Port({"stm32lib": "README.md", "micropython-lib": "README.md"}, ours="stm32"),
    "nrf": Port(
        {"nrfx": "nrfx.h", "tinyusb": "src/tusb.c", "micropython-lib": "README.md"},
        ours="nrf",
        driver=True,
    ),
    "mimxrt": Port(
        {"nxp_driver": "README.md", "tinyusb": "src/tusb.c"}, ours="mimxrt", driver=True
    ),
    "samd": Port(
        {"asf4": "README.md", "tinyusb": "src/tusb.c", "micropython-lib": "README.md"},
        ours="samd",
        driver=True,
    ),
    "esp32": Port(
        {"tinyusb": "src/tusb.c", "micropython-lib": "README.md"},
        {"make": "make", "idf.py": "(none: Espressif's ESP-IDF 5.2 to 5.4, its export.sh)"},
        modules=CMAKE,
        needs={"IDF_PATH": "source export.sh of Espressif's ESP-IDF 5.2 to 5.4 first"},
        first=('. "$IDF_PATH/export.sh"  # of Espressif\'s ESP-IDF, 5.2 to 5.4',),
    ),
}
# Libraries that a board may want beside its port's: a file of each.
MORE_LIBRARIES = {
    "btstack": "src/btstack.h",
    "cyw43-driver": "src/cyw43.h",
    "lwip": "src/core/tcp.c",
    "mbedtls": "library/sha256.c",
    "micropython-lib": "README.md",
    "mynewt-nimble": "README.md",
}


def port_of(board: Board) -> Port:
    """Raises BuildError when the board has no [build], or one of a port that is not there."""
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
            f"{board.name}: [build] port: expected one of {', '.join(PORTS)}, "
            f"got {facts['port']!r}"
        )
    return PORTS[facts["port"]]


def libraries(board: Board) -> dict[str, str]:
    """Folder below lib/ of MicroPython -> a file that is there when it is. Raises BuildError."""
    rows = dict(port_of(board).libraries)
    for name in board.facts["build"].get("libraries", ()):
        if name not in MORE_LIBRARIES:
            raise BuildError(
                f"{board.name}: [build] libraries: expected any of {', '.join(MORE_LIBRARIES)}, "
                f"got {name!r}"
            )
        rows[name] = MORE_LIBRARIES[name]
    return rows
