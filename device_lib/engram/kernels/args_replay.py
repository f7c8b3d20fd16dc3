"""What the kernels of replay demand of their arguments."""

from .need import buffer, entry, expect, ints
from .parts import MODULI, slot_at


def draw_batch(slots, random, place, order, start, present, fresh, groups):
    kernel = "draw_batch"
    batch = buffer(kernel, "L", "slots", slots)
    buffer(kernel, "L", "random", random, 3)
    for i in range(3):
        entry(kernel, "random", random, i, 1, MODULI[i] - 1)
    buffer(kernel, "L", "place", place, 2)
    for i in range(2):
        entry(kernel, "place", place, i, 0, 65535)
    ints(kernel, ("fresh", fresh, 0), ("groups", groups, 0))
    records = buffer(kernel, "H", "order", order)
    ends = buffer(kernel, "h", "start", start)
    expect(kernel, "start", ends > 0, "at least one entry")
    known = buffer(kernel, "b", "present", present)
    expect(kernel, "present", groups <= known, "at least as many classes as groups")
    for i in range(ends):
        entry(kernel, "start", start, i, start[i - 1] if i else 0, records)
    for i in range(groups):
        c = present[i] & 255
        right = c + 1 < ends and start[c] < start[c + 1]
        expect(kernel, "present", right, "classes that have records by start")
    expect(kernel, "fresh", fresh <= batch, "at most the batch")
    expect(kernel, "fresh", fresh == 0 or start[0] > 0, "0 where nothing is new")
    right = fresh == batch or groups > 0
    expect(kernel, "groups", right, "at least one class with old records")
    return batch


def gather_latents(out, labels, raw, slots, layout, codes, at, count):
    """(elements of a latent, its bits)"""
    kernel = "gather_latents"
    size = buffer(kernel, "F", "out", out)
    rows = buffer(kernel, "l", "slots", slots)
    buffer(kernel, "B", "labels", labels, rows)
    region = buffer(kernel, "b", "raw", raw)
    _layout(kernel, layout)
    entries = buffer(kernel, "f", "codes", codes)
    bits = [b for b in range(1, 9) if 1 << b == entries]
    expect(kernel, "codes", bits != [], "2**bits codes, 1 to 8 bits")
    _rows(kernel, region, slots, layout, at, count)
    n = size // rows if rows else 0
    right = n * rows == size and (rows == 0 or (n * bits[0] + 7) // 8 == layout[6] - layout[5])
    expect(kernel, "out", right, "a row a slot, of as many elements as a latent")
    return n, bits[0]


def gather_targets(out, raw, slots, layout, at, count):
    """targets of a record"""
    kernel = "gather_targets"
    size = buffer(kernel, "F", "out", out)
    region = buffer(kernel, "b", "raw", raw)
    rows = buffer(kernel, "l", "slots", slots)
    _layout(kernel, layout)
    _rows(kernel, region, slots, layout, at, count)
    n, odd = divmod(layout[7] - layout[6] - 4, 4)
    right = odd == 0 and size == rows * n
    expect(kernel, "out", right, "a row a slot, of as many elements as a record has targets")
    return n


def _layout(kernel, layout):
    buffer(kernel, "l", "layout", layout, 8)
    for i in range(8):
        low = (1, 0, 0, 0, 1, layout[4] + 7, layout[5], layout[6] + 4)[i]
        entry(kernel, "layout", layout, i, low, 2**30 - 1 if i == 1 else 1 << 20)


def _rows(kernel, region, slots, layout, at, count):
    """Rows at .. at + count - 1 are among those of slots, and their records lie in the region."""
    ints(kernel, ("at", at, 0), ("count", count, 0))
    expect(kernel, "count", at + count <= len(slots), "at most the rows from `at` on")
    for i in range(at, at + count):
        right = slots[i] >= 0 and slot_at(layout, slots[i]) + layout[7] <= region
        expect(kernel, "slots", right, "slots that lie in raw")
