"""Where every byte of a learner goes, computed before anything is allocated.

The same file runs on the board (to lay out the arena) and on the host (to say whether a model fits
before it is pushed). It puts the rows of nn/program.py in the order of a training step:

    quantize the input, frozen stage      once per sample
    read latents, forward, loss, backward once per micro-batch
    update                                once per mini-batch

and leaves lifetimes and sharing to memory/lifetimes.py.
"""

from ..compat import POINTER_BYTES
from ..errors import ModelError
from ..memory.layout import Layout
from ..memory.lifetimes import Timeline
from ..memory.replay import index_bytes
from .geometry import elems
from .names import (
    AGAIN,
    BRIEF,
    CHOSEN,
    ERROR_RECORDS,
    FEATURES,
    INPUT,
    LABELS,
    LATENT,
    LATENTS,
    PARAMS,
    SECOND,
    TARGETS,
    VELOCITIES,
    VELOCITY_RECORDS,
    VIEW,
    gradient,
)
from .ops import macs
from .sections import Sections

# What the Python objects of a learner cost on a 32-bit port, in bytes: measured on qemu_m4f
# (heap blocks of 16 bytes), held to 1 % of a plan's total by tests/parity. The frames of calls
# under way are none of it, wherever a port keeps them.
_LEARNER_BYTES = 8300  # between a learner at rest and one amid a learning run
_ROW_BYTES = 4  # of a tape, beside its arguments
_ARG_BYTES = 14  # with its share of the windows that the tape holds
_CONSTANT_BYTES, _FEW = 48, 6  # an array that a row reads, of so many entries at most
_BLOCK_BYTES = 16  # a longer one is a block, and those of its entries
_IN_PLACE_BYTES = 9  # of a tensor that is read where its file lies: a window that stays
_OUTPUT_BYTES = 480  # of an output beside another
_HEAD_BYTES, _ALONE_BYTES = 1650, 600  # of what tells classes apart; of losses that need no answer
_SAMPLE_BYTES = 4  # slot of each record of a batch
# Bytes of q8 nodes: the table of latents and the search of scales; where a tensor lies in the
# model file; the byte below its weights.
_INTEGER_BYTES, _INTEGER_TENSOR_BYTES, _REST_BYTES = 3350, 130, 100
_PARTIAL_BYTES = 200  # of what chooses the parts of a backward pass
_VELOCITY_BYTES, _RECORD_BYTES = 100, 24  # of a node with velocities; of its record
_MARKS_BYTES = 56  # of the weights that learn, where they are some of a tensor


