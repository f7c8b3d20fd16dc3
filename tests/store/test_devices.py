"""Block devices of every kind: what flash is asked and told, and what is no flash is refused."""

import pytest
from nor import NorFlash

from engram import StoreError
from engram.store import Checkpoints, RamFlash, Region, ReplayStore, regions

MODEL, LATENT = 0xC0FFEE11, 20


class Nor:
    """Flash as most ports have it: nothing is said beyond the protocol."""

    def __init__(self, blocks=6, erase_bytes=512):
        self.flash = RamFlash(blocks, erase_bytes, 1)
        self.data = self.flash.data

    def readblocks(self, n, buf, off=0):
        self.flash.readblocks(n, buf, off)

    def writeblocks(self, n, buf, off):
        return self.flash.writeblocks(n, buf, off)

    def ioctl(self, op, arg):
        return self.flash.ioctl(op, arg)


class LegacyCache(Nor):
    """pyb.Flash(): the simple protocol above a cache, and it says so."""

    def ioctl(self, op, arg):
        return -1 if (op, arg) == (1, 1) else super().ioctl(op, arg)


class InternalFlash(Nor):
    """pyb.Flash(start=, len=) on internal flash: no read and no write with an offset."""

    def readblocks(self, n, buf, off=None):
        return super().readblocks(n, buf) if off is None else -5

    def writeblocks(self, n, buf, off=None):
        return -5


class Card(Nor):
    """An SD card: whole blocks only."""

    def readblocks(self, n, buf):
        super().readblocks(n, buf)

    def writeblocks(self, n, buf):
        super().writeblocks(n, buf, 0)


class Disk(Nor):
    """A RAM disk: what is written replaces what was there; no erase is needed, none is done."""

    def writeblocks(self, n, buf, off):
        self.data[n * 512 + off : n * 512 + off + len(buf)] = buf

    def ioctl(self, op, arg):
        return 0 if op == 6 else super().ioctl(op, arg)


class Sectors(Disk):
    """FAT style: a sector is read, changed, erased and written as a whole; it can be erased."""

    def ioctl(self, op, arg):
        return self.flash.ioctl(op, arg)


class ErasingWrites(Nor):
    """A write erases the block it falls into."""

    def writeblocks(self, n, buf, off):
        self.flash.ioctl(6, n)
        return super().writeblocks(n, buf, off)


class NoErase(Nor):
    """ioctl 6 is not known."""

    def ioctl(self, op, arg):
        return None if op == 6 else super().ioctl(op, arg)


class PartOfAUnit(Nor):
    """esp32.Partition(..., block_size=512): ioctl 6 answers with an error."""

    def ioctl(self, op, arg):
        return -22 if op == 6 else super().ioctl(op, arg)


class ErrorOnWrite(Nor):
    """Write-protected: an answer, no exception."""

    def writeblocks(self, n, buf, off):
        return -30


class SilentOnWrite(Nor):
    """Write-protected: no answer at all."""

    def writeblocks(self, n, buf, off):
        return 0


EXTENDED = "refuses the extended protocol, ioctl.1, 1. answered -1.*power cut.*pyb.Flash only"
SIMPLE = "only the simple protocol, readblocks.0, buf, 0. of one byte gave %s.*no SD card"
OVERWRITES = "overwrites what flash would keep"
ERASES = "does not erase: unit 0 does not read as 0xFF after an erase, ioctl.6, 0. answered %s"
WRITES = "does not program part of a block, writeblocks.1, buf, 0. gave %s"

# (device, what is said when it may be programmed twice, and when it may not)
REFUSED = [
    (LegacyCache, EXTENDED, EXTENDED),
    (InternalFlash, SIMPLE % -5, SIMPLE % -5),
    (Card, SIMPLE % "TypeError", SIMPLE % "TypeError"),
    (Disk, OVERWRITES, ERASES % 0),
    (ErasingWrites, OVERWRITES, OVERWRITES),
    (NoErase, ERASES % None, ERASES % None),
    (PartOfAUnit, ERASES % -22, ERASES % -22),
    (ErrorOnWrite, WRITES % -30, WRITES % -30),
    (SilentOnWrite, WRITES % 0, WRITES % 0),
]


@pytest.mark.parametrize("page", [1, 16])
@pytest.mark.parametrize("align", [False, True], ids=["packed", "aligned"])
@pytest.mark.parametrize("kind, packed, aligned", REFUSED, ids=[r[0].__name__ for r in REFUSED])
def test_what_is_no_flash_is_refused(kind, packed, aligned, align, page):
    with pytest.raises(StoreError, match=aligned if align else packed):
        ReplayStore(kind(), page, MODEL, LATENT, align=align)


@pytest.mark.parametrize("page", [1, 16, 256])
def test_sectors_that_are_rewritten_as_a_whole_are_refused(page):
    """They keep everything while there is power: a cut would lose the other records."""
    with pytest.raises(StoreError, match=OVERWRITES):
        ReplayStore(Sectors(), page, MODEL, LATENT, align=False)


NOT_FORMATTED = [Disk, Sectors, ErasingWrites, NoErase, PartOfAUnit, ErrorOnWrite]


@pytest.mark.parametrize("kind", NOT_FORMATTED)
def test_a_format_refuses_them_too(kind):
    device = kind()
    device.data[600] = 1
    with pytest.raises(StoreError, match="this block device "):
        ReplayStore.format(device, 16, MODEL, LATENT, align=False)


