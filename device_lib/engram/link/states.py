"""Calls that open a learner, go back to another state of it, or erase what it has learned."""

from ..compat import heap_free, heap_used
from ..holder import hold
from . import wire
from .calls import opened, stop

_HELD_BYTES = 4096  # the agent itself grows by less; a learner is larger
# What a learner imports, a part at a time, in the order in which the parts need one another; not
# what only opening one needs, which would count as memory that the learner gives back.
_LEARNS = (
    "engram.nn.stage", "engram.store",
    "engram.continual.learner", "engram.opener",
)


def open_model(device, model, pushed=None, fresh=False, **options):
    """Open a learner for a model file, with what the board has learned with it before.

    pushed: name of a file that takes the place of that one when it opens; else that one opens as
    before. fresh: erase samples and states that are there.
    """
    device.close()
    # Only a board that learns pays for the kernels. From files code takes seconds to load.
    for module in _LEARNS:
        __import__(module)
        device.beat()
    from ..opener import load_code, open_learner

    files = device.files
    files.close()
    if not files.has(model) and files.has(model + wire.PUSHED):
        files.rename(model + wire.PUSHED, model)  # a cut came between the end of one and the other
        pushed = None
    name = pushed or model
    files.open(name).close()  # CommandError if it is not there
    path = files.place(name)
    load_code(**options)
    device.board.store_device()  # made now: it stays when the learner goes
    device.beat()
    learner = open_learner(
        path, device.board, idle_heap(device), beat=device.beat, fresh=fresh, **options
    )
    if pushed:
        files.rename(pushed, model)
        learner.path = files.place(model)
        hold(device.board, learner, learner.path, options)
    device.learner = learner
    device.remember(model, options)  # and no others: they may be refused
    device.beat()
    device.measure()
    return opened(device)


def idle_heap(device):
    """Bytes of heap in use without a learner.

    The collector is conservative: a stale pointer may still hold a learner that was closed.
    Then what is in use now is no measure, and the least that ever was counts.
    """
    size = heap_used() - device.passing_bytes
    device.idle_bytes = min(size, device.idle_bytes)
    return size if size < device.idle_bytes + _HELD_BYTES else device.idle_bytes


def room(device):
    """Memory for a learner: {"heap_bytes", "stock"}.

    heap_bytes: free without a learner, its code loaded. stock: that code is in RAM, not in the
    firmware.
    """
    import engram

    for module in _LEARNS:
        __import__(module)
        device.beat()
    from ..opener import load_code

    load_code()
    own = device.learner.heap_growth() if device.learner else 0
    return {"heap_bytes": heap_free() + (own or 0), "stock": engram.__file__[:1] == "/"}


def reset(device, model=None, **options):
    """Forget everything learned: erase the store and the saved states, open the model afresh.

    model, options: as open_model() takes them; without model those in force.
    """
    if model is None:
        model, options = device.model, device.options
    store_format(device)
    return open_model(device, model, **options) if model else {}


def store_format(device, keep_wear=False):
    """Erase stored samples and saved states, whatever is there; no model is open then.

    keep_wear: keep the erase counts, and with them the geometry and the model of the store.
    """
    from ..store.wipe import wipe  # an agent that only talks needs no store

    region = device.region()
    device.close()
    wipe(_Beating(region, device.beat), device.board.PROGRAM_BYTES, keep_wear)
    return {}


class _Beating:
    """A block device that says after each erase that work goes on."""

    def __init__(self, dev, beat):
        self.readblocks = dev.readblocks
        self.writeblocks = dev.writeblocks
        self._ioctl = dev.ioctl
        self._beat = beat

    def mapping(self):
        return None

    def ioctl(self, op, arg):
        result = self._ioctl(op, arg)
        self._beat()
        return result


def rollback(device, to):
    """Go back to a saved state. "generation": None for "factory", then no model is open."""
    stop(device)
    generation = device.need_learner().rollback(to)
    if generation is None:
        device.close()
    return {"generation": generation}


CALLS = {
    "open": open_model,
    "room": room,
    "reset": reset,
    "rollback": rollback,
    "store_format": store_format,
}
