"""The needs of verbs from the operating system: some need POSIX, most do not."""

from __future__ import annotations

import os
import platform

from .errors import UnsupportedSystem

POSIX = os.name == "posix"


def need_posix(purpose: str, instead: str) -> None:
    """Raise UnsupportedSystem where this computer runs no POSIX system, as Windows is none.

    purpose: what needs one. instead: what the user can do here. This goes before the import of a
    module that only POSIX has. Such imports stand in functions, so that `engram` starts anywhere.
    """
    if not POSIX:
        raise UnsupportedSystem(
            f"expected a POSIX system for {purpose}, got {platform.system()}; {instead}"
        )
