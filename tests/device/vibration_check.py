"""The front end of vibration on any host: features as int8 has them, and what is refused.

All lines are exact: no feature here is within the float32 tolerance of the middle of two steps.
"""

from array import array

from engram.errors import DataError
from engram.vibration import Vibration
from kernels_source import Source

STEPS = 32  # of an int8, in 1


def steps(features):
    return [max(-128, min(127, int(v * STEPS + (0.5 if v > 0 else -0.5)))) for v in features]


def refused(name, call):
    try:
        call()
        print("exact", name, "no error")
    except (ValueError, DataError) as error:
        print("exact", name, error)


def main():
    for samples, axes in ((8, 1), (64, 3), (33, 6)):
        window = Source(True).f(samples * axes)
        front = Vibration(samples, axes)
        plain = steps(front.features(window))
        print("exact window", samples, axes, front.count, *plain)
        rows = [tuple(window[i : i + axes]) for i in range(0, len(window), axes)]
        raw = array("h", [int(v * 64) for v in window])
        same = axes == 1 or steps(front.features(rows)) == plain
        of_steps = Vibration(samples, axes, 0.064)
        print("exact also", same, steps(of_steps.features(raw)) == plain)
    front = Vibration()
    print("exact constant", *steps(front.features([1] * 192)))
    refused("few", lambda: Vibration(7, 3))
    refused("axes", lambda: Vibration(64, 7))
    refused("floor", lambda: Vibration(64, 3, 0))
    refused("size", lambda: front.features([0.5] * 191))
    refused("rows", lambda: front.features([(0.5, 0.5)] * 64))


if __name__ == "__main__":
    main()
