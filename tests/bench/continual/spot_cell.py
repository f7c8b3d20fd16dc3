"""A small cell that runs on a board too: latents from a file, every pick and loss told.

Prints "exact" lines, equal on every host, and "close" lines, equal to the float32 tolerance.
"""

import gc
from binascii import crc32

from engram import Learner, ModelSpec
from engram.backend import kernels
from engram.store import RamFlash, ReplayStore

PAGE, BITS, BUDGET, EPOCHS = 16, 4, 40, 2


def main(folder="", strategy="replay_lwf"):
    """Reads spot.safetensors and spot.bin of a folder. In spot.bin: how many sessions, how many
    records each, then label and int8 latent of each record."""
    flash = RamFlash(20, 1024, PAGE)
    gc.collect()
    with open(folder + "spot.safetensors", "rb") as file:
        spec = ModelSpec(file)
        elems = spec.latent_elems
        store = ReplayStore(flash, PAGE, spec.latent_id, elems * BITS // 8, bits=BITS)
        learner = Learner(
            spec,
            store,
            batch=4,
            lr=0.03,
            lr_decay=1.0,
            seed=5,
            known=5,
            strategy=strategy,
            budget=BUDGET,
        )
    packed = bytearray(store.latent_bytes)
    latent = bytearray(elems)
    with open(folder + "spot.bin", "rb") as file:  # a board has no room for all of it
        parts = file.read(file.read(1)[0])
        for session, count in enumerate(parts):
            for _ in range(count):
                label = file.read(1)[0]
                file.readinto(latent)
                if label >= learner.stage.known:
                    learner.stage.resize(label + 1)
                kernels.pack_s8(packed, latent, BITS)
                store.append(packed, label, session)
            if session:
                picks, loss = 0, 0.0
                for record in learner.steps(EPOCHS):
                    picks = crc32(bytes(learner.labels), crc32(bytes(learner.slots), picks))
                    loss += record["loss"]
                print("exact picks", session, record["of"], picks & 0xFFFFFFFF)
                print("close loss", loss / record["of"])
            learner.end_session()
            gc.collect()
    print("exact kept", len(store), crc32(bytes(store.labels)) & 0xFFFFFFFF)
    for i in range(0, len(learner.stage.params), 97):
        print("close weight", learner.stage.params[i])
