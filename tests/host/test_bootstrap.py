"""Where the MicroPython source comes from: the cache, the checks, this machine's apt sources."""

import hashlib
import importlib.util
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "host" / "bootstrap" / "micropython.py"
sys.path.insert(0, str(SCRIPT.parent))
import fetching  # noqa: E402

spec = importlib.util.spec_from_file_location("bootstrap_micropython", SCRIPT)
bootstrap = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bootstrap)


def tree(folder, version="1.25.0"):
    """A folder that states a version where MicroPython does."""
    parts = zip(("MAJOR", "MINOR", "MICRO"), version.split("."))
    (folder / "py").mkdir(parents=True)
    (folder / "py" / "mpconfig.h").write_text(
        "".join(f"#define MICROPY_VERSION_{name} {number}\n" for name, number in parts)
    )
    return folder


def run(tmp_path, **environment):
    """The script on a machine that has neither git nor apt nor a network."""
    return subprocess.run(
        [sys.executable, SCRIPT],
        env={"PATH": str(tmp_path / "nothing"), "ENGRAM_CACHE": str(tmp_path / "cache")}
        | {name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
    )


def test_a_tree_of_ones_own_is_used_as_it_is(tmp_path):
    mine = tree(tmp_path / "mine", "1.23.0")
    result = run(tmp_path, MICROPY_DIR=mine)
    assert (result.returncode, result.stdout) == (0, f"{mine}\n"), result.stderr
    assert not (tmp_path / "cache").exists()


def test_an_old_tree_is_refused_with_both_versions(tmp_path):
    result = run(tmp_path, MICROPY_DIR=tree(tmp_path / "old", "1.22.2"))
    assert result.returncode == 1 and result.stdout == ""
    assert "1.22.2" in result.stderr and "1.23 or later" in result.stderr


def test_a_folder_that_is_no_tree_is_refused(tmp_path):
    result = run(tmp_path, MICROPY_DIR=tmp_path)
    assert result.returncode == 1 and "py/mpconfig.h" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_cached_tree_needs_nothing_else(tmp_path):
    folder = tree(tmp_path / "cache" / "micropython-1.25.0")
    result = run(tmp_path)
    assert (result.returncode, result.stdout) == (0, f"{folder}\n"), result.stderr


def test_when_no_source_answers_the_error_says_what_to_do(tmp_path):
    result = run(tmp_path)
    assert result.returncode == 1 and result.stdout == ""
    for text in ("git is not installed", "apt-get is not installed", "git clone", "MICROPY_DIR="):
        assert text in result.stderr
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.fixture
def sources(monkeypatch):
    """The table of sources, emptied: a test puts its own in."""
    monkeypatch.setattr(bootstrap, "SOURCES", {})
    return bootstrap.SOURCES


def test_the_next_source_is_asked_when_one_fails(tmp_path, sources):
    def fails(into):
        tree(into / "half")
        raise bootstrap.Unavailable("not today")

    sources.update(first=fails, second=lambda into: tree(into / "whole"))
    path = bootstrap.provide(tmp_path, ["first", "second"])
    assert path == tmp_path / "micropython-1.25.0"
    assert list(tmp_path.iterdir()) == [path]  # and what the first left behind is gone


def test_a_source_with_another_version_is_not_taken(tmp_path, sources):
    sources["other"] = lambda into: tree(into / "tree", "1.26.0")
    with pytest.raises(SystemExit, match="1, 26, 0"):
        bootstrap.provide(tmp_path, ["other"])
    assert list(tmp_path.iterdir()) == []


def test_two_runs_at_once_both_get_the_tree(tmp_path, sources):
    def slow(into):
        tree(tmp_path / "micropython-1.25.0")  # another run finishes meanwhile
        return tree(into / "tree")

    sources["slow"] = slow
    assert bootstrap.provide(tmp_path, ["slow"]) == tmp_path / "micropython-1.25.0"


def test_a_tarball_with_another_content_is_not_unpacked(tmp_path):
    pin = bootstrap.MICROPYTHON
    tarball = tmp_path / pin.debian_file
    tarball.write_bytes(b"something else")
    with pytest.raises(bootstrap.Unavailable) as error:
        fetching.unpacked(pin, tarball, tmp_path / "into")
    assert hashlib.sha256(b"something else").hexdigest() in str(error.value)
    assert pin.debian_sha256 in str(error.value)
    assert not (tmp_path / "into").exists()


def test_a_command_that_hangs_is_ended_with_its_children(tmp_path):
    """A pipe that all of them hold open ends when the last of them has ended."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(bootstrap.Unavailable, match="no answer"):
        fetching.run(["sh", "-c", f"exec 9>'{pipe}'; sleep 600 & wait"], 0.5)
    try:
        assert os.read(reader, 1) == b""
    except BlockingIOError:  # one was killed and is not gone yet
        assert select.select([reader], [], [], 60)[0] and os.read(reader, 1) == b""
    os.close(reader)


# ---------------------------------------------------------------- this machine's apt sources

DEB822 = """\
# the system's own
Types: deb
# http://elsewhere.example/
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
CLASSIC = """\
deb cdrom:[Debian GNU/Linux 13]/ trixie main
# deb http://comment.example/debian trixie main
deb [arch=amd64 signed-by=/usr/share/keyrings/other.gpg] http://other.example/apt trixie main
deb-src http://classic.example/debian/ trixie main non-free-firmware  # with sources
deb http://classic.example/debian/ trixie-backports main
deb http://vendor.example/apt stable vendor
deb http://distro.example/ubuntu jammy main
"""


def etc_apt(folder, **files):
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        stem, _, ending = name.rpartition("_")
        place = folder / "sources.list" if stem == "sources" else folder / "sources.list.d" / (
            f"{stem}.{ending}"
        )
        place.write_text(text)
    return folder


def test_deb822_sources_are_turned_to_the_wanted_suite(tmp_path):
    assert fetching.archive_entries(etc_apt(tmp_path, debian_sources=DEB822)) == [
        {
            "types": "deb-src",
            "uris": "http://mirror.example/debian",
            "suites": "trixie",
            "components": "main",
            "signed-by": "/usr/share/keyrings/debian-archive-keyring.gpg",
        }
    ]


def test_classic_sources_are_too_and_those_with_a_key_of_their_own_come_last(tmp_path):
    entries = fetching.archive_entries(etc_apt(tmp_path, sources_list=CLASSIC))
    assert [(e["uris"], e.get("signed-by")) for e in entries] == [
        ("http://classic.example/debian/", None),
        ("http://other.example/apt", "/usr/share/keyrings/other.gpg"),
    ]


def test_a_key_in_the_sources_file_stays_whole(tmp_path):
    text = "URIs: http://m.example/\nSuites: sid\nComponents: main\nSigned-By:\n K1\n .\n K2\n"
    (entry,) = fetching.archive_entries(etc_apt(tmp_path, key_sources=text))
    assert entry["signed-by"] == "\n K1\n .\n K2"


def test_disabled_and_unreadable_files_are_passed_over(tmp_path):
    folder = etc_apt(tmp_path, old_disabled=DEB822)
    (folder / "sources.list.d" / "dangling.list").symlink_to(folder / "gone")
    assert fetching.archive_entries(folder) == []


@pytest.mark.skipif(not Path("/usr/bin/apt-get").exists(), reason="apt is Debian's")
def test_the_private_apt_sees_only_the_private_sources(tmp_path):
    entry = {"types": "deb-src", "uris": "http://only.example/d", "suites": "trixie"}
    env = fetching.private_apt(tmp_path / "apt", entry | {"components": "main"})
    result = subprocess.run(
        ["apt-get", "--print-uris", "update"],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert result
    for line in result.splitlines():
        assert line.startswith("'http://only.example/d/dists/trixie/")
    where = subprocess.run(
        ["apt-config", "dump", "--format", "%F %v%n"],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for setting in ("Dir::State", "Dir::Cache", "Dir::Etc::sourceparts"):
        assert f"{setting} {tmp_path}" in where
