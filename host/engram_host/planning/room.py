"""The room of a board for a learner: heap and files, asked of it, measured or estimated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Facts = Mapping[str, Any]  # the content of a board.toml

# RAM that a learner does not get, for the estimate for a board without a [room]: of a chip static
# data, stack, runtime, agent and library; of a heap agent and library. They are qemu_m4f's: its
# 262,144 bytes of RAM and 236,464 of heap, less [room] heap_bytes.
_TAKEN_OF_CHIP, _TAKEN_OF_HEAP = 60_112, 34_432


class Room(NamedTuple):
    """Bytes for a learner and its model file.

    heap: free once the code of agent and learner is loaded. files: free in the file system; None
    where that is not known. block: of the file system. stock: the library is in RAM, so opening a
    learner takes room for code.
    """

    heap: int
    files: int | None
    block: int
    stock: bool
    source: Literal["asked", "measured", "estimated"]


def room_of(facts: Facts) -> Room:
    """The Room of a board.toml, or of a board that was asked."""
    block = facts["flash"]["erase_bytes"] if "flash" in facts else 4096
    room = facts.get("room")
    if room is None:
        heap = facts["chip"]["ram_bytes"] - _TAKEN_OF_CHIP
        if "heap_bytes" in facts.get("memory", {}):
            heap = facts["memory"]["heap_bytes"] - _TAKEN_OF_HEAP
        files = facts.get("flash", {}).get("fs_bytes")
        return Room(heap, files, block, False, "estimated")
    return Room(
        room["heap_bytes"],
        room["fs_bytes"],
        room.get("block_bytes", block),
        bool(room.get("stock")),
        "asked" if room.get("asked") else "measured",
    )
