"""What all strategies have in common: one step of SGD on the batch that was read."""

from ...backend import kernels


class Strategy:
    """The hooks of a learning run, as plain SGD. A strategy overrides what it does otherwise.

    learner: continual.learner.Learner. spec: nn.model.ModelSpec. arena: Arena, with the rows of
    buffers() in it; windows are taken here, and no later. options: {name of OPTIONS: value}, all
    of them.
    """

    REPLAY = True  # old records are mixed into the batch
    DEPTH = None  # layers with parameters that learn, from the head down; None: all
    BIASES = False  # of those layers only the biases learn
    COMPOSITION = "balanced"  # of a batch: one of sampling.COMPOSITIONS
    OPTIONS = {}  # name: (default, least, most)

    @staticmethod
    def buffers(sizes):
        """[(name, float32 elements, plan.SAVED, KEPT or BRIEF)] that it has in the arena.

        sizes: strategies.Sizes. What is SAVED belongs to a saved state.
        """
        return ()

    def __init__(self, learner, spec, arena, options):
        self.learner = learner
        self.stage = learner.adaptive

    def begin(self):
        """A learning run begins; learner.sampler holds its records."""

    def forward(self):
        """Logits of the batch, loss and its gradient at the logits. Allocates nothing."""
        stage, learner = self.stage, self.learner
        stage.forward()
        kernels.softmax_xent(
            stage.dlogits, learner.stats, stage.logits, learner.labels, learner.batch, stage.known
        )

    def backward(self):
        """Gradients of the parameters. Allocates nothing."""
        self.stage.backward()

    def update(self):
        """The parameters take a step. Allocates nothing."""
        self.stage.update(self.learner.hyper)

    def finish(self):
        """The last step of a learning run is done."""

    def end(self):
        """The experience is over; its records are still in the store."""


def copy(out, x):
    """out (n) = x (n), float32 windows. Allocates nothing."""
    n = len(out)
    kernels.copy_channels(out, x, 1, n, n, 0, 0, n)
