"""Model slots: what comes is there, whole, whatever happens on the way."""

import random
from binascii import crc32

import pytest
from tests.device.nor import DOWN, MIXED, UP, NorFlash, PowerCut

from engram.errors import StoreError
from engram.store import RamFlash, ReplayStore
from engram.store.slots import Slots, beside, reserved

_UNIT, _BLOCKS = 4096, 40


def _content(seed, size):
    return random.Random(seed).randbytes(size)


def _put(slots, name, content, piece=1020, keep=""):
    answer = slots.put_open(name, len(content), crc32(content), keep)
    if answer["same"]:
        return False
    for at in range(answer["have"], len(content), piece):
        assert slots.put_data(at, content[at : at + piece]) == min(len(content), at + piece)
    assert slots.put_close() == {"size": len(content), "crc": crc32(content)}
    return True


def _get(slots, name):
    with slots.open(name) as stream:
        assert bytes(stream.mapped) == stream.read()
        return bytes(stream.mapped)


@pytest.mark.parametrize("program_bytes", [1, 8, 256])
@pytest.mark.parametrize("size", [1, 255, 256, 3071, 3072, 3073, 20000])
def test_a_file_is_as_it_came(program_bytes, size):
    dev = RamFlash(_BLOCKS, _UNIT, program_bytes, program_once=True)
    content = _content(size, size)
    assert _put(Slots(dev, program_bytes), "kws", content)
    slots = Slots(dev, program_bytes)
    assert _get(slots, "kws") == content
    assert not _put(slots, "kws", content), "the same file is not sent again"
    assert [(slot.name, slot.size) for slot in slots.slots()] == [("kws", size)]


def test_no_page_is_programmed_twice():
    dev = NorFlash(_BLOCKS, _UNIT, 8, once=True)
    slots = Slots(dev, 8)
    for i in range(5):
        _put(slots, "new", _content(i, 9000), piece=1000)
        slots.rename("new", "kws")
    assert _get(slots, "kws") == _content(4, 9000)


def test_the_store_has_what_the_slots_leave():
    dev = RamFlash(_BLOCKS, _UNIT, 256)
    assert beside(dev) is dev
    _put(Slots(dev, 256), "kws", _content(1, 10000))
    assert reserved(dev) == 4  # three units, one to spare
    part = beside(dev)
    assert part.ioctl(4, 0) == _BLOCKS - 1 - 2 * 4
    store = ReplayStore(part, 256, 7, 100)
    while len(store) < store.capacity:
        store.append(bytes(100), 1, 0)
    assert _get(Slots(dev, 256), "kws") == _content(1, 10000)


def test_two_files_and_the_one_in_use_stays():
    dev = RamFlash(_BLOCKS, _UNIT, 256)
    slots = Slots(dev, 256)
    _put(slots, "a", _content(1, 5000))
    _put(slots, "b", _content(2, 5000))
    assert _get(slots, "a") == _content(1, 5000)
    _put(slots, "c", _content(3, 5000), keep="a")
    assert [slot.name for slot in slots.slots()] == ["c", "a"]
    _put(slots, "d", _content(4, 5000))
    assert [slot.name for slot in slots.slots()] == ["d", "c"]


def test_a_new_name_takes_the_place_of_the_old_file():
    slots = Slots(RamFlash(_BLOCKS, _UNIT, 256), 256)
    for i in range(4):
        _put(slots, "kws.new", _content(i, 5000 + i), keep="kws")
        slots.rename("kws.new", "kws")
        assert _get(slots, "kws") == _content(i, 5000 + i)
        assert slots.find("kws.new") is None
    assert slots.remove("kws") == 2
    assert slots.slots() == []
    with pytest.raises(StoreError, match="got none of name 'kws'"):
        slots.open("kws")


def test_a_transfer_goes_on_and_can_begin_again():
    slots = Slots(RamFlash(_BLOCKS, _UNIT, 256), 256)
    content = _content(5, 9001)
    facts = ("kws", len(content), crc32(content))
    slots.put_open(*facts)
    slots.put_data(0, content[:1020])
    slots.put_data(1020, content[1020:2040])
    again = slots.put_open(*facts)
    assert again == {"have": 2040, "crc": crc32(content[:2040]), "same": False}
    slots.put_data(0, content[:5000])
    with pytest.raises(StoreError, match="for offset 5000 of 9001 bytes, got 1 at 7"):
        slots.put_data(7, b"x")
    slots.put_data(5000, content[5000:])
    slots.put_close()
    assert _get(slots, "kws") == content


