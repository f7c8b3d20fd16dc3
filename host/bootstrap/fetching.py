"""Fetches a pinned source tree and keeps it in the cache, for the scripts of this folder.

A ``Pin`` names one release twice: by the hash of a git commit, which is a hash of its content, and
by a package of Debian with the SHA-256 of its file. The second way goes through a private apt
configuration that is derived from this machine's own sources: other suite, own state and cache
folders. The system's configuration is only read.

A tree enters the cache by one rename, so it is there whole or not at all.
Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

DEBIAN_SUITE = "trixie"
PROBE_S = 15  # is a server there at all? An offline machine moves on after this
FETCH_S = 400  # one whole transfer

# Suites by which an entry of sources.list is known as the Debian archive itself; its companions
# (-updates, -security, -backports) do not carry what we want.
DEBIAN_SUITES = frozenset(
    "bookworm trixie forky duke sid oldstable stable testing unstable".split()
)


class Unavailable(Exception):
    """A source cannot provide what is wanted; the text says why."""


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
        problems = [line for line in lines if line.startswith(("fatal:", "E:", "Err:"))] or lines
        raise Unavailable(f"{command[0]}: {(problems or ['failed without a word'])[-1]}")
    return output


@dataclass(frozen=True)
class Pin:
    """One release of a source, and how each of the two ways to get it is checked."""

    title: str
    release: str
    git_url: str
    git_commit: str
    debian_package: str
    debian_file: str  # the tarball of a source package, or a package for all architectures
    debian_sha256: str
    debian_folder: str = "*"  # the tree in what the file unpacks to, as a pattern

    def __str__(self) -> str:
        return f"{self.title} {self.release}"


# ---------------------------------------------------------------- the official repository


def from_git(pin: Pin, into: Path) -> Path:
    """Fetch the pinned commit without its history. Returns the tree, below ``into``."""
    tree = into / "tree"
    git = ["git", "-C", str(tree)]
    run(["git", "ls-remote", "--exit-code", pin.git_url, "HEAD"], PROBE_S)
    say(f"fetching {pin} from {pin.git_url}")
    tree.mkdir()
    run([*git, "init", "-q"], PROBE_S)
    slow = ["-c", "http.lowSpeedLimit=1000", "-c", f"http.lowSpeedTime={PROBE_S}"]
    run([*git, *slow, "fetch", "-q", "--depth=1", pin.git_url, pin.git_commit], FETCH_S)
    run([*git, "-c", "advice.detachedHead=false", "checkout", "-q", pin.git_commit], FETCH_S)
    if run([*git, "rev-parse", "HEAD"], PROBE_S).strip() != pin.git_commit:
        raise Unavailable(f"the checkout is not commit {pin.git_commit}")
    shutil.rmtree(tree / ".git")  # a build would ask it for a version and find no tag
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
    rows: list[dict[str, str]] = []
    files = [etc_apt / "sources.list", *sorted((etc_apt / "sources.list.d").glob("*"))]
    readers = {".sources": stanzas, ".list": one_liners}
    for path in files:
        reader = readers.get(path.suffix)
        try:
            text = path.read_text(errors="replace") if reader and path.is_file() else ""
        except OSError:
            continue
        for entry in reader(text) if reader else ():
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
            trust = ("signed-by", "trusted", "check-valid-until", "check-date", "allow-insecure")
            ours.update({name: entry[name] for name in trust if name in entry})
            if ours not in rows:
                rows.append(ours)
    # Other publishers too call their suites by Debian's names: an entry that names its own key is
    # rather theirs, unless it is the archive's. They are not left out, only asked later.
    archive_key = "debian-archive"
    return sorted(rows, key=lambda entry: archive_key not in entry.get("signed-by", archive_key))


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


def from_debian(pin: Pin, into: Path) -> Path:
    """Fetch and unpack Debian's package. Returns the tree, below ``into``."""
    if shutil.which("apt-get") is None:
        raise Unavailable("apt-get is not installed (this is not a Debian system)")
    entries = archive_entries(Path("/etc/apt"))
    if not entries:
        raise Unavailable("no entry for the Debian archive in the sources under /etc/apt")
    types, fetch = "deb-src", ["source", "--download-only"]
    if pin.debian_file.endswith(".deb"):
        types, fetch = "deb", ["download"]
    reasons: list[str] = []
    for number, entry in enumerate(entries):
        root = into / f"apt{number}"
        try:
            env = private_apt(root, entry | {"types": types})
            say(f"fetching {pin} as Debian's package {pin.debian_package} ({DEBIAN_SUITE})")
            run(["apt-get", "-q", "update"], FETCH_S, env)
            # it writes to the current folder
            command = ["apt-get", "-q", *fetch, pin.debian_package]
            run(["env", "-C", str(root), *command], FETCH_S, env)
            return unpacked(pin, root / pin.debian_file, into / "unpacked")
        except Unavailable as why:
            reasons.append(str(why))
    raise Unavailable("; ".join(dict.fromkeys(reasons)))


def unpacked(pin: Pin, file: Path, into: Path) -> Path:
    """Check a package against the pinned hash and unpack it. Returns the tree in it."""
    if not file.is_file():
        raise Unavailable(f"apt-get brought another version than {pin.debian_file}")
    digest = sha256_of(file)
    if digest != pin.debian_sha256:
        raise Unavailable(f"{file.name}: expected SHA-256 {pin.debian_sha256}, got {digest}")
    into.mkdir()
    if file.suffix == ".deb":
        run(["dpkg-deb", "-x", str(file), str(into)], FETCH_S)
    else:
        run(["tar", "-xf", str(file), "-C", str(into), "--no-same-owner"], FETCH_S)
    (tree,) = into.glob(pin.debian_folder)
    return tree


# ---------------------------------------------------------------- the cache

Way = Callable[[Path], Path]  # gets a folder to work in, returns the tree in it


def ways_of(pin: Pin) -> dict[str, Way]:
    """The two ways to a pinned release, the official repository first."""
    return {
        "official": lambda into: from_git(pin, into),
        "debian": lambda into: from_debian(pin, into),
    }


def cache_dir() -> Path:
    folder = os.environ.get("ENGRAM_CACHE")
    return Path(folder) if folder else Path.home() / ".cache" / "engram"


def into_cache(
    target: Path,
    ways: Mapping[str, Way],
    is_whole: Callable[[Path], bool],
    check: Callable[[Path], None] = lambda tree: None,
) -> Path:
    """The tree at ``target``, got by the first way that can if it is not there.

    is_whole: whether a folder is such a tree. check: raises Unavailable when a tree that came is
    another than the wanted one. Raises Unavailable with a line for each way when none can.
    """
    if is_whole(target):
        return target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for name, way in ways.items():
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as folder:
            try:
                tree = way(Path(folder))
                check(tree)
                if not is_whole(tree):
                    raise Unavailable("expected the tree that was asked for, got another")
            except Unavailable as why:
                failures.append(f"{name}: {why}")
                continue
            try:
                tree.rename(target)
            except OSError:
                if not is_whole(target):  # else another run was quicker: its tree is the same
                    raise
            return target.resolve()
    raise Unavailable("\n".join("          " + line for line in failures))
