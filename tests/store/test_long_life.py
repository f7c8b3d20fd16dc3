"""A long random life against a dictionary that does the same."""

import random

import pytest
from nor import MIXED, NorFlash, PowerCut
from store_life import records_of

from engram import StoreError
from engram.store import ReplayStore

pytestmark = pytest.mark.slow

KINDS = (
    # units, erase_bytes, program_bytes, latent_bytes, align
    (4, 512, 1, 24, False),
    (6, 512, 16, 48, True),
    (9, 1024, 256, 100, False),
)


def mount(flash, latent_bytes, align):
    return ReplayStore(flash, flash.program_bytes, 77, latent_bytes, align=align)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_store_and_dictionary_agree(kind, seed):
    """Appends, deletes, remounts, power cuts at random places, for 1200 operations."""
    units, erase_bytes, program_bytes, latent_bytes, align = kind
    rng = random.Random(seed)
    flash = NorFlash(units, erase_bytes, program_bytes, order=MIXED, once=False)
    store = mount(flash, latent_bytes, align)
    model, cuts, collections = {}, 0, 0
    buf = bytearray(latent_bytes)
    for n in range(1200):
        flash.fuel = rng.randrange(400) if rng.random() < 0.1 else -1
        data = n.to_bytes(4, "little") + rng.randbytes(latent_bytes - 4)
        record = rng.randrange(255), rng.randrange(256)
        victim = None
        try:
            if len(model) == store.capacity or (model and rng.random() < 0.45):
                live = [s for s in range(len(store.labels)) if store.labels[s] != 255]
                slot = rng.choice(live)
                store.read_into(slot, buf)
                victim = bytes(buf)
                store.delete(slot)
                del model[victim]
            else:
                store.append(data, *record)
                model[data] = record
            flash.fuel = -1
        except PowerCut:
            cuts += 1
            flash.fuel = -1
            collections += store.collections
            store = mount(flash, latent_bytes, align)
            records = records_of(store)
            if victim is not None:
                model.pop(victim)
                assert records in (model, {**model, victim: records.get(victim)})
            else:
                assert records in (model, {**model, data: record})
            model = records
        if n % 100 == 0:
            assert records_of(store) == model
        if rng.random() < 0.01:
            collections += store.collections
            store = mount(flash, latent_bytes, align)
    assert records_of(store) == model == records_of(mount(flash, latent_bytes, align))
    assert cuts > 8 and collections + store.collections > 40


def wear_while_replacing(flash, spread, times=6000):
    """Two units of records that stay for ever, and others that come and go: the largest difference
    in erases that there ever was."""
    store = ReplayStore(flash, 16, 1, 20)
    store.wear_spread = spread
    for i in range(30):
        store.append(bytes([i] * 20), 1, 0)
    widest = 0
    for i in range(times):
        if store.counts(2) == 30:
            store.delete(next(s for s in range(len(store.labels)) if store.labels[s] == 2))
        store.append(bytes([i & 255] * 20), 2, 0)
        widest = max(widest, max(flash.wear) - min(flash.wear))
    info = store.info()
    assert info["wear_max"] == max(flash.wear) and info["wear_min"] == min(flash.wear)
    assert info["erases"] == sum(flash.wear)
    return widest


@pytest.mark.parametrize("spread", [1, 2, 5])
def test_wear_is_spread(spread):
    """Records that stay for ever do not keep their units from taking their share of erases."""
    assert wear_while_replacing(NorFlash(8, 512, 16), spread) == spread


def test_without_the_rule_wear_is_not_spread():
    assert wear_while_replacing(NorFlash(8, 512, 16), 1 << 30) > 100


def test_a_region_that_was_worn_unevenly_becomes_even():
    flash = NorFlash(8, 512, 16)
    assert wear_while_replacing(flash, 1 << 30, 2000) > 30
    store = ReplayStore(flash, 16, 1, 20)
    for i in range(9000):
        if store.counts(2) == 30:
            store.delete(next(s for s in range(len(store.labels)) if store.labels[s] == 2))
        store.append(bytes([i & 255] * 20), 2, 0)
        if max(flash.wear) - min(flash.wear) <= 1:
            return
    raise AssertionError(f"erases differ: {list(flash.wear)}")


def test_wear_is_known_after_a_mount_and_a_format():
    flash = NorFlash(4, 512, 1)
    store = ReplayStore(flash, 1, 1, 100)
    for i in range(200):
        if len(store) == store.capacity:
            store.delete(next(s for s in range(len(store.labels)) if store.labels[s] != 255))
        store.append(bytes([i] * 100), 0, 0)
    most = max(flash.wear)
    assert most > 20
    assert ReplayStore(flash, 1, 1, 100).info()["wear_max"] == most
    again = ReplayStore.format(flash, 1, 2, 60)
    assert again.info()["wear_max"] == max(flash.wear)


def test_a_spare_eighth_keeps_replacement_cheap():
    """Records moved for each one that replaces another at random in a full store."""

    def moved_per_append(reserve):
        rng = random.Random(3)
        store = ReplayStore(NorFlash(24, 512, 1), 1, 1, 20, reserve=reserve)
        while len(store) < store.capacity:
            store.append(bytes(20), 1, 0)
        for _ in range(2000):
            slot = rng.randrange(len(store.labels))
            while store.labels[slot] == 255:
                slot = rng.randrange(len(store.labels))
            store.delete(slot)
            store.append(bytes(20), 1, 0)
        return store.info()["moved"] / 2000

    assert moved_per_append(None) < 4 < 8 < moved_per_append(1)


def test_stuck_bits_are_passed_over():
    """A cell that does not program costs a slot, not a record."""
    flash = NorFlash(4, 512, 1)
    flash.stuck = set(range(512 + 40, 512 + 300))
    flash.stuck.update(range(60, 64))
    store = ReplayStore(flash, 1, 1, 30)
    model = {}
    for i in range(20):
        data = bytes([i, i ^ 0x5A]) * 15
        store.append(data, i, 0)
        model[data] = (i, 0)
    assert store.info()["bad"] > 3
    assert records_of(store) == model == records_of(ReplayStore(flash, 1, 1, 30))


def test_a_flash_that_takes_nothing_is_given_up():
    flash = NorFlash(4, 512, 1)
    store = ReplayStore(flash, 1, 1, 30)
    flash.stuck = range(4 * 512)
    with pytest.raises(StoreError, match="no slot can be freed|no erase unit is left"):
        store.append(bytes(30), 1, 1)
    flash.stuck = ()
    store.append(bytes(30), 1, 1)
    assert records_of(store) == {bytes(30): (1, 1)}


def test_a_unit_that_does_not_erase_is_left_alone():
    flash = NorFlash(4, 512, 1)
    store = ReplayStore(flash, 1, 1, 100)
    real = flash._erase
    flash._erase = lambda at: real(at) if at != 1024 else flash._step(at, b"\x00")
    model = {}
    for i in range(40):
        if len(store) == store.capacity - 4:
            slot = next(s for s in range(len(store.labels)) if store.labels[s] != 255)
            buf = bytearray(100)
            store.read_into(slot, buf)
            store.delete(slot)
            del model[bytes(buf)]
        data = bytes([i]) * 100
        store.append(data, i, 0)
        model[data] = (i, 0)
    assert store.info()["bad_blocks"] == 1 and store.info()["free_blocks"] == 1
    assert records_of(store) == model
