"""Where the files of a data set lie: a folder of the user's, the cache, or the official address.

ENGRAM_DATA names a folder with one folder per data set. Without it, or without the set in it,
files are fetched into ENGRAM_CACHE (~/.cache/engram) once; ENGRAM_OFFLINE=1 forbids fetching.
"""

from __future__ import annotations

import hashlib
import os
import urllib.request
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError

_SECONDS = 60  # that a server may be silent
_BLOCK = 1 << 16


class DataUnavailable(InputError):
    """Neither the user's folder nor the cache nor the official address has a data set."""


class Remote(NamedTuple):
    """One file at its official address. sha256: None where the address gives no fixed bytes."""

    url: str
    sha256: str | None

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[1]


def given(data_set: str, name: str) -> Path | None:
    """The file `name` of a data set in the folder of ENGRAM_DATA; None when it is not there."""
    root = os.environ.get("ENGRAM_DATA")
    if not root:
        return None
    path = Path(root) / data_set / name
    return path if path.is_file() else None


def cache() -> Path:
    """The folder of what was fetched."""
    folder = os.environ.get("ENGRAM_CACHE")
    return Path(folder) if folder else Path.home() / ".cache" / "engram"


def fetched(data_set: str, remote: Remote) -> Path:
    """A file from the cache, or from its address into the cache.

    Raises DataUnavailable, saying every place that was tried and how to give the file.
    """
    path = cache() / data_set / remote.name
    if path.is_file():
        return path
    if os.environ.get("ENGRAM_OFFLINE") == "1":
        raise _unavailable(data_set, remote, "ENGRAM_OFFLINE forbids fetching it")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        digest = _download(remote.url, part)
        if remote.sha256 not in (None, digest):
            why = f"the download does not match: expected sha256 {remote.sha256}, got {digest}"
            raise _unavailable(data_set, remote, why)
        part.replace(path)
    except OSError as error:
        raise _unavailable(data_set, remote, f"{remote.url} does not answer ({error})") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _download(url: str, path: Path) -> str:
    """Writes what an address gives to a file; its sha256."""
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=_SECONDS) as source, path.open("wb") as target:
        while block := source.read(_BLOCK):
            digest.update(block)
            target.write(block)
    return digest.hexdigest()


def _unavailable(data_set: str, remote: Remote, why: str) -> DataUnavailable:
    root = os.environ.get("ENGRAM_DATA")
    place = f"ENGRAM_DATA ({root}) has no such folder or file" if root else "ENGRAM_DATA is unset"
    return DataUnavailable(
        f"data set {data_set}: {place}, and {why}; set ENGRAM_DATA to a folder that holds "
        f"{data_set}/, or put {remote.name} into {cache() / data_set}"
    )
