"""The few things MicroPython and CPython spell differently. Nothing else asks where it runs."""

import gc
import sys
import time

try:
    from micropython import const, heap_lock, heap_unlock
    from uctypes import addressof, bytearray_at

    POINTER_BYTES = 8 if sys.maxsize >> 31 else 4  # of this board
    _OFTEN = const(8192)  # bytes between collections
    _ENTRY_BYTES = const(40)  # of a dict, in its table and in the one before, on 64 bits

    ticks_ms = time.ticks_ms
    ticks_us = time.ticks_us
    ticks_diff = time.ticks_diff

    def bytes_of(buf, itemsize=4):
        """A byte window (bytearray) onto the memory of a buffer of 4-byte items, sharing it."""
        return bytearray_at(addressof(buf), len(buf) * itemsize)

    def mapping(stream):
        """The memory of a file that the processor sees, a memoryview: a file of ROMFS is memory,
        others say (.mapped). None for the rest."""
        try:
            return getattr(stream, "mapped", None) or memoryview(stream)
        except TypeError:
            return None

    def mapped(path):
        """A file as a stream, which is memory where its file system is."""
        return open(path, "rb")

    _shrunk = set()  # packages that modules were dropped of
    _often = False

    def forget(names):
        """Drops modules that a program is done with: on stock firmware their code is heap.

        The next import loads them again.
        """
        for name in names:
            package, own = name.rsplit(".", 1)
            package = sys.modules.get(package)
            module = sys.modules.pop(name, None)
            _shrunk.discard(module)
            if module and hasattr(package, own):
                delattr(package, own)
                _shrunk.add(package)
        if not _often:
            _tidy_names()

    def _tidy_names():
        """Makes the dicts of packages anew: help() of MicroPython 1.25 takes the place of a name
        that was deleted for a name, and crashes. A dict for which there is no room waits."""
        for package in list(_shrunk):
            names = package.__dict__
            try:
                copy = dict(names)
                bytearray(_ENTRY_BYTES * (len(copy) + 8))  # now, while nothing is missing
            except MemoryError:
                return
            names.clear()
            names.update(copy)
            _shrunk.discard(package)

    def forget_below(packages, but):
        """Drops all modules of packages, but those named."""
        names = [name for name in sys.modules if name.startswith(packages) and name not in but]
        names.sort(key=len)
        names.reverse()
        dropped = [sys.modules[name] for name in packages if name in sys.modules]
        forget(names)
        if _at_start >= 0:  # code is heap: a pointer left on the stack would keep all of it
            for package in dropped:
                package.__dict__.clear()

    def heap_used():
        """Bytes of heap in use, after a collection."""
        gc.collect()
        return gc.mem_alloc()

    def heap_free():
        """Bytes of heap that are free, after a collection."""
        gc.collect()
        return gc.mem_free()

    def overwrite_stack(calls=16):
        """Leaves nothing of earlier calls on the stack below: the collector is conservative, and
        would keep what they worked on."""
        if calls:
            overwrite_stack(calls - 1)

    def reference(thing):
        """A function that returns the thing: boards have no weak references."""
        return lambda: thing

    def held_heap(rest):
        """A buffer of the largest piece of heap that leaves `rest` bytes, None where there is
        none: while it is held, what comes and goes does not scatter over that piece."""
        size = heap_free() - rest
        while size > 0:
            try:
                return bytearray(size)
            except MemoryError:
                size -= _OFTEN
        return None

    # Bytes between collections at the start: -1, or what an install on stock firmware set. SAMD's
    # port has no threshold.
    _settable = hasattr(gc, "threshold")
    _at_start = gc.threshold() if _settable else -1

    def collect_often():
        """Collects the heap every 8 KiB from now on.

        Objects that outlive a load then lie together at its low end, and an arena finds one piece.
        """
        global _often
        _often = True
        if _settable:
            gc.threshold(_OFTEN)

    def collect_rarely():
        """The heap is collected when it is full; by an install's library when a quarter is."""
        global _often
        _often = False
        _tidy_names()
        if _at_start >= 0:
            gc.collect()
            gc.threshold(max(_at_start, gc.mem_free() // 4))
        elif _settable:
            gc.threshold(-1)

    def board_of(path, options):
        """The module that tells the library about this board."""
        return __import__("engram_board")

    def files_root():
        """The folder of the files that a host pushes."""
        return board_of(None, None).FS_ROOT

    def npz(name):
        """A board has .npy files alone."""

    def flat(x, dtype, elems):
        """A board has flat buffers alone."""
        return x

except ImportError:
    from .pc.compat import POINTER_BYTES, board_of, bytes_of, collect_often, collect_rarely, const
    from .pc.compat import files_root, flat, forget, forget_below, heap_free, heap_lock
    from .pc.compat import heap_unlock, heap_used, held_heap, mapped, mapping, npz
    from .pc.compat import overwrite_stack, reference, ticks_diff, ticks_ms, ticks_us


def runtime():
    """Name and version of the Python that runs, as ("micropython", "1.25.0")."""
    version = sys.implementation.version
    return sys.implementation.name, "%d.%d.%d" % (version[0], version[1], version[2])


# Raised where the heap has no room: MicroPython's import says then that there is no module.
NO_ROOM = (MemoryError, ImportError)


def own_module(name):
    """A module of the library. Raises MemoryError where the heap has no room for it."""
    try:
        return __import__(name, None, None, ("*",))
    except ImportError:
        raise MemoryError()
