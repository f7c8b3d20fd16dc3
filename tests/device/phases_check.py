"""A training step that shows its phases on pins allocates nothing, and shows them in order."""

import gc

import tiny_model
from engram.compat import heap_lock, heap_unlock
from engram.link.phases import CODES, PhaseMarker
from heap_check import flash
from learner_check import open_learner


class Pin:
    """One of three: the code that all of them show goes into a buffer."""

    def __init__(self, line, shown):
        self.line = line
        self.shown = shown

    def __call__(self, value):
        shown = self.shown
        bit = 1 << self.line
        shown[1] = shown[1] & ~bit | value << self.line
        if self.line == 2:
            shown[2 + shown[0]] = shown[1]
            shown[0] = shown[0] + 1


def main():
    learner = open_learner(*flash())
    shown = bytearray(200)  # entries, the level now, then the codes
    marker = PhaseMarker([Pin(line, shown) for line in range(3)], learner.counter)
    for i in range(12):
        learner.observe(tiny_model.sample(2, i), 2)
    learner.counter = marker.count
    marker.steps()
    steps = learner.steps(epochs=9)
    next(steps)
    gc.collect()
    shown[0] = 0
    try:
        heap_lock()
        for _ in range(5):
            learner.step()
    finally:
        heap_unlock()
    names = {code: name for name, code in CODES.items()}
    print("exact step with pins allocates nothing")
    codes = shown[2 : 2 + shown[0]]
    print("exact", " ".join([names[code] for code in codes[:5]]))
    print("exact all steps alike", bytes(codes) == bytes(codes[:5]) * 5)


if __name__ == "__main__":
    main()
