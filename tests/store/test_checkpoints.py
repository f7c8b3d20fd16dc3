"""Saved states: whole, the newest, or refused."""

from array import array

import numpy as np
import pytest
from nor import DOWN, MIXED, UP, Journal, NorFlash

from engram import DataError, StoreError
from engram.store import Checkpoints, Region

MODEL = 0xC0FFEE11


def state(seed, n=100):
    return [array("i", range(seed, seed + 8)), array("f", [seed + i / 7 for i in range(n)])]


def blank(n=100):
    return [array("i", [0] * 8), array("f", [0.0] * n)]


def open_checkpoints(flash, **options):
    return Checkpoints(flash, 16, MODEL, **options)


def test_the_newest_state_comes_back():
    flash = NorFlash(4, 512, 16)
    buffers = blank()
    assert open_checkpoints(flash).load_into(buffers) is None
    assert buffers == blank()
    for generation in range(1, 6):
        assert open_checkpoints(flash).save(state(generation)) == generation
        assert open_checkpoints(flash).load_into(buffers) == generation
        assert buffers == state(generation)
    assert max(flash.wear) - min(flash.wear) <= 1, "both areas wear alike"


@pytest.mark.parametrize(
    "make",
    [
        lambda: bytearray(37), lambda: array("b", range(11)), lambda: array("h", range(9)),
        lambda: array("d", [1.5] * 3), lambda: np.arange(5, dtype=np.float32),
        lambda: memoryview(bytearray(50))[3:33], lambda: bytearray(0),
    ],
    ids=["bytearray", "b", "h", "d", "numpy", "memoryview", "empty"],
)
def test_flat_buffers_of_any_items(make):
    flash = NorFlash(4, 512, 16)
    source, target, beside = make(), make(), array("f", [1.0, -2.0])
    view = memoryview(source).cast("B") if len(source) else b""
    for i in range(len(view)):
        view[i] = (i * 7) & 0x3F
    open_checkpoints(flash).save([beside, source])
    assert open_checkpoints(flash).load_into([array("f", [0, 0]), target]) == 1
    assert bytes(memoryview(target)) == bytes(memoryview(source))


@pytest.mark.parametrize("program_bytes", [1, 4, 16, 256, 512])
@pytest.mark.parametrize("n", [1, 117, 118, 119, 120, 350])
def test_every_way_to_end_in_a_page(program_bytes, n):
    """Payloads that end before, at and after page and unit borders."""
    flash = NorFlash(10, 512, program_bytes)
    Checkpoints(flash, program_bytes, MODEL).save(state(3, n))
    buffers = blank(n)
    assert Checkpoints(flash, program_bytes, MODEL).load_into(buffers) == 1
    assert buffers == state(3, n)


def test_a_part_of_a_device():
    flash = NorFlash(9, 512, 16)
    image = bytes(flash.data)
    checkpoints = open_checkpoints(flash, first_block=3, blocks=4)
    for i in range(3):
        checkpoints.save(state(i))
    assert flash.data[: 3 * 512] == image[: 3 * 512] and flash.data[7 * 512 :] == image[7 * 512 :]
    assert open_checkpoints(Region(flash, 3, 4)).load_into(blank()) == 3


def test_a_state_that_does_not_fit_changes_nothing():
    flash = NorFlash(4, 512, 16)
    checkpoints = open_checkpoints(flash)
    checkpoints.save(state(1))
    image = bytes(flash.data)
    with pytest.raises(StoreError, match=r"needs 1240 bytes.*768 are available"):
        checkpoints.save(state(1, 300))
    assert flash.data == image
    room = checkpoints.capacity
    checkpoints.save([bytearray(room - 4)])
    with pytest.raises(StoreError, match=f"needs {room + 1} bytes.*{room} are available"):
        checkpoints.save([bytearray(room - 3)])


