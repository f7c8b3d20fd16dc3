"""Calls that a host makes by name: name -> function(device, **arguments) -> JSON-able answer.

Learning and evaluating run in slices (`learn_begin`, then `learn_step` until it says "done"), so
that the host can stop between two of them and a slow board never looks dead.
"""

from binascii import crc32, hexlify, unhexlify

from .. import __version__
from ..compat import forget, heap_free, heap_used, runtime, ticks_diff, ticks_ms
from ..errors import CommandError
from ..holder import held, hold, release
from . import wire
from .files import safe_path, size_of
from .samples import SampleStream


_HELD_BYTES = 4096  # the agent itself grows by less; a learner is larger
_READ_BYTES = 512  # of flash at a time
_SAID = 256  # classes in an answer of eval_step, and a micro-batch more
_REMEMBERED = ("engram.link.remembered",)
# What a learner imports, a part at a time, in the order in which the parts need one another; not
# what only opening one needs, which would count as memory that the learner gives back.
_LEARNS = (
    "engram.nn.stage", "engram.store",
    "engram.continual.learner", "engram.session",
)


class Device:
    """The state between two requests: the open learner and the work under way.

    board: the module `engram_board`. files: link.files.Files. beat: call it during long work.
    """

    def __init__(self, board, files, beat):
        self.board = board
        self.files = files
        self.beat = beat
        from .remembered import read

        self.model, self.options = read(files.root)  # of the learner that was opened last
        forget(_REMEMBERED)
        self.streams = ()
        self.marker = None  # of the phases on pins, while somebody measures
        self.decoding = 0  # counter units that the frame at hand took to be taken apart
        self.came = 0  # the counter when that frame was there
        self.slices, self.held = 0, (None, 0)  # of a run; heap of the learner, in use in all
        self.busy = 0  # counter units from frames to their answers, of all requests before
        self.idle_bytes = 1 << 29  # least heap in use before a learner was opened
        self.learner = self.lent = None  # lent: by a program on this board
        self.forget_work()
        self.take_over()

    def take_over(self):
        """Goes on with the learner that a program on this board has open."""
        row = held(self.board)
        if row is None:
            return
        learner, path, options = row
        name = self.files.name_of(path)
        if name is None:
            release(self.board)  # the host could not name its model
        else:
            self.learner = self.lent = learner
            self.model, self.options = name, options

    def close(self):
        """Forget the learner; what it saved stays in flash."""
        if self.learner is not None:
            self.learner = None
            release(self.board)
        self.forget_work()

    def leave(self):
        """The agent ends: a program on this board has its learner back, others are released."""
        if self.marker:
            self.end_phases()
        if self.learner is self.lent:
            self.learner = None
        self.close()

    def end_phases(self):
        """The phases are marked no more."""
        if self.marker:
            self.marker.rest()
        self.marker = None
        if self.learner:
            self.learner.counter = self.board.counter

    def remember(self, model, options):
        """A learner for a model file was opened."""
        if (model, options) != (self.model, self.options):
            from .remembered import write

            write(self.files.root, model, options)
            forget(_REMEMBERED)
        self.model, self.options = model, options

    def forget_work(self):
        """Drop what was begun."""
        self.marker = None
        self.end_steps()
        self.peak_bytes = 0
        self.incoming = None

    def need_learner(self):
        """The open learner. Raises CommandError if there is none."""
        if self.learner is None:
            raise CommandError(
                "expected an open model, got none; push one (`engram push model FILE`)"
            )
        return self.learner

    def measure(self):
        """Bytes of heap in use now, after a collection; remembers the most it ever was."""
        used = heap_used()
        self.peak_bytes = max(self.peak_bytes, used)
        return used

    def region(self):
        """Block device of the replay region. Raises CommandError on a board that has none."""
        region = self.board.store_device()
        if region is None:
            raise CommandError(
                "expected a replay region in the flash, got none; install with a store"
            )
        return region

    def flash_data(self, offset, count):
        """At most `count` bytes of the replay region from an offset on, of one erase unit."""
        region = self.region()
        erase_bytes = region.ioctl(5, 0)
        block, at = offset // erase_bytes, offset % erase_bytes
        if not 0 <= block < region.ioctl(4, 0):
            raise CommandError("expected an offset in the replay region, got %d" % offset)
        data = bytearray(min(count, erase_bytes - at))
        region.readblocks(block, data, at)
        return data

    def end_steps(self):
        """Nothing is being learned or evaluated any more."""
        self.steps = None
        self.said = None  # classes that the model gave while it was evaluated
        for stream in self.streams:
            stream.close()
        self.streams = ()

    def begin_samples(self, sink):
        """Opens a stream of samples for `sink` of wire, in the place of another."""
        self.need_learner()
        self.incoming = None  # its room is free then
        self.incoming = SampleStream(self, sink)
        return {"sample_bytes": self.incoming.sample_bytes}

    def need_samples(self):
        """The stream of samples. Raises CommandError if there is none."""
        if self.incoming is None:
            raise CommandError("no stream of samples is open: call samples_begin first")
        return self.incoming


