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
    payload = max(1, block_bytes - _POINTER_BYTES)
    blocks = sum(-(-size // payload) for size in sizes if size > block_bytes // _INLINE)
    return (blocks + _SPARE_BLOCKS) * block_bytes


def check(sizes: Mapping[str, int], space: Mapping[str, int], files: Mapping[str, int]) -> None:
    """Raises NoRoom where files have no room.

    sizes, files: {name: bytes} of the files to send, and of those that the board has. space: of
    its file system, as its agent says. Part files count as free: a transfer goes on with its own
    and removes the others. A file that is replaced stays until the new one is whole, so both must
    have room.
    """
    block = space["block_bytes"]
    parts = sum(_held(size, block) for name, size in files.items() if name.endswith(PART))
    least, free = needed_bytes(sizes.values(), block), space["free_bytes"] + parts
    if not sizes or least <= free:
        return
    total = sum(sizes.values())
    raise NoRoom(
        f"{', '.join(sizes)}: expected {least:,} bytes free in the board's file system for "
        f"{total:,} bytes, got {free:,} of {space['total_bytes']:,}; "
        + _advice(least, free, files, block)
    )


def _held(size: int, block_bytes: int) -> int:
    """Bytes that a file frees when it is removed."""
    return 0 if size <= block_bytes // _INLINE else -(-size // block_bytes) * block_bytes


def _advice(least: int, free: int, files: Mapping[str, int], block_bytes: int) -> str:
    """The files to remove, the largest first, until there is room; where all are not enough, the
    ways that need less."""
    names = []
    for name, size in sorted(files.items(), key=lambda item: -item[1]):
        if least <= free or name.endswith(PART) or not _held(size, block_bytes):
            continue
        names.append(name)
        free += _held(size, block_bytes)
    if least <= free:
        return f"do: engram remove {' '.join(names)}"
    return (
        "too large for this board even without its other files; push a smaller model or fewer "
        "samples, or stream them (`engram eval DATA --stream`)"
    )
