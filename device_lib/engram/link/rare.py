"""Calls that come rarely: files, streams of sessions, figures of the flash, phases on pins."""

from binascii import crc32, hexlify, unhexlify

from ..errors import CommandError

_READ_BYTES = 512  # of flash at a time


def texts(device):
    """The texts of the model file: {"class_names": in the order of their labels, "front_end"}."""
    learner = device.need_learner()
    names = learner.class_names
    return {"class_names": names.split("\n") if names else [], "front_end": learner.front_end}


def tested(device, session):
    """Enter the score of the stream of samples as the accuracy on the test of a session."""
    learner, result = device.need_learner(), device.need_samples().result()
    if not result["n"]:
        raise CommandError("no sample was evaluated: stream some first")
    if "correct" not in result:
        raise CommandError(
            "expected a model that tells classes apart for an accuracy of metrics(), got one that "
            "regresses; evaluate it without a session"
        )
    learner.tested(session, result["correct"] / result["n"])
    return {"correct": result["correct"], "n": result["n"]}


def stream_begin(device, number, sessions=0, known=""):
    """A stream of sessions begins, which the host knows by a number; that is saved.

    sessions, known: as Learner.begin_stream() takes them, known in hexadecimal digits.
    """
    device.need_learner().begin_stream(number, sessions, unhexlify(known))
    return stream(device)


def stream(device):
    """The stream of sessions that the learner is in.

    {"id": 0 for none, "done": sessions that ended, "sessions": of all, 0 where that is not known,
    "known": those learned before that it tests first, as a session that ended; "brought": classes
    that the board has learned from, both in hexadecimal digits, a bit a class; "sent": samples
    stored since, None where that is not known, "saved": whether it can go on after a reset}
    """
    learner = device.need_learner()
    return {
        "id": learner.stream.id,
        "done": learner.session - learner.stream.began,
        "sessions": learner.stream.sessions,
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
    """Delete the samples of the session under way. "deleted": how many there were."""
    return {"deleted": device.need_learner().forget_current()}


def metrics(device):
    """Accuracy matrix and its figures, of the sessions that were tested."""
    return device.need_learner().metrics()


def load(device):
    return {"generation": device.need_learner().load()}


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
    """Records in the store: "new", of the current session, and "old", those before."""
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


CALLS = {
    "texts": texts,
    "tested": tested,
    "stream_begin": stream_begin,
    "stream": stream,
    "forget_current": forget_current,
    "metrics": metrics,
    "load": load,
    "flash": flash,
    "flash_crcs": flash_crcs,
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
