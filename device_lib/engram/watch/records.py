"""The stored samples that a watch is fitted on, and the latent at hand as float32."""

from array import array

from ..backend import kernels
from ..continual.numbers import DEAD
from ..errors import DataError, FitError, StoreError


class Latents:
    """Latents of a learner with a store, one at a time, each as a record of the store gives it.

    Their unit is the step of the int8 latent, so that sums of them are exact and every host has
    the same: a scale is a text in the model file, which not all hosts round alike.

    .x      (n) float32: the latent that read() or take() brought
    .qp     [1, zero point]: array('f'), as kernels take them
    .step   distance of two neighbouring codes of the store
    """

    def __init__(self, learner):
        self._stage, self._store, self._packed = learner.stage, learner.store, learner.packed
        self._bits = learner.store.bits
        self.qp = array("f", (1, learner.latent_qp[1]))
        self.n = len(learner.stage.latent)
        self.x = floats(self.n)
        self.step = 255 / ((1 << self._bits) - 1)

    def read(self, slot):
        """x = the latent of a record; whether it is intact."""
        try:
            self._store.read_into(slot, self._packed)
        except StoreError:
            return False
        kernels.unpack_f32(self.x, self._packed, self.qp, self._bits)
        return True

    def take(self):
        """x = the latent that the learner inferred last, with the bits of the store."""
        kernels.pack_s8(self._packed, self._stage.latent, self._bits)
        kernels.unpack_f32(self.x, self._packed, self.qp, self._bits)


def floats(n):
    """array('f') of n zeros."""
    out = array("f", range(n))
    kernels.zero_f32(out)
    return out


def check_count(name, count):
    """Raises DataError for an option that is no count."""
    if not isinstance(count, int) or count < 1:
        raise DataError("expected %s of 1 or more, got %r" % (name, count))


def need_room(what, n, advice):
    """Raises FitError where the heap lacks n bytes."""
    from ..compat import heap_free

    free = heap_free()
    if n > free:
        raise FitError(what, n, free, advice)


def stored(store, labels, session=None):
    """array('i') of the slots of records in about the order in which they came: erase units by
    their first record, and their slots as they lie. labels, session: of these records; None: of
    any."""
    per_unit = store.gather_layout()[0]
    units = []
    for first in range(0, len(store.labels), per_unit):
        sequence = _sequence(store, first, per_unit)
        if sequence is not None:
            units.append((sequence, first))
    out = array("i", ())
    for _, first in sorted(units):
        for slot in range(first, min(first + per_unit, len(store.labels))):
            label = store.labels[slot]
            if label == DEAD or session not in (None, store.sessions[slot]):
                continue
            if labels is None or label in labels:
                out.append(slot)
    if not out:
        raise DataError(
            "expected stored samples%s to watch from, got none; observe() some and learn() first "
            "(`engram learn`)" % ("" if labels is None else " of the labels %r" % (labels,))
        )
    return out


def _sequence(store, first, count):
    """Sequence number of the first intact record of a unit; None where there is none."""
    for slot in range(first, min(first + count, len(store.labels))):
        if store.labels[slot] != DEAD:
            try:
                return store.sequence(slot)
            except StoreError:
                pass
    return None
