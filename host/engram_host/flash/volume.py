"""The USB drive that a UF2 boot loader shows: found by its INFO_UF2.TXT, written, waited for."""

from __future__ import annotations

import os
import string
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from engram_host.errors import FlashError

INFO = "INFO_UF2.TXT"
_COPY_S = 60.0  # a drive that takes longer for a megabyte is stuck
_RESTART_S = 20.0


def mounted() -> list[Path]:
    """Folders where drives are mounted on this computer."""
    if sys.platform == "win32":
        return [Path(f"{letter}:/") for letter in string.ascii_uppercase[2:]]
    if sys.platform == "darwin":
        return sorted(Path("/Volumes").glob("*"))
    try:
        lines = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return []
    fields = [line.split() for line in lines]
    # Spaces in a path are written as \040.
    return [Path(f[1].encode().decode("unicode_escape")) for f in fields if f[2] == "vfat"]


def board_id(volume: Path) -> str | None:
    """The boot loader's name for its board; None when the drive belongs to no boot loader."""
    try:
        text = (volume / INFO).read_text(errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "board-id":
            return value.strip()
    return None


def find(ids: Iterable[str], enter: str, places: Callable[[], list[Path]] = mounted) -> Path:
    """The drive of the one board in its boot loader. Raises FlashError: none, another, several."""
    drives = {place: name for place in places() if (name := board_id(place)) is not None}
    right = [place for place, name in drives.items() if fits(name, ids)]
    if len(right) == 1:
        return right[0]
    if right:
        raise FlashError(
            f"several boards are in their boot loader ({', '.join(map(str, right))}): "
            "say which with --volume"
        )
    others = ", ".join(f"{name} on {place}" for place, name in drives.items())
    raise FlashError(
        f"no drive of a UF2 boot loader with Board-ID {' or '.join(ids)} is mounted"
        + (f" (found {others})" if others else "")
        + f": {enter}, and mount the drive if your system does not, or say where with --volume"
    )


def checked(volume: Path, ids: Iterable[str]) -> Path:
    """The drive that the user named. Raises FlashError when it is none, or another board's."""
    name = board_id(volume)
    if name is None:
        raise FlashError(
            f"{volume}: expected the drive of a UF2 boot loader, got one without {INFO}"
        )
    if not fits(name, ids):
        raise FlashError(
            f"not flashed: {volume}: expected the drive of a board with Board-ID "
            f"{' or '.join(ids)}, got {name}"
        )
    return volume


def fits(name: str, ids: Iterable[str]) -> bool:
    """Whether a Board-ID begins with one of those; a boot loader's version may stand behind."""
    return any(name == w or name.startswith(w + "-") for w in ids)


def copy(source: Path, volume: Path, limit_s: float = _COPY_S) -> None:
    """Copy a UF2 file to the drive. Raises FlashError; a drive that is stuck does not hold us."""
    failures: list[OSError] = []

    def write() -> None:
        try:
            data = source.read_bytes()
            with open(volume / source.name, "wb", buffering=0) as file:
                view = memoryview(data)
                while view:
                    view = view[file.write(view) or 0 :]
                try:
                    os.fsync(file.fileno())
                except OSError:
                    pass  # the board restarts at the last block, and takes its drive along
        except OSError as e:
            failures.append(e)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    writer.join(limit_s)
    if writer.is_alive():
        raise FlashError(
            f"copying to {volume} did not end within {limit_s:.0f} s: unplug the board, try again"
        )
    if failures and board_id(volume) is not None:
        raise FlashError(f"copying to {volume} failed ({failures[0].strerror}): try again")


def wait_gone(volume: Path, limit_s: float = _RESTART_S) -> None:
    """Wait until the drive goes away: the board has all blocks and has restarted."""
    end = time.monotonic() + limit_s
    while board_id(volume) is not None:
        if time.monotonic() > end:
            raise FlashError(
                f"{volume} is still there after {limit_s:.0f} s: the boot loader did not take the "
                "file; it may be for another chip, or a block is missing"
            )
        time.sleep(0.05)
