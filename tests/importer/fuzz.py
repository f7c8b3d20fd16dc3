"""Fuzzing of the readers of model files: a damaged or hostile one ends in an error of ours.

    python tests/importer/fuzz.py [--budget SECONDS] [--seed 1] [--kind tflite] [--case 17]

A process with bounded memory imports one file after another, each in bounded time, and says before
each which it is: what ends it can be made again with --case. `make fuzz` runs it, and
test_fuzz.py a small part of it.
"""

import argparse
import io
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "host"), str(TESTS.parent / "device_lib")]

from engram.errors import EngramError  # noqa: E402
from engram_host import api  # noqa: E402
from engram_host.imports import pipeline  # noqa: E402
from engram_host.samples import Samples  # noqa: E402
from importer import hostile  # noqa: E402

MEMORY = 1 << 30  # bytes of address space beyond what the packages take
SECONDS = 10  # per file
CATCH_ALL = "damaged or new to it"
NUMBERS = (0, 1, -1, 2, 127, 128, 255, 1 << 16, 1 << 24, (1 << 31) - 1, -(1 << 31))


class TooLong(BaseException):
    """A file took too long; no reader catches it."""


# ---- files ------------------------------------------------------------------------------------


def changed(content, random):
    """Content with a few changes: cut off, other bytes, other numbers of 32 bits, blocks copied,
    left out or put in."""
    data = bytearray(content)
    for _ in range(random.integers(1, 5)):
        at = int(random.integers(len(data)))
        other, size = int(random.integers(len(data))), int(random.integers(1, 65))
        choice = random.integers(8)
        if choice == 0:
            del data[at:]
        elif choice == 1:
            del data[at : at + size]
        elif choice == 2:
            data[at:at] = data[other : other + size]
        elif choice == 3:
            data[at : at + size] = data[other : other + size]
        elif choice < 6:
            data[at] = int(random.choice([0, 1, 0x7F, 0x80, 0xFF, data[at] ^ 4]))
        else:
            at &= ~3
            number = int(random.choice(NUMBERS)) & 0xFFFFFFFF
            data[at : at + 4] = number.to_bytes(4, "little")
        if not data:
            return b""
    return bytes(data)


def changed_archive(content, random):
    """A .pt2 with a change in one of its parts: mostly a number or a piece of its graph."""
    if random.integers(4) == 0:
        return changed(content, random)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    texts = [name for name in parts if name.endswith(".json")]
    name = str(random.choice(texts if random.integers(4) else list(parts)))
    found = list(re.finditer(rb"-?\d+", parts[name]))
    if found and name in texts and random.integers(3):
        one = found[int(random.integers(len(found)))]
        number = b"%d" % random.choice([*NUMBERS, 1 << 40])
        parts[name] = parts[name][: one.start()] + number + parts[name][one.end() :]
    elif parts[name]:
        parts[name] = changed(parts[name], random)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return out.getvalue()


def content_of(kind, number, seed, whole, crafted):
    """(what it is, the bytes of a file): the crafted ones first, then changed ones for ever."""
    if number < len(crafted):
        name = list(crafted)[number]
        return name, crafted[name]()
    random = np.random.default_rng([seed, number])
    change = changed_archive if kind == "pt2" else changed
    name = str(random.choice(sorted(whole)))
    return name, change(whole[name], random)


# ---- the process that reads -------------------------------------------------------------------


def imported(path, costs):
    """What an import says of a file: "" where it takes it. costs: of the cuts, too.
    Raises what is no error of ours."""
    try:
        net = pipeline.read(path)
        report = pipeline.import_model(net)
        if costs:
            api.import_model(path, board="qemu_m4f")
        places = [row["layer"] for row in report["cuts"] if not row["reason"]]
        size = int(np.prod(report["input"]["shape"]))
        if places and size < 10_000:
            x = np.random.default_rng(1).integers(0, 256, (40, size))
            data = Samples(x.astype(report["input"]["dtype"]), None)
            out = path.with_name("out")
            pipeline.import_model(
                net, out, cut=places[-1], samples=data, min_agreement=0, accept=True
            )
    except EngramError as error:
        cause = error
        while cause is not None:
            if isinstance(cause, MemoryError):
                raise AssertionError(f"it took too much memory: {error}") from error
            cause = cause.__cause__
        if CATCH_ALL in str(error):
            raise AssertionError(f"no reader has thought of it: {error}") from error
        return str(error)
    return ""


def read_all(kind, seed, first, count, budget):
    """Imports files, the crafted ones and others until the time is over. A fault ends the process
    with an exception."""
    whole, crafted = hostile.whole(kind), hostile.crafted(kind)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"net.{kind}"
        path.write_bytes(next(iter(whole.values())))
        imported(path, True)  # loads what the packages load late
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
        signal.signal(signal.SIGALRM, _late)
        end = time.monotonic() + budget
        number, told = first, 0
        while number < first + count and (number < len(crafted) or time.monotonic() < end):
            name, content = content_of(kind, number, seed, whole, crafted)
            print(f"{kind} {number} {name}", file=sys.stderr, flush=True)
            path.write_bytes(content)
            signal.alarm(SECONDS)
            told += bool(imported(path, number % 8 == 0 or number < len(crafted)))
            signal.alarm(0)
            number += 1
    print(f"{kind}: {number - first} files, {told} refused, {number - first - told} taken")
    if not told:
        raise AssertionError("expected files that are refused, got none")


def _late(number, frame):
    raise TooLong(f"expected an answer within {SECONDS} s")


# ---- the process that watches -----------------------------------------------------------------


def run(kind, seed, budget, first=0, count=1 << 30):
    """(whether all is well, words). Reads files of a kind in a process of its own."""
    line = [sys.executable, __file__, "--child", "--kind", kind, "--seed", str(seed)]
    line += ["--budget", str(budget), "--first", str(first), "--count", str(count)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, timeout=budget + 60, env=environment
        )
    except subprocess.TimeoutExpired as error:
        last = (error.stderr or b"").decode().splitlines()[-1:]
        return False, f"no answer at all after {last}"
    if done.returncode:
        lines = done.stderr.splitlines()
        at = [line for line in lines if re.fullmatch(rf"{kind} \d+ \S+", line)][-1:]
        return False, f"exit {done.returncode} at {at} (seed {seed}):\n" + "\n".join(lines[-12:])
    return True, done.stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--budget", type=float, default=60, help="seconds, for all kinds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=hostile.KINDS)
    parser.add_argument("--case", type=int, help="this file alone")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=1 << 30, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        warnings.simplefilter("ignore")
        np.seterr(all="ignore")
        read_all(args.kind, args.seed, args.first, args.count, args.budget)
        return 0
    kinds = [args.kind] if args.kind else [k for k in hostile.KINDS if hostile.is_there(k)]
    first, count = (0, 1 << 30) if args.case is None else (args.case, 1)
    fine = True
    for kind in kinds:
        good, words = run(kind, args.seed, args.budget / len(kinds), first, count)
        print(words, flush=True)
        fine = fine and good
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
