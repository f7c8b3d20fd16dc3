#!/usr/bin/env python3
"""Provide the MicroPython source tree that the firmware is built from; print its path.

The places are tried in this order, and the first that answers wins:

1. ``MICROPY_DIR``: any checkout of version 1.23 or later, used as it is.
2. The copy of an earlier run in ``$ENGRAM_CACHE`` (default ``~/.cache/engram``).
3. The official repository at the pinned release. git names a commit by the hash of its content, so
   asking for that commit is also the check.
4. Debian's source package of the same release, through a private apt configuration that is derived
   from this machine's own sources: other suite, source packages only, own state and cache folders.
   The system's configuration is only read. The tarball is checked by its SHA-256.

A tree enters the cache by one rename, so it is there whole or not at all.
Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

RELEASE = "1.25.0"
OLDEST = (1, 23)
GIT_URL = "https://github.com/micropython/micropython"
GIT_COMMIT = "f498a16c7db6d4b2de200b3e0856528dfe0613c3"  # the tag v1.25.0 points here
DEBIAN_SUITE = "trixie"
DEBIAN_PACKAGE = "micropython"
DEBIAN_TARBALL = "micropython_1.25.0+ds.orig.tar.xz"
DEBIAN_SHA256 = "7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea"

PROBE_S = 15  # is a server there at all? An offline machine moves on after this
FETCH_S = 400  # one whole transfer

# Suites by which an entry of sources.list is known as the Debian archive itself; its companions
# (-updates, -security, -backports) do not carry what we want.
DEBIAN_SUITES = frozenset(
    "bookworm trixie forky duke sid oldstable stable testing unstable".split()
)


class Unavailable(Exception):
    """This source cannot provide the tree; the text says why, in one line."""


def say(text: str) -> None:
    print("engram: " + text, file=sys.stderr, flush=True)


def run(command: list[str], timeout_s: float, env: dict[str, str] | None = None) -> str:
    """Run a command to its end or its time limit, with its children; return what it printed.

    Raises Unavailable when it is missing, fails or takes longer.
    """
    try:
        child = subprocess.Popen(
            command,
            env={**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # git and apt have helpers: a timeout must end those too
        )
    except FileNotFoundError:
        raise Unavailable(f"{command[0]} is not installed") from None
    try:
        output, _ = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]}: no answer within {timeout_s:.0f} s") from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if child.returncode:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        told = [line for line in lines if line.startswith(("fatal:", "E:", "Err:"))] or lines
        raise Unavailable(f"{command[0]}: {(told or ['failed without a word'])[-1]}")
    return output


# ---------------------------------------------------------------- what is a usable tree


def version_of(tree: Path) -> tuple[int, int, int] | None:
    """The version that a tree states in py/mpconfig.h, or None if it is not MicroPython."""
    try:
        text = (tree / "py" / "mpconfig.h").read_text(errors="replace")
    except OSError:
        return None
    found = {
        part: int(number)
        for part, number in re.findall(
            r"^#define MICROPY_VERSION_(MAJOR|MINOR|MICRO) (\d+)", text, re.M
        )
    }
    if len(found) != 3:
        return None
    return found["MAJOR"], found["MINOR"], found["MICRO"]


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
        have, need = (".".join(map(str, v)) for v in (version, OLDEST))
        sys.exit(
            f"engram: MICROPY_DIR={tree} is MicroPython {have}; {need} or later is needed "
            f"({RELEASE} is what is tested).\n"
            f"        Check out a later tag there, or unset MICROPY_DIR to have one fetched."
        )
    return tree.resolve()


# ---------------------------------------------------------------- the official repository


def from_official(into: Path) -> Path:
    """Fetch the pinned commit without its history. Returns the tree, below ``into``."""
    tree = into / "tree"
    git = ["git", "-C", str(tree)]
    run(["git", "ls-remote", "--exit-code", GIT_URL, "HEAD"], PROBE_S)
    say(f"fetching MicroPython {RELEASE} from {GIT_URL}")
    tree.mkdir()
    run([*git, "init", "-q"], PROBE_S)
    slow = ["-c", "http.lowSpeedLimit=1000", "-c", f"http.lowSpeedTime={PROBE_S}"]
    run([*git, *slow, "fetch", "-q", "--depth=1", GIT_URL, GIT_COMMIT], FETCH_S)
    run([*git, "-c", "advice.detachedHead=false", "checkout", "-q", GIT_COMMIT], FETCH_S)
    if run([*git, "rev-parse", "HEAD"], PROBE_S).strip() != GIT_COMMIT:
        raise Unavailable(f"the checkout is not commit {GIT_COMMIT}")
    shutil.rmtree(tree / ".git")  # the build would ask it for a version and find no tag
    return tree


# ---------------------------------------------------------------- Debian's source package


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """The stanzas of a deb822 file: field name in lower case -> value, continuation lines kept."""
    entry: dict[str, str] = {}
    field = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if entry:
                yield entry
            entry, field = {}, ""
        elif line[0] in " \t":
            if field:
                entry[field] += "\n" + line
        elif ":" in line:
            field, value = line.split(":", 1)
            field = field.strip().lower()
            entry[field] = value.strip()


ONE_LINE = re.compile(
    r"^\s*deb(?:-src)?\s+(?:\[(?P<options>[^]]*)\]\s+)?"
    r"(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>[^#]+)"
)


def one_liners(text: str) -> Iterator[dict[str, str]]:
    """The entries of a classic sources.list, in the shape of ``stanzas``."""
    for line in text.splitlines():
        match = ONE_LINE.match(line)
        if match:
            entry = {
                "uris": match["uri"],
                "suites": match["suite"],
                "components": match["components"].strip(),
            }
            for option in (match["options"] or "").split():
                name, _, value = option.partition("=")
                entry[name.lower()] = value.replace(",", " ")
            yield entry


def archive_entries(etc_apt: Path) -> list[dict[str, str]]:
    """This machine's entries for the Debian archive, turned to the wanted suite's source packages.

    Which entries those are is told by suite and component, never by the name of a server. Entries
    that come out the same are given once. Keys and trust options stay as they were.
    """
    found: list[dict[str, str]] = []
    files = [etc_apt / "sources.list", *sorted((etc_apt / "sources.list.d").glob("*"))]
    readers = {".sources": stanzas, ".list": one_liners}
    for path in files:
        read = readers.get(path.suffix)
        try:
            text = path.read_text(errors="replace") if read and path.is_file() else ""
        except OSError:
            continue
        for entry in read(text) if read else ():
            suites = set(entry.get("suites", "").split())
            uris = [u for u in entry.get("uris", "").split() if not u.startswith("cdrom:")]
            if (
                not suites & DEBIAN_SUITES
                or "main" not in entry.get("components", "").split()
                or entry.get("enabled", "yes").lower() in ("no", "false", "0", "off")
                or not uris
            ):
                continue
            ours = {
                "types": "deb-src",
                "uris": " ".join(uris),
                "suites": DEBIAN_SUITE,
                "components": "main",
            }
            kept = ("signed-by", "trusted", "check-valid-until", "check-date", "allow-insecure")
            ours.update({name: entry[name] for name in kept if name in entry})
            if ours not in found:
                found.append(ours)
    # Other publishers too call their suites by Debian's names: an entry that names its own key is
    # rather theirs, unless it is the archive's. They are not left out, only asked later.
    archive_key = "debian-archive"
    return sorted(found, key=lambda entry: archive_key not in entry.get("signed-by", archive_key))


def private_apt(root: Path, entry: dict[str, str]) -> dict[str, str]:
    """Lay out an apt of our own below ``root``; returns the environment that selects it.

    Of the machine's settings only how to reach servers is taken over (``Acquire``: proxies,
    certificates).
    """
    for folder in ("parts", "empty", "state/lists/partial", "cache/archives/partial"):
        (root / folder).mkdir(parents=True)
    (root / "state" / "status").touch()
    (root / "parts" / "debian.sources").write_text(
        "".join(f"{name.title()}: {value}\n" for name, value in entry.items())
    )
    acquire = [
        line
        for line in run(["apt-config", "dump"], PROBE_S).splitlines()
        if line.startswith("Acquire::") and not line.startswith("Acquire::IndexTargets")
    ]
    settings = {
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": root / "empty",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": root / "parts",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": root / "empty",
        "Dir::State": root / "state",
        "Dir::State::status": root / "state" / "status",
        "Dir::Cache": root / "cache",
        "APT::Sandbox::User": "root",  # the folders are ours alone; without root this says nothing
        "Acquire::http::Timeout": PROBE_S,
        "Acquire::https::Timeout": PROBE_S,
        "Acquire::Retries": 1,
        "Acquire::Languages": "none",
    }
    conf = root / "apt.conf"
    conf.write_text("\n".join([*acquire, *(f'{k} "{v}";' for k, v in settings.items())]) + "\n")
    return {"APT_CONFIG": str(conf)}


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def from_debian(into: Path) -> Path:
    """Fetch and unpack Debian's source package. Returns the tree, below ``into``."""
    if shutil.which("apt-get") is None:
        raise Unavailable("apt-get is not installed (this is not a Debian system)")
    entries = archive_entries(Path("/etc/apt"))
    if not entries:
        raise Unavailable("no entry for the Debian archive in the sources under /etc/apt")
    said: list[str] = []
    for number, entry in enumerate(entries):
        root = into / f"apt{number}"
        try:
            env = private_apt(root, entry)
            say(f"fetching MicroPython {RELEASE} as Debian's source package ({DEBIAN_SUITE})")
            run(["apt-get", "-q", "update"], FETCH_S, env)
            fetch = ["apt-get", "-q", "source", "--download-only", DEBIAN_PACKAGE]
            # apt-get source writes to the current folder
            run(["env", "-C", str(root), *fetch], FETCH_S, env)
            return unpacked(root / DEBIAN_TARBALL, into / "unpacked")
        except Unavailable as why:
            said.append(str(why))
    raise Unavailable("; ".join(dict.fromkeys(said)))


