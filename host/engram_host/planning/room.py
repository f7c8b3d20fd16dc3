"""What a board has for a learner: heap and file system, asked of it, measured or estimated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Facts = Mapping[str, Any]  # the content of a board.toml

# RAM of a chip that a learner does not get: static data, stack, runtime, agent and library. It is
# qemu_m4f's, 262,144 bytes less [room] heap_bytes: the estimate for a board without a [room].
_TAKEN_BYTES = 60_112


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
        heap = facts["chip"]["ram_bytes"] - _TAKEN_BYTES
        files = facts.get("flash", {}).get("fs_bytes")
        return Room(heap, files, block, False, "estimated")
    return Room(
        room["heap_bytes"],
        room["fs_bytes"],
        room.get("block_bytes", block),
        bool(room.get("stock")),
        "asked" if room.get("asked") else "measured",
    )
