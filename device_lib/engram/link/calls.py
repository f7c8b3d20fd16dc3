"""Calls that a host makes by name: name -> function(device, **arguments) -> JSON-able answer.

Learning and evaluating run in slices (`learn_begin`, then `learn_step` until it says "done"), so
that the host can stop between two of them and a slow board never looks dead.
"""

from .. import __version__
from ..compat import forget, heap_free, heap_used, runtime, ticks_diff, ticks_ms
from ..errors import CommandError
from ..holder import held, release
from . import wire

_SAID = 256  # classes in an answer of eval_step, and a micro-batch more
_REMEMBERED = ("engram.link.remembered",)


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
        files.keep, files.make_way = self.model, self.make_way
        forget(_REMEMBERED)
        self.streams = ()
        self.marker = None  # of the phases on pins, while somebody measures
        self.decoding = 0  # counter units that the frame at hand took to be taken apart
        self.arrival = 0  # the counter when that frame was there
        self.slices, self.heap = 0, (None, 0)  # of a run; heap of the learner, in use in all
        self.busy = 0  # counter units from frames to their answers, of all requests before
        self.idle_bytes = 1 << 29  # least heap in use before a learner was opened
        self.passing_bytes = 0  # of code that goes when the call under way is answered
        self.learner = self.loan = None  # loan: by a program on this board
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
            self.learner = self.loan = learner
            self.model, self.options = name, options

    def make_way(self, *args):
        """Erases a replay log that holds nothing; the learner that had it open is closed."""
        from ..stores import make_way

        make_way(*args)
        self.close()

    def close(self):
        """Forget the learner; its saved states stay in flash."""
        if self.learner is not None:
            self.learner = None
            release(self.board)
        self.forget_work()

    def leave(self):
        """The agent ends: a program on this board has its learner back, others are released."""
        if self.marker:
            self.end_phases()
        if self.learner is self.loan:
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
        self.files.keep = model

    def forget_work(self):
        """Drop what was begun."""
        self.marker = None
        self.end_steps()
        self.peak_bytes = 0
        self.incoming = self.watch = None

    def need_learner(self):
        """The open learner. Raises CommandError if there is none."""
        if self.learner is None:
            raise CommandError(
                "expected an open model, got none; push one (`engram push model FILE`)"
            )
        return self.learner

    def measure(self):
        """Bytes of heap in use now, after a collection; remembers the most it ever was."""
        size = heap_used()
        self.peak_bytes = max(self.peak_bytes, size)
        return size

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
        self.answers = None  # classes that the model gave while it was evaluated
        for stream in self.streams:
            stream.close()
        self.streams = ()

    def begin_samples(self, sink, raw):
        """Opens a stream of samples for `sink` of wire, in the place of another. raw: they are
        windows for the model's front end."""
        from .samples import SampleStream

        self.need_learner()
        self.incoming = None  # its room is free then
        self.incoming = SampleStream(self, sink, raw)
        forget(("engram.link.samples",))  # its code goes with the stream
        return {"sample_bytes": self.incoming.sample_bytes}

    def need_watch(self):
        """The watch. Raises CommandError if there is none."""
        if self.watch is None:
            raise CommandError("expected a watch, got none: call watch_begin first")
        return self.watch

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
    size = device.measure()
    return {"used_bytes": size, "peak_bytes": device.peak_bytes, "free_bytes": heap_free()}


def busy(device):
    """Counter units that all requests before this one took, from frame to answer."""
    return device.busy


def opened(device):
    """The facts of the open learner: its inputs, its settings, its memory."""
    learner = device.need_learner()
    facts = learner.info()
    facts["bits"] = learner.store.bits
    scale, zero_point = learner.inputs.quantization
    facts["input"] = {
        "dtype": learner.input_dtype, "elems": learner.input_elems,
        "scale": scale, "zero_point": int(zero_point),
    }
    return facts


def samples_begin(device, sink, raw=False):
    return device.begin_samples(sink, raw)


