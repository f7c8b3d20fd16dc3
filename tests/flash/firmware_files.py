"""Firmware files of every kind, made here byte by byte, as the formats' documents say."""

import struct

from engram import __version__

MARK = "engram-firmware:{}:{};"
UF2_FAMILY = 0x2000


def program(board, size=1500, version=__version__):
    """The content of a firmware: numbers, and Engram's mark if a board is named."""
    content = bytearray(i * 7 & 0xFF for i in range(size))
    if board:
        mark = MARK.format(board, version).encode()
        content[300 : 300 + len(mark)] = mark
    return bytes(content)


def uf2(content, at, family, payload=256):
    blocks = [content[i : i + payload] for i in range(0, len(content), payload)]
    return b"".join(
        struct.pack("<8I", 0x0A324655, 0x9E5D5157, UF2_FAMILY, at + i * payload,
                    len(block), i, len(blocks), family)
        + block.ljust(476, b"\0")
        + struct.pack("<I", 0x0AB16F30)
        for i, block in enumerate(blocks)
    )  # fmt: skip


def record(kind, at, content):
    body = bytes([len(content), at >> 8, at & 0xFF, kind]) + content
    return f":{body.hex().upper()}{-sum(body) & 0xFF:02X}\n"


def ihex(content, at):
    lines = []
    for i in range(0, len(content), 16):
        where = at + i
        if i == 0 or where & 0xFFFF == 0:
            lines.append(record(4, 0, struct.pack(">H", where >> 16)))
        lines.append(record(0, where & 0xFFFF, content[i : i + 16]))
    return ("".join(lines) + record(1, 0, b"")).encode()


def elf(content, at):
    """A 32-bit ELF with a segment in flash, and one in RAM that is not loaded."""
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    header = struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, at, 52, 0, 0, 52, 32, 2, 0, 0, 0)
    flash = struct.pack("<8I", 1, 116, at, at, len(content), len(content), 5, 4)
    ram = struct.pack("<8I", 1, 0, 0x20000000, 0x20000000, 0, 4096, 6, 4)
    return ident + header + flash + ram + content


def dfuse(content, at):
    element = struct.pack("<II", at, len(content)) + content
    target = b"Target" + struct.pack("<BI255sII", 0, 0, b"", len(element), 1) + element
    prefix = b"DfuSe" + struct.pack("<BIB", 1, 11 + len(target), 1)
    return prefix + target + bytes(16)


def esp(content, chip_id):
    header = bytearray(24)
    header[0] = 0xE9
    struct.pack_into("<H", header, 12, chip_id)
    return bytes(header) + content
