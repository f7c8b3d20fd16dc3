"""Runs on the emulated board: what reading replayed latents takes of a training step."""

import gc

from engram import DataError
from engram.opener import open_learner

CLASSES, PER_CLASS, STEPS = 5, 8, 12


def picture(elems, label, n):
    """A sample of `elems` bytes: a lit band that depends on the label, with some noise."""
    pixels = bytearray(elems)
    noise = 1 + 131 * label + n
    for i in range(elems):
        noise = (noise * 4093 + 12829) & 0xFFFFFF
        lit = (i * 10 // elems + label) % 10 < 4
        pixels[i] = (noise >> 12 & 63) + (160 if lit else 0)
    return pixels


def measure(path, bits):
    """Prints bytes of a latent, then the instructions of STEPS steps: reading, and in all."""
    gc.collect()
    learner = open_learner(path, bits=bits, batch=16, lr=0.01)
    for labels in ((0, 1, 2, 3), (4,)):
        if labels != (0, 1, 2, 3):
            learner.end_session()
        for label in labels:
            for n in range(PER_CLASS):
                learner.observe(picture(learner.input_elems, label, n), label)
    read = total = steps = 0
    for record in learner.steps(epochs=STEPS):
        if not record["replayed"]:
            raise DataError("a step without replay")
        if steps < STEPS:
            read += record["phases"]["replay_read"]
            total += record["total"]
            steps += 1
    print(learner.store.latent_bytes, read, total)