def test_bytes_that_fell_over_are_told():
    dev = RamFlash(_BLOCKS, _UNIT, 256)
    slots = Slots(dev, 256)
    _put(slots, "kws", _content(1, 5000))
    at = bytes(dev.data).index(_content(1, 5000)[:64])
    dev.data[at + 100] ^= 4
    with pytest.raises(StoreError, match="expected model kws with crc32"):
        slots.open("kws")
    assert _put(slots, "kws", _content(1, 5000)), "and it is sent again"
    assert _get(slots, "kws") == _content(1, 5000)


def test_wrong_data_gets_no_name():
    slots = Slots(RamFlash(_BLOCKS, _UNIT, 256), 256)
    slots.put_open("kws", 300, 12345)
    slots.put_data(0, bytes(300))
    with pytest.raises(StoreError, match="expected data with crc32 00003039"):
        slots.put_close()
    assert slots.slots() == []
    slots.put_open("kws", 300, 12345)
    slots.put_data(0, bytes(299))
    with pytest.raises(StoreError, match="expected 300 bytes, got only 299"):
        slots.put_close()


def test_samples_are_not_taken_away():
    dev = RamFlash(_BLOCKS, _UNIT, 256)
    store = ReplayStore(dev, 256, 7, 100)
    store.append(bytes(100), 1, 0)
    with pytest.raises(StoreError, match="expected a flash without a replay log"):
        Slots(dev, 256).put_open("kws", 5000, 1)
    assert ReplayStore(dev, 256, 7, 100).capacity == store.capacity


@pytest.mark.parametrize(
    ("blocks", "size", "match"),
    [(40, 80000, "for two slots and a store"), (40, 0, "a file of 0 bytes")],
)
def test_what_has_no_room_is_refused(blocks, size, match):
    dev = RamFlash(blocks, _UNIT, 256)
    with pytest.raises(StoreError, match=match):
        Slots(dev, 256).put_open("kws", size, 1)
    assert beside(dev) is dev


def test_a_longer_model_is_refused_where_another_is():
    dev = RamFlash(_BLOCKS, _UNIT, 256)
    slots = Slots(dev, 256)
    _put(slots, "kws", _content(1, 5000))
    assert _put(slots, "longer", _content(1, 11000)), "there is a unit to spare"
    with pytest.raises(StoreError, match="expected a model of at most 11264 bytes"):
        slots.put_open("kws", 12000, 1)
    slots.remove("kws")
    slots.remove("longer")
    assert _put(slots, "kws", _content(2, 40000))


def test_a_name_of_the_wrong_length_is_refused():
    slots = Slots(RamFlash(_BLOCKS, _UNIT, 256), 256)
    for name in ("", "n" * 49):
        with pytest.raises(StoreError, match="expected a name of 1 to 48 bytes"):
            slots.put_open(name, 10, 1)


@pytest.mark.parametrize("order", [UP, DOWN, MIXED])
def test_a_cut_at_any_step_leaves_a_model(order):
    """The model in use is there after a cut at any step of a transfer and of its new name; a model
    that has the name is one of the two, whole."""
    old, new = _content(1, 1500), _content(2, 1600)
    unit = 512

    def run(fuel):
        dev = NorFlash(40, unit, 64, order)
        slots = Slots(dev, 64)
        _put(slots, "kws", old)
        dev.fuel = fuel
        try:
            _put(slots, "kws.new", new, keep="kws")
            slots.rename("kws.new", "kws")
        except PowerCut:
            dev.fuel = -1
            return dev, False
        return dev, True

    fuel = finished = 0
    outcomes = set()
    while not finished:
        dev, finished = run(fuel)
        slots = Slots(dev, 64)
        found = _get(slots, "kws")
        assert found in (old, new), fuel
        outcomes.add(found == new)
        if not finished:  # and the next try succeeds
            _put(slots, "kws.new", new, keep="kws")
            if slots.find("kws.new"):
                slots.rename("kws.new", "kws")
            assert _get(slots, "kws") == new, fuel
        fuel += 7
    assert outcomes == {False, True}


@pytest.mark.parametrize("order", [UP, DOWN, MIXED])
def test_a_cut_of_the_first_transfer_leaves_a_flash_that_works(order):
    content, fuel, finished = _content(3, 1500), 0, False
    while not finished:
        dev = NorFlash(40, 512, 64, order)
        dev.fuel = fuel
        try:
            _put(Slots(dev, 64), "kws", content)
            finished = True
        except PowerCut:
            pass
        dev.fuel = -1
        slots = Slots(dev, 64)
        _put(slots, "kws", content)
        assert _get(slots, "kws") == content
        ReplayStore(beside(dev), 64, 7, 20).append(bytes(20), 1, 0)
        fuel += 11
