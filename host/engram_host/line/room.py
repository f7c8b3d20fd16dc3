"""Whether files have room in a board's file system, before the first byte of them is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engram.link.wire import PART
from engram_host.errors import NoRoom

# littlefs keeps pointers to earlier blocks in each block of a file: 8 bytes of it on average.
_POINTER_BYTES = 8
# A file of at most this part of a block lies in its directory.
_INLINE = 8
# A block that littlefs must find free beside those of a file: it copies the last, unfilled block
# of a file to another block when more is appended.
_SPARE_BLOCKS = 1


def needed_bytes(sizes: Iterable[int], block_bytes: int) -> int:
    """Free bytes that a file system must have for new files of these sizes."""
    held = max(1, block_bytes - _POINTER_BYTES)
    blocks = sum(-(-size // held) for size in sizes if size > block_bytes // _INLINE)
    return (blocks + _SPARE_BLOCKS) * block_bytes


def check(wanted: Mapping[str, int], space: Mapping[str, int], files: Mapping[str, int]) -> None:
    """Raises NoRoom where files have no room.

    wanted, files: {name: bytes} of the files to send, and of those that the board has. space: of
    its file system, as its agent says. Part files count as free: a transfer goes on with its own
    and removes the others. A file that is replaced stays until the new one is whole, so both must
    have room.
    """
    block = space["block_bytes"]
    parts = sum(_held(size, block) for name, size in files.items() if name.endswith(PART))
    needed, free = needed_bytes(wanted.values(), block), space["free_bytes"] + parts
    if not wanted or needed <= free:
        return
    total = sum(wanted.values())
    raise NoRoom(
        f"{', '.join(wanted)}: expected {needed:,} bytes free in the board's file system for "
        f"{total:,} bytes, got {free:,} of {space['total_bytes']:,}; "
        + _advice(needed, free, files, block)
    )


def _held(size: int, block_bytes: int) -> int:
    """Bytes that a file frees when it is removed."""
    return 0 if size <= block_bytes // _INLINE else -(-size // block_bytes) * block_bytes


def _advice(needed: int, free: int, files: Mapping[str, int], block_bytes: int) -> str:
    """The files to remove, the largest first, until there is room; where all are not enough, the
    ways that need less."""
    remove = []
    for name, size in sorted(files.items(), key=lambda item: -item[1]):
        if needed <= free or name.endswith(PART) or not _held(size, block_bytes):
            continue
        remove.append(name)
        free += _held(size, block_bytes)
    if needed <= free:
        return f"do: engram remove {' '.join(remove)}"
    return (
        "too large for this board even without its other files; push a smaller model or fewer "
        "samples, or stream them (`engram eval DATA --stream`)"
    )
