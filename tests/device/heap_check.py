"""A training step allocates nothing: with the heap locked, any allocation raises MemoryError."""

import gc

import tiny_model
from engram.compat import heap_lock, heap_unlock
from learner_check import open_learner
from engram.store import RamFlash


def flash():
    """(device, program unit, whether it takes one program) of this board's own flash, blank: the
    one that must not allocate. A PC has none."""
    try:
        import engram_board
    except ImportError:
        return RamFlash(32, 1024, 16), 16, None
    device = engram_board.store_device()
    for block in range(device.ioctl(4, 0)):
        device.ioctl(6, block)
    return device, engram_board.PROGRAM_BYTES, engram_board.PROGRAM_ONCE


def main():
    learner = open_learner(*flash())
    for label in (0, 1):
        for i in range(12):
            learner.observe(tiny_model.sample(label, i), label)
    learner.end_experience()
    for i in range(12):
        learner.observe(tiny_model.sample(2, i), 2)
    steps = learner.steps(epochs=9)
    next(steps)
    gc.collect()
    try:
        heap_lock()
        for _ in range(20):  # old and new records, and the shuffle at the end of an epoch
            learner.step()
    finally:
        heap_unlock()
    print("exact step allocates nothing")
    try:
        heap_lock()
        bytearray(64)
        locked = False
    except MemoryError:
        locked = True
    finally:
        heap_unlock()
    print("lock works" if locked else "this host has no heap lock")


if __name__ == "__main__":
    main()
