"""What the checks of learners share: lines of numbers, and a step that may not allocate."""

import gc

from engram.compat import heap_lock, heap_unlock


def close(name, values):
    """Prints numbers that may differ by the float32 tolerance of whoever compares them."""
    print("close", name, " ".join(["%.6g" % v for v in values]))


def step_locked(learner):
    """A step with the heap locked, where there is a lock."""
    gc.collect()
    heap_lock()
    try:
        learner.step()
    finally:
        heap_unlock()