def unpacked(tarball: Path, into: Path) -> Path:
    """Check the tarball against the pinned hash and unpack it. Returns the one folder in it."""
    if not tarball.is_file():
        raise Unavailable(f"apt-get brought another version than {DEBIAN_TARBALL}")
    got = sha256_of(tarball)
    if got != DEBIAN_SHA256:
        raise Unavailable(f"{tarball.name} has SHA-256 {got}, expected {DEBIAN_SHA256}")
    into.mkdir()
    run(["tar", "-xJf", str(tarball), "-C", str(into), "--no-same-owner"], FETCH_S)
    (tree,) = into.iterdir()
    return tree


# ---------------------------------------------------------------- the cache

SOURCES: dict[str, Callable[[Path], Path]] = {"official": from_official, "debian": from_debian}


def cache_dir() -> Path:
    named = os.environ.get("ENGRAM_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "engram"


def provide(cache: Path, names: list[str]) -> Path:
    """The tree in the cache, fetched if need be; SystemExit if none of the named sources can."""
    target = cache / f"micropython-{RELEASE}"
    if version_of(target):
        return target.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    failures = []
    for name in names:
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as folder:
            try:
                tree = SOURCES[name](Path(folder))
                version = version_of(tree)
                if version is None or ".".join(map(str, version)) != RELEASE:
                    raise Unavailable(f"what came is version {version}, expected {RELEASE}")
            except Unavailable as why:
                failures.append(f"{name}: {why}")
                continue
            try:
                tree.rename(target)
            except OSError:
                if not version_of(target):  # else another run was quicker: its tree is the same
                    raise
            return target.resolve()
    reasons = "\n".join("          " + line for line in failures)
    sys.exit(
        f"engram: could not get the source of MicroPython {RELEASE}:\n{reasons}\n"
        f"        Get it by hand, on a machine with a network if need be, in one of two ways:\n"
        f"          git clone --depth 1 -b v{RELEASE} {GIT_URL}\n"
        f"          apt-get source {DEBIAN_PACKAGE}      (Debian's suite {DEBIAN_SUITE})\n"
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
    named = os.environ.get("MICROPY_DIR")
    print(checked(Path(named)) if named else provide(cache_dir(), options.source or list(SOURCES)))


if __name__ == "__main__":
    main()