def learn_begin(device, epochs=None, steps=None):
    """Prepare to learn the observed samples; learn_step learns. Length: as Learner.steps()."""
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
        base, size = device.need_learner().heap_base, device.measure()
        device.heap = size - base if size and base is not None else None, size
        device.slices += 1
    out, is_over = part_of(device, ms, rows)
    return {
        "rows": out,
        "done": is_over,
        "busy": device.busy + ticks_diff(device.board.counter(), device.arrival),
        "ram_bytes": device.heap[1],
        "learner_ram_bytes": device.heap[0],
        "flash_bytes": flash_bytes(device.learner),
    }


def flash_bytes(learner):
    """Bytes programmed in the replay region since the learner was opened."""
    return sum([part.info()["bytes_programmed"] for part in (learner.store, learner.checkpoints)])


def scored(device):
    """The scores of the stream of samples so far: a result of Learner.evaluating()."""
    return device.need_samples().result()


def eval_begin(device, x, y, session=None, targets=None, said=False):
    """Prepare to evaluate on .npy files of this board. "of": how many samples.

    x: inputs; y: labels, or targets of a regression; targets: those beside labels.
    session: number of the one that they test: the accuracy goes into the matrix of metrics().
    said: whether eval_step answers the class that the model gives each sample, too.
    """
    from ..npy import Samples

    stop(device)
    learner = device.need_learner()
    names = (x, y) if targets is None else (x, y, targets)
    device.streams = tuple([device.files.open(name) for name in names])
    samples = Samples(*device.streams)
    device.answers = [] if said else None
    device.steps = learner.evaluating(samples, session, device.answers)
    return {"of": len(samples)}


def eval_step(device, ms):
    """Evaluate for about `ms` milliseconds. Returns {"result": counts so far, "done"}, and "out",
    the classes that the model gave since the last call, where eval_begin was asked for them."""
    answers = device.answers
    out, is_over = part_of(device, ms, 1 << 20, last_only=True)
    result = {"result": out[-1] if out else None, "done": is_over}
    if answers is not None:
        result["out"] = answers[:]
        answers.clear()
    return result


def stop(device):
    """Drop what was begun; the learner stays as it is."""
    device.end_steps()
    device.incoming = None
    return {}


def part_of(device, ms, rows, last_only=False):
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
        if device.answers and len(device.answers) >= _SAID:
            break
    return out, False


def end_session(device):
    """Ends the session: new records become old, and the store is trimmed to its budget."""
    device.need_learner().end_session()
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


SLICES = ("learn_step", "eval_step", "busy")  # asked for often: they leave no more than garbage

CALLS = {
    "info": info,
    "mem": mem,
    "busy": busy,
    "opened": opened,
    "samples_begin": samples_begin,
    "learn_begin": learn_begin,
    "learn_step": learn_step,
    "eval_begin": eval_begin,
    "eval_step": eval_step,
    "scored": scored,
    "stop": stop,
    "end_session": end_session,
    "save": save,
}
# Calls that come rarely are in three modules, whose code goes when one has been answered: these in
# `states` and `watches`, all others in `rare`.
STATES = ("open", "room", "reset", "rollback", "store_format")
WATCHES = ("watch_begin", "watch_step", "watch_info", "adapt_begin", "adapt_step")


def call_of(device, name):
    """The function of a call. Raises CommandError where there is none of this name."""
    if name in CALLS:
        return CALLS[name]
    module = "engram.link.states" if name in STATES else "engram.link.rare"
    if name in WATCHES:
        module = "engram.link.watches"
    before = heap_used()
    calls = __import__(module, None, None, ("CALLS",)).CALLS
    device.passing_bytes = heap_used() - before
    forget((module,))
    if name in calls:
        return calls[name]
    raise CommandError(
        "expected one of %s, got %r; update the board or the host"
        % (", ".join(sorted(list(CALLS) + list(STATES + WATCHES) + list(calls))), name)
    )
