"""Where every byte of a learner goes, computed before anything is allocated.

The same file runs on the board (to lay out the arena) and on the host (to say whether a
model fits before it is pushed). Buffers whose lifetimes do not overlap share memory.

Timeline of one training step, one tick an entry:
    0               quantize the input
    1 .. m          frozen layers
    m+1             replay read, dequantize the latents
    m+2 .. m+1+n    adaptive layers, forward
    ...             loss; adaptive layers, backward; update
"""

from .layout import ALIGN, Plan
from .nn.buffers import (
    BRIEF,
    IN_PLACE,
    KEPT,
    SAVED,
    activation_names,
    first_trained,
    gradient_names,
    learning_elems,
)
from .nn.geometry import elems
from .nn.ops import ADAPTIVE_OPS, FROZEN_OPS, macs, parameter_elems, parameters

# What the Python objects of a learner cost on a 32-bit port, in bytes: measured on qemu_m4f
# (heap blocks of 16 bytes), held to 1 % of a plan's total by tests/parity. The frames of calls
# under way are none of it, wherever a port keeps them.
_LEARNER_BYTES = 3000  # a learning run under way included
_FROZEN_LAYER_BYTES = 250
_ADAPTIVE_LAYER_BYTES = 250
_SAMPLE_BYTES = 4  # slot of each record of a batch
_STORE_BYTES = 3080  # replay store, checkpoints and reader, without what is below
_RECORD_BYTES = 12  # of a record besides its latent
_RECORD_COPIES = 4  # packed, as it is read, as a blank one reads, padded to pages
_SLOT_BYTES = 3  # label, experience
_ORDER_BYTES = 2  # sampling order of a record
_UNIT_BYTES = 7  # status, erases, live records of an erase unit
_USUAL_UNIT = 4096  # bytes of one: what the plan takes it to be
_UNIT_HEAD = 40  # of these, the header
_RESERVE = 7  # units in use for each one kept free


class _Layout:
    """Collects buffers with their lifetimes, then places them."""

    def __init__(self):
        self.buffers = []  # [name, kind, bytes, first, last]

    def add(self, name, kind, nbytes, first, last):
        buffer = [name, kind, nbytes, first, last]
        self.buffers.append(buffer)
        return buffer

    def place(self):
        """First fit, longest-lived and largest first: rows with offsets, in order of offset.

        The greedy-by-size rule of Pisarchyk and Lee, "Efficient Memory Management for Deep
        Neural Net Inference" (2020), with the persistent buffers below the others.
        """
        rows = []
        for kinds in (("f32", "i8"), ("i32",)):
            todo = [b for b in self.buffers if b[1] in kinds]
            todo.sort(key=lambda b: (b[3] - b[4], -b[2]))
            placed = []
            for name, kind, nbytes, first, last in todo:
                offset = _gap(placed, nbytes, first, last)
                placed.append((name, kind, nbytes, offset, first, last))
            placed.sort(key=lambda row: row[3])
            rows += placed
        return rows


