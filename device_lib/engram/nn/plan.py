"""Where every byte of a learner goes, computed before anything is allocated.

The same file runs on the board (to lay out the arena) and on the host (to say whether a model fits
before it is pushed). It puts the rows of nn/program.py in the order of a training step:

    quantize the input, frozen stage      once per sample
    read latents, forward, loss, backward once per micro-batch
    update                                once per mini-batch

and leaves lifetimes and sharing to memory/lifetimes.py.
"""

from ..memory.layout import Layout
from ..memory.lifetimes import Timeline
from .geometry import elems
from .losses import Losses
from .names import (
    BRIEF,
    GRADS,
    INPUT,
    LABELS,
    LATENT,
    LATENTS,
    PARAMS,
    SECOND,
    TARGETS,
    TEACHER,
    VIEW,
    gradient,
)
from .ops import macs
from .program import Program

# What the Python objects of a learner cost on a 32-bit port, in bytes: measured on qemu_m4f
# (heap blocks of 16 bytes), held to 1 % of a plan's total by tests/parity. The frames of calls
# under way are none of it, wherever a port keeps them.
_LEARNER_BYTES = 3000  # a learning run under way included
_ROW_BYTES = 64
_CONSTANT_BYTES = 48
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


class Plan:
    """The rows of a learner and the layout of their buffers.

    spec: model.ModelSpec. config: continual.config.Config. micro: rows of a micro-batch, a divisor
    of config.batch. slots, bits: of the replay store, for what its index takes; 0 slots: none.

    .sections   {name: rows}: frozen; begin, forward, backward, update; single and answer, for one
                sample; where the configuration asks, single_backward and teacher
    .upper_at, .loss_at   the first rows of forward that learn and that are of the loss
    .losses     losses.Losses
    .states     buffers of the optimiser
    .groups     {"below", "head": array('f') of hyperparameters}
    .runs       [(first in params, first in grads, elements, group)] of what learns
    .layout     memory.layout.Layout
    """

    def __init__(self, spec, config, micro, slots=0, bits=8):
        self.micro, self.config = micro, config
        self.program = program = Program(spec.net, config.learns)
        self.losses = losses = Losses(program)
        optimiser, share = config.optimiser, micro / config.batch
        self.groups = {"below": optimiser.hyper(), "head": optimiser.hyper()}
        self.runs = _runs(program, config.heads)
        fused = optimiser.fused(self.groups, config.heads) if config.fused else None
        self.states = () if config.fused else optimiser.states
        below = program.below(micro)
        forward = below + program.upper(micro)
        self.upper_at, self.loss_at = len(below), len(forward)
        self.sections = sections = {
            "frozen": program.frozen(),
            "forward": forward + losses.rows(micro, share),
            "begin": losses.clear(),
            "backward": program.backward(micro, fused),
            "update": [],
            "single": program.below(1) + program.upper(1),
            "answer": losses.answers(),
        }
        if not config.fused:
            sections["update"] = optimiser.rows(self.runs, program.learned_elems, self.groups)
        if config.teacher:
            sections["teacher"] = program.upper(micro, SECOND, TEACHER)
        if config.single_backward:
            sections["single_backward"] = losses.rows(1) + program.backward(1)
        self.layout = self._lay_out(spec, slots, bits)

    def _lay_out(self, spec, slots, bits):
        program, sections, micro = self.program, self.sections, self.micro
        graph, line, sizes = spec.net, Timeline(), program.sizes
        tensors = list(sizes.items())
        kept = [(PARAMS, 4 * program.param_elems)]
        if not self.config.fused:
            kept.append((GRADS, 4 * program.learned_elems))
        kept += [(name, 4 * program.learned_elems) for name in self.states]
        brief = []
        for name, n, kind in self.config.extras:
            (brief if kind == BRIEF else kept).append((name, 4 * n))
        kept.append((TARGETS, 4 * micro * self.losses.targets))
        for name, nbytes in kept + brief:
            sizes[name] = ("f32", nbytes)
        sizes[LABELS] = ("i8", micro)
        sizes[LATENTS] = ("i8", micro * elems(graph.latent_shape))

        line.touch([INPUT] if graph.frozen else [LATENTS])
        line.rows(sections["frozen"], VIEW)
        line.touch([graph.latent, LATENTS] if graph.frozen else [LATENTS])
        program.window(LATENT, LATENT, micro)
        line.touch([LATENTS, LATENT])
        line.rows(sections["forward"][: self.upper_at], VIEW)
        if self.config.teacher:
            line.rows(sections["teacher"], VIEW)
            line.touch([SECOND + program.head])
        line.rows(sections["forward"][self.upper_at : self.loss_at], VIEW)
        line.touch([output["node"] for output in graph.outputs])
        line.rows(sections["forward"][self.loss_at :], VIEW)
        line.touch([gradient(output["node"]) for output in graph.outputs])
        line.rows(sections["backward"], VIEW)
        line.touch([name for name, _ in brief])
        for name, size in tensors:
            if name in program.persistent:
                line.always(name)
        for name, _ in kept:
            line.always(name)
        line.always(LABELS)

        rows, owners = line.place(sizes)
        places = {row[0]: row[3] for row in rows}
        offsets = {
            name: (sizes[name][0], places.get(owner, 0), sizes[name][1])
            for name, owner in owners.items()
        }
        end = line.at
        rows.append(("objects", "heap", self._object_bytes(), 0, 0, end))
        if slots:
            rows.append(("replay index", "heap", _index_bytes(spec, slots, bits), 0, 0, end))
        layers = [_layer("frozen", node, program) for node in graph.frozen]
        layers += [_layer("adaptive", node, program) for node in graph.adaptive]
        return Layout(micro, rows, offsets, layers)

    def _object_bytes(self):
        rows = sum([len(rows) for rows in self.sections.values()])
        return _LEARNER_BYTES + rows * _ROW_BYTES + self.config.batch * _SAMPLE_BYTES


def _runs(program, heads):
    """Neighbours that learn, in one run each."""
    runs = []
    places = {tensor: at for _, _, tensor, _, at in program.tensors}
    for node, _, tensor, shape, own in program.learned:
        first, n = places[tensor], elems(shape)
        group = "head" if node["name"] in heads else "below"
        if runs and runs[-1][3] == group and runs[-1][0] + runs[-1][2] == first:
            runs[-1] = (runs[-1][0], runs[-1][1], runs[-1][2] + n, group)
        else:
            runs.append((first, own, n, group))
    return runs


def _index_bytes(spec, slots, bits):
    """Heap of a replay store with a capacity of `slots` records."""
    record = _RECORD_BYTES + (spec.latent_elems * bits + 7) // 8
    in_unit = max(1, (_USUAL_UNIT - _UNIT_HEAD) // record)
    units = (slots + in_unit - 1) // in_unit
    units += max(1, units // _RESERVE)
    index = units * (in_unit * _SLOT_BYTES + _UNIT_BYTES) + slots * _ORDER_BYTES
    return _STORE_BYTES + _RECORD_COPIES * record + index + (4 << bits)


def _layer(stage, node, program):
    own = sum([n for name, n in program.owned if name == node["name"]])
    return (stage, node["op"], tuple(node["out"]), own, macs(node))
