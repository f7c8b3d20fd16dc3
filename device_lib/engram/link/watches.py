"""Calls for a watch over the samples that a host sends: fitted in slices, as learning is, and so
is what it learns from them."""

from ..compat import forget
from ..errors import CommandError
from ..watch.watch import Watch
from .calls import part_of, stop

_CODE = ("adapting", "clusters", "distances", "engines", "kmeans", "loss", "neighbours",
         "parts", "quarantine", "records", "threshold", "watch")


def watch_begin(device, adapt=None, **options):
    """Prepare a watch; watch_step fits it. options: as watch.Watch takes them. adapt: steps of a
    learning run, of a watch that lets its learner follow what is new; None: it learns nothing."""
    stop(device)
    device.watch = None  # its room is free for the next one
    watch = Watch(device.need_learner(), **options)
    if adapt is not None:
        from ..watch.parts import part

        adapting = part("adapting", "adapts to what it watches")
        watch = adapting.Adaptation(watch, adapt, prepare=False)
    device.steps, device.watch = watch.preparing(), watch
    return {}


def watch_step(device, ms):
    """Fit for about `ms` milliseconds. Returns {"done", "watch": Watch.info(), None before}."""
    is_over = _part(device, ms)
    return {"done": is_over, "watch": device.need_watch().info() if is_over else None}


def adapt_begin(device):
    """Prepare to learn what the watch has taken in; adapt_step learns. A stream of samples to
    watch goes on after it."""
    if not device.need_watch().ready:
        raise CommandError(
            "expected samples that were taken in, got too few or none: wait for \"ready\" of a "
            "watch that was begun with adapt"
        )
    device.end_steps()
    device.steps = device.watch.adapting()
    return {}


def adapt_step(device, ms):
    """Learn for about `ms` milliseconds. Returns {"done", "adapted": as Adaptation.adapt() says,
    "watch": Adaptation.info(); None before}."""
    if not _part(device, ms):
        return {"done": False, "adapted": None, "watch": None}
    watch = device.need_watch()
    return {"done": True, "adapted": watch.told, "watch": watch.info()}


def watch_info(device):
    """The watch as it is now: Watch.info(), or Adaptation.info()."""
    return device.need_watch().info()


def _part(device, ms):
    """Goes on for a while; whether it is over. An error ends the watch."""
    try:
        is_over = part_of(device, ms, 1 << 20, last_only=True)[1]
    except Exception:
        device.watch = None
        stop(device)
        raise
    if is_over:
        forget(["engram.watch." + name for name in _CODE])  # their code goes with the watch
    return is_over


CALLS = {
    "watch_begin": watch_begin,
    "watch_step": watch_step,
    "watch_info": watch_info,
    "adapt_begin": adapt_begin,
    "adapt_step": adapt_step,
}