@pytest.mark.parametrize(
    "buffers",
    [
        [array("i", range(8)), array("f", range(99))],
        [array("f", range(100)), array("i", range(8))],
        [array("f", range(108))],
        [array("i", range(8)), array("f", range(100)), bytearray(1)],
    ],
    ids=["shorter", "swapped", "joined", "more"],
)
def test_other_buffers_than_were_saved_are_refused(buffers):
    flash = NorFlash(4, 512, 16)
    checkpoints = open_checkpoints(flash)
    checkpoints.save(state(1))
    before = [bytes(b) for b in buffers]
    pattern = r"expected buffers of \(32, 400\) bytes, the parts .*, got \("
    with pytest.raises(StoreError, match=pattern):
        checkpoints.load_into(buffers)
    assert [bytes(b) for b in buffers] == before


@pytest.mark.parametrize("buffers", [[3], ["text"], [[1, 2]], [], [bytearray(1)] * 17])
def test_what_is_not_a_list_of_buffers_is_refused(buffers):
    flash = NorFlash(4, 512, 16)
    with pytest.raises(DataError):
        open_checkpoints(flash).save(buffers)
    assert flash.data == b"\xff" * 2048


def test_damage_to_the_newest_leaves_the_one_before():
    flash = NorFlash(4, 512, 16)
    checkpoints = open_checkpoints(flash)
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    flash.data[1024 + 300] ^= 17  # two bits
    buffers = blank()
    again = open_checkpoints(flash)
    assert again.load_into(buffers) == 1 and buffers == state(1)
    assert again.save(state(3)) == 3, "a generation number is not given twice"
    assert open_checkpoints(flash).load_into(buffers) == 3 and buffers == state(3)


def test_damage_to_both_leaves_none():
    flash = NorFlash(4, 512, 16)
    checkpoints = open_checkpoints(flash)
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    flash.data[300] ^= 17  # two bits
    flash.data[1024 + 300] ^= 17  # two bits
    buffers = blank()
    assert open_checkpoints(flash).load_into(buffers) is None and buffers == blank()


def test_a_flash_that_does_not_take_the_state_keeps_the_old_one():
    flash = NorFlash(4, 512, 16)
    checkpoints = open_checkpoints(flash)
    checkpoints.save(state(1))
    flash.stuck = range(1024 + 300, 1024 + 310)
    with pytest.raises(StoreError, match="worn out; the state saved before is intact"):
        checkpoints.save(state(2))
    buffers = blank()
    assert checkpoints.load_into(buffers) == 1 and buffers == state(1)


def test_foreign_content_is_refused_and_kept():
    flash = NorFlash(4, 512, 16)
    flash.data[8:16] = b"littlefs"
    image = bytes(flash.data)
    with pytest.raises(StoreError, match=r"block 0 has a littlefs.*Checkpoints\.format"):
        open_checkpoints(flash)
    assert flash.data == image
    Checkpoints.format(flash, 16, MODEL).save(state(1))
    assert open_checkpoints(flash).load_into(blank()) == 1


def test_another_model_is_refused_and_kept():
    flash = NorFlash(4, 512, 16)
    open_checkpoints(flash).save(state(1))
    image = bytes(flash.data)
    pattern = r"expected .* model 00000007 .*got one of model c0ffee11.*format"
    with pytest.raises(StoreError, match=pattern):
        Checkpoints(flash, 16, 7)
    assert flash.data == image


@pytest.mark.parametrize("options", [dict(blocks=1), dict(first_block=3), dict(blocks=5),
                                     dict(first_block=-1)])
def test_a_region_that_is_too_small(options):
    with pytest.raises(StoreError, match="at least 2 erase units of 512 bytes"):
        open_checkpoints(NorFlash(4, 512, 16), **options)


def test_saving_builds_no_copy_of_the_state():
    """A board has no room for a second one: what is programmed at once is a small chunk."""
    flash = NorFlash(40, 512, 16)
    sizes = []
    real = flash.writeblocks
    flash.writeblocks = lambda n, buf, off: (sizes.append(len(buf)), real(n, buf, off))
    open_checkpoints(flash).save([array("f", range(2000))])
    assert max(sizes) <= 256 and sum(sizes) >= 8000


