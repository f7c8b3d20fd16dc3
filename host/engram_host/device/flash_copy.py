"""A copy of a board's replay region, over the link: every unit checked by its CRC on the board."""

from __future__ import annotations

import struct
from binascii import crc32

from engram.link import wire
from engram_host.device import Device
from engram_host.errors import LinkError

_UNITS = 16  # of which the board tells the CRCs at a time
_TRIES = 2  # of reading a unit


def copy_region(device: Device) -> bytes:
    """The bytes of the replay region. Blank units are not sent.

    Raises LinkError when a unit does not arrive as the board read it, DeviceError on a board
    without a region.
    """
    facts = device.link.call("flash")
    blocks, size = facts["blocks"], facts["erase_bytes"]
    data = bytearray(b"\xff" * (blocks * size))
    blank = crc32(data[:size])
    with device.reporter.bytes("read flash", len(data)) as update:
        for first in range(0, blocks, _UNITS):
            count = min(_UNITS, blocks - first)
            crcs = device.link.call("flash_crcs", first=first, count=count)
            for unit, crc in enumerate(crcs, first):
                if crc != blank:
                    data[unit * size : (unit + 1) * size] = _unit(device, unit, size, crc)
                update((unit + 1) * size)
    return bytes(data)


def _unit(device: Device, unit: int, size: int, crc: int) -> bytes:
    for _ in range(_TRIES):
        part = bytearray()
        while len(part) < size:
            ask = struct.pack("<IH", unit * size + len(part), device.link.max_payload)
            _, answer = device.link.request(wire.FLASH_DATA, ask)
            part += answer
        if crc32(part) == crc:
            return bytes(part)
    raise LinkError(
        f"unit {unit} of the replay region: expected crc32 {crc:08x}, got {crc32(part):08x}; the "
        "flash reads differently each time, or something else writes it"
    )
