"""Sessions on an emulated board whose process is killed at random instants.

After each kill the flash file, which is all that stays, is judged twice: by this computer, which
mounts a copy of it and compares every record with what was sent, and by the board itself, which
must find as many records and the state that was saved last. The log has gone round before the
first session, so that units are collected while the board is killed.
"""

import collections
import contextlib
import itertools
import mmap
import os
import random
import signal
import threading
import time

import numpy as np
import tiny_model
from ledger import Ledger

from engram.backend import kernels
from engram.errors import EngramError
from engram.opener import open_learner
from engram.store import RamFlash
from engram_host import api, boards, virtual
from engram_host.samples import Samples

MODEL = "model.safetensors"
BUDGET = 3200  # records that a session keeps
ROOM = 40  # records of sessions that came to no end, with which another one goes on
STEPS = 40  # of training, until the host stops it
# Of 8 bits: in fewer this model has too few records that differ.
STORED = {"batch": 4, "bits": 8}
RATES = {"f32": 0.05, "q8": 0.005}  # momentum has no integers of its own: a step in q8 has it all
OLD_SESSION = 200
TRIES = 10_000  # samples for some records that were never sent before
JOIN_S = 60  # longer than a link is silent before it is given up
WATCH_S = 1.0
# From the start of a session to its kill, or to the phase that is waited for: at least so long,
# and so many times as long as a board takes to get its model here: a session has saved once by
# then.
LONGEST_S, LONGEST = 3.5, 2.5
# How a kill is aimed. A third falls anywhere in a session; a third waits for one of these phases,
# which are short but write to flash, and comes so many seconds later at most; a third watches the
# flash file there and comes when it changes, because the emulated flash takes microseconds for
# what takes a real one most of the time of a session.
PHASES = {"open": 0.8, "observe": 0.3, "end session": 0.15, "save": 0.015}
SHARE_TEXT = 1e-5
CHANGES = 12  # at most so many changes of the flash file are let pass


class Image:
    """The board's data flash on this computer, as session.open_learner() wants a board."""

    counter = staticmethod(int)

    def __init__(self, facts, content=None):
        self.PROGRAM_BYTES = facts.program_bytes
        self.flash = RamFlash(
            facts.store_bytes // facts.erase_bytes, facts.erase_bytes, facts.program_bytes
        )
        if content is not None:
            self.flash.data[:] = content

    def store_device(self):
        return self.flash


def records_of(store):
    """[(latent, label)] of all that a store serves. Raises what the store raises."""
    buf = bytearray(store.latent_bytes)
    pairs = []
    for slot, label in enumerate(store.labels):
        if label != 255:
            store.read_into(slot, buf)
            pairs.append((bytes(buf), label))
    return pairs


def live_slot(store, rng):
    while True:
        slot = rng.randrange(len(store.labels))
        if store.labels[slot] != 255:
            return slot


def worn_in(store, rng):
    """Appends and deletes at random until the log has begun to collect its units."""
    while store.collections < 3:
        if len(store) >= BUDGET:
            store.delete(live_slot(store, rng))
        store.append(rng.randbytes(store.latent_bytes), rng.randrange(4), OLD_SESSION)


class Sender:
    """Samples that were never sent before, and the records that they must become."""

    def __init__(self, learner, rng):
        self.learner = learner
        self.rng = rng
        self.number = 0
        self.sent = set()

    def record(self, x, label):
        learner = self.learner
        packed = bytearray(learner.store.latent_bytes)
        kernels.pack_s8(packed, learner.latent(x), learner.store.bits)
        return bytes(packed), label

    def some(self, count):
        """(Samples, their records)"""
        label = self.rng.randrange(tiny_model.CLASSES)
        x, records = [], []
        for _ in range(TRIES):
            if len(x) == count:
                break
            self.number += 1
            sample = tiny_model.sample(label, self.number)
            record = self.record(sample, label)
            if record not in self.sent:
                self.sent.add(record)
                x.append(list(sample))
                records.append(record)
        assert len(x) == count, "no record is left that was not sent before"
        return as_samples(x, [label] * count), records


def as_samples(x, labels):
    x = np.array(x, "uint8").reshape(len(x), *tiny_model.SHAPE)
    return Samples(x, np.array(labels, "uint8"))