def info(device):
    """The facts of this board: versions, memory, files, model, options and learner."""
    board = device.board
    return {
        "board": board.NAME,
        "runtime": " ".join(runtime()),
        "engram": __version__,
        "protocol": wire.VERSION,
        "counter": {"kind": board.COUNTER_KIND, "unit": board.COUNTER_UNIT},
        "fs": device.files.space(),
        "heap": mem(device),
        "memory": board.memory(),
        "model": device.model,
        "options": device.options,
        "learner": None if device.learner is None else opened(device),
    }


def mem(device):
    """Heap in bytes: in use after a collection, the most that ever was, free."""
    used = device.measure()
    return {"used_bytes": used, "peak_bytes": device.peak_bytes, "free_bytes": heap_free()}


def busy(device):
    """Counter units that all requests before this one took, from frame to answer."""
    return device.busy


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
    from ..session import load_code, open_learner

    files = device.files
    files.close()
    if size_of(safe_path(files.root, model)) < 0 <= size_of(
        safe_path(files.root, model + wire.PUSHED)
    ):
        files.rename(model + wire.PUSHED, model)  # a cut came between the end of one and the other
        pushed = None
    name = pushed or model
    files.open(name).close()  # CommandError if it is not there
    path = safe_path(files.root, name)
    load_code(**options)
    device.board.store_device()  # made now: it stays when the learner goes
    device.beat()
    learner = open_learner(
        path, device.board, idle_heap(device), beat=device.beat, fresh=fresh, **options
    )
    if pushed:
        files.rename(pushed, model)
        learner.path = safe_path(files.root, model)
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
    used = heap_used()
    device.idle_bytes = min(used, device.idle_bytes)
    return used if used < device.idle_bytes + _HELD_BYTES else device.idle_bytes


def opened(device):
    """The open learner: what it takes, what it is, what it needs."""
    learner = device.need_learner()
    facts = learner.info()
    facts["bits"] = learner.store.bits
    scale, zero_point = learner.inputs.quantization
    facts["input"] = {
        "dtype": learner.input_dtype, "elems": learner.input_elems,
        "scale": scale, "zero_point": int(zero_point),
    }
    return facts


def texts(device):
    """The texts of the model file: {"class_names": in the order of their labels, "front_end"}."""
    learner = device.need_learner()
    names = learner.class_names
    return {"class_names": names.split("\n") if names else [], "front_end": learner.front_end}


def room(device):
    """Memory for a learner: {"heap_bytes", "stock"}.

    heap_bytes: free without a learner, its code loaded. stock: that code is in RAM, not in the
    firmware.
    """
    import engram

    for module in _LEARNS:
        __import__(module)
        device.beat()
    from ..session import load_code

    load_code()
    own = device.learner.heap_growth() if device.learner else 0
    return {"heap_bytes": heap_free() + (own or 0), "stock": engram.__file__[:1] == "/"}


def samples_begin(device, sink):
    return device.begin_samples(sink)


def learn_begin(device, epochs=None, steps=None):
    """Prepare to learn what was observed; learn_step does it. How long: as Learner.steps()."""
    stop(device)
    if device.marker:
        device.marker.steps()
    device.steps = device.need_learner().steps(epochs, steps=steps)
    device.slices = 0
    return {}


def learn_step(device, ms, rows):
    """Learn for about `ms` milliseconds, at most `rows` steps.

    Returns {"rows": [one dict a step], "done", "busy", "ram_bytes", "learner_ram_bytes",
    "flash_bytes"}; busy is as busy() says, with this request so far; learner_ram_bytes is what
    the learner holds, without the rows of an answer. Steps allocate nothing, and to measure the
    heap costs more than a step: it is done before the first two slices, of which the second is
    amid the run.
    """
    if device.slices < 2:
        base, used = device.need_learner().heap_base, device.measure()
        device.held = used - base if used and base is not None else None, used
        device.slices += 1
    out, done = _slice(device, ms, rows)
    return {
        "rows": out,
        "done": done,
        "busy": device.busy + ticks_diff(device.board.counter(), device.came),
        "ram_bytes": device.held[1],
        "learner_ram_bytes": device.held[0],
        "flash_bytes": flash_bytes(device.learner),
    }


