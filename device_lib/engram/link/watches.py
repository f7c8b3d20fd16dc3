"""Calls for a watch over the samples that a host sends: fitted in slices, as learning is."""

from ..compat import forget
from ..watch.watch import Watch
from .calls import part_of, stop

_CODE = ("clusters", "distances", "engines", "kmeans", "loss", "neighbours", "records",
         "threshold", "watch")


def watch_begin(device, **options):
    """Prepare a watch; watch_step fits it. options: as watch.Watch takes them."""
    stop(device)
    device.watch = None  # its room is free for the next one
    watch = Watch(device.need_learner(), **options)
    device.steps, device.watch = watch.preparing(), watch
    return {}


def watch_step(device, ms):
    """Fit for about `ms` milliseconds. Returns {"done", "watch": Watch.info(), None before}."""
    try:
        is_over = part_of(device, ms, 1 << 20, last_only=True)[1]
    except Exception:
        device.watch = None
        stop(device)
        raise
    if not is_over:
        return {"done": False, "watch": None}
    forget(["engram.watch." + name for name in _CODE])  # their code goes with the watch
    return {"done": True, "watch": device.need_watch().info()}


CALLS = {"watch_begin": watch_begin, "watch_step": watch_step}
