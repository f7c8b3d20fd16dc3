"""A replay log in a flash image, read without a board and without changing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engram.store import format as fmt
from engram_host.errors import InputError

_STEP = 512  # the smallest erase unit: units begin on multiples of it

LIVE, DELETED, DAMAGED, UNWRITTEN = "live", "deleted", "damaged", "unwritten"


@dataclass(frozen=True)
class Slot:
    """One slot: where it lies, what it holds; label and so on only of intact records."""

    unit: int
    index: int
    state: str
    label: int | None = None
    experience: int | None = None
    sequence: int | None = None
    latent: bytes = b""


class StoreImage:
    """The replay log in an image, whose geometry is that of the first unit header in it.

    A retired unit holds nothing. Raises InputError when the image holds no log.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._data = path.read_bytes()
        except OSError as e:
            raise InputError(f"{path}: a flash image expected ({e.strerror})") from e
        self.first_at, self.header = self._find(path)
        head = self.header
        self.layout = fmt.Layout(head.erase_bytes, head.page_bytes, head.latent_bytes)

    @property
    def latent_bytes(self) -> int:
        return int(self.layout.latent_bytes)

    def _find(self, path: Path) -> tuple[int, Any]:
        for at in range(0, len(self._data) - fmt.HEADER_BYTES + 1, _STEP):
            if self._data[at : at + 4] == fmt.MAGIC:
                header = fmt.unpack_header(self._data[at : at + fmt.HEADER_BYTES])[0]
                if header is not None:
                    return at, header
        raise InputError(
            f"{path} holds no replay log of format version {fmt.VERSION}: an image of the flash "
            "of a board that observed samples expected (engram stop --save FILE)"
        )

    def units(self) -> Iterator[tuple[int, Any]]:
        """(offset in the image, header) of each unit from the first that has a header on."""
        size, geometry = self.header.erase_bytes, self.header.geometry()
        for n in range(self.header.units):
            at = self.first_at + n * size
            raw = self._data[at : at + fmt.HEADER_BYTES]
            header = fmt.unpack_header(raw)[0] if raw[:4] == fmt.MAGIC else None
            if header is not None and header.geometry() == geometry:
                yield at, header

    def slots(self) -> Iterator[Slot]:
        """Every slot of the units in use."""
        layout = self.layout
        for at, _ in self.units():
            mark = self._data[at + layout.mark_at : at + layout.mark_at + fmt.MARK_BYTES]
            if fmt.is_cleared(mark):
                continue
            unit = (at - self.first_at) // layout.erase_bytes
            for index in range(layout.slots):
                yield self._slot(unit, index, at + layout.slot_at(index))

    def _slot(self, unit: int, index: int, at: int) -> Slot:
        raw = self._data[at : at + self.layout.slot_bytes]
        if raw == b"\xff" * len(raw):
            return Slot(unit, index, UNWRITTEN)
        deleted = fmt.is_cleared(raw[:1])
        start, end = self.layout.record_at, self.layout.crc_at + fmt.CRC_BYTES
        if fmt.crc32(raw[start:end]) != fmt.CRC_RESIDUE:
            return Slot(unit, index, DELETED if deleted else DAMAGED)
        return Slot(
            unit,
            index,
            DELETED if deleted else LIVE,
            raw[start],
            int.from_bytes(raw[start + 1 : start + 3], "little"),
            fmt.record_sequence(raw, start),
            raw[self.layout.latent_at : self.layout.crc_at],
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
            "units": head.units,
            "erase_bytes": head.erase_bytes,
            "slots_per_unit": self.layout.slots,
            "wear_min": min(wear),
            "wear_max": max(wear),
        }
