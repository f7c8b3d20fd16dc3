"""Refuses a firmware file that is for another board. A file that does not say passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engram_host.boards import Board
from engram_host.errors import FlashError
from engram_host.flash.image import Image

# Way of flashing -> kinds of files that its tool takes.
TAKES = {
    "uf2": ("uf2",),
    "dfu": ("dfu",),
    "pyocd": ("elf", "hex"),
    "esptool": ("esp",),
    "teensy": ("hex",),
}


def check(board: Board, way: str, image: Image) -> None:
    """Raise FlashError saying why this is no firmware for the board. Nothing is touched."""
    facts = board.facts["upload"][way]
    for test in (_kind, _family, _chip, _name, _place):
        refusal = test(board, way, facts, image)
        if refusal:
            raise FlashError(f"not flashed: {refusal}")


Facts = Mapping[str, Any]


def _kind(board: Board, way: str, facts: Facts, image: Image) -> str | None:
    if image.kind in TAKES[way]:
        return None
    kinds = " or ".join(TAKES[way])
    return f"{way} takes a file of kind {kinds}, this is one of kind {image.kind}"


def _family(board: Board, way: str, facts: Facts, image: Image) -> str | None:
    if image.kind != "uf2" or image.families == {facts["family"]}:
        return None
    families = ", ".join(f"0x{family:08X}" for family in sorted(image.families)) or "none"
    return (
        f"the file is for the UF2 family {families}; {board.name} ({board.facts['chip']['name']}) "
        f"is of 0x{facts['family']:08X}"
    )


def _chip(board: Board, way: str, facts: Facts, image: Image) -> str | None:
    if image.kind != "esp" or image.chip_id == facts["chip_id"]:
        return None
    return (
        f"the image is for the chip with id {image.chip_id}; {board.name} "
        f"({board.facts['chip']['name']}) has {facts['chip_id']}"
    )


def _name(board: Board, way: str, facts: Facts, image: Image) -> str | None:
    if image.engram is None or image.engram[0] == board.name:
        return None
    return (
        f"this is Engram's firmware for {image.engram[0]}; `engram build {board.name}` makes "
        f"that of {board.name}"
    )


def _place(board: Board, way: str, facts: Facts, image: Image) -> str | None:
    build = board.facts["build"]
    first = build["address"] if image.placed else 0
    last = first + build["bytes"]
    start, end = image.extent
    if first <= start and end <= last:
        return None
    where = f"0x{start:08x} to 0x{end:08x}"
    return (
        f"the file goes to addresses {where}; the firmware of {board.name} is at "
        f"0x{first:08x} to 0x{last:08x}"
    )