class Campaign:
    """One board, killed again and again. folder: for the model file; number_format: "f32" or "q8".

    .figures   Counter: kills, lost, torn, states_lost, disagreements, recoveries, ...
    .faults    what went wrong, as text
    """

    def __init__(self, folder, seed, board="qemu_m4f", number_format="f32"):
        self.rng = random.Random(seed)
        self.board = boards.load(board)
        self.model = folder / "tiny.safetensors"
        self.model.write_bytes(tiny_model.model_bytes())
        self.stored = {**STORED, "format": number_format}
        self.options = {**self.stored, "lr": RATES[number_format], "budget": BUDGET}
        self.sender = Sender(self.opened(Image(self.board.flash)), self.rng)
        self.test = as_samples(
            [list(tiny_model.sample(n % 4, 90000 + n)) for n in range(12)], [0] * 12
        )
        self.figures = collections.Counter()
        self.killed_in = collections.Counter()
        self.faults = []
        self.doing = self.awaited = None
        self.reached = threading.Event()
        self.collections = self.torn_slots = 0  # when looked at last
        self.live = 0  # records that this computer found in the flash file
        self.unsaved = 0  # records since the state was saved last
        self.saved = {}  # generation -> predictions; the last two
        self.saving = None
        self.longest_s = LONGEST_S

    # -- the flash file ------------------------------------------------------------------

    def _file(self):
        return virtual.Place.of(self.board.name).flash

    def opened(self, image):
        """A learner of this computer, as the image of a flash has it."""
        return open_learner(str(self.model), image, **self.stored)

    def content(self):
        flash = self.board.flash
        with open(self._file(), "rb") as file:
            file.seek(flash.fs_bytes)
            return file.read(flash.store_bytes)

    def prepare(self):
        """A board with the model, and a log that is full of old records."""
        start = time.monotonic()
        virtual.start(self.board.name, self.board.command)
        with api.connect(self.board.name) as device:
            device.push_model(self.model, **self.options)
            self.saved[0] = device.predict(self.test)
        self.longest_s = max(LONGEST_S, LONGEST * (time.monotonic() - start))
        virtual.stop(self.board.name)
        image = Image(self.board.flash, self.content())
        store = self.opened(image).store
        worn_in(store, self.rng)
        with open(self._file(), "r+b") as file:
            file.seek(self.board.flash.fs_bytes)
            file.write(image.flash.data)
        self.ledger = Ledger(records_of(store))
        self.live = len(store)
        virtual.start(self.board.name, self.board.command)

    def judge_file(self):
        """Mounts a copy of what the kill left."""
        before = self.content()
        image = Image(self.board.flash, before)
        try:
            learner = self.opened(image)
            records = records_of(learner.store)
        except EngramError as error:
            return self.fault("unmountable", f"the flash file does not mount: {error}")
        if len(set(records)) != len(records):
            self.fault("twice", "a record is served twice")
        lost, torn = self.ledger.judge(records)
        if lost or torn:
            self.fault("lost", f"{lost} lost", lost)
            self.fault("torn", f"{torn} torn", torn)
        torn_slots = learner.store.info()["torn"]
        self.figures["repaired_by_mount"] += bytes(image.flash.data) != before
        self.figures["left_a_torn_slot"] += torn_slots > self.torn_slots
        self.torn_slots = torn_slots
        self.ledger.found(records)
        self.sender.sent = set(records)  # what is there no more may be sent again
        self.live = len(records)
        self.judge_state(learner)

    def judge_state(self, learner):
        """Loads the state that the kill left, and lets it predict."""
        generation = learner.load() or 0
        predictions = [learner.predict(x) for x in self.test.x.reshape(len(self.test), -1)]
        expected = self.allowed().get(generation)
        if generation < max(self.saved) or not _same(predictions, expected):
            self.fault("states_lost", f"state {generation} in the file, not as it was saved")

    def allowed(self):
        """{generation: its predictions} of the states that may be found."""
        return dict([*self.saved.items(), *([self.saving] if self.saving else [])])

    def fault(self, kind, text, count=1):
        if count:
            self.figures[kind] += count
            self.faults.append(f"kill {self.figures['kills']} in {self.doing}: {text}")

    # -- the session ---------------------------------------------------------------------

    def enter(self, phase):
        self.doing = phase
        if phase == self.awaited:
            self.reached.set()

    def session(self):
        """Opens what is there, then observes, learns, ends the session and saves, for ever."""
        self.enter("open")
        with api.connect(self.board.name) as device:
            device.open(MODEL, **self.options)
            self.check(device)
            if self.unsaved > ROOM:  # sessions were killed before they came to this
                self.end_session(device)
                self.save(device)
            while True:
                self.observe(device)
                self.learn(device)
                self.end_session(device)
                self.save(device)

    def check(self, device):
        """The board sees what this computer saw in the flash file."""
        store = device.store_info()["store"]
        live, self.collections = store["live"], store["collections"]
        if live != self.live:
            self.fault("disagreements", f"{live} records on the board, {self.live} in the file")
        generation = device.load() or 0
        predictions = device.predict(self.test)
        expected = self.allowed()
        if generation < max(self.saved) or predictions != expected.get(generation):
            self.fault("states_lost", f"saved state {generation} is not one of {list(expected)}")
        self.saved = {generation: predictions}
        self.saving = None
        self.figures["checked_on_board"] += 1

    def observe(self, device):
        for _ in range(self.rng.randrange(1, 5)):
            self.enter("observe")
            samples, records = self.sender.some(self.rng.randrange(1, 9))
            self.ledger.send(records)
            device.observe(samples)
            self.ledger.acknowledge()
            self.figures["observed"] += len(records)
            self.unsaved += len(records)

    def learn(self, device):
        self.enter("learn")
        with contextlib.closing(device.learning(epochs=1)) as learning:
            for _ in itertools.islice(learning, STEPS):
                self.figures["steps"] += 1

    def end_session(self, device):
        self.enter("end session")
        self.ledger.trim(BUDGET)
        device.end_session()
        now = device.store_info()["store"]["collections"]
        self.figures["collections"] += now - self.collections
        self.collections = now

    def save(self, device):
        predictions = device.predict(self.test)
        self.enter("save")
        self.saving = max(self.saved) + 1, predictions
        generation = device.save()["generation"]
        if generation != self.saving[0]:
            self.fault("states_lost", f"generation {self.saving[0]} expected, {generation} came")
        self.saved = {generation: predictions}
        self.saving = None
        self.figures["saves"] += 1
        self.unsaved = 0

    # -- the kill ------------------------------------------------------------------------

    def kill_once(self):
        """One session, killed at a random instant, and its wreck."""
        ended = []
        aim = self.rng.choice(("anywhere", "phase", "write"))
        self.reached.clear()
        self.awaited = self.rng.choice(tuple(PHASES)) if aim != "anywhere" else None
        process = virtual.status(self.board.name).child
        worker = threading.Thread(target=self._until_killed, args=(ended,))
        worker.start()
        if aim == "anywhere":
            worker.join(self.rng.uniform(0.02, self.longest_s))
        else:
            self.reached.wait(self.longest_s)
        if aim == "phase":
            worker.join(self.rng.uniform(0, PHASES[self.awaited]))
        if aim == "write":
            self.await_changes(self.rng.randrange(CHANGES))
        os.kill(process, signal.SIGKILL)
        doing, by_itself = self.doing, bool(ended)
        self.wait_gone()
        worker.join(JOIN_S)
        if worker.is_alive():
            self.fault("unnoticed", f"the host did not notice within {JOIN_S} s that it died")
            worker.join()
        self.figures["kills"] += 1
        self.killed_in[doing] += 1
        error = ended[0]
        if by_itself or not isinstance(error, EngramError):
            self.fault("ended", f"the session ended by itself: {error!r}")
        self.judge_file()
        virtual.start(self.board.name, self.board.command)

    def await_changes(self, changes):
        """Returns right after the flash file has changed, so many changes later, or in the end."""
        flash, end = self.board.flash, time.monotonic() + WATCH_S
        start, stop = flash.fs_bytes, flash.data_bytes
        with open(self._file(), "rb") as file, _mapped(file) as content:
            before = content[start:stop]
            while time.monotonic() < end:
                now = content[start:stop]
                if now != before:
                    if not changes:
                        self.figures["aimed_at_writes"] += 1
                        return
                    changes -= 1
                    before = now
                time.sleep(0)  # the session is a thread of this process

    def wait_gone(self):
        end = time.monotonic() + JOIN_S
        while virtual.status(self.board.name):
            if time.monotonic() > end:
                raise RuntimeError("the killed board does not go")
            time.sleep(0.01)

    def _until_killed(self, ended):
        try:
            self.session()
        except Exception as error:  # what it was is for kill_once() to judge
            ended.append(error)

    def run(self, kills, minutes=None, tell=lambda campaign: None, enough=None):
        """Kills until the number or the time is used up; until enough(campaign), at most four
        times as often."""
        start = time.monotonic()
        self.prepare()
        try:
            while self.figures["kills"] < kills or (
                enough and not enough(self) and self.figures["kills"] < 4 * kills
            ):
                if minutes is not None and time.monotonic() - start > 60 * minutes:
                    break
                self.kill_once()
                tell(self)
        finally:
            virtual.stop(self.board.name)
        self.seconds = round(time.monotonic() - start)

    def report(self):
        """The figures, as plain values."""
        zero = dict.fromkeys(BAD, 0)
        return {
            **zero, **self.figures, "killed_in": dict(sorted(self.killed_in.items())),
            "seconds": self.seconds, "faults": self.faults,
        }


def _same(predictions, expected):
    """The same labels with the same probabilities, whose last digits a board's text leaves out."""
    return expected is not None and all(
        label == other and abs(share - likely) < SHARE_TEXT
        for (label, share), (other, likely) in zip(predictions, expected, strict=True)
    )


def _mapped(file):
    return mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)


# What must never happen
BAD = ("lost", "torn", "twice", "unmountable", "states_lost", "disagreements", "ended",
       "unnoticed")


def own_boards(folder):
    """From here on the virtual boards of this process are its own."""
    os.environ["ENGRAM_STATE"] = str(folder)
