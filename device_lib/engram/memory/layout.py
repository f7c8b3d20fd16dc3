"""A finished plan: where each buffer lies. It outlives the code that finds it."""

ALIGN = 4  # bytes


class Layout:
    """Where the buffers of a learner lie in one block.

    .rows     [(name, kind, bytes, offset, first, last)], kind "f32" | "i8" | "i32" | "heap";
              first and last are rows of the timeline; "heap" is for Python objects, beside the
              block
    .offsets  {name: (kind, offset in bytes, bytes)}, those that share another's memory included
    .block_bytes   size of the block
    .total_bytes   block and Python objects
    .batch    rows of the buffers of activations: the micro-batch
    .layers   [(stage, op, output shape, parameters, multiply-accumulates)]
    """

    def __init__(self, batch, rows, offsets, layers):
        self.batch = batch
        self.rows = rows
        self.offsets = offsets
        self.layers = layers
        ends = [row[3] + row[2] for row in rows if row[1] != "heap"]
        self.block_bytes = (max(ends + [0]) + ALIGN - 1) // ALIGN * ALIGN
        self.total_bytes = self.block_bytes + sum([row[2] for row in rows if row[1] == "heap"])