@pytest.mark.parametrize("kind", [LegacyCache, InternalFlash, Card])
def test_what_has_no_extended_protocol_is_not_touched(kind):
    device = kind()
    for open_it in (
        lambda: ReplayStore(device, 16, MODEL, LATENT, align=False),
        lambda: ReplayStore.format(device, 16, MODEL, LATENT, align=False),
        lambda: Checkpoints(device, 16, MODEL),
        lambda: regions(device, 100, 16),
    ):
        with pytest.raises(StoreError, match="protocol"):
            open_it()
    assert device.data == b"\xff" * len(device.data)


# ---------------------------------------------------------------- caches that can be trusted


class CachedUntilSync(Nor):
    """Flash behind a driver that writes when it is told to; .cut() is the end of the power."""

    def __init__(self):
        super().__init__()
        self.waiting = []

    def readblocks(self, n, buf, off=0):
        image = RamFlash(6, 512, 1)
        image.data[:] = self.data
        for block, data, at in self.waiting:
            image.writeblocks(block, data, at)
        image.readblocks(n, buf, off)

    def writeblocks(self, n, buf, off):
        self.waiting.append((n, bytes(buf), off))

    def ioctl(self, op, arg):
        if op in (3, 6):
            waiting, self.waiting = self.waiting, []
            for block, data, at in waiting:
                self.flash.writeblocks(block, data, at)
        return super().ioctl(op, arg)

    def cut(self):
        self.waiting = []


def test_a_cache_that_writes_on_sync_loses_nothing_acknowledged():
    device = CachedUntilSync()
    for n in range(12):
        store = ReplayStore(device, 16, MODEL, LATENT, align=False)
        assert len(store) == n
        store.append(bytes([n]) * LATENT, n, 0)
        device.cut()
    latent = bytearray(LATENT)
    store = ReplayStore(device, 16, MODEL, LATENT, align=False)
    for slot in range(12):
        assert store.read_into(slot, latent) == slot and latent == bytes([slot]) * LATENT


def test_a_sync_that_fails_acknowledges_nothing():
    device = Nor()
    store = ReplayStore(device, 16, MODEL, LATENT, align=False)
    whole = device.ioctl
    device.ioctl = lambda op, arg: -5 if op == 3 else whole(op, arg)
    with pytest.raises(StoreError, match=r"could not write what it caches: ioctl\(3, 0\).* -5"):
        store.append(bytes(LATENT), 1, 1)


# ---------------------------------------------------------------- geometry


class NativeBlocks(Nor):
    """pyb.Flash(start=, len=) on external flash: other blocks once the protocol is chosen."""

    def __init__(self):
        super().__init__(6, 4096)
        self.native = False

    def ioctl(self, op, arg):
        if op == 1:
            self.native = arg == 1
        if op in (4, 5) and not self.native:
            return {4: 48, 5: 512}[op]
        return super().ioctl(op, arg)


def test_the_protocol_is_chosen_before_blocks_are_counted():
    replay, region = regions(NativeBlocks(), 100, 16)
    assert (replay.count, region.count) == (4, 2)
    info = ReplayStore(NativeBlocks(), 16, MODEL, LATENT, align=False).info()
    assert (info["blocks"], info["erase_bytes"]) == (6, 4096)


def test_a_block_size_that_is_not_said_is_that_of_the_protocol():
    device = Nor()
    whole = device.ioctl
    device.ioctl = lambda op, arg: None if op == 5 else whole(op, arg)
    assert ReplayStore(device, 16, MODEL, LATENT, align=False).info()["erase_bytes"] == 512


def test_what_nobody_says_is_not_guessed():
    with pytest.raises(StoreError, match="expected program_bytes, .*no attribute of that name"):
        ReplayStore(Nor(), None, MODEL, LATENT, align=False)
    with pytest.raises(StoreError, match="expected align, .*no attribute program_once"):
        ReplayStore(Nor(), 16, MODEL, LATENT)
    with pytest.raises(StoreError, match="expected program_bytes"):
        regions(Nor(), 100)


@pytest.mark.parametrize("page", [1, 4, 16, 256, 512])
@pytest.mark.parametrize("once", [False, True])
def test_a_device_that_says_it_is_believed(page, once):
    """Program page and whether twice: a simulator that enforces both is written to and read."""
    flash = NorFlash(8, 2048 if page == 512 else 1024, page, once=once)
    replay, _ = regions(flash, 100)
    store = ReplayStore(replay, None, MODEL, LATENT)
    assert store.info()["program_bytes"] == page and store.info()["program_once"] is once
    for n in range(store.capacity + 60):
        if len(store) == store.capacity:
            store.delete(next(s for s in range(len(store.labels)) if store.labels[s] != 255))
        store.append(bytes([n & 0xFF]) * LATENT, n % 10, 0)
    again = ReplayStore(Region(flash, 0, replay.count), None, MODEL, LATENT)
    assert len(again) == store.capacity and again.labels == store.labels


@pytest.mark.parametrize(
    "once, page, align, text",
    [
        (False, 8, False, "expected a multiple of the device's own program_bytes of 16, got 8"),
        (True, 16, False, "expected align=True, got False; the device says"),
    ],
)
def test_arguments_that_the_device_contradicts(once, page, align, text):
    with pytest.raises(StoreError, match=text):
        ReplayStore(RamFlash(4, 512, 16, once), page, MODEL, LATENT, align=align)


def test_more_care_than_the_device_asks_for_is_taken():
    flash = NorFlash(4, 1024, 16, once=False)
    info = ReplayStore(flash, 32, MODEL, LATENT, align=True).info()
    assert (info["program_bytes"], info["program_once"]) == (32, True)
