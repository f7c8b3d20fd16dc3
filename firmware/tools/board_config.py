"""Turn a board.toml into the C header, the linker memory map and the make variables of a firmware.

    board_config.py <board.toml> <out directory> [1]

writes board_config.h (macros ENGRAM_*), memory.ld (symbols used by the port's linker script) and
board.mk (variables BOARD_*, which choose the compiler's flags). 1: of stock firmware, whose flash
[flash.with_stock] may divide in another way.
Files are only rewritten when their text changes, so that make rebuilds nothing needlessly.
"""

import pathlib
import sys
import tomllib

# board.toml path -> C macro. Strings become C strings.
MACROS = (
    ("name", "ENGRAM_BOARD_NAME"),
    ("title", "ENGRAM_BOARD_TITLE"),
    ("chip.name", "ENGRAM_CHIP_NAME"),
    ("chip.clock_hz", "ENGRAM_CLOCK_HZ"),
    ("chip.ram_bytes", "ENGRAM_RAM_BYTES"),
    ("chip.flash_bytes", "ENGRAM_CHIP_FLASH_BYTES"),
    ("virtual.icount_shift", "ENGRAM_ICOUNT_SHIFT"),
    ("flash.firmware_bytes", "ENGRAM_FIRMWARE_BYTES"),
    ("flash.fs_bytes", "ENGRAM_FS_BYTES"),
    ("flash.store_bytes", "ENGRAM_STORE_BYTES"),
    ("flash.erase_bytes", "ENGRAM_ERASE_BYTES"),
    ("flash.program_bytes", "ENGRAM_PROGRAM_BYTES"),
    ("flash.program_once", "ENGRAM_PROGRAM_ONCE"),
    ("counter.kind", "ENGRAM_COUNTER_KIND"),
    ("counter.unit", "ENGRAM_COUNTER_UNIT"),
    ("link.max_payload_bytes", "ENGRAM_MAX_PAYLOAD_BYTES"),
    ("link.receive_ring_bytes", "ENGRAM_RECEIVE_RING_BYTES"),
)
# board.toml path -> linker symbol.
SYMBOLS = (
    ("build.address", "_firmware_start"),
    ("flash.firmware_bytes", "_firmware_bytes"),
    ("chip.ram_bytes", "_ram_bytes"),
    ("memory.stack_bytes", "_stack_bytes"),
)
# board.toml path -> make variable.
VARIABLES = (
    ("chip.core", "BOARD_CORE"),
    ("chip.arch", "BOARD_ARCH"),
    ("chip.fpu", "BOARD_FPU"),
    ("virtual.machine", "BOARD_MACHINE"),
    ("virtual.optimise", "BOARD_OPTIMISE"),
)


def look_up(facts, path):
    """Value at a dotted path of the parsed board.toml, or None."""
    for key in path.split("."):
        if not isinstance(facts, dict) or key not in facts:
            return None
        facts = facts[key]
    return facts


def as_c(value):
    return '"%s"' % value if isinstance(value, str) else "(%d)" % value


def rows(facts, table):
    for path, name in table:
        value = look_up(facts, path)
        if value is not None:
            yield name, value


def write_if_changed(path, text):
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main(board_toml, out, stock=""):
    facts = tomllib.loads(pathlib.Path(board_toml).read_text())
    if stock:
        facts["flash"].update(facts["flash"].get("with_stock", {}))
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    note = "generated from board.toml; change it there"
    header = "".join("#define %s %s\n" % (n, as_c(v)) for n, v in rows(facts, MACROS))
    write_if_changed(out / "board_config.h", "// %s\n#pragma once\n%s" % (note, header))
    memory = "".join("%s = %d;\n" % row for row in rows(facts, SYMBOLS))
    write_if_changed(out / "memory.ld", "/* %s */\n%s" % (note, memory))
    variables = "".join("%s = %s\n" % row for row in rows(facts, VARIABLES))
    write_if_changed(out / "board.mk", "# %s\n%s" % (note, variables))


if __name__ == "__main__":
    main(*sys.argv[1:])
