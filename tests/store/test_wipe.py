"""A region is erased, whatever it holds; where wanted the erase counts stay."""

import pytest
from nor import NorFlash

from engram import StoreError
from engram.store import Checkpoints, Region, ReplayStore
from engram.store.wipe import first_header, wipe


def lived(model=7, **options):
    """Ten units: a log in eight that has collected, two generations in the last two."""
    flash = NorFlash(10, 512, 16)
    store = ReplayStore(Region(flash, 0, 8), 16, model, 60, 5, **options)
    for n in range(100):
        if len(store) == store.capacity:
            store.delete(next(s for s in range(len(store.labels)) if store.labels[s] != 255))
        store.append(bytes([n]) * 60, n % 3, n)
    for _ in range(2):
        Checkpoints(flash, 16, model, 8, 2).save([bytes(40)])
    return flash, store


def test_blank_for_any_model():
    flash, _ = lived()
    wipe(flash, 16)
    assert flash.data == b"\xff" * 5120 and first_header(flash) is None
    assert ReplayStore(flash, 16, 8, 30).info()["wear_max"] == 1
    flash.data[:] = bytes(5120)
    wipe(flash, 16)
    assert flash.data == b"\xff" * 5120, "what is foreign goes too"


@pytest.mark.parametrize("align", [False, True], ids=["packed", "aligned"])
def test_erase_counts_stay_where_wanted(align):
    flash, store = lived(align=align)
    before = store.info()
    wipe(flash, 16, keep_wear=True)
    store = ReplayStore(Region(flash, 0, 8), 16, 7, 60, 5, align=align)
    after = store.info()
    assert after["live"] == after["dead"] == 0 and after["free_blocks"] == 8
    assert before["wear_max"] > 2
    # Unit 0 says during the format that it is under way.
    assert after["wear_min"] == before["wear_min"] + 1
    assert before["wear_max"] + 1 <= after["wear_max"] <= before["wear_max"] + 2
    assert Checkpoints(flash, 16, 7, 8, 2).info()["generation"] == 0


def test_no_counts_to_keep():
    flash = NorFlash(10, 512, 16)
    flash.data[:8] = b"littlefs"
    image = bytes(flash.data)
    with pytest.raises(StoreError, match="no replay log is there"):
        wipe(flash, 16, keep_wear=True)
    assert flash.data == image


def test_a_flash_that_does_not_erase_is_told():
    flash, _ = lived()
    flash.endurance = [0] * 10
    with pytest.raises(StoreError, match="block 9 does not read as 0xFF"):
        wipe(flash, 16)


def test_the_first_header_is_found_behind_a_torn_unit():
    flash, _ = lived()
    flash.data[:36] = bytes(36)
    header = first_header(flash)
    assert (header.model_id, header.bits, header.units) == (7, 5, 8)
