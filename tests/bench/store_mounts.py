"""Runs on any host: what a mount of the replay store takes, and the heap that its index fills."""

import gc

from engram.store import Region, ReplayStore

LATENT_BYTES = 256
FILLS = (25, 50, 75, 100)  # percent of the capacity, less what would leave a unit half full
SIZES = (18, 36, 72)  # erase units; the last is all of an emulated board


def open_store(device, units):
    return ReplayStore(Region(device, 0, units), None, 1, LATENT_BYTES)


def blank(device):
    for block in range(device.ioctl(4, 0)):
        device.ioctl(6, block)


def mounts(device, counter, times=1):
    """Prints units, records, slots that the mount read, and the least of `times` counts."""
    for units in SIZES:
        blank(device)
        for fill in FILLS:
            store = open_store(device, units)
            latent = bytearray(LATENT_BYTES)
            slots = store.info()["slots_per_block"]
            count = fill * store.capacity // 100 // slots * slots
            while len(store) < count:
                latent[len(store) % LATENT_BYTES] += 1
                store.append(latent, len(store) % 10, 0)
            records = len(store)
            store = None
            least = None
            for _ in range(times):
                gc.collect()
                start = counter()
                store = open_store(device, units)
                span = counter() - start
                least = span if least is None or span < least else least
            info = store.info()
            if info["live"] != records:
                raise ValueError(records)
            print("mount", units, records, info["mount_slots"], least)


def heap(device):
    """Prints units, slots, records at capacity and bytes of heap that an open store keeps."""
    blank(device)
    for units in SIZES:
        for block in range(units):
            device.ioctl(6, block)
        store = open_store(device, units)
        while len(store) < store.capacity:
            store.append(bytes(LATENT_BYTES), len(store) % 10, 0)
        store = None
        gc.collect()
        before = gc.mem_alloc()
        store = open_store(device, units)
        gc.collect()
        size = gc.mem_alloc() - before
        print("heap", units, len(store.labels), len(store), size)
        store = None


def board():
    """On a virtual board, with its counter."""
    import engram_board

    mounts(engram_board.store_device(), engram_board.counter, 3)
    heap(engram_board.store_device())
