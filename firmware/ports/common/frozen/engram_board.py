"""This board, as the library sees it. Sizes in bytes."""

from _board import COUNTER_KIND, COUNTER_UNIT, ERASE_BYTES, FS_BYTES, MAX_PAYLOAD_BYTES
from _board import NAME, PROGRAM_BYTES, PROGRAM_ONCE, STORE_BYTES, Flash, counter, memory

FS_ROOT = "/flash"


def fs_device():
    """Block device of the file system."""
    return Flash(0, FS_BYTES)


def model_device():
    """Block device of models and replays, which the processor reads as memory."""
    return Flash(FS_BYTES, STORE_BYTES)


def has_slots():
    """Whether slots for models are set aside there, told without their code."""
    magic = bytearray(4)
    model_device().readblocks(STORE_BYTES // ERASE_BYTES - 1, magic, 0)
    return magic == b"EGSR"


def store_device():
    """Block device of the replay region, what the slots of models leave: extended protocol, NOR
    rules."""
    if not has_slots():
        return model_device()
    from engram.compat import forget
    from engram.store.slots import beside

    part = beside(model_device())
    forget(("engram.store.slots",))  # its code would count as a learner's
    return part


def mount():
    """Mount the file system at FS_ROOT, formatted if need be, and go there. For the boot."""
    import os
    import sys
    import vfs

    device = fs_device()
    geometry = {"readsize": PROGRAM_BYTES, "progsize": PROGRAM_BYTES}
    try:
        fs = vfs.VfsLfs2(device, **geometry)
    except OSError:
        vfs.VfsLfs2.mkfs(device, **geometry)
        fs = vfs.VfsLfs2(device, **geometry)
    vfs.mount(fs, FS_ROOT)
    os.chdir(FS_ROOT)
    sys.path.append(FS_ROOT)
    sys.path.append(FS_ROOT + "/lib")
