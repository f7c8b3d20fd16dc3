"""Nearest class mean: a class is the mean of its features, learned in one pass.

Mensink et al. (TPAMI 2013); on a microcontroller Wibowo et al., "12 mJ per Class On-Device Online
Few-Shot Class-Incremental Learning" (DATE 2024). Features are the head's inputs; the layers below
stay as they are. The head is written so that its largest output is the nearest mean:

    -|x - mu|^2 = 2 mu x - |mu|^2 - |x|^2   w = 2 mu,     b = -|mu|^2
    cos(x, mu)  = mu x / (|mu| |x|)         w = mu / |mu|, b = 0
"""

from math import sqrt

from ...backend import kernels
from ...nn.names import SAVED
from ..numbers import DEAD
from ..once import Once
from ..vector import scalar, square
from .base import Strategy as Base

NEVER = -1e30  # bias of a class without a mean


class Strategy(Base):
    """Options: cosine, 1: by angle, 0: by distance. past, 0: the model file's classes have to be
    learned anew; else its head holds means (w = 2 mu), each of so many samples.

    Each new record is taken once, in the order in which they came, whatever the epochs and however
    many runs a session has. There is no loss: a step tells 0.
    """

    FORMATS = ("f32",)
    REPLAY = False
    ANEW = True  # but for the option past
    STEPS = 0  # one pass is all
    SCOPE = "head"
    GRADIENTS = True
    OBJECTIVES = ("classify",)
    OPTIONS = {"cosine": (0, 0, 1), "past": (0, 0, 1000000)}

    @staticmethod
    def buffers(sizes):
        # of the features of a class, how many; which records are in them
        return (("sums", sizes.head, SAVED), ("taken", 2, SAVED))

    def __init__(self, learner, arena, options):
        super().__init__(learner, arena, options)
        head = self.stage.head
        self._w, self._b = head.w, head.b
        self._one_hot = head.dout
        sums, n = arena.window("sums"), len(self._w)
        self._sums, self._counts = sums[:n], sums[n:]
        self._once = Once(arena.window("taken"))
        self._cosine, self._past = options.get("cosine"), options.get("past")
        self.fresh()

    def fresh(self):
        past = self._past
        if past:
            kernels.scale_f32(self._sums, self._w, scalar(past / 2))
            for c in range(self.stage.known):
                self._counts[c] = past
            self._write()
        for c in range(self.stage.known, len(self._b)):
            self._b[c] = NEVER

    def begin(self):
        self._once.begin(self.learner.store, self.learner.sampler)

    def forward(self):
        """Features of the batch, while there are records that have not been taken."""
        if self._once.left():
            self.stage.features()

    def backward(self):
        """Sums of the features of each class: the weight gradients of logits that carry a 1."""
        if not self._once.left():
            return
        head, labels, slots = self.stage.head, self.learner.labels, self.learner.slots
        one_hot, room = self._one_hot, len(self._b)
        kernels.zero_f32(one_hot)
        for i in range(head.rows):
            if self._once.take(slots[i]):
                one_hot[i * room + labels[i]] = 1
            else:
                self._leave_out(i)
        self._take_in()
        self._once.settle(DEAD)

    def _leave_out(self, row):
        """A row of the batch that has been taken before: its logits are zeros."""

    def _take_in(self):
        """Sums over the batch."""
        head = self.stage.head
        kernels.dense_bwd_dw(
            self._sums, self._counts, self._one_hot, head.x, head.rows, head.n, len(self._b)
        )

    def update(self):
        pass

    def finish(self):
        self._write()

    def _write(self):
        """The head from the sums."""
        n = self.stage.head.n
        for c in range(len(self._b)):
            row, sums = self._w[c * n : c * n + n], self._sums[c * n : c * n + n]
            count = self._counts[c]
            if not count:
                kernels.zero_f32(row)
                self._b[c] = NEVER
            elif self._cosine:
                kernels.scale_f32(row, sums, scalar(1 / (sqrt(square(sums)) or 1)))
                self._b[c] = 0
            else:
                kernels.scale_f32(row, sums, scalar(2 / count))
                self._b[c] = -square(row) / 4
