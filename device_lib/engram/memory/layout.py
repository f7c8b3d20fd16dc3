"""A finished plan: where each buffer lies. It outlives the code that finds it."""

ALIGN = 4  # bytes


class Needs:
    """The bytes that a layout needs: .block_bytes in one piece, .total_bytes with Python objects.

    .batch   as Layout has it
    """

    def __init__(self, batch, block_bytes, total_bytes):
        self.batch, self.block_bytes, self.total_bytes = batch, block_bytes, total_bytes


class Layout(Needs):
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
        self.rows = rows
        self.offsets = offsets
        self.layers = layers
        ends = [row[3] + row[2] for row in rows if row[1] != "heap"]
        block = (max(ends + [0]) + ALIGN - 1) // ALIGN * ALIGN
        super().__init__(batch, block, block + sum([row[2] for row in rows if row[1] == "heap"]))

    def needs(self):
        """Needs, without the rest."""
        return Needs(self.batch, self.block_bytes, self.total_bytes)
