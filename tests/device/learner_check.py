"""The learner on any host: prints what it computes, for hosts to be compared line by line.

"exact" lines must be equal everywhere; numbers of "close" lines may differ by the float32
tolerance that the caller states.
"""

import io
from binascii import crc32

import tiny_model
from engram import Learner, ModelSpec
from engram.store import Checkpoints, RamFlash, ReplayStore, regions

PROGRAM_BYTES = 16


def open_learner(flash, program_bytes=PROGRAM_BYTES, program_once=None, **options):
    spec = ModelSpec(io.BytesIO(tiny_model.model_bytes()))
    settings = {"batch": 8, "lr": 0.1, "seed": 3, "budget": 24, "policy": "balanced"}
    settings.update(options)
    store_device, checkpoint_device = regions(flash, 64 + spec.parameter_bytes, program_bytes)
    return Learner(
        spec,
        ReplayStore(
            store_device, program_bytes, spec.latent_id, spec.latent_elems, align=program_once
        ),
        Checkpoints(checkpoint_device, program_bytes, spec.model_id),
        **settings
    )


def exact(name, data):
    print("exact", name, "%08x" % (crc32(bytes(data)) & 0xFFFFFFFF))


def close(name, values):
    print("close", name, " ".join(["%.6g" % v for v in values]))


def main():
    flash = RamFlash(32, 1024, PROGRAM_BYTES)
    learner = open_learner(flash)
    latent = bytearray(learner.store.latent_bytes)
    for labels in ((0, 1), (2,), (3,)):
        for label in labels:
            for i in range(12):
                learner.observe(tiny_model.sample(label, i), label)
        exact("labels", learner.store.labels)
        losses = [record["loss"] for record in learner.steps(epochs=6)]
        close("losses", losses)
        learner.end_session()
    for slot in range(len(learner.store.labels)):
        if learner.store.labels[slot] != 255:
            learner.store.read_into(slot, latent)
            exact("latent%d" % slot, latent)
    close("params", learner.stage.params)
    samples = [(tiny_model.sample(c, 100 + i), c) for c in range(4) for i in range(5)]
    result = learner.evaluate(samples)
    print("exact evaluate", result["n"], result["correct"], result["total"], result["right"])
    label, probability = learner.predict(tiny_model.sample(2, 50))
    print("exact predict", label)
    close("probability", [probability])
    print("exact generation", learner.save())
    again = open_learner(flash)
    print("exact load", again.load(), again.session, again.seen, len(again.store))
    pairs = zip(again.stage.params, learner.stage.params)
    exact("reloaded", bytes([a == b for a, b in pairs]))


if __name__ == "__main__":
    main()
