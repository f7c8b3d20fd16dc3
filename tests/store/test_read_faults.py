"""What the learner reads for a batch is intact and not deleted, or is not handed out."""

from array import array

import pytest
from nor import NorFlash

from engram.continual.reading import LatentReader
from engram.store import ReplayStore

BYTES = 24
QP = array("f", (1.0, -128))


def a_store():
    flash = NorFlash(4, 512, 1)
    store = ReplayStore(flash, 1, 7, BYTES)
    slots = [store.append(bytes([40 * n + i for i in range(BYTES)]), n, 0) for n in range(5)]
    return flash, store, slots


def reader(store, slots):
    out = array("f", [-1.0] * (BYTES * len(slots)))
    labels = bytearray(b"\xee" * len(slots))
    rows = LatentReader(store, memoryview(out), labels, array("i", slots), QP)
    return rows, out, labels


def try_reads(mapped):
    """Deletes a record, damages every byte of another, and reads a batch past both."""
    flash, store, slots = a_store()
    if not mapped:
        store.mapped = None
    rows, out, labels = reader(store, slots)
    assert rows.read(0, 5) == 5 and list(labels) == [0, 1, 2, 3, 4]
    for n in range(5):
        latent = bytearray(BYTES)
        store.read_into(slots[n], latent)
        assert [int(v) for v in out[n * BYTES : (n + 1) * BYTES]] == list(latent)
    at = flash.data.find(bytes([80 + i for i in range(BYTES)]))
    tried = 0
    for byte in range(at - 7, at + BYTES + 4):
        flash.flip(byte, byte % 8)
        rows, out, _ = reader(store, slots)
        assert rows.read(0, 5) == 2, f"byte {byte} of a damaged record is served"
        assert set(out[2 * BYTES : 3 * BYTES]) == {-1.0}
        flash.flip(byte, byte % 8)
        tried += 1
    store.delete(slots[1])
    rows, out, _ = reader(store, slots)
    assert rows.read(0, 5) == 1, "a deleted record is served"
    assert set(out[BYTES : 2 * BYTES]) == {-1.0}
    return tried


@pytest.mark.parametrize("mapped", [True, False])
def test_a_damaged_or_deleted_record_is_not_read(mapped):
    assert try_reads(mapped) == 7 + BYTES + 4