def _gap(placed, nbytes, first, last):
    """Lowest offset at which no buffer that is alive in [first, last] is in the way."""
    offset = 0
    for row in sorted([(r[3], r[2]) for r in placed if r[4] <= last and r[5] >= first]):
        if offset + nbytes <= row[0]:
            break
        offset = max(offset, (row[0] + row[1] + ALIGN - 1) // ALIGN * ALIGN)
    return offset


def plan(spec, batch, slots=0, bits=8, depth=None, extras=(), biases=False):
    """The layout of a learner for `spec`, mini-batches of `batch`, a store of `slots` records.

    spec: nn.model.ModelSpec. bits: of a latent element in the store. depth: layers with
    parameters that learn, counted from the head; None: all. biases: of those only the
    biases learn. extras: [(name, float32 elements, kind)], a strategy's own: kind BRIEF for
    what is in use during the update alone.
    """
    frozen, adaptive = spec.graph["frozen"], spec.graph["adaptive"]
    m, n = len(frozen), len(adaptive)
    end = m + 2 + n + 1 + n  # the update
    lay = _Layout()
    layers = []

    for i, layer in enumerate(frozen):
        _add_parameters(lay, layer, FROZEN_OPS, end)
        layers.append(_layer_row("frozen", layer, FROZEN_OPS))
        if i < m - 1:
            lay.add("f%d" % i, "i8", elems(layer["out"]), i + 1, i + 2)
    if m:
        lay.add("x", "i8", spec.input_elems, 0, 1)

    lay.add("latents", "i8", batch * spec.latent_elems, 0, m + 1)
    lay.add("labels", "i8", batch, 0, end)
    params, trained = _plan_adaptive(lay, spec, batch, m + 2, depth, biases)
    for layer in adaptive:
        layers.append(_layer_row("adaptive", layer, ADAPTIVE_OPS))
    own = [("params", params, SAVED), ("grads", trained, KEPT), ("velocity", trained, KEPT)]
    for name, size, kind in own + list(extras):
        lay.add(name, "f32", 4 * size, end if kind == BRIEF else 0, end)

    rows = lay.place()
    rows.append(("objects", "heap", _object_bytes(m, n, batch), 0, 0, end))
    if slots:
        rows.append(("replay index", "heap", _index_bytes(spec, slots, bits), 0, 0, end))
    return Plan(batch, rows, layers)


def _index_bytes(spec, slots, bits):
    """Heap of a replay store with a capacity of `slots` records."""
    record = _RECORD_BYTES + (spec.latent_elems * bits + 7) // 8
    in_unit = max(1, (_USUAL_UNIT - _UNIT_HEAD) // record)
    units = (slots + in_unit - 1) // in_unit
    units += max(1, units // _RESERVE)
    index = units * (in_unit * _SLOT_BYTES + _UNIT_BYTES) + slots * _ORDER_BYTES
    return _STORE_BYTES + _RECORD_COPIES * record + index + (4 << bits)


def _add_parameters(lay, layer, ops, end):
    for name, dtype, shape in parameters(layer, ops):
        kind, size = ("i8", 1) if dtype == "I8" else ("i32", 4)
        lay.add(name, kind, size * elems(shape), 0, end)


def _plan_adaptive(lay, spec, batch, start, depth, biases):
    """Activations and gradients of the adaptive stage; its parameters, and how many learn."""
    adaptive = spec.graph["adaptive"]
    first = first_trained(adaptive, depth)
    n = len(adaptive)
    loss = start + n
    buffers = {}

    def use(name, nbytes, tick):
        if name not in buffers:
            buffers[name] = lay.add(name, "f32", nbytes, tick, tick)
        buffers[name][4] = max(buffers[name][4], tick)

    values = activation_names(adaptive)
    use(values[0], 4 * batch * spec.latent_elems, start - 1)
    for i, layer in enumerate(adaptive):
        use(values[i], 0, start + i)
        use(values[i + 1], 4 * batch * elems(layer["out"]), start + i)

    grads = gradient_names(adaptive, first)
    use(grads[n], 4 * batch * spec.classes, loss)
    use(values[n], 0, loss)
    for i in range(n - 1, first - 1, -1):
        backward = loss + n - i
        if not biases or adaptive[i]["op"] in IN_PLACE:
            use(values[i], 0, backward)  # weight gradients read the input of their layer
        use(grads[i + 1], 0, backward)
        if grads[i]:
            use(grads[i], 4 * batch * elems(adaptive[i]["in"]), backward)
    sizes = [parameter_elems(layer, ADAPTIVE_OPS) for layer in adaptive]
    return sum(sizes), sum([learning_elems(layer, biases) for layer in adaptive[first:]])


def _object_bytes(frozen, adaptive, batch):
    return (
        _LEARNER_BYTES
        + frozen * _FROZEN_LAYER_BYTES
        + adaptive * _ADAPTIVE_LAYER_BYTES
        + batch * _SAMPLE_BYTES
    )


def _layer_row(stage, layer, ops):
    return (stage, layer["op"], tuple(layer["out"]), parameter_elems(layer, ops), macs(layer))
