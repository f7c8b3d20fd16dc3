"""Records of the past that a model file carries, and what a learner without any forgets."""

from array import array

from ..backend import kernels
from ..compat import bytes_of
from .numbers import DEAD, NO_CLASS, PAST, group_of, number_of


def fill(learner, stream, rehearsal):
    """Puts the latents that a model file carries into a store that has held nothing else yet.

    stream: the open file. rehearsal: ModelSpec.rehearsal. As many as the budget and half the store
    allow become records of the session PAST, in the order of the file, packed in the bits of
    the store. A fill that was cut short goes on behind its last record: a record that is not whole
    has no sequence number. Returns how many such records the store holds.
    """
    store, count = learner.store, 0
    for slot, label in enumerate(store.labels):
        if label != DEAD and store.sessions[slot] == PAST:
            count += 1
    if store.next_sequence - 1 == count:
        count += _append(learner, stream, rehearsal, count)
    for slot, label in enumerate(store.labels):
        if label != DEAD and store.sessions[slot] == PAST:
            learner.brought[group_of(label, len(learner.brought))] += 1
    return count


def _append(learner, stream, rehearsal, count):
    """Appends the records of the file behind the first `count`; returns how many."""
    n, latents, labels, targets = rehearsal
    store, latent, label = learner.store, learner.stage.latent, bytearray(1)
    target = array("f", [0] * learner.targets)
    most, place = min(learner.budget, store.capacity // 2), 0
    for i in range(n):
        _read(stream, labels + i, label)
        if label[0] != NO_CLASS and label[0] >= learner.known_at_first:
            continue
        place += 1
        if place > most:
            break
        if place > count:
            _read(stream, latents + i * len(latent), latent)
            if targets:
                _read(stream, targets + 4 * i * len(target), bytes_of(target))
            kernels.pack_s8(learner.packed, latent, store.bits)
            store.append(learner.packed, label[0], PAST, bytes_of(target) if targets else None)
    return max(0, min(place, most) - count)


def _read(stream, offset, window):
    stream.seek(offset)
    stream.readinto(window)


def unrehearsed(learner):
    """Number of known classes that a learning run with replay would forget: nothing older than the
    current session is stored, which does not bring them. 0 where that is not so."""
    store, labels = learner.store, set()
    if not learner.head_name or not learner.strategy.REPLAY:
        return 0
    for slot, label in enumerate(store.labels):
        if label == DEAD:
            continue
        if store.sessions[slot] != number_of(learner.session):
            return 0
        labels.add(label)
    missing = set(range(learner.known_at_first)) - labels
    return len(missing)
