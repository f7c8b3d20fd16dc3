"""A bit that falls over in flash costs one record at most, and is never served."""

import pytest
from nor import MIXED
from store_life import FullLife, Scene, comparable, journaled, records_of, saved_of, wrecks

from engram import StoreError

SCENES = (
    Scene(6, 512, 1, 60),
    Scene(6, 512, 16, 60, align=True, order=MIXED),
    Scene(6, 512, 16, 20, targets=10),
)
STEPS = (("mount", 1), ("append", 9), ("save", 1), ("delete", 3), ("fill", 1), ("churn", 2))


def settled(scene):
    """A life with records, deleted ones, a retired unit, and two saved states."""
    flash = scene.flash()
    life = FullLife(scene, flash, 1)
    life.live(STEPS)
    first = life.saved
    life.live((("save", 1), ("delete", 1)))
    return flash, life, first


def try_flips(scene, every):
    """Flips one bit of every so-many-th byte, then mounts; (flips, those that cost a record)."""
    flash, life, _ = settled(scene)
    newest = comparable(scene, life.saved)
    store_bytes = scene.regions(flash)[0].count * scene.erase_bytes
    costs = flips = 0
    for at in range(0, len(flash.data), every):
        bit = (at * 5 + at // 8) % 8
        copy = flash.like(flash.data)
        copy.data[at] ^= 1 << bit
        records = records_of(scene.store(copy))
        losses = [data for data in life.records if data not in records]
        wrong = [data for data in records if life.records.get(data) != records[data]]
        assert not wrong, f"bit {bit} of byte {at} made a record"
        assert len(losses) <= 1, f"bit {bit} of byte {at} cost {len(losses)} records"
        assert saved_of(scene, scene.checkpoints(copy)) == newest
        assert at < store_bytes or not losses
        flips += 1
        costs += len(losses)
    return flips, costs


@pytest.mark.parametrize("scene", SCENES, ids=repr)
def test_a_flip_costs_one_record_at_most(scene):
    flips, costs = try_flips(scene, 2)
    assert flips > 1000
    assert 0 < costs < flips / 2, "a flip in a record must be noticed, one elsewhere is harmless"


def test_a_flip_and_a_cut_collection():
    """A record that rots while its collection is cut costs itself, and the store goes on."""
    scene = SCENES[0]
    first, journal, acts = journaled(scene, steps=STEPS)
    kind = scene.flash()
    store_bytes = scene.regions(kind)[0].count * scene.erase_bytes
    count = moves = 0
    for cut, image, allowed in wrecks(first, journal, acts):
        if cut < len(journal) // 2 or cut % 61:
            continue
        for at in range(cut % 23, store_bytes, 23):
            copy = kind.like(image)
            copy.data[at] ^= 1 << at % 8
            store = scene.store(copy)
            contents = records_of(store)
            losses = []
            for records, _ in allowed:
                if all(records.get(data) == value for data, value in contents.items()):
                    losses.append(len(records) - len(contents))
            assert losses and min(losses) <= 1, f"bit of byte {at}, cut {cut}: {losses}"
            assert store.info()["free_blocks"] > 0
            moves += store.moved
            if len(store) < store.capacity:
                store.append(bytes(scene.latent_bytes), 1, 1)
                assert len(scene.store(copy)) == len(contents) + 1
            count += 1
    assert count > 2000
    assert moves > 0, "no cut met the copy of a record whose original rotted"


def test_a_flip_after_the_mount_is_noticed_when_read():
    scene = SCENES[0]
    flash, life, _ = settled(scene)
    store = life.store
    slot = next(s for s in range(len(store.labels)) if store.labels[s] != 255)
    live, label = len(store), store.labels[slot]
    buf = bytearray(scene.latent_bytes)
    store.read_into(slot, buf)
    damaged = flash.data.find(bytes(buf))
    flash.data[damaged + 11] ^= 4
    target = bytearray(b"\x55" * len(buf))
    with pytest.raises(StoreError, match=f"slot {slot} is damaged.*marked dead"):
        store.read_into(slot, target)
    assert target == b"\x55" * len(buf), "nothing of a damaged record is handed out"
    assert len(store) == live - 1 and store.labels[slot] == 255 and store.info()["bad"] == 1
    assert store.counts(label) == sum(1 for x in store.labels if x == label)
    with pytest.raises(StoreError, match="which has none"):
        store.read_into(slot, buf)
    del life.records[bytes(buf)]
    assert records_of(scene.store(flash)) == life.records


def test_a_read_that_fails_once_condemns_nothing():
    """Noise on the bus is not damage in the cells."""
    scene = SCENES[0]
    flash, life, _ = settled(scene)
    store = life.store
    real, noisy = flash.readblocks, [True]

    def readblocks(block, buf, offset=0):
        real(block, buf, offset)
        if noisy:
            noisy.pop()
            buf[5] ^= 1

    flash.readblocks = readblocks
    assert records_of(store) == life.records
    assert not noisy and store.info()["bad"] == 0


def test_two_flips_in_one_header_leave_the_rest():
    """A header beyond repair costs its unit, and what was there is not served any more."""
    scene = SCENES[0]
    flash, life, _ = settled(scene)
    units = [u for u in range(4) if flash.data[u * 512 + 36 : u * 512 + 40] == b"\xff" * 4]
    flash.data[units[0] * 512 + 21] ^= 0x11
    records = records_of(scene.store(flash))
    assert 0 < len(life.records) - len(records) <= life.store.info()["slots_per_block"]
    assert all(life.records[data] == records[data] for data in records)


@pytest.mark.parametrize("scene", SCENES, ids=repr)
def test_a_flip_in_a_saved_state_is_put_right(scene):
    """In every bit of its payload, and of its header: the newest state is served, and info() says
    where a bit of it was put right."""
    flash, life, _ = settled(scene)
    first = scene.regions(flash)[0].count * scene.erase_bytes
    newest = comparable(scene, life.saved)
    generation = scene.checkpoints(flash).info()["generation"]
    corrected = 0
    for at in range(first, len(flash.data)):
        copy = flash.like(flash.data)
        copy.data[at] ^= 1 << at % 8
        checkpoints = scene.checkpoints(copy)
        assert saved_of(scene, checkpoints) == newest, at
        assert checkpoints.info()["generation"] == generation
        corrected += checkpoints.info()["corrected"]
    assert corrected == 4 * (2 + sum(scene.parts))  # sizes of two parts, and their bytes
