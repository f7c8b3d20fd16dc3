"""The replay store on any host: power cuts, and a read that allocates nothing.

Prints "exact" lines, which must be equal on every host.
"""

import gc
from binascii import crc32

from engram.compat import heap_lock, heap_unlock
from engram.errors import DataError, StoreError
from engram.store import Checkpoints, ReplayStore
from nor import DOWN, NorFlash
from store_life import FullLife, Scene, records_of, refused, try_cuts

SCENES = (
    # scene, every so-many-th cut, one in so many of these is cut again
    (Scene(7, 256, 16, 40), 29, 8),
    (Scene(7, 256, 4, 21, align=True, order=DOWN), 53, 9),
    (Scene(7, 256, 16, 28, targets=3), 97, 16),
)
# Short, because a board keeps the journal of it in RAM.
LIFE = (
    ("mount", 1), ("append", 2), ("save", 1), ("delete", 1), ("fill", 1), ("churn", 1),
    ("save", 1), ("mount", 1), ("churn", 1),
)


class QuietFlash(NorFlash):
    """Reads without allocating, as a device written in C does."""

    def readblocks(self, block, buf, offset=0):
        data, at = self.data, block * self.erase_bytes + offset
        for i in range(len(buf)):
            buf[i] = data[at + i]


def reads_allocate_nothing():
    """Reads records of every label under a locked heap: MemoryError if one allocates."""
    store = ReplayStore(QuietFlash(4, 512, 16), 16, 0xC0FFEE11, 40)
    for i in range(20):
        store.append(bytes([i] * 40), i, i)
    plain, row = bytearray(40), memoryview(bytearray(120))[40:80]
    labels = 0
    heap_lock()
    for slot in range(20):
        labels += store.read_into(slot, plain)
        labels += store.read_into(slot, row)
    heap_unlock()
    return labels, plain == row


def tell(cut, records):
    print("exact cut", cut, "records", records)


def main():
    for scene, every, second in SCENES:
        flash = scene.flash()
        life = FullLife(scene, flash, 1)
        life.live(LIFE)
        info = life.store.info()
        print("exact", scene, "flash %08x" % crc32(flash.data), "programmed",
              info["bytes_programmed"], "moved", info["moved"], "records",
              len(records_of(life.store)))
        del life, flash
        gc.collect()
        cuts = try_cuts(scene, every, second=second, steps=LIFE, on_cut=tell)
        print("exact", scene, "cuts", cuts)
    print("exact reads", reads_allocate_nothing())
    flash = NorFlash(4, 512, 16)
    store = ReplayStore(flash, 16, 1, 20)
    print("exact", refused(DataError, store.append, bytes(19), 1, 1))
    print("exact", refused(DataError, store.append, bytes(20), 255, 1))
    print("exact", refused(StoreError, store.read_into, 0, bytearray(20)))
    print("exact", refused(StoreError, ReplayStore, flash, 16, 2, 20))
    flash.data[:] = bytes(range(256)) * (len(flash.data) // 256)
    print("exact", refused(StoreError, ReplayStore, flash, 16, 1, 20))
    store = ReplayStore.format(flash, 16, 1, 20)
    store.append(bytes(20), 1, 1)
    print("exact formatted", len(ReplayStore(flash, 16, 1, 20)), "%08x" % crc32(flash.data))
    states = Checkpoints.format(flash, 16, 1)
    print("exact saved", states.load_into([bytearray(3)]), states.save([b"abc"]))
