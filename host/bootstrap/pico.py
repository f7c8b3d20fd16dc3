#!/usr/bin/env python3
"""Provide what the firmware and the emulator of an RP2040 board need beside MicroPython.

Prints a line NAME=PATH for each of them. A path in the environment is taken as it is; otherwise it
is the copy of an earlier run in ``$ENGRAM_CACHE`` (default ``~/.cache/engram``), or is fetched:

    PICO_SDK_PATH       Raspberry Pi's SDK             git, else Debian
    PICO_TINYUSB_PATH   the USB stack                  git, else Debian
    MBEDTLS_PATH        what MicroPython's rp2 port links for TLS and hashes    git, else Debian
    RP2040JS_PATH       the emulator, a package of npm     npm, with its registry of this machine

git and Debian bring the same release. The npm package is checked by the SHA-512 that stands below.
Exit status 69 (EX_UNAVAILABLE) when something can be had from nowhere; the message says what.
Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import sys
from pathlib import Path
from typing import NamedTuple

from fetching import FETCH_S, Pin, Unavailable, Way, cache_dir, into_cache, run, say, ways_of

EX_UNAVAILABLE = 69

SDK = Pin(
    title="pico-sdk",
    release="2.1.1",  # that of MicroPython 1.25
    git_url="https://github.com/raspberrypi/pico-sdk",
    git_commit="bddd20f928ce76142793bef434d4f75f4af6e433",
    debian_package="pico-sdk-source",
    debian_file="pico-sdk-source_2.1.1-1_all.deb",
    debian_sha256="507a3ca37636641bc90239d7c04dc9dc28c5008087a8162102ea94d2273153d3",
    debian_folder="usr/src/pico-sdk",
)
TINYUSB = Pin(
    title="tinyusb",
    release="0.18.0",  # that of the SDK
    git_url="https://github.com/hathach/tinyusb",
    git_commit="86ad6e56c1700e85f1c5678607a762cfe3aa2f47",
    debian_package="tinyusb-source",
    debian_file="tinyusb-source_0.18.0+dfsg-1_all.deb",
    debian_sha256="01ce2c645df68f14a8a7dcfc8fb355713152543757955820479a87949a61154e",
    debian_folder="usr/src/tinyusb",
)
MBEDTLS = Pin(
    title="mbedtls",
    release="3.6.6",  # of the series 3.6 that MicroPython 1.25 wants
    git_url="https://github.com/Mbed-TLS/mbedtls",
    git_commit="0bebf8b8c7f07abe3571ded48a11aa907a1ffb20",
    debian_package="mbedtls",
    debian_file="mbedtls_3.6.6.orig.tar.bz2",
    debian_sha256="8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a",
)

NPM_NAME, NPM_RELEASE = "rp2040js", "1.4.1"
NPM_SHA512 = (
    "Yzr5xG7ZwbtA50IYAU1k/oSoSyDAhPtT5qC/Q2eFApoLuAYE8DQbPIMPs/0kh4Ietd4P0OpKk3CIkfNqjcr56g=="
)
EMULATOR = "RP2040JS_PATH"


def from_npm(into: Path) -> Path:
    """The emulator's package, checked and unpacked; nothing of it is run."""
    spec = f"{NPM_NAME}@{NPM_RELEASE}"
    say(f"fetching {spec} with npm")
    run(["npm", "pack", spec, "--silent", "--pack-destination", str(into)], FETCH_S)
    tarball = into / f"{NPM_NAME}-{NPM_RELEASE}.tgz"
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if digest != NPM_SHA512:
        raise Unavailable(f"{spec}: expected SHA-512 {NPM_SHA512}, got {digest}")
    run(["tar", "-xf", str(tarball), "-C", str(into), "--no-same-owner"], FETCH_S)
    return into / "package"


class Wanted(NamedTuple):
    """Something to be provided. mark: a file that only a whole tree has. by_hand: how else."""

    title: str
    release: str
    mark: str
    ways: dict[str, Way]
    by_hand: str


def pinned(pin: Pin, mark: str) -> Wanted:
    by_hand = (
        f"git clone {pin.git_url}, commit {pin.git_commit[:10]},\n"
        f"        or Debian's package {pin.debian_package}"
    )
    return Wanted(pin.title, pin.release, mark, ways_of(pin), by_hand)


# Name in the environment -> what it is the path of.
WANTED = {
    "PICO_SDK_PATH": pinned(SDK, "pico_sdk_init.cmake"),
    "PICO_TINYUSB_PATH": pinned(TINYUSB, "src/tusb.c"),
    "MBEDTLS_PATH": pinned(MBEDTLS, "library/sha256.c"),
    EMULATOR: Wanted(
        NPM_NAME,
        NPM_RELEASE,
        "dist/esm/index.js",
        {"npm": from_npm},
        f"npm pack {NPM_NAME}@{NPM_RELEASE}, and unpack it",
    ),
}


def provide(name: str, cache: Path) -> Path:
    """The path that the environment gives, else the tree in the cache, fetched if need be.

    Raises Unavailable: nothing usable is there, or no way leads to it.
    """
    part = WANTED[name]
    value = os.environ.get(name)
    if value and not (Path(value) / part.mark).is_file():
        raise Unavailable(
            f"{name}={value}: expected a folder with {part.mark} in it, got none; unset it to "
            "have one fetched"
        )
    if value:
        return Path(value).resolve()
    target = cache / f"{part.title}-{part.release}"
    try:
        return into_cache(target, part.ways, lambda tree: (tree / part.mark).is_file())
    except Unavailable as reasons:
        raise Unavailable(
            f"could not get {part.title} {part.release}:\n{reasons}\n"
            f"        Get it by hand ({part.by_hand}),\n"
            f"        and say where it is: {name}=/path"
        ) from None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--no-emulator", action="store_true", help="only what a build needs")
    options = parser.parse_args()
    names = [name for name in WANTED if name != EMULATOR or not options.no_emulator]
    try:
        paths = {name: provide(name, cache_dir()) for name in names}
    except Unavailable as why:
        print(f"engram: {why}", file=sys.stderr)
        return EX_UNAVAILABLE
    for name, path in paths.items():
        print(f"{name}={path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
