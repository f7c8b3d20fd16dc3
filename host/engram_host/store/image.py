"""A replay region in a flash image, read without a board and without changing it.

The image is a file, or a copy of the region of a board (device.flash_copy).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engram.store import checkpoint
from engram.store import format as fmt
from engram_host.errors import InputError

_STEP = 512  # the smallest erase unit: units begin on multiples of it

LIVE, DELETED, DAMAGED, UNWRITTEN = "live", "deleted", "damaged", "unwritten"


def saved_headers(data: bytes, start: int, erase_bytes: int) -> Iterator[tuple[int, Any]]:
    """(offset, header fields) of what says that it is a saved state, from an offset on; a claim
    (generation 0) holds none."""
    for at in range(start, len(data), erase_bytes):
        header = checkpoint.unpack_header(data[at : at + checkpoint.HEADER_BYTES])
        if header is not None and header[5]:
            yield at, header


@dataclass(frozen=True)
class Slot:
    """One slot: where it lies, what it holds; label and so on only of intact records."""

    unit: int
    index: int
    state: str
    label: int | None = None
    session: int | None = None
    sequence: int | None = None
    latent: bytes = b""
    target: tuple[float, ...] = ()


class StoreImage:
    """The replay log in an image, whose geometry is that of the first unit header in it.

    data: the image; name: what to call it. is_region: it is a replay region, from its first unit
    to its last; else the log is looked for, and other things may lie around it. Raises InputError
    when the image holds no log.

    .first_at   offset of unit 0 of the log
    """

    def __init__(self, data: bytes, name: str, is_region: bool = False) -> None:
        self.data, self.name = data, name
        header_at, self.header = self._find()
        head = self.header
        self.layout = fmt.Layout(
            head.erase_bytes, head.page_bytes, head.latent_bytes, head.targets
        )
        self.first_at = 0 if is_region else self._begin(header_at)
        if self.first_at < 0 or self.end_at > len(data):
            raise InputError(
                f"{name}: expected an image of the whole flash, got {len(data):,} bytes, in which "
                f"a log of {head.units} units of {head.erase_bytes:,} does not fit"
            )

    @classmethod
    def of_file(cls, path: Path) -> StoreImage:
        """Raises InputError when the file cannot be read, too."""
        try:
            data = path.read_bytes()
        except OSError as e:
            raise InputError(f"{path}: expected a flash image, got {e.strerror}") from e
        return cls(data, str(path))

    @property
    def latent_bytes(self) -> int:
        return int(self.layout.latent_bytes)

    @property
    def end_at(self) -> int:
        """Offset behind the log; saved states begin there."""
        return int(self.first_at + self.header.units * self.header.erase_bytes)

    def _find(self) -> tuple[int, Any]:
        for at in range(0, len(self.data) - fmt.HEADER_BYTES + 1, _STEP):
            if self.data[at : at + 4] == fmt.MAGIC:
                header = fmt.unpack_header(self.data[at : at + fmt.HEADER_BYTES])[0]
                if header is not None:
                    return at, header
        if fmt.is_blank(self.data):
            raise InputError(
                f"{self.name}: expected stored samples, got blank flash; `engram push model`, "
                "then "
                "`engram learn`"
            )
        raise InputError(
            f"{self.name}: expected a replay log of format version {fmt.VERSIONS[0]} or "
            f"{fmt.VERSIONS[1]}, got none; give an image of a board's flash "
            "(`engram stop BOARD --save FILE`), or a board that observed samples"
        )

    def _begin(self, header_at: int) -> int:
        """Offset of unit 0, from that of the first unit with a header: what must lie behind it
        tells how many before it have none."""
        size = self.header.erase_bytes
        states = [at for at, _ in saved_headers(self.data, header_at, size)]
        end = min([len(self.data), *states])
        beyond = header_at + self.header.units * size - end
        return int(header_at - max(0, -(-beyond // size)) * size)

    def units(self) -> Iterator[tuple[int, Any]]:
        """(offset in the image, header) of each unit that has a header."""
        size, geometry = self.header.erase_bytes, self.header.geometry()
        for n in range(self.header.units):
            at = self.first_at + n * size
            raw = self.data[at : at + fmt.HEADER_BYTES]
            header = fmt.unpack_header(raw)[0] if raw[:4] == fmt.MAGIC else None
            if header is not None and header.geometry() == geometry:
                yield at, header

    def slots(self) -> Iterator[Slot]:
        """Every slot of the units in use."""
        layout = self.layout
        for at, _ in self.units():
            mark = self.data[at + layout.mark_at : at + layout.mark_at + fmt.MARK_BYTES]
            if fmt.is_cleared(mark):
                continue
            unit = (at - self.first_at) // layout.erase_bytes
            for index in range(layout.slots):
                yield self._slot(unit, index, at + layout.slot_at(index))

    def _slot(self, unit: int, index: int, at: int) -> Slot:
        raw = self.data[at : at + self.layout.slot_bytes]
        if raw == b"\xff" * len(raw):
            return Slot(unit, index, UNWRITTEN)
        is_deleted = fmt.is_cleared(raw[:1])
        start, end = self.layout.record_at, self.layout.crc_at + fmt.CRC_BYTES
        if fmt.crc32(raw[start:end]) != fmt.CRC_RESIDUE:
            return Slot(unit, index, DELETED if is_deleted else DAMAGED)
        return Slot(
            unit,
            index,
            DELETED if is_deleted else LIVE,
            raw[start],
            int.from_bytes(raw[start + 1 : start + 3], "little"),
            fmt.record_sequence(raw, start),
            raw[self.layout.latent_at : self.layout.targets_at],
            struct.unpack_from(f"<{self.layout.targets}f", raw, self.layout.targets_at),
        )

    def records(self) -> list[Slot]:
        """Intact records in the order in which they were appended; copies of a collection that
        was cut short count once."""
        live = {slot.sequence: slot for slot in self.slots() if slot.state == LIVE}
        return sorted(live.values(), key=lambda slot: slot.sequence or 0)

    def check(self) -> dict[str, Any]:
        """The log in figures; "damaged_slots": [[unit, slot], ...]."""
        counts = dict.fromkeys((LIVE, DELETED, DAMAGED, UNWRITTEN), 0)
        damaged = []
        for slot in self.slots():
            counts[slot.state] += 1
            if slot.state == DAMAGED:
                damaged.append([slot.unit, slot.index])
        records = self.records()
        labels = [record.label for record in records if record.label is not None]
        wear = [header.erases for _, header in self.units()]
        head = self.header
        return {
            **counts,
            LIVE: len(records),
            "labels": {str(label): labels.count(label) for label in sorted(set(labels))},
            "damaged_slots": damaged,
            "model_id": f"{head.model_id:08x}",
            "bits": head.bits,
            "latent_bytes": head.latent_bytes,
            "targets": head.targets,
            "units": head.units,
            "erase_bytes": head.erase_bytes,
            "slots_per_unit": self.layout.slots,
            "wear_min": min(wear),
            "wear_max": max(wear),
        }


def _write_lines(image: StoreImage, path: Path) -> None:
    fields = ("unit", "index", "label", "session", "sequence")
    with path.open("w", encoding="utf-8") as file:
        for record in image.records():
            row = {name: getattr(record, name) for name in fields}
            row["latent"] = record.latent.hex()
            if image.header.targets:
                row["target"] = record.target
            file.write(json.dumps(row) + "\n")


def _write_latents(image: StoreImage, path: Path) -> None:
    latents = [np.frombuffer(record.latent, np.uint8) for record in image.records()]
    np.save(path, np.array(latents, np.uint8).reshape(len(latents), image.latent_bytes))


def _write_region(image: StoreImage, path: Path) -> None:
    path.write_bytes(image.data[image.first_at :])


# How a dump looks: suffix of the file -> who writes it.
WRITERS = {".jsonl": _write_lines, ".npy": _write_latents, ".bin": _write_region}
