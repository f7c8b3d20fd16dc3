"""Sections of a training step: which rows of a program run when.

    frozen                                once per sample
    start                                 once per learning run
    begin, forward, backward, update      once per mini-batch; forward and backward per micro-batch
    again                                 the end of backward, where latents are read twice
    single, answer                        once per prediction
    one                                   the losses of one sample, after single
"""

from . import updates
from .geometry import elems
from .losses import Losses
from .names import GRADS, LATENTS, SECOND, TEACHER
from .program import Program


class Choice:
    """The choices of a learner on which its rows depend.

    optimiser   optimisers.Optimiser
    batch       samples of a mini-batch
    learns, heads   as scope.py has them
    gradients   the buffer to which the backward pass adds them: GRADS or VELOCITY; None: they are
                applied where they are computed
    teacher, single_backward   sections that the strategy runs beside the usual ones
    partial     None, or facts of partial.Partial
    rounding    of q8 steps, one of steps.ROUNDINGS; None: that of steps.ROUNDING
    """

    def __init__(
        self, optimiser, batch, learns, heads, gradients, teacher, single_backward, partial=None,
        rounding=None,
    ):
        self.rounding = rounding
        self.batch, self.learns, self.heads, self.optimiser = batch, learns, heads, optimiser
        self.gradients, self.teacher = gradients, teacher
        self.single_backward, self.partial = single_backward, partial