def flash_bytes(learner):
    """Bytes programmed in the replay region since the learner was opened."""
    return sum([part.info()["bytes_programmed"] for part in (learner.store, learner.checkpoints)])


def scored(device):
    """The scores of the stream of samples so far: a result of Learner.evaluating()."""
    return device.need_samples().result()


def tested(device, task):
    """Enter what the stream of samples to evaluate got right as the accuracy on a task."""
    learner, result = device.need_learner(), device.need_samples().result()
    if not result["n"]:
        raise CommandError("no sample was evaluated: stream some first")
    if "correct" not in result:
        raise CommandError(
            "expected a model that tells classes apart for the accuracy on a task, got one that "
            "regresses; evaluate it without a task"
        )
    learner.tested(task, result["correct"] / result["n"])
    return {"correct": result["correct"], "n": result["n"]}


def stream_begin(device, number, tasks=0, known=""):
    """A stream of tasks begins, which the host knows by a number; that is saved.

    tasks, known: as Learner.begin_stream() takes them, known in hexadecimal digits.
    """
    device.need_learner().begin_stream(number, tasks, unhexlify(known))
    return stream(device)


def stream(device):
    """The stream of tasks that the learner is in.

    {"id": 0 for none, "done": tasks that ended, "tasks": of all, 0 where that is not known,
    "known": those learned before that it tests first, as a task that ended; "brought": classes
    that the board has learned from, both in hexadecimal digits, a bit a class; "sent": samples
    stored since, None where that is not known, "saved": whether it can go on after a reset}
    """
    learner = device.need_learner()
    return {
        "id": learner.stream.id,
        "done": learner.experience - learner.stream.began,
        "tasks": learner.stream.tasks,
        "known": str(hexlify(learner.stream.known), "utf-8"),
        "brought": str(hexlify(_bits(learner.brought)), "utf-8"),
        "sent": learner.observed_since_save(),
        "saved": learner.stream.saved,
    }


