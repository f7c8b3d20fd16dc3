"""The facts in a firmware file. Its kind is known by its content, not by its name.

    image = read(Path("firmware.uf2"))
    image.kind, image.families, image.extent, image.engram

Sources: UF2, github.com/microsoft/uf2; Intel HEX, Intel 1988; ELF, System V ABI; DfuSe, ST UM0391;
ESP image, "Firmware Image Format" of esptool's documentation.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engram_host.errors import FlashError

# RP2350-E10: tools put one block of this family in front, at the end of the address space.
UF2_ABSOLUTE = 0xE48BFF57
_UF2 = struct.Struct("<8I476sI")
_UF2_BEGIN = (0x0A324655, 0x9E5D5157)
_UF2_END = 0x0AB16F30
_UF2_NOT_FLASH, _UF2_HAS_FAMILY = 0x1, 0x2000
_ESP_MAGIC, _ESP_CHIP_ID_AT, _ESP_HEADER_BYTES = 0xE9, 12, 24
_PT_LOAD = 1
_MARK = re.compile(rb"engram-firmware:([A-Za-z0-9_-]+):([^;\x00]{1,32});")

Span = tuple[int, bytes]  # address, content


@dataclass(frozen=True)
class Image:
    """kind: uf2, hex, elf, dfu, esp or bin. spans: in order of address; of `esp` and `bin` from 0,
    as these files do not say where they go. families: of UF2 blocks. chip_id: of an ESP image.
    """

    kind: str
    spans: tuple[Span, ...]
    families: frozenset[int] = frozenset()
    chip_id: int | None = None

    @property
    def placed(self) -> bool:
        """Whether the file says at which address it goes."""
        return self.kind not in ("esp", "bin")

    @property
    def extent(self) -> tuple[int, int]:
        """First address, address after the last."""
        return self.spans[0][0], max(at + len(data) for at, data in self.spans)

    @property
    def size(self) -> int:
        """Bytes that are programmed."""
        return sum(len(data) for _, data in self.spans)

    @property
    def engram(self) -> tuple[str, str] | None:
        """(board, version) if it is a firmware of `engram build`."""
        for _, data in self.spans:
            if match := _MARK.search(data):
                return match[1].decode(), match[2].decode()
        return None


def read(path: Path) -> Image:
    """Read a firmware file. Raises FlashError when it is none, or damaged."""
    if not path.is_file():
        raise FlashError(f"{path}: expected a firmware file, got no file")
    data = path.read_bytes()
    for kind, (is_one, parser) in _KINDS.items():
        if is_one(data):
            try:
                image = parser(data)
            except (struct.error, ValueError, IndexError) as e:
                raise FlashError(f"{path}: begins as {kind} and is damaged ({e})") from None
            if not image.spans:
                raise FlashError(f"{path}: {kind} without content")
            return image
    if not data:
        raise FlashError(f"{path}: expected a firmware, got an empty file")
    return Image("bin", ((0, data),))


def joined(pieces: list[Span]) -> tuple[Span, ...]:
    """Spans in order, neighbours as one. Raises ValueError where two overlap."""
    spans: list[tuple[int, bytearray]] = []
    for at, data in sorted(pieces, key=lambda piece: piece[0]):
        end = spans[-1][0] + len(spans[-1][1]) if spans else None
        if end is not None and at < end:
            raise ValueError(f"two contents for address 0x{at:x}")
        if at == end:
            spans[-1][1].extend(data)
        else:
            spans.append((at, bytearray(data)))
    return tuple((at, bytes(data)) for at, data in spans)


def _uf2(data: bytes) -> Image:
    if len(data) % _UF2.size:
        raise ValueError(f"{len(data)} bytes are no whole number of blocks")
    pieces: list[Span] = []
    families: set[int] = set()
    for number, fields in enumerate(_UF2.iter_unpack(data)):
        *opening, flags, at, count, _, _, family, content, end = fields
        if tuple(opening) != _UF2_BEGIN or end != _UF2_END or count > len(content):
            raise ValueError(f"block {number} is none")
        if flags & _UF2_NOT_FLASH or flags & _UF2_HAS_FAMILY and family == UF2_ABSOLUTE:
            continue
        if flags & _UF2_HAS_FAMILY:
            families.add(family)
        pieces.append((at, content[:count]))
    return Image("uf2", joined(pieces), frozenset(families))


def _hex(data: bytes) -> Image:
    pieces: list[Span] = []
    base = 0
    for number, line in enumerate(data.split(), 1):
        if line[:1] != b":":
            raise ValueError(f"line {number} does not begin with ':'")
        record = bytes.fromhex(line[1:].decode("ascii"))
        if sum(record) & 0xFF or len(record) != record[0] + 5:
            raise ValueError(f"line {number}: wrong sum or length")
        at, kind, content = record[1] << 8 | record[2], record[3], record[4:-1]
        if kind == 0:
            pieces.append((base + at, content))
        elif kind == 1:
            return Image("hex", joined(pieces))
        elif kind in (2, 4):
            base = int.from_bytes(content, "big") << (4 if kind == 2 else 16)
    raise ValueError("the end is missing")


def _elf(data: bytes) -> Image:
    if data[4:6] != b"\x01\x01":
        raise ValueError("not for a 32-bit chip of little endian")
    (table,) = struct.unpack_from("<I", data, 28)
    entry, count = struct.unpack_from("<HH", data, 42)
    pieces: list[Span] = []
    for i in range(count):
        kind, offset, _, physical, size = struct.unpack_from("<5I", data, table + i * entry)
        if kind == _PT_LOAD and size:
            if offset + size > len(data):
                raise ValueError("it is cut off")
            pieces.append((physical, data[offset : offset + size]))
    return Image("elf", joined(pieces))


def _dfuse(data: bytes) -> Image:
    pieces: list[Span] = []
    at = 11  # after the prefix
    for _ in range(data[10]):
        if data[at : at + 6] != b"Target":
            raise ValueError("expected a target, got none")
        elements = struct.unpack_from("<I", data, at + 270)[0]
        at += 274
        for _ in range(elements):
            address, size = struct.unpack_from("<II", data, at)
            at += 8
            if at + size > len(data):
                raise ValueError("it is cut off")
            pieces.append((address, data[at : at + size]))
            at += size
    return Image("dfu", joined(pieces))


def _esp(data: bytes) -> Image:
    if len(data) < _ESP_HEADER_BYTES:
        raise ValueError("it is cut off")
    return Image("esp", ((0, data),), chip_id=struct.unpack_from("<H", data, _ESP_CHIP_ID_AT)[0])


_KINDS: dict[str, tuple[Callable[[bytes], bool], Callable[[bytes], Image]]] = {
    "uf2": (lambda d: d[:4] == b"UF2\n", _uf2),
    "elf": (lambda d: d[:4] == b"\x7fELF", _elf),
    "dfu": (lambda d: d[:5] == b"DfuSe", _dfuse),
    "esp": (lambda d: d[:1] == bytes([_ESP_MAGIC]), _esp),
    "hex": (lambda d: d[:1] == b":", _hex),
}