def saved_twice(flash=None):
    """Checkpoints with generations 1 and 2."""
    checkpoints = open_checkpoints(flash or NorFlash(4, 512, 16))
    for generation in (1, 2):
        checkpoints.save(state(generation))
    return checkpoints


def held(flash):
    """(generation, buffers) that a fresh start finds."""
    buffers = blank()
    return open_checkpoints(flash).load_into(buffers), buffers


def test_rolling_back_to_each_state():
    flash = NorFlash(4, 512, 16)
    checkpoints = saved_twice(flash)
    image = bytes(flash.data)
    assert checkpoints.roll_back("last") == 2 and flash.data == image
    assert checkpoints.roll_back("previous") == 1
    assert held(flash) == (1, state(1))
    assert checkpoints.save(state(7)) == 2 and held(flash) == (2, state(7))
    assert checkpoints.roll_back("factory") == 0
    assert held(flash) == (None, blank())
    assert checkpoints.roll_back("factory") == 0, "once more is no error"
    assert checkpoints.save(state(8)) == 1 and held(flash) == (1, state(8))


def test_no_state_to_go_back_to_changes_nothing():
    flash = NorFlash(4, 512, 16)
    checkpoints = open_checkpoints(flash)
    for to in ("last", "previous"):
        with pytest.raises(StoreError, match='no saved state is there.*"factory"'):
            checkpoints.roll_back(to)
    checkpoints.save(state(1))
    image = bytes(flash.data)
    with pytest.raises(StoreError, match="generation 1 is the only saved state that is intact"):
        checkpoints.roll_back("previous")
    with pytest.raises(DataError, match="expected last or previous or factory, got 'first'"):
        checkpoints.roll_back("first")
    assert flash.data == image


@pytest.mark.parametrize("damaged", [1, 2])
def test_damage_is_no_state_to_go_back_to(damaged):
    """The newest that is intact is "last"; a damaged one before it is none."""
    flash = NorFlash(4, 512, 16)
    saved_twice(flash)
    flash.data[1024 * (damaged - 1) + 300] ^= 17  # two bits
    checkpoints = open_checkpoints(flash)
    assert checkpoints.roll_back("last") == 3 - damaged
    with pytest.raises(StoreError, match=f"generation {3 - damaged} is the only saved state"):
        checkpoints.roll_back("previous")
    assert held(flash) == (3 - damaged, state(3 - damaged))


@pytest.mark.parametrize("order", [UP, DOWN, MIXED])
@pytest.mark.parametrize("generations", [1, 2, 3], ids="{} saved".format)
@pytest.mark.parametrize("to", ["previous", "factory"])
@pytest.mark.parametrize("unit", [(512, 16), (512, 512), (4096, 256)], ids="{0[0]}/{0[1]}".format)
def test_every_cut_of_a_rollback(unit, to, generations, order):
    """A cut leaves the state before or the one after; then the rollback can be done again."""
    if to == "previous" and generations < 2:
        return
    flash = NorFlash(8, *unit, order, 0 if unit[0] == 512 else 6, True)
    checkpoints = Checkpoints(flash, unit[1], MODEL)
    for generation in range(1, generations + 1):
        checkpoints.save(state(generation))
    image = bytearray(flash.data)
    flash.journal = Journal()
    rest = checkpoints.roll_back(to)
    assert rest == (generations - 1 if to == "previous" else 0)
    assert len(flash.journal) >= 6
    allowed, seen = {rest or None, generations}, set()
    for cut in range(len(flash.journal) + 1):
        if cut:
            flash.journal.apply(cut - 1, image)
        wreck = flash.like(image)
        buffers = blank()
        again = Checkpoints(wreck, unit[1], MODEL)
        found = again.load_into(buffers)
        assert found in allowed and buffers == (state(found) if found else blank()), cut
        seen.add(found)
        if found == generations:
            assert again.roll_back(to) == rest
        number = again.save(state(9))
        assert rest < number <= generations + 1, "a torn erase may leave a header that counts"
        assert Checkpoints(wreck, unit[1], MODEL).load_into(buffers) == number
        assert buffers == state(9)
    assert seen == allowed
    assert found == (rest or None)
