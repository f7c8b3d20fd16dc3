"""Puts a learner's layers into memory: plans, allocates the arena, binds the rows.

On stock firmware code is heap, so each part of the library goes when it has done its work: what
finds the layout before the arena is allocated, what makes the rows when they are bound.
"""

from ..compat import forget, heap_free
from ..errors import FitError
from ..memory.arena import Arena
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
        out, needs, offsets, choice, smaller = _planned(
            spec, options, slots, bits, available, micro
        )
        forget(_FIND_A_LAYOUT)
        try:
            _bind(out, spec, needs, offsets, choice, available)
            break
        except (MemoryError, FitError) as error:
            out.stage = out.arena = None
            if not smaller:
                if isinstance(error, FitError):
                    raise
                raise FitError(
                    "the layers of the model (micro-batch %d), beside the arena," % needs.batch,
                    needs.total_bytes, heap_free(),
                    "reduce the replay budget or what learns (scope), or reset the board first",
                )
            micro = smaller[-1]
    forget(_MAKE_ROWS)
    return out


def _planned(spec, options, slots, bits, available, micro):
    """(Assembled, layout.Needs, offsets, sections.Choice, smaller micro-batches)"""
    from .config import Config

    config = Config(spec, **options)
    layout = config.plan(slots, bits, available, micro).layout
    out = Assembled()
    out.planned_bytes = layout.total_bytes
    out.optimiser, out.scope = config.optimiser, config.scope
    out.strategy, out.options, out.saved = config.strategy, config.options, config.saved_names
    smaller = [n for n in config.micros() if n < layout.batch]
    return out, layout.needs(), layout.offsets, config.choice, smaller


def _bind(out, spec, needs, offsets, choice, available):
    """Allocates the arena, then the tapes."""
    out.arena = arena = Arena(needs, available)
    arena.lay_out(offsets)
    from ..nn.sections import Sections

    sections = Sections(spec.net, choice, needs.batch)
    out.stage = Stage(spec, sections, arena)
    out.hypers, out.head = sections.groups, sections.program.head
    out.targets, out.outputs = sections.losses.targets, {}
    for output in spec.net.outputs:
        at, n = sections.losses.parts.get(output["node"], (None, 0))
        out.outputs[output["node"]] = (output["objective"], at, n)
