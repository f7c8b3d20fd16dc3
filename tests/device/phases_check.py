"""A training step that shows its phases on pins allocates nothing, and shows them in order."""

import gc

import tiny_model
from engram.compat import heap_lock, heap_unlock
from engram.link.phases import CODES, PhaseMarker
from heap_check import flash
from learner_check import open_learner


class Pin:
    """One of three: the code that all of them show goes into a buffer."""

    def __init__(self, line, trace):
        self.line = line
        self.trace = trace

    def __call__(self, value):
        trace = self.trace
        bit = 1 << self.line
        trace[1] = trace[1] & ~bit | value << self.line
        if self.line == 2:
            trace[2 + trace[0]] = trace[1]
            trace[0] = trace[0] + 1


def main():
    learner = open_learner(*flash())
    trace = bytearray(200)  # entries, the level now, then the codes
    marker = PhaseMarker([Pin(line, trace) for line in range(3)], learner.counter)
    for i in range(12):
        learner.observe(tiny_model.sample(2, i), 2)
    learner.counter = marker.count
    marker.steps()
    steps = learner.steps(epochs=9)
    next(steps)
    gc.collect()
    trace[0] = 0
    try:
        heap_lock()
        for _ in range(5):
            learner.step()
    finally:
        heap_unlock()
    names = {code: name for name, code in CODES.items()}
    print("exact step with pins allocates nothing")
    codes = trace[2 : 2 + trace[0]]
    print("exact", " ".join([names[code] for code in codes[:5]]))
    print("exact all steps alike", bytes(codes) == bytes(codes[:5]) * 5)


if __name__ == "__main__":
    main()
