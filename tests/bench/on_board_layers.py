"""Runs on the emulated board, at the REPL: the frozen stage of a model row by row, and the
instructions of each."""

import gc
from binascii import crc32

import engram_board

import engram
from engram.backend import spent


def fill(values):
    """The bytes that the host has made, too (models.py)."""
    state = 1
    for i in range(len(values)):
        state = (state * 1103515245 + 12345) & 0x3FFFFFFF
        values[i] = (state >> 16 & 255) - 128


def count(name, options):
    """Opens a model; prints the instructions of a whole inference of its frozen stage, its rows,
    the instructions of each, inside the kernel and its checks, and the CRC of the latent."""
    learner = engram.open(name, engram_board, **options)
    stage = learner.stage
    tape = stage.tapes["frozen"]
    fill(stage._input)
    gc.collect()
    counter = engram_board.counter
    start = counter()
    tape.run()
    print((counter() - start) % (1 << 30), tape.rows)
    fill(stage._input)  # its memory may have served a value since
    for i in range(tape.rows):
        before = spent()
        tape.run_rows(i, i + 1)
        print((spent() - before) % (1 << 30))
    print("%08x" % (crc32(memoryview(stage.latent)) & 0xFFFFFFFF))
