"""The definition of the replay kernels: the picks of a mini-batch, and its latents from flash."""

import struct
from array import array
from binascii import crc32

# not "from . import": MicroPython would ask the package's __getattr__, and no further
import engram.kernels.demands as check

from .parts import MODULI, fields, s8, slot_at, store_s8

_FACTORS = (157, 146, 142)
_RANGE = 32361
_CRC_RESIDUE = 0x2144DF1C  # crc32(m + crc32(m) as little-endian) of any m


def _draw(random):
    """0 .. _RANGE - 1 from L'Ecuyer's three 16-bit generators (CACM 31(6), 1988, fig. 3)."""
    for i in range(3):
        random[i] = _FACTORS[i] * random[i] % MODULI[i]
    z = (random[0] - random[1] + random[2]) % 32362
    return (z if z else _RANGE) - 1


def _below(random, n):
    """An int in [0, n), 1 <= n <= 65535."""
    if n <= _RANGE:
        return _draw(random) * n // _RANGE
    high = n // _RANGE + 1
    while True:
        value = _draw(random) * high // _RANGE * _RANGE
        value += _draw(random)
        if value < n:
            return value


def draw_batch(slots, random, place, order, start, present, fresh, groups):
    """slots (B) = `fresh` new records, then old ones whose classes take turns; random (3) = state
    of the generator, place (2) = next new record and class served last, order (n) = slots of the
    new records, then of the old ones by class, start = first old record of each class and the
    end, present = the classes that have old records, `groups` of them; new records that have all
    been served are shuffled and served again
    """
    slots, random, place = check.draw_batch(
        slots, random, place, order, start, present, fresh, groups
    )
    turn = place[1]
    for i in range(fresh):
        if place[0] >= start[0]:
            for last in range(start[0] - 1, 0, -1):
                j = _below(random, last + 1)
                order[last], order[j] = order[j], order[last]
            place[0] = 0
        slots[i] = order[place[0]]
        place[0] += 1
    for i in range(fresh, len(slots)):
        turn = turn + 1 if turn + 1 < groups else 0
        c = present[turn] & 255
        slots[i] = order[start[c] + _below(random, start[c + 1] - start[c])]
    place[1] = turn


def gather_latents(out, labels, raw, slots, layout, codes, at, count):
    """out (B, n) and labels (B): rows at .. at + count - 1 = the latents of records in raw, looked
    up in codes (2**bits); raw = the log as it lies in flash, slots (B), layout (8) = slots a unit,
    bytes from unit to unit, of slot 0, from slot to slot; of the record, its latent, its targets
    and its end in the slot; returns at + count, or the first row whose record is deleted or fails
    its crc32
    """
    args = check.gather_latents(out, labels, raw, slots, layout, codes, at, count)
    slots, layout, bits = args
    n = len(out) // len(slots) if len(slots) else 0
    record_at, latent_at, targets_at, end = layout[4:8]
    for row in range(at, at + count):
        first = slot_at(layout, slots[row])
        slot = bytes([v & 255 for v in raw[first : first + end]])
        zeros = slot[0] ^ 255  # one alone fell over
        if zeros & (zeros - 1) or crc32(slot[record_at:]) != _CRC_RESIDUE:
            return row
        store_s8(labels, row, s8(slot[record_at]))
        for i, v in enumerate(fields(slot[latent_at:targets_at], n, bits)):
            out[row * n + i] = codes[v]
    return at + count


def gather_codes(out, labels, raw, slots, layout, codes, at, count):
    """out (B, n) and labels (B) as gather_latents, with codes (2**bits) of int8"""
    args = check.gather_codes(out, labels, raw, slots, layout, codes, at, count)
    slots, layout, bits = args
    floats = array("f", range(len(out)))
    values = array("f", [s8(v) for v in codes])
    end = gather_latents(floats, labels, raw, slots, array("i", layout), values, at, count)
    n = len(out) // len(slots) if len(slots) else 0
    for i in range(at * n, end * n):
        store_s8(out, i, int(floats[i]))
    return end


def gather_targets(out, raw, slots, layout, at, count):
    """out (B, n): rows at .. at + count - 1 = the targets of records in raw that gather_latents
    took, which is not checked again; raw, slots (B) and layout (8) as there, n = float32 targets
    of a record
    """
    slots, layout = check.gather_targets(out, raw, slots, layout, at, count)
    n = (layout[7] - layout[6]) // 4 - 1
    for row in range(at, at + count):
        first = slot_at(layout, slots[row]) + layout[6]
        target = bytes([v & 255 for v in raw[first : first + 4 * n]])
        for i, v in enumerate(struct.unpack("<%df" % n, target)):
            out[row * n + i] = v
