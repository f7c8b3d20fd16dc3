"""Walks the journeys of newcomers, and writes docs/journeys.md: `make journeys`.

Each journey is a text of this folder (script.py says how it reads). It runs in a fresh clone of
the commit at hand, with virtual boards of its own and a home without an installed command; only
the cache of sources is shared. A journey that does not go as its text says fails.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from script import Command, parse, statements  # noqa: E402

DOCUMENT = ROOT / "docs" / "journeys.md"
NAMES = ("newcomer", "own_model", "stock_board", "field_engineer")
SECONDS = 1800  # that a command may take
_LINES = 24  # of its output that the document shows
_ENDS = (10, 14)  # of these, at the beginning and at the end


class Step(NamedTuple):
    """A command that ran: what it showed, seconds that it took."""

    command: Command
    output: str
    seconds: float


class Journey(NamedTuple):
    parts: list[str | Step]
    wrong: list[str]


class Shell:
    """Commands one after the other; folder and environment stay."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, environment
        self._state = folder / ".state"
        self._state.write_text(f"cd {folder}\n")

    def run(self, command: Command) -> tuple[str, int]:
        keep = f'status=$?; {{ export -p; echo "cd \\"$PWD\\""; }} > {self._state}; exit $status'
        result = subprocess.run(
            ["bash", "-c", f". {self._state}\nset -a\n{command.text}\n{keep}"],
            input=statements(command.typed),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self._environment,
            timeout=SECONDS,
            check=False,
        )
        return result.stdout.replace(str(self._folder), "~"), result.returncode


def environment(folder: Path, path: str | None = None) -> dict[str, str]:
    """Of a reader who has installed nothing: no virtual environment, no board that runs."""
    names = ("PATH", "HOME", "LANG", "TERM", "ENGRAM_CACHE", "ENGRAM_DATA", "PIP_INDEX_URL")
    names += ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CONFIG_FILE")
    variables = {name: os.environ[name] for name in names if name in os.environ}
    return {
        **variables,
        **({"PATH": path} if path else {}),
        "ENGRAM_STATE": str(folder / "boards"),
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }


def walk(name: str, folder: Path, env: dict[str, str]) -> Journey:
    """Runs a journey in a folder that has the project in `engram`."""
    shell = Shell(folder, env)
    parts: list[str | Step] = []
    wrong: list[str] = []
    for part in parse((HERE / f"{name}.txt").read_text()):
        if isinstance(part, str):
            parts.append(part)
            continue
        start = time.monotonic()
        output, status = shell.run(part)
        parts.append(Step(part, output, time.monotonic() - start))
        wrong += part.check(output, status)
        if wrong:
            parts.append(f"**It ended here**: {'; '.join(wrong)}.")
            break
    return Journey(parts, wrong)


def shortened(output: str) -> list[str]:
    """Lines of an output, as a terminal would have them at the end; many are cut in the middle."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output)
    lines = [line.split("\r")[-1].rstrip() for line in text.replace("\r\n", "\n").splitlines()]
    # pip's remarks on a package index of this computer's are of no use to others
    lines = [line for line in lines if line and not line.startswith("WARNING: Location")]
    if len(lines) <= _LINES:
        return lines
    first, last = _ENDS
    return [*lines[:first], f"[... {len(lines) - first - last} lines]", *lines[-last:]]


def page(journeys: dict[str, Journey], commit: str) -> str:
    """The document."""
    out = [
        "# Journeys: the first ten minutes, keystroke by keystroke\n",
        "Written by `make journeys`, which runs every line below in a fresh clone and a fresh "
        "virtual environment and fails where the outcome is another. Times are seconds of a "
        "computer with two cores (`host`), Debian packages and MicroPython's source already "
        f"there. Commit {commit}. Not run on hardware: all boards are virtual.\n",
    ]
    for journey in journeys.values():
        for part in journey.parts:
            if isinstance(part, str):
                out.append(part + "\n")
                continue
            lines = part.command.text.splitlines()
            screen = [f"$ {lines[0]}", *lines[1:], *part.command.typed, *shortened(part.output)]
            screen.append(f"({part.seconds:.0f} s)")
            out.append("\n".join(["```console", *screen, "```"]) + "\n")
    return "\n".join(out)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="JOURNEY")
    parser.add_argument("--docs", action="store_true", help="write docs/journeys.md")
    options = parser.parse_args()
    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True)
    journeys = {}
    with tempfile.TemporaryDirectory(prefix="engram-journeys-") as scratch:
        for name in options.names or NAMES:
            folder = Path(scratch) / name
            subprocess.run(["git", "clone", "-q", str(ROOT), str(folder / "engram")], check=True)
            env = environment(folder)
            try:
                journeys[name] = walk(name, folder, env)
            finally:
                stop_boards(folder, env)
            verdict = "; ".join(journeys[name].wrong) or "as its text says"
            print(f"{name}: {verdict}", flush=True)
            for part in journeys[name].parts:
                if journeys[name].wrong and isinstance(part, Step):
                    print(f"$ {part.command.text}\n{part.output}")
    if options.docs:
        DOCUMENT.write_text(page(journeys, commit.strip()))
        print(f"wrote {DOCUMENT.relative_to(ROOT)}")
    return int(any(journey.wrong for journey in journeys.values()))


def stop_boards(folder: Path, env: dict[str, str]) -> None:
    """Ends the virtual boards that a journey has started."""
    command = folder / "engram" / "build" / "venv" / "bin" / "engram"
    state_folder = folder / "boards"
    for board in (
        sorted(state_folder.iterdir()) if state_folder.is_dir() and command.exists() else ()
    ):
        subprocess.run([command, "stop", board.name], env=env, capture_output=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
