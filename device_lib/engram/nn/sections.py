"""Sections of a training step: which rows of a program run when.

    frozen                                once per sample
    begin, forward, backward, update      once per mini-batch; forward and backward per micro-batch
    single, answer                        once per prediction
"""

from . import updates
from .geometry import elems
from .losses import Losses
from .names import SECOND, TEACHER
from .program import Program


class Choice:
    """What a learner consists of, as far as its rows depend on it.

    optimiser   optimisers.Optimiser
    batch       samples of a mini-batch
    learns, heads   as scope.py has them
    fused       whether gradients are applied where they are computed
    teacher, single_backward   sections that the strategy runs beside the usual ones
    """

    def __init__(self, optimiser, batch, learns, heads, fused, teacher, single_backward):
        self.batch, self.learns, self.heads, self.optimiser = batch, learns, heads, optimiser
        self.fused, self.teacher, self.single_backward = fused, teacher, single_backward


class Sections:
    """The rows of a learner, section by section.

    net: net.Net. choice: Choice. micro: rows of a micro-batch, a divisor of choice.batch.

    .sections   names of the sections: frozen, begin, forward, backward, update; single and answer,
                for one sample; where the choice asks, single_backward and teacher
    .upper_at, .loss_at   the first rows of forward that learn and that are of the loss
    .program, .losses     program.Program, losses.Losses
    .states     buffers of the optimiser
    .groups     {"below", "head": array('f') of hyperparameters}
    .runs       [(first in params, first in grads, elements, group)] of what learns
    """

    def __init__(self, net, choice, micro):
        self.micro, self.choice = micro, choice
        self.program = Program(net, choice.learns)
        self.losses = Losses(self.program)
        self.groups = {"below": choice.optimiser.hyper(), "head": choice.optimiser.hyper()}
        self.runs = _runs(self.program, choice.heads)
        self.states = () if choice.fused else choice.optimiser.states
        self._fused = None
        if choice.fused:
            self._fused = choice.optimiser.fused(self.groups, choice.heads)
        self.sections = ["frozen", "begin", "forward", "backward", "single", "answer"]
        for name, wanted in (
            ("update", not choice.fused),
            ("teacher", choice.teacher),
            ("single_backward", choice.single_backward),
        ):
            if wanted:
                self.sections.append(name)
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
            "begin": losses.clear,
            "answer": losses.answers,
            "backward": lambda: program.backward(micro, self._fused),
            "update": lambda: updates.rows(
                self.choice.optimiser, self.runs, program.learned_elems, self.groups
            ),
            "single": lambda: program.below(1) + program.upper(1),
            "teacher": lambda: program.upper(micro, SECOND, TEACHER),
        }[name]()


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
