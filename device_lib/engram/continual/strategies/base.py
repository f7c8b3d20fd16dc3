"""What all strategies have in common: one step of SGD on the batch that was read."""

from ...backend import kernels


class Strategy:
    """The hooks of a learning run, as plain SGD. A strategy overrides what it does otherwise.

    learner: continual.learner.Learner. arena: Arena, with the rows of buffers() in it; windows are
    taken here, and no later.
    """

    REPLAY = True  # old records are mixed into the batch
    DEPTH = None  # layers with parameters that learn, from the head down; None: all

    @staticmethod
    def buffers(sizes):
        """[(name, float32 elements)] that it keeps in the arena. sizes: strategies.Sizes."""
        return ()

    def __init__(self, learner, arena):
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

    def end(self):
        """The experience is over; its records are still in the store."""

    def state(self):
        """Tuple of float32 windows that a saved state holds beside the parameters."""
        return ()
