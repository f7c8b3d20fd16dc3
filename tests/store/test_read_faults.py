"""What the learner reads for a batch is intact and not deleted, or is not handed out."""

from array import array

import pytest
from nor import NorFlash

from engram import DataError
from engram.continual.reading import LatentReader, code_values
from engram.store import ReplayStore

BYTES = 24
CODES = code_values(array("f", (1.0, -128)), 8)


def target_of(n, targets):
    return array("f", [n + i / 8 for i in range(targets)])


def a_store(targets):
    flash = NorFlash(4, 2048, 1)
    store = ReplayStore(flash, 1, 7, BYTES, targets=targets)
    slots = []
    for n in range(5):
        target = target_of(n, targets).tobytes() if targets else None
        slots.append(store.append(bytes([40 * n + i for i in range(BYTES)]), n, 0, target))
    return flash, store, slots


def reader(store, slots):
    out = array("f", [-1.0] * (BYTES * len(slots)))
    labels = bytearray(b"\xee" * len(slots))
    targets = array("f", [-1.0] * (store.targets * len(slots)))
    room = targets if store.targets else None
    rows = LatentReader(store, memoryview(out), labels, array("i", slots), CODES, room)
    return rows, out, labels, targets


def try_reads(mapped, targets=3):
    """Deletes a record, damages every byte of another, and reads a batch past both."""
    flash, store, slots = a_store(targets)
    if not mapped:
        store.mapped = None
    rows, out, labels, counts = reader(store, slots)
    assert rows.read(0, 5) == 5 and list(labels) == [0, 1, 2, 3, 4]
    for n in range(5):
        assert counts[n * targets : (n + 1) * targets] == target_of(n, targets)
        latent = bytearray(BYTES)
        store.read_into(slots[n], latent)
        assert [int(v) for v in out[n * BYTES : (n + 1) * BYTES]] == list(latent)
    at = flash.data.find(bytes([80 + i for i in range(BYTES)]))
    count = 0
    for byte in range(at - 7, at + BYTES + 4 * targets + 4):
        flash.flip(byte, byte % 8)
        rows, out, _, counts = reader(store, slots)
        assert rows.read(0, 5) == 2, f"byte {byte} of a damaged record is served"
        assert set(out[2 * BYTES : 3 * BYTES]) == {-1.0}
        assert set(counts[2 * targets : 3 * targets]) <= {-1.0}
        flash.flip(byte, byte % 8)
        count += 1
    store.delete(slots[1])
    rows, out, _, counts = reader(store, slots)
    assert rows.read(0, 5) == 1, "a deleted record is served"
    assert set(out[BYTES : 2 * BYTES]) == {-1.0} and set(counts[targets:]) <= {-1.0}
    return count


@pytest.mark.parametrize("targets", [0, 1, 64])
@pytest.mark.parametrize("mapped", [True, False])
def test_a_damaged_or_deleted_record_is_not_read(mapped, targets):
    assert try_reads(mapped, targets) == 7 + BYTES + 4 * targets + 4


def test_a_reader_needs_room_for_the_targets_of_a_batch():
    _, store, slots = a_store(2)
    for targets in (None, array("f", bytes(4 * 5)), array("f", bytes(4 * 11))):
        with pytest.raises(DataError, match="expected a buffer for 10 targets, 2 for each of 5"):
            LatentReader(
                store, memoryview(array("f", bytes(4 * 5 * BYTES))), bytearray(5),
                array("i", slots), CODES, targets,
            )