class Sections:
    """The rows of a learner, section by section.

    net: net.Net. choice: Choice. micro: rows of a micro-batch, a divisor of choice.batch.
    recompute: names of the values that the backward pass computes again, instead of keeping them;
    with LATENTS among them, from latents that are read again.

    .sections   names of the sections: frozen, start, begin, forward, backward, update; single,
                answer and one, for one sample; where the choice asks, single_backward and teacher;
                again, where latents are read twice
    .upper_at, .loss_at   the first rows of forward that learn and that are of the loss
    .program, .losses     program.Program, losses.Losses
    .states     buffers of the optimiser
    .groups     {"below", "head": array('f') of hyperparameters}
    .rates      steps.Rates of q8 nodes, None without; .rounding of their steps
    .features   inputs of the head where they are integers, else 0
    .partial    partial.Partial, or None
    .recompute  names of what is computed twice
    .runs       [(first in params, first in grads, elements, group, copies)] of what learns; copies
                as channels.py has them, of what lies in more than one piece, else ()
    """

    def __init__(self, net, choice, micro, recompute=()):
        self.micro, self.choice = micro, choice
        self.rates, self.rounding, self._steps, wide = None, None, None, True
        if net.has_integers():
            from . import steps  # few learners need it

            self._steps, wide = steps, steps.rounding_of(choice.rounding)[1]
            self.rounding = choice.rounding or steps.ROUNDING
        self.program = Program(net, choice.learns, choice.gradients, wide, self._step_of)
        self.losses = Losses(self.program)
        self.groups = {
            group: choice.optimiser.hyper(choice.gradients) for group in ("below", "head")
        }
        if self._steps:
            self.rates = choice.optimiser.rates(self.groups, choice.rounding)
        self._clipping = None
        if self._steps and choice.optimiser.clip is not None:
            from .clipping import Clipping  # few learners need it

            self._clipping = Clipping(self.rates, choice.optimiser.clip * micro / choice.batch)
        self._velocity = None
        if self._steps and self.rates.moves:
            from .velocity import Velocity  # few learners need it

            self._velocity = Velocity(self.program, self.rates)
        self.runs = _runs(self.program, choice.heads)
        source = net.head["in"][0] if net.head else None
        kind, n = self.program.values.get(source, ("f32", 0))
        self.features = n if kind == "i8" else 0
        self.states = choice.optimiser.states if choice.gradients == GRADS else ()
        self._scales_of = None
        if not choice.gradients:
            self._scales_of = choice.optimiser.fused(self.groups, choice.heads)
        self.partial = None
        if choice.partial:
            from .partial import Partial  # few learners need it

            self.partial = Partial(choice.partial, choice.heads)
        self.sections = ["frozen", "begin", "forward", "backward", "single", "answer"]
        for name, is_there in (
            ("update", choice.gradients or self._steps),
            ("start", choice.gradients or choice.partial or self._velocity),
            ("one", self.losses.alone),
            ("teacher", choice.teacher),
            ("single_backward", choice.single_backward),
        ):
            if is_there:
                self.sections.append(name)
        self.recompute = list(recompute)
        if LATENTS in self.recompute and self.section("again"):
            self.sections.append("again")
        self.upper_at = len(self.program.below(micro))
        self.loss_at = self.upper_at + len(self.program.upper(micro))

    def section(self, name):
        """The rows of a section, made anew: all of them at once would be many objects."""
        program, micro, losses = self.program, self.micro, self.losses
        if name == "forward":
            rows = program.below(micro) + program.upper(micro)
            return rows + losses.rows(micro, micro / self.choice.batch)
        if name == "single_backward":
            return losses.rows(1) + program.backward(1)
        return {
            "frozen": program.frozen,
            "begin": self._begin,
            "start": self._start,
            "answer": losses.answers,
            "one": losses.of_one,
            "backward": lambda: self._backward()[0],
            "again": lambda: self._backward()[1],
            "update": self._update,
            "single": lambda: program.below(1) + program.upper(1),
            "teacher": lambda: program.upper(micro, SECOND, TEACHER),
        }[name]()

    def _start(self):
        if self.partial or self._velocity:  # their states are those of the rows that use them
            self._backward()
        more = self.partial.start() if self.partial else []
        if self._velocity:
            more = more + self._velocity.start()
        return self._updating(updates.start) + more

    def _group_of(self, name):
        return "head" if name in self.choice.heads else "below"

    def _step_of(self, name):
        return self.rates.clipped[self._group_of(name)]

    def _begin(self):
        return self.losses.clear() + (self._steps.begin() if self._steps else [])

    def _update(self):
        program, rows = self.program, []
        if self.choice.gradients and program.learned_elems:
            rows = self._updating(updates.rows, program.learned_elems, self.groups)
        if self._steps:
            decays = self.rates.decays if self.choice.optimiser.weight_decay else None
            if self._velocity:
                self._backward()
                rows = rows + self._velocity.update()
            rows = rows + self._steps.update(
                program.integers, self._group_of, decays, not self._velocity
            )
        return rows

    def _updating(self, rows, *others):
        return rows(self.choice.optimiser, self.choice.gradients, self.runs, *others)

    def _backward(self):
        """(rows of the backward pass, those of its end that come after latents are read again)"""
        program, micro, rows = self.program, self.micro, self.backward()
        if not self.recompute:
            return rows, []
        from .recompute import split, twice  # few learners need it

        rows = twice(program, program.upper(micro), rows, self.recompute)
        if LATENTS not in self.recompute:
            return rows, []
        return split(program, program.below(micro), rows)

    def backward(self):
        """The rows of a backward pass that finds all values where the forward pass left them."""
        rows = self.program.backward(self.micro, self._scales_of, self.partial, self._clipping)
        return self._velocity.steps(rows) if self._velocity else rows


def _runs(program, heads):
    """Neighbours that learn, in one run each."""
    runs = []
    places = {tensor: at for _, _, tensor, _, at in program.tensors}
    for node, key, tensor, shape, own in program.learned:
        first, chosen = places[tensor], program.chosen.get(node["name"])
        group = "head" if node["name"] in heads else "below"
        pieces, copies = [(first, own, elems(shape))], ()
        if chosen:
            pieces, copies = chosen.parts(key, first, own)
        if copies:
            runs.append((first, own, elems(shape), group, tuple(copies)))
        for piece in pieces:
            _join(runs, piece + (group, ()))
    return runs


def _join(runs, run):
    """Appends a run, or lengthens the last one that it goes on."""
    first, own, n, group, _ = run
    if runs and runs[-1][3:] == (group, ()) and runs[-1][0] + runs[-1][2] == first:
        runs[-1] = (runs[-1][0], runs[-1][1], runs[-1][2] + n, group, ())
    else:
        runs.append(run)
