"""Puts a learner's layers into memory: plans, allocates the arena, binds the rows.

On stock firmware code is heap, so each part of the library goes when it has done its work: what
finds the layout before the arena is allocated, what makes the rows when they are bound.
"""

import json

from ..compat import NO_ROOM, POINTER_BYTES, forget, heap_free, held_heap
from ..errors import FitError
from ..memory.arena import Arena
from ..memory.layout import Needs
from ..memory.replay import index_bytes
from ..nn.optimisers import Optimiser
from ..nn.stage import Stage
from .defaults import SPARED
from .prepared import Prepared

_CODE = (
    "engram.continual.config", "engram.nn.plan", "engram.nn.scope", "engram.memory.lifetimes",
    "engram.nn.reading", "engram.nn.graph", "engram.nn.sections", "engram.nn.program",
    "engram.nn.losses", "engram.nn.updates", "engram.nn.recompute", "engram.nn.partial",
    "engram.nn.channels", "engram.nn.channel_steps", "engram.nn.integers", "engram.nn.steps",
    "engram.nn.clipping", "engram.nn.velocity",
    "engram.nn.formats.f32", "engram.nn.formats.s8", "engram.nn.formats.q8", "engram.nn.formats",
    "engram.nn.ops", "engram.nn.geometry",
)

_OPTIMISER = ("lr", "momentum", "weight_decay", "clip")
# Heap that planning gets before what the arena may need: objects are as wide as pointers.
_PLANNING_BYTES = 12 * 1024 * POINTER_BYTES
_NODE_BYTES = 192  # what a note says of a node: the places of its values and gradients


def forget_code():
    """Drops the code that only opening a model needs; it is loaded again where it is asked for."""
    forget(_CODE)


class Room:
    """The arena of a learner, and what is known of its plan once the plan's code is gone.

    Its memory is taken before that code comes, below it in the heap: what planning leaves behind
    would else lie in the middle of the room for the arena.

    .micro, .block_bytes, .total_bytes   as layout.Layout has them
    .index_bytes   of these, for the index of the replay store
    .arena   memory.arena.Arena
    """

    def __init__(self, spec):
        self.micro = self.block_bytes = self.total_bytes = self._length = 0
        self._text = bytearray(_NODE_BYTES * (4 + len(spec.net.frozen) + len(spec.net.adaptive)))
        self.arena = None

    def note(self, config, plan):
        """Notes a config.Config and its nn.plan.Plan."""
        layout = plan.layout
        self.micro, self.block_bytes = layout.batch, layout.block_bytes
        self.total_bytes = layout.total_bytes
        choice = config.choice
        text = json.dumps([
            layout.offsets, choice.batch, choice.learns, choice.heads, choice.gradients,
            choice.teacher, choice.single_backward, choice.partial, choice.rounding, config.scope,
            config.saved_names, config.saved_bytes, plan.recompute,
        ]).encode()
        self._length = len(text)
        self._text[: len(text)] = text

    def take(self, available):
        """Allocates the arena. Raises FitError."""
        self.arena = Arena(Needs(self.micro, self.block_bytes, self.total_bytes), available)

    def read(self):
        """(offsets, arguments of nn.sections.Choice behind the optimiser, [scope, names and bytes
        of what is saved, recompute as nn.sections.Sections takes it])"""
        facts = json.loads(bytes(self._text[: self._length]))
        return facts[0], facts[1:9], facts[9:]


def prepare(spec, options, slots=0, bits=8, available=None, unload=None, spared=SPARED[0]):
    """A Prepared for a learner of a ModelSpec: its layers, bound to an arena.

    options: arguments of continual.config.Config, by name. slots, bits: of the replay store.
    available: bytes of heap that it may have; None asks the heap. unload: None, or called when
    planning is done, to drop what it has loaded. spared: the share of it that the plan leaves free
    where it can. Raises FitError, DataError.
    """
    if available is None:
        available = heap_free()
    room = Room(spec)
    try:
        _reserve(room, spec, options, slots, bits, available, unload, spared)
        return _bind(spec, room, _optimiser(options))
    except MemoryError:
        size = room.total_bytes + _PLANNING_BYTES
    finally:
        forget_code()  # after a failure too: a smaller learner may be asked for next
    raise FitError(
        "this learner, while its layers are planned and bound,", size, available,
        "reduce the batch, what learns (scope), or the model",
    )


def _optimiser(options):
    values = {name: options[name] for name in _OPTIMISER if name in options}
    return Optimiser(options.get("optimiser", "momentum"), **values)


def _reserve(room, spec, options, slots, bits, available, unload, spared):
    """Plans a learner and takes its arena: of the first plan for which the heap has a piece."""
    limit, error = available, None
    while True:
        try:
            _plan_beside_piece(room, spec, options, slots, bits, limit, spared)
        except FitError as e:
            raise error or e
        if unload:
            unload()
        try:
            return room.take(available)
        except FitError as e:
            limit, error = room.total_bytes - 1, e


def _plan_beside_piece(room, spec, options, slots, bits, available, spared):
    """Plans a learner, and leaves the heap as it was but for what the room notes."""
    room.index_bytes = index_bytes(spec.latent_elems, slots, bits) if slots else 0
    piece = held_heap(_PLANNING_BYTES)  # for the arena: planning scatters over what is left
    try:
        _plan(room, spec, options, slots, bits, available, spared)
    except NO_ROOM:
        piece = None
        forget_code()
        heap_free()  # collects: what later calls leave on the stack may keep the piece
        _plan(room, spec, options, slots, bits, available, spared)
    del piece
    forget_code()


def _plan(room, spec, options, slots, bits, available, spared):
    from .config import Config

    config = Config(spec, **options)
    room.note(config, config.plan(slots, bits, available, int(available * spared)))


def _bind(spec, room, optimiser):
    """Prepared in a Room."""
    from ..nn.graph import format_of
    from ..nn.sections import Choice, Sections

    out = Prepared()
    out.planned_bytes, out.optimiser = room.total_bytes, optimiser
    out._latent_elems, out._planned_index = spec.latent_elems, room.index_bytes
    offsets, facts, others = room.read()
    out.scope, out.saved, out.saved_bytes, recompute = others
    sections = Sections(spec.net, Choice(optimiser, *facts), room.micro, recompute)
    out.arena = room.arena
    out.arena.lay_out(offsets)
    out.stage = stage_class(sections.program)(spec, sections, out.arena)
    out.hypers, out.head = sections.groups, sections.program.head
    out.targets, out.outputs = sections.losses.targets, {}
    out.format = format_of(spec.net)
    for output in spec.net.outputs:
        size = sections.program.values[output["node"]][1]
        at, n = sections.losses.parts.get(output["node"], (None, size))
        out.outputs[output["node"]] = (output["objective"], at, n)
    return out


def stage_class(program):
    """The class of a program's stage: few learners need the code of integers."""
    if not program.integers:
        return Stage
    from ..nn.integer_stage import IntegerStage

    return IntegerStage