class Plan(Sections):
    """The sections of a learner, and the layout of their buffers.

    spec: model.ModelSpec. choice, micro, recompute: as Sections takes them. extras: [(buffer,
    float32 elements, how long it lives)] of the strategy. slots, bits: of the replay store, for
    what its index takes; 0 slots: none.

    .layout     memory.layout.Layout
    .owners     {buffer: the buffer whose memory it has}
    .starts     {"upper", "backward", "again": the time of its first row, as in layout.rows}
    """

    def __init__(self, spec, choice, micro, extras=(), slots=0, bits=8, recompute=()):
        super().__init__(spec.net, choice, micro, recompute)
        self._heap, self.starts = 0, {}
        self.layout = self._lay_out(spec, extras, slots, bits)

    def _lay_out(self, spec, extras, slots, bits):
        program, micro = self.program, self.micro
        graph, line, sizes = spec.net, Timeline(), program.sizes
        lasting = [(PARAMS, 4 * program.param_elems)]
        if self.choice.gradients:
            lasting.append((self.choice.gradients, 4 * program.learned_elems))
        lasting += [(name, 4 * program.learned_elems) for name in self.states]
        brief = []
        for name, n, kind in extras:
            (brief if kind == BRIEF else lasting).append((name, 4 * n))
        chosen = [run[2] for run in self.runs if run[4]]
        if chosen:
            brief.append((CHOSEN, 4 * max(chosen)))
        lasting.append((TARGETS, 4 * micro * self.losses.targets))
        integers = [name for name, _, _ in program.integers.sizes()] if program.integers else []
        if self.features:
            lasting.append((FEATURES, 4 * self.features))
        _check_names(
            [INPUT, LATENT, LABELS, LATENTS] + [name for name, _ in lasting + brief] + integers
            + [node["name"] for node in graph.frozen + graph.adaptive] + list(program.persistent)
        )
        for name, nbytes in lasting + brief:
            sizes[name] = ("f32", nbytes)
        sizes[LABELS] = ("i8", micro)
        sizes[LATENTS] = ("i8", micro * elems(graph.latent_shape))

        # the frozen stage runs again while LATENTS hold what it made of samples before
        line.touch([program.window(INPUT, INPUT, 1)[0], LATENTS])
        line.rows(self._counted("frozen"), VIEW)
        program.window(LATENT, LATENT, micro)
        line.touch([LATENTS, LATENT])
        forward = self._counted("forward")
        line.rows(forward[: self.upper_at], VIEW)
        if self.choice.teacher:
            line.rows(self._counted("teacher"), VIEW)
            line.touch([SECOND + program.head])
        self.starts["upper"] = line.at
        line.rows(forward[self.upper_at : self.loss_at], VIEW)
        line.touch([output["node"] for output in graph.outputs])
        if program.integers:
            line.touch([LATENT])  # the search for scales runs the forward pass again
        line.rows(forward[self.loss_at :], VIEW)
        line.touch([gradient(output["node"]) for output in graph.outputs])
        self.starts["backward"] = line.at
        line.rows(self._counted("backward"), VIEW)
        if "again" in self.sections:
            line.touch([AGAIN + LATENT])
            self.starts["again"] = line.at
            line.rows(self._counted("again"), VIEW)
        line.touch([name for name, _ in brief])
        always = integers + ([ERROR_RECORDS] if integers else [])
        always += [name for name in (VELOCITIES, VELOCITY_RECORDS) if name in sizes]
        for name in list(program.persistent) + [name for name, _ in lasting] + [LABELS] + always:
            line.always(name)
        for name in self.sections:  # their buffers are those of the others
            if name not in ("frozen", "forward", "teacher", "backward", "again"):
                self._counted(name)

        rows, owners = line.place(sizes)
        self.owners = owners
        places = {row[0]: row[3] for row in rows}
        offsets = {
            name: (sizes[name][0], places.get(owner, 0), sizes[name][1])
            for name, owner in owners.items()
        }
        end = line.at
        rows.append(("objects", "heap", self._object_bytes(), 0, 0, end))
        if slots:
            index = index_bytes(spec.latent_elems, slots, bits)
            rows.append(("replay index", "heap", index, 0, 0, end))
        layers = [_layer("frozen", node, program) for node in graph.frozen]
        layers += [_layer("adaptive", node, program) for node in graph.adaptive]
        return Layout(micro, rows, offsets, layers)

    def _counted(self, name):
        """The rows of a section, for what they take of heap when they are bound. An array that
        several rows read is one."""
        rows, seen = self.section(name), set()
        for kernel, args, _ in rows:
            if kernel != VIEW:
                self._heap += _ROW_BYTES + _ARG_BYTES * len(args)
                for arg in args:
                    if hasattr(arg, "append") and id(arg) not in seen:
                        seen.add(id(arg))
                        self._heap += _array_bytes(len(arg))
        return rows

    def _object_bytes(self):
        own, integers = _LEARNER_BYTES + self._heap, self.program.integers
        if self.program.graph.in_place:
            own += _IN_PLACE_BYTES * len(self.program.persistent)
        own += _OUTPUT_BYTES * (len(self.program.graph.outputs) - 1)
        if not self.program.head:
            own -= _HEAD_BYTES
        if self.losses.alone:
            own += _ALONE_BYTES
        if self.partial:
            own += _PARTIAL_BYTES
        if integers:
            own += _INTEGER_BYTES + _INTEGER_TENSOR_BYTES * len(integers.tensors)
            own += _REST_BYTES * len(integers.rests)
            velocities = self.program.sizes.get(VELOCITY_RECORDS, (None, 0))[1]
            own += _VELOCITY_BYTES * velocities // _RECORD_BYTES
            for tensor, chosen in integers.chosen.items():
                if tensor in integers.rests:
                    own += _MARKS_BYTES + sum([len(marks) for marks in chosen.marks()[2:]])
        own = own * POINTER_BYTES // 4
        return own + self.micro * _SAMPLE_BYTES


def _array_bytes(n):
    if n <= _FEW:
        return _CONSTANT_BYTES
    return _BLOCK_BYTES * (1 + (4 * n + _BLOCK_BYTES - 1) // _BLOCK_BYTES)


def _check_names(names):
    """Raises ModelError where two buffers have one name: those of a model's nodes and int8 tensors
    are its author's choice."""
    for name in names:
        if names.count(name) > 1:
            raise ModelError("expected one buffer of a name, got two of %s: rename it" % name)


def _layer(stage, node, program):
    own = sum([n for name, n in program.owned if name == node["name"]])
    return (stage, node["op"], tuple(node["out"]), own, macs(node))
