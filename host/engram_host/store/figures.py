"""The figures of a replay region, as the device library finds them on a copy of it."""

from __future__ import annotations

import struct
from binascii import crc32
from typing import Any

from engram.store import RamFlash, Region, ReplayStore
from engram.store import wipe as wiping
from engram_host.store.image import DAMAGED, UNWRITTEN, StoreImage, saved_headers

_FORMAT_FIELDS = ("erase_bytes", "units", "latent_bytes", "bits", "targets")


def figures(image: StoreImage) -> dict[str, Any]:
    """Geometry, records, wear and saved states; sizes in bytes."""
    head, layout = image.header, image.layout
    state = _mount(image)
    slots = list(image.slots())
    records = image.records()
    programs, appends = _life(image, slots)
    states = saved_states(image)
    return {
        "source": image.name,
        "format_version": head.version(),
        **{name: getattr(head, name) for name in _FORMAT_FIELDS},
        "aligned_to": head.page_bytes,
        "slots_per_unit": layout.slots,
        "slot_bytes": layout.slot_bytes,
        "model_id": f"{head.model_id:08x}",
        "capacity": state["capacity"],
        "live": state["live"],
        "dead": state["dead"],
        "damaged": sum(slot.state == DAMAGED for slot in slots),
        "labels": _counted(record.label for record in records),
        "sessions": _counted(record.session for record in records),
        "free_units": state["free_blocks"],
        "used_units": head.units - state["free_blocks"] - state["bad_blocks"],
        "bad_units": state["bad_blocks"],
        "wear_min": state["wear_min"],
        "wear_max": state["wear_max"],
        "appended": appends,
        "write_amplification": round(programs / appends, 3) if appends else None,
        "index_ram_bytes": state["ram_bytes"],
        "checkpoints": states,
    }


def _mount(image: StoreImage) -> dict[str, int]:
    """The device library's figures of the log. Raises StoreError where it refuses the log."""
    head = image.header
    store = ReplayStore(
        Region(copy_of(image), 0, head.units), head.page_bytes, head.model_id,
        head.latent_bytes, head.bits, format_if_blank=False, align=head.page_bytes > 1,
        targets=head.targets,
    )  # fmt: skip
    return dict(store.info())


def copy_of(image: StoreImage) -> RamFlash:
    """The image from the first unit of the log on, as flash that takes programs."""
    size = image.header.erase_bytes
    blocks = (len(image.data) - image.first_at) // size
    flash = RamFlash(blocks, size, image.header.page_bytes)
    flash.data[:] = image.data[image.first_at : image.first_at + blocks * size]
    return flash


def _life(image: StoreImage, slots: list[Any]) -> tuple[int, int]:
    """(slots that were programmed, records that were appended) since the format.

    Units are opened in turns and filled before the next, but for one that a policy dropped:
    the unit sequence counts them. The record sequence counts what was appended; a copy keeps its.
    """
    sequence, newest = 0, -1
    for at, header in image.units():
        if header.sequence > sequence:
            sequence, newest = header.sequence, at
    unit = (newest - image.first_at) // image.header.erase_bytes
    unwritten = sum(slot.unit == unit and slot.state == UNWRITTEN for slot in slots)
    appends = max([slot.sequence for slot in slots if slot.sequence is not None], default=0)
    return sequence * image.layout.slots - unwritten, appends


def saved_states(image: StoreImage) -> list[dict[str, Any]]:
    """The saved states behind a log, the newest that is intact first."""
    size = image.header.erase_bytes
    states = []
    for at, fields in saved_headers(image.data, image.end_at, size):
        _, version, _, parts, model_id, generation, length, crc = fields
        # The payload begins on a page, whose size the image does not say.
        starts = [1 << n for n in range(5, 16) if 1 << n <= size]
        payloads = (image.data[at + start : at + start + length] for start in starts)
        payload = next((data for data in payloads if crc32(data) == crc), None)
        sizes = struct.unpack_from(f"<{parts}I", payload) if payload else ()
        states.append(
            {
                "generation": generation,
                "model_id": f"{model_id:08x}",
                "version": version,
                "bytes": length,
                "parts": list(sizes),
                "intact": payload is not None,
                "unit": (at - image.first_at) // size,
            }
        )
    return sorted(states, key=lambda state: (not state["intact"], -state["generation"]))


def _counted(values: Any) -> dict[str, int]:
    items = list(values)
    return {str(value): items.count(value) for value in sorted(set(items))}


def wiped(image: StoreImage, keep_wear: bool) -> bytes:
    """The image with its log and saved states erased; what lies before them stays."""
    flash = copy_of(image)
    wiping.wipe(flash, image.header.page_bytes, keep_wear)
    start = image.first_at
    return image.data[:start] + bytes(flash.data) + image.data[start + len(flash.data) :]
