"""A training step allocates nothing: with the heap locked, any allocation raises MemoryError."""

import gc
from array import array

import tiny_model
from engram.compat import heap_lock, heap_unlock
from engram.continual.reading import LatentReader, code_values
from engram.store import RamFlash, ReplayStore
from engram.store.format import NO_CLASS
from learner_check import open_learner


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


def read_targets(device, page, once):
    """Reads a batch with targets where it lies and through the store's buffer, the heap locked."""
    store = ReplayStore(device, page, 1, 5, align=once, targets=3)
    for n in range(4):
        store.append(bytes([n] * 5), NO_CLASS, 0, bytes(array("f", (n, -n, n / 4))))
    out, labels, slots = array("f", bytes(80)), bytearray(4), array("i", range(4))
    for mapped in (store.mapped, None):
        store.mapped = mapped
        targets = array("f", bytes(48))
        codes = code_values(array("f", (1, 0)), store.bits)
        reader = LatentReader(store, out, labels, slots, codes, targets)
        gc.collect()
        try:
            heap_lock()
            end = reader.read(0, 4)
        finally:
            heap_unlock()
        assert end == 4 and list(targets) == [v for n in range(4) for v in (n, -n, n / 4)]


def main():
    read_targets(*flash())
    gc.collect()
    learner = open_learner(*flash())
    for label in (0, 1):
        for i in range(12):
            learner.observe(tiny_model.sample(label, i), label)
    learner.end_session()
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
