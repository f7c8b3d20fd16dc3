"""The parts of a stage that only models have which learn without answers: the noise in a code,
outputs whose weight grows in the first steps, the losses of one sample."""

from .names import NEW_NOISE, NO_CLASS_LABEL


class Variational:
    """Steers what the rows of a plan read.

    streams: [array('i')] of nodes that draw noise, as kernels have them: seed, next number, which
    noise. warming: {output: array('f')}, as losses.Losses has it; outputs: of the graph. one: a
    tape of the losses of one sample, which writes alone.

    .alone      {output that needs no answer: array('f')}: its loss, then what else it counts
    .answered   samples of the mini-batch that have an answer
    """

    def __init__(self, streams, warming, outputs, alone, one):
        self._streams, self.alone, self._one = streams, alone, one
        steps = {output["node"]: output.get("warm_up") for output in outputs}
        self._warming = [(scale, steps[name]) for name, scale in warming.items()]
        self._weights = {output["node"]: output["weight"] for output in outputs}
        self.answered = 0

    def draw(self, noise):
        """Codes have this noise from here on: NEW_NOISE, or NO_NOISE, their means."""
        for stream in self._streams:
            stream[2] = noise

    def begin(self, seed):
        """A learning run begins: noise is of the streams seed, seed + 1, ..."""
        for stream in self._streams:
            stream[0], stream[1], stream[2] = seed, 0, NEW_NOISE
            seed += 1

    def warm(self, steps):
        """A mini-batch begins; the weights that grow are those of step number `steps`."""
        self.answered = 0
        for scale, last in self._warming:
            scale[0] = min(1, steps / last)

    def count(self, labels):
        """Counts the samples of a micro-batch that have an answer."""
        for label in labels:
            if label != NO_CLASS_LABEL:
                self.answered += 1

    def share(self, right):
        """The share of right answers among the samples that have one; None without."""
        return right / self.answered if self.answered else None

    def loss(self, losses):
        """The weighted sum of {output: loss}: what is minimised."""
        return sum([self._weights[name] * losses[name] for name in losses])

    def score(self):
        """The weighted sum of .alone of a sample, which it fills; after forward_single()."""
        self._one.run()
        return self.loss({name: stats[0] for name, stats in self.alone.items()})


def variational_of(plan, outputs, tapes):
    """Variational of nn.sections.Sections whose rows are made. outputs: of the graph."""
    streams = list(plan.program.streams.values())
    return Variational(streams, plan.losses.warming, outputs, plan.losses.alone, tapes.get("one"))
