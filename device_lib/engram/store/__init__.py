"""Latents and learned states in flash, that survive a power cut at any byte.

    replay, saved = regions(device, checkpoint_bytes)
    store = ReplayStore(replay, 256, model_id, latent_bytes)
    slot = store.append(latent, label, session)
    store.read_into(slot, buffer)
    checkpoints = Checkpoints(saved, 256, model_id)
    checkpoints.save([weights])

REPLAY_FORMAT.md, beside this file, describes every byte.
"""

from .checkpoint import Checkpoints
from .log import ReplayStore
from .region import Region
from .regions import regions, units_of

__all__ = (
    "Checkpoints", "FileFlash", "RamFlash", "Region", "ReplayStore", "regions", "units_of",
)


def __getattr__(name):
    """The block devices of hosts without flash, loaded when first used: boards need none."""
    if name not in ("FileFlash", "RamFlash"):
        raise AttributeError(name)
    return getattr(__import__("engram.store.blockdev", None, None, (name,)), name)
