#!/usr/bin/env python3
"""Provide the MicroPython source tree that the firmware is built from; print its path.

The places are tried in this order, and the first that answers wins:

1. ``MICROPY_DIR``: any checkout of version 1.23 or later, used as it is.
2. The copy of an earlier run in ``$ENGRAM_CACHE`` (default ``~/.cache/engram``).
3. The official repository at the pinned release. git names a commit by the hash of its content, so
   asking for that commit is also the check.
4. Debian's source package of the same release (see fetching.py).

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from fetching import DEBIAN_SUITE, Pin, Unavailable, cache_dir, into_cache, ways_of

RELEASE = "1.25.0"
OLDEST = (1, 23)
MICROPYTHON = Pin(
    title="MicroPython",
    release=RELEASE,
    git_url="https://github.com/micropython/micropython",
    git_commit="f498a16c7db6d4b2de200b3e0856528dfe0613c3",  # the tag v1.25.0 points here
    debian_package="micropython",
    debian_file="micropython_1.25.0+ds.orig.tar.xz",
    debian_sha256="7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea",
)

# ---------------------------------------------------------------- what is a usable tree


def version_of(tree: Path) -> tuple[int, int, int] | None:
    """The version that a tree states in py/mpconfig.h, or None if it is not MicroPython."""
    try:
        text = (tree / "py" / "mpconfig.h").read_text(errors="replace")
    except OSError:
        return None
    numbers = {
        part: int(number)
        for part, number in re.findall(
            r"^#define MICROPY_VERSION_(MAJOR|MINOR|MICRO) (\d+)", text, re.M
        )
    }
    if len(numbers) != 3:
        return None
    return numbers["MAJOR"], numbers["MINOR"], numbers["MICRO"]


def checked(tree: Path) -> Path:
    """The tree of ``MICROPY_DIR``, absolute; SystemExit with what to do if it cannot be used."""
    version = version_of(tree)
    if version is None:
        sys.exit(
            f"engram: MICROPY_DIR={tree} is not a MicroPython source tree: "
            f"expected a file py/mpconfig.h in it that states a version.\n"
            f"        Point MICROPY_DIR at a checkout, or unset it to have one fetched."
        )
    if version < OLDEST:
        actual, least = (".".join(map(str, v)) for v in (version, OLDEST))
        sys.exit(
            f"engram: MICROPY_DIR={tree} is MicroPython {actual}; {least} or later is needed "
            f"({RELEASE} is what is tested).\n"
            f"        Check out a later tag there, or unset MICROPY_DIR to have one fetched."
        )
    return tree.resolve()


# ---------------------------------------------------------------- where it comes from

SOURCES = ways_of(MICROPYTHON)


def is_the_release(tree: Path) -> None:
    """Raises Unavailable when a tree is of another version than the pinned one."""
    version = version_of(tree)
    if version is None or ".".join(map(str, version)) != RELEASE:
        raise Unavailable(f"expected version {RELEASE}, got {version}")


def provide(cache: Path, names: list[str]) -> Path:
    """The tree in the cache, fetched if need be; SystemExit if none of the named sources can."""
    target = cache / f"micropython-{RELEASE}"
    ways = {name: SOURCES[name] for name in names}
    try:
        return into_cache(target, ways, lambda tree: bool(version_of(tree)), is_the_release)
    except Unavailable as reasons:
        sys.exit(
            f"engram: could not get the source of {MICROPYTHON}:\n{reasons}\n"
            "        Get it by hand, on a machine with a network if need be, in one of two ways:\n"
            f"          git clone --depth 1 -b v{RELEASE} {MICROPYTHON.git_url}\n"
            f"          apt-get source {MICROPYTHON.debian_package}"
            f"      (Debian's suite {DEBIAN_SUITE})\n"
            f"        and say where it is: make … MICROPY_DIR=/path/to/micropython\n"
            f"        (or move it to {target})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--source",
        choices=sorted(SOURCES),
        action="append",
        help="try only this source (may be given again; default: all, official first)",
    )
    options = parser.parse_args()
    tree = os.environ.get("MICROPY_DIR")
    print(checked(Path(tree)) if tree else provide(cache_dir(), options.source or list(SOURCES)))


if __name__ == "__main__":
    main()
