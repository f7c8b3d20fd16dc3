"""A board for engram.opener on this computer: flash in RAM, as a board's replay region."""

from types import SimpleNamespace

import tiny_model

from engram.compat import ticks_us
from engram.opener import open_learner
from engram.store import RamFlash

PROGRAM_BYTES = 16


def board(blocks=48, flash=None):
    """A module-like board; .flash is what a reset leaves."""
    flash = flash or RamFlash(blocks, 1024, PROGRAM_BYTES)
    return SimpleNamespace(
        flash=flash, store_device=lambda: flash, PROGRAM_BYTES=PROGRAM_BYTES, counter=ticks_us
    )


def opened(path, board, **options):
    """A learner for a model file, as a board's REPL opens it. Latents of the tiny model, which is
    not trained, differ in their last bits alone: they are stored with 8."""
    usual = {"bits": 8, "batch": 8, "lr": 0.1, "budget": 48}
    return open_learner(str(path), board, **{**usual, **options})


def observe(learner, *labels, count=8):
    """`count` samples of each class for the current session."""
    for label in labels:
        for i in range(count):
            learner.observe(tiny_model.sample(label, i), label)
