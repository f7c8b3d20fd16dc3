"""The base of all strategies: one step of the optimiser on the batch that was read."""

from ..defaults import STEPS


class Strategy:
    """The hooks of a learning run, as plain training. A strategy overrides what it does otherwise.

    learner: continual.learner.Learner. arena: Arena, with the rows of buffers() in it; windows are
    taken here, and no later. options: {name of OPTIONS: value}, all of them.
    """

    REPLAY = True  # old records are mixed into the batch
    ANEW = False  # it knows a class by samples alone: what the model file knows is lost
    STEPS = STEPS  # of a learning run at least, where nobody says how many
    SCOPE = None  # what learns: a scope or preset of nn.scope; None: all, or as asked for
    COMPOSITION = "balanced"  # of a batch: one of composition.COMPOSITIONS
    # Of the model's outputs that it can work with.
    OBJECTIVES = ("classify", "regress", "reconstruct", "bernoulli", "kl_mean", "kl_spread")
    FORMATS = ("f32", "q8")  # of the nodes that learn
    GRADIENTS = False  # it needs the gradients of a whole mini-batch in one place
    TEACHER = False  # a second forward pass goes before, with the parameters in buffer "teacher"
    SINGLE_BACKWARD = False  # it needs gradients of single samples
    OPTIONS = {}  # name: (default, least, most)

    @staticmethod
    def buffers(sizes):
        """[(name, float32 elements, nn.names.SAVED, KEPT or BRIEF)] that it has in the arena.

        sizes: continual.config.Sizes. SAVED ones belong to a saved state.
        """
        return ()

    def __init__(self, learner, arena, options):
        self.learner = learner
        self.stage = learner.stage

    def fresh(self):
        """The parameters are those of the model file, and what it saves is zeros."""

    def begin(self):
        """A learning run begins; learner.sampler holds its records."""

    def forward(self):
        """Outputs of a micro-batch, their losses and gradients. Allocates nothing."""
        self.stage.forward_loss()

    def backward(self):
        """Computes the gradients of the parameters that learn. Allocates nothing."""
        self.stage.backward()

    def update(self):
        """Applies the gradients to the parameters that learn. Allocates nothing."""
        self.stage.update()

    def finish(self):
        """The last step of a learning run is done."""

    def end(self):
        """The session is over; its records are still in the store."""
