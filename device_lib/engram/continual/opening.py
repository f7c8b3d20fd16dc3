"""Puts a learner's layers into memory: plans, allocates the arena, binds the rows.

On stock firmware code is heap, so each part of the library goes when it has done its work: what
finds the layout before the arena is allocated, what makes the rows when they are bound.
"""

import json

from ..compat import forget, heap_free
from ..errors import FitError
from ..memory.arena import Arena
from ..memory.layout import Needs
from ..nn.stage import Stage

_FIND_A_LAYOUT = (
    "engram.continual.config", "engram.nn.plan", "engram.nn.scope", "engram.memory.lifetimes",
    "engram.nn.reading", "engram.nn.graph",
)
_MAKE_ROWS = (
    "engram.nn.sections", "engram.nn.program", "engram.nn.losses", "engram.nn.updates",
    "engram.nn.formats.f32", "engram.nn.formats.s8", "engram.nn.formats", "engram.nn.ops",
    "engram.nn.geometry",
)

_NODE_BYTES = 160  # what a note says of a node: the places of its values and gradients


def forget_code():
    """Drops the code that only opening a model needs; it is loaded again where it is asked for."""
    forget(_FIND_A_LAYOUT)
    forget(_MAKE_ROWS)


class Assembled:
    """What a learner consists of beside its store.

    .stage, .arena   nn.stage.Stage; memory.arena.Arena, still open
    .planned_bytes   of arena and Python objects
    .outputs         {name: (objective, first value in a target or None, values)}
    .targets, .head  float32 values of a target; name of the head, or None
    .optimiser, .hypers   nn.optimisers.Optimiser, {group: array('f')}
    .strategy, .options   class and {name: number}
    .scope, .saved   what learns; buffers of the strategy that belong to a saved state
    """


def assemble(spec, options, slots, bits, available):
    """Assembled for a ModelSpec. Where the heap has no room for its Python objects beside the
    arena, the micro-batch gets smaller, unless it was asked for.

    options: arguments of continual.config.Config. slots, bits: of the replay store. available:
    bytes of heap that the plan may count with. Raises FitError, DataError.
    """
    micro = None
    while True:
        note = _Note(spec)
        _plan(note, spec, options, slots, bits, available, micro)
        forget_code()
        try:
            out = _bound(note, spec, options, available)
            break
        except (MemoryError, FitError) as error:
            if note.micro == note.least:
                if isinstance(error, FitError):
                    raise
                raise FitError(
                    "the layers of the model (micro-batch %d), beside the arena," % note.micro,
                    note.total_bytes, heap_free(),
                    "reduce the replay budget or what learns (scope), or reset the board first",
                )
            micro = note.smaller
    forget_code()
    return out


class _Note:
    """What is known of a plan once its code is gone.

    Its memory is taken before the code comes, below it in the heap: what planning leaves behind
    would else lie in the middle of the room for the arena.
    """

    def __init__(self, spec):
        self.micro = self.block_bytes = self.total_bytes = self.least = self.smaller = 0
        self._length = 0
        self._text = bytearray(_NODE_BYTES * (4 + len(spec.net.frozen) + len(spec.net.adaptive)))

    def write(self, layout, micros):
        """Notes a layout.Layout; micros: micro-batches that there are, the smallest first."""
        self.micro, self.block_bytes = layout.batch, layout.block_bytes
        self.total_bytes, self.least = layout.total_bytes, micros[0]
        for n in micros:
            self.smaller = n if n < layout.batch else self.smaller
        text = json.dumps(layout.offsets).encode()
        self._length = len(text)
        self._text[: len(text)] = text

    def needs(self):
        return Needs(self.micro, self.block_bytes, self.total_bytes)

    def offsets(self):
        """Layout.offsets"""
        return json.loads(bytes(self._text[: self._length]))


def _plan(note, spec, options, slots, bits, available, micro):
    from .config import Config

    config = Config(spec, **options)
    note.write(config.plan(slots, bits, available, micro).layout, config.micros())


def _bound(note, spec, options, available):
    """Assembled: allocates the arena, then the tapes."""
    out = Assembled()
    out.arena = arena = Arena(note.needs(), available)
    from ..nn.sections import Sections
    from .config import Config

    arena.lay_out(note.offsets())
    config = Config(spec, **options)
    sections = Sections(spec.net, config.choice, note.micro)
    out.stage = Stage(spec, sections, arena)
    out.planned_bytes, out.hypers = note.total_bytes, sections.groups
    out.optimiser, out.scope = config.optimiser, config.scope
    out.strategy, out.options, out.saved = config.strategy, config.options, config.saved_names
    out.head, out.targets, out.outputs = sections.program.head, sections.losses.targets, {}
    for output in spec.net.outputs:
        at, n = sections.losses.parts.get(output["node"], (None, 0))
        out.outputs[output["node"]] = (output["objective"], at, n)
    return out
