"""A watch on any host: the same engines, scores and alarms of the same samples.

"exact" lines must be equal everywhere, "bits" lines wherever the kernels are those in C; numbers
of "close" lines may differ by the float32 tolerance that the caller states.
"""

import gc
from array import array
from binascii import crc32, hexlify

import tiny_model
import unlabelled_check
from engram.compat import bytes_of
from engram.errors import DataError
from engram.watch import shift
from learning import close
from unlabelled_check import keep_room, open_learner

# name: options of the watch
CASES = (
    ("clusters", {"engine": "clusters", "clusters": 3}),
    ("neighbours", {"engine": "neighbours"}),
    ("classes", {"engine": "classes"}),
    ("loss", {"engine": "loss"}),
)
WINDOW = 4
# Garbage that a sample leaves; of "neighbours" some for each record that is read.
MOST_BYTES = {"clusters": 512, "classes": 512, "loss": 1024, "neighbours": 6144}


def watch(learner, name, options):
    made = learner.watch(window=WINDOW, false_alarms=0.05, **options)
    facts = made.info()
    print("exact", name, facts["how"], facts["extrapolated"], facts["means"], facts["held_out"])
    close(name + "-threshold", [facts["threshold"], facts["lower"]])
    if options["engine"] in ("clusters", "classes"):
        print("exact", name, [int(v) for v in made.engine.counts])
        parts = made.engine.means, made.engine.weights, made.engine.offsets
        print("bits", name, [crc32(bytes(bytes_of(part))) for part in parts])
        x = tiny_model.sample(3, 99)
        print("bits", name, hexlify(bytes(bytes_of(array("f", (made.feed(x).score,))))))
    states, scores = [], []
    for i in range(16):
        x = tiny_model.sample(i % 2 + 2 * (5 <= i < 10), 60 + i)
        if 5 <= i < 10:
            x = bytearray([255 - v for v in x])
        reading = made.feed(x)
        scores.append(reading.score)
        states.append(reading.state[0] + ("!" if reading.changed else ""))
    print("exact", name, " ".join(states), made.alarms)
    close(name + "-scores", scores)
    if hasattr(gc, "mem_alloc"):
        gc.collect()
        gc.disable()
        before = gc.mem_alloc()
        made.feed(x)
        after = gc.mem_alloc()
        gc.enable()
        assert after - before < MOST_BYTES[name], (name, after - before)


def match(learner):
    """What Learner.match() does to layers that read latents: a board has no model file here."""
    n = len(learner.stage.latent)
    w, b = array("f", [(i % 7 - 3) / 8 for i in range(2 * n)]), array("f", (0.5, -0.5))
    told = shift.move(learner, [dim(i) for i in range(shift.LEAST)], [(w, b)])
    print("exact", "match", told["samples"], told["stored"], learner.matched)
    close("match", [told["moved"]] + list(b) + list(w[:8]))
    try:
        shift.move(learner, [dim(0)], [(w, b)])
    except DataError as e:
        print("exact", "match", e)


def dim(i):
    return bytearray([v // 2 + 20 for v in tiny_model.sample(i % 2, 80 + i)])


def main():
    for block in range(unlabelled_check.FLASH.blocks):
        unlabelled_check.FLASH.ioctl(6, block)
    keep_room()
    learner = open_learner("bernoulli", True, budget=100)
    for i in range(40):
        label = i % 2
        learner.observe(tiny_model.sample(label, i), label)
    for _ in learner.steps(steps=2):
        pass
    for name, options in CASES:
        gc.collect()
        watch(learner, name, options)
    gc.collect()
    match(learner)


if __name__ == "__main__":
    main()