def _bits(counts):
    """A bit for each of the first 128 counts that is not 0."""
    bits = bytearray(16)
    for i, count in enumerate(counts):
        if count and i < 128:
            bits[i // 8] |= 1 << i % 8
    return bits


def forget_current(device):
    """Delete the samples of the experience under way. "deleted": how many there were."""
    return {"deleted": device.need_learner().forget_current()}


def metrics(device):
    """Accuracy matrix and what follows from it, of the tasks that were tested."""
    return device.need_learner().metrics()


def eval_begin(device, x, y, task=None, targets=None, said=False):
    """Prepare to evaluate on .npy files of this board. "of": how many samples.

    x: inputs; y: labels, or targets of a regression; targets: those beside labels.
    task: number of the task that they test: the accuracy goes into the matrix of metrics().
    said: whether eval_step answers the class that the model gives each sample, too.
    """
    from ..npy import Samples

    stop(device)
    learner = device.need_learner()
    names = (x, y) if targets is None else (x, y, targets)
    device.streams = tuple([device.files.open(name) for name in names])
    samples = Samples(*device.streams)
    device.said = [] if said else None
    device.steps = learner.evaluating(samples, task, device.said)
    return {"of": len(samples)}


def eval_step(device, ms):
    """Evaluate for about `ms` milliseconds. Returns {"result": counts so far, "done"}, and "out",
    the classes that the model gave since the last call, where eval_begin was asked for them."""
    said = device.said
    out, done = _slice(device, ms, 1 << 20, last_only=True)
    told = {"result": out[-1] if out else None, "done": done}
    if said is not None:
        told["out"] = said[:]
        said.clear()
    return told


def stop(device):
    """Drop what was begun; the learner stays as it is."""
    device.end_steps()
    device.incoming = None
    return {}


def _slice(device, ms, rows, last_only=False):
    """Results of the steps under way, until the time or the number is up; whether that was all."""
    if device.steps is None:
        raise CommandError("nothing was begun: call learn_begin or eval_begin first")
    out = []
    start = ticks_ms()
    while len(out) < rows and ticks_diff(ticks_ms(), start) < ms:
        try:
            result = next(device.steps)
        except StopIteration:
            device.end_steps()
            return out, True
        if last_only:
            out.clear()
        out.append(result)
        device.beat()
        if device.said and len(device.said) >= _SAID:
            break
    return out, False


def end_experience(device):
    """Ends the experience: new records become old, and the store is trimmed to its budget."""
    device.need_learner().end_experience()
    return opened(device)


def save(device):
    """Keep the learned state in flash. "at": the counter before; "units": how many that took."""
    if device.marker:
        device.marker.writing()
    start = device.board.counter()
    generation = device.need_learner().save()
    units = ticks_diff(device.board.counter(), start)
    if device.marker:
        device.marker.rest()
    return {"generation": generation, "units": units, "at": start}


def load(device):
    return {"generation": device.need_learner().load()}


def reset(device, model=None, **options):
    """Forget everything learned: erase the store and the saved states, open the model afresh.

    model, options: as open_model() takes them; without model those in force.
    """
    if model is None:
        model, options = device.model, device.options
    store_format(device)
    return open_model(device, model, **options) if model else {}


def rollback(device, to):
    """Go back to a saved state. "generation": None for "factory", then no model is open."""
    stop(device)
    generation = device.need_learner().rollback(to)
    if generation is None:
        device.close()
    return {"generation": generation}


def flash(device):
    """Geometry of the replay region, in bytes."""
    region = device.region()
    return {
        "blocks": region.ioctl(4, 0),
        "erase_bytes": region.ioctl(5, 0),
        "program_bytes": device.board.PROGRAM_BYTES,
    }


def flash_crcs(device, first, count):
    """[crc32] of erase units of the replay region."""
    region = device.region()
    erase_bytes = region.ioctl(5, 0)
    part = memoryview(bytearray(min(_READ_BYTES, erase_bytes)))
    out = []
    for block in range(first, first + count):
        crc = 0
        for at in range(0, erase_bytes, len(part)):
            window = part[: min(len(part), erase_bytes - at)]
            region.readblocks(block, window, at)
            crc = crc32(window, crc)
        out.append(crc & 0xFFFFFFFF)
        device.beat()
    return out


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


def phases_begin(device, pins, lamp=False):
    """From now on show the phases of learning on pins: none, or as many as phases.PINS.

    lamp: show sync pulses only.
    """
    from .phases import PINS, PhaseMarker, outputs

    learner = device.need_learner()
    if len(pins) not in (0, PINS):
        raise CommandError("expected %d pins for the phases, got %d" % (PINS, len(pins)))
    device.marker = PhaseMarker(outputs(pins) if pins else (), device.board.counter, lamp)
    learner.counter = device.marker.count
    return {}


def phases_sync(device, spans_ms):
    """Pulses for a power meter. "edges": the counter at each change, the last end included."""
    if device.marker is None:
        raise CommandError("no phases are marked: call phases_begin first")
    return {"edges": device.marker.sync(spans_ms)}


def phases_quiet(device, ms):
    """Nothing is done, for the power that a meter takes off. "span": the counter around it."""
    if device.marker is None:
        raise CommandError("no phases are marked: call phases_begin first")
    return {"span": device.marker.quiet(ms)}


def phases_end(device):
    """Mark no phases any more."""
    device.end_phases()
    return {}


def store_info(device):
    """Replay store and saved states, in figures."""
    learner = device.need_learner()
    return {"store": learner.store.info(), "checkpoints": learner.checkpoints.info()}


def stored(device):
    """Records in the store: "new", of the current experience, and "old", those before."""
    learner = device.need_learner()
    new = len(learner.current_slots())
    return {"new": new, "old": len(learner.store) - new}


def stat(device, name):
    return device.files.stat(name)


def list_files(device):
    return [row for row in device.files.list() if not row[0].startswith(".")]


def remove(device, name):
    device.files.remove(name)
    return {}


SLICES = ("learn_step", "eval_step", "busy")  # asked for often: they leave no more than garbage

CALLS = {
    "info": info,
    "mem": mem,
    "busy": busy,
    "open": open_model,
    "opened": opened,
    "texts": texts,
    "room": room,
    "samples_begin": samples_begin,
    "learn_begin": learn_begin,
    "learn_step": learn_step,
    "eval_begin": eval_begin,
    "eval_step": eval_step,
    "scored": scored,
    "tested": tested,
    "stream_begin": stream_begin,
    "stream": stream,
    "forget_current": forget_current,
    "metrics": metrics,
    "stop": stop,
    "end_experience": end_experience,
    "save": save,
    "load": load,
    "reset": reset,
    "rollback": rollback,
    "flash": flash,
    "flash_crcs": flash_crcs,
    "store_format": store_format,
    "phases_begin": phases_begin,
    "phases_sync": phases_sync,
    "phases_quiet": phases_quiet,
    "phases_end": phases_end,
    "store_info": store_info,
    "stored": stored,
    "stat": stat,
    "list": list_files,
    "remove": remove,
}
