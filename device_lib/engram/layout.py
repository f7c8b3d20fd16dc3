"""What plan.py finds, for arena.py: where the buffers lie. It outlives the code that finds it."""

ALIGN = 4  # bytes


class Plan:
    """A finished layout.

    .rows         [(name, kind, bytes, offset, first, last)], kind "f32" | "i8" | "i32" |
                  "heap"; first and last are ticks of the timeline
    .offsets      {name: (offset in bytes, bytes)}
    .f32_elems, .i32_elems   size of the two blocks of the arena
    .total_bytes  arena and Python objects
    .batch, .layers   [(stage, op, output shape, parameters, MACs)]
    """

    def __init__(self, batch, rows, layers):
        self.batch = batch
        self.rows = rows
        self.layers = layers
        self.offsets = {row[0]: (row[3], row[2]) for row in rows if row[1] != "heap"}
        self.f32_elems = (_extent(rows, ("f32", "i8")) + ALIGN - 1) // 4
        self.i32_elems = _extent(rows, ("i32",)) // 4
        heap = sum(row[2] for row in rows if row[1] == "heap")
        self.total_bytes = 4 * (self.f32_elems + self.i32_elems) + heap


def _extent(rows, kinds):
    return max([row[3] + row[2] for row in rows if row[1] in kinds] + [0])
