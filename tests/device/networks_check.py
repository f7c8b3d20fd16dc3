"""Model files that learn on any host: prints their losses, for hosts to be compared line by line.

The layers of a model learn one mini-batch by heart, whole and in micro-batches, without a store.
On a computer: python networks_check.py FILE...; on a board: import it, and call check(FILE, ...).
Numbers of "close" lines may differ by the float32 tolerance that the caller states.
"""

import sys
from array import array

from engram import Learner, ModelSpec
from engram.backend import kernels

BATCH, STEPS = 4, 6


def drawn(n, seed):
    """array('f') of n numbers in [-1, 1), the same on every host."""
    state = seed
    out = array("f", range(n))
    for i in range(n):
        state = (state * 141 + 28411) % 134456
        out[i] = (state % 2048 - 1024) / 1024
    return out


def fill(learner, first):
    """Samples from number `first` on go into the micro-batch."""
    stage = learner.stage
    for row in range(stage.micro - 1, -1, -1):
        learner.infer(drawn(learner.input_elems, 1 + 7 * (first + row)), row)
    n = learner.targets
    for row in range(stage.micro):
        stage.labels[row] = (first + row) % max(1, learner.classes)
        if n:
            stage.targets[row * n : (row + 1) * n] = drawn(n, 5 + 3 * (first + row))


def losses(path, lr=0.02, **options):
    """The loss before each of STEPS steps of a model file."""
    with open(path, "rb") as stream:
        learner = Learner(ModelSpec(stream), batch=BATCH, lr=lr, **options)
    stage, out = learner.stage, []
    latents = bytearray(stage.latents)  # as a store has them
    stage.refill = lambda: kernels.dequantize_s8(stage.again, latents, learner.latent_qp)

    def passes():
        stage.begin()
        for first in range(0, BATCH, stage.micro):
            fill(learner, first)
            latents[:] = stage.latents
            stage.take_latents()
            stage.forward_loss()
            stage.backward()

    learner.trainer.set_rates(0)
    stage.settle(passes)
    learner.trainer.set_rates(1)
    stage.start()
    for _ in range(STEPS):
        passes()
        stage.update()
        out.append(sum([stats[0] for stats in stage.stats.values()]) / BATCH)
    return out


def close(name, values):
    print("close", name, " ".join(["%.6g" % v for v in values]))


def check(*paths):
    for path in paths:
        for micro in (1, BATCH):
            close("%s micro %d" % (path.split("/")[-1], micro), losses(path, micro=micro))


if __name__ == "__main__":
    check(*sys.argv[1:])
