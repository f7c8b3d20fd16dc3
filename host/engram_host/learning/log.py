"""The log of a learning session: JSON Lines, one record a line, written as it happens.

    {"kind": "begin", ...}      board, model, settings; the unit and source of the figures
    {"kind": "observe", ...}    samples that went to the board
    {"kind": "step", ...}       one line a step: phases, loss, accuracy (null where the model tells
                                no classes apart), RAM, flash
                                "total": the learner's own work; "link": what the request took
                                beside it (frames, JSON, collector, heap)
    {"kind": "timeline", ...}   with a meter: what the device did when, by its own clock
    {"kind": "energy", ...}     with a meter: millijoules per phase, step, sample (meters.result)
    {"kind": "summary", ...}    one line a session, also when it was stopped or failed; "busy": all
                                that its requests took, of which time and energy are computed

A stream of sessions is a log of several sessions with more around them:

    {"kind": "stream", ...}       first: the sessions, the tests, the learner
    {"kind": "evaluation", ...}   one line a test: before the first session ("after": -1), then
                                  after each one
    {"kind": "metrics", ...}      last: accuracy matrix and metrics, as the board computed them

A watch (`engram score --log`) is a log of its own:

    {"kind": "watch", ...}        first: board, engine, window, threshold, as Watch.info() on the
                                  board tells them; with --adapt also "limit", the mean of a block
                                  that is surely normal
    {"kind": "reading", ...}      one line a sample: "sample" from 0, "score" (null where it was no
                                  finite number), "mean", "state"; "label" where it has one
    {"kind": "adapted", ...}      the board has learned what was new: "sample", how many it had
                                  read; "samples", the first of each block of 8 that it learned;
                                  "blocks", "rounds", "steps", "before" and "after": the loss of
                                  these samples; "threshold_before", "threshold"; "generation" of
                                  the saved state, null without; "watch": the watch from then on
    {"kind": "summary", ...}      last: counts of samples and alarms, AUC where there were labels;
                                  "adapted", "adopted", "refused", "waiting", "taken" of one that
                                  adapts

Every record with figures of the board's counter says what they are: "unit" (instructions, cycles
or us) and "source" (device, icount, cycles or host). "wall_s" is always the host's clock. "energy"
has a "source" of its own: "device" only where a meter measured it, "simulated" where one was made
up, else "model".
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from engram_host.errors import InputError

Record = dict[str, Any]
DIRECTORY = Path("out") / "log"


def default_path(board: str) -> Path:
    """out/log/<time>-<board>.jsonl, below the current directory."""
    return DIRECTORY / f"{datetime.now():%Y%m%d-%H%M%S}-{board}.jsonl"


class Writer:
    """Appends records to a log file, each complete on disk when write() returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("a", encoding="utf-8")

    def write(self, kind: str, record: Record) -> Record:
        line: Record = {"kind": kind, **record}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()
        return line

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def latest() -> Path:
    """The newest log of the default directory. Raises InputError if there is none."""
    paths = sorted(DIRECTORY.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    if not paths:
        raise InputError(
            f"expected a log in {DIRECTORY}, as none was given, got none; `engram learn` writes "
            "one"
        )
    return paths[-1]


def read(path: Path, follow: bool = False, poll_s: float = 0.2) -> Iterator[Record]:
    """The records of a log; follow: wait for more until the last one is there.

    Raises InputError at a line that is no record, and where there is none (the last line of more
    may be incomplete: it is waited for, or left out).
    """
    if not path.is_file():
        raise InputError(f"{path}: expected a log of `engram learn`, got no file")
    with path.open(encoding="utf-8", errors="replace") as file:
        number, rest, last = 0, "", "summary"
        while True:
            rest += file.readline()
            if not rest.endswith("\n"):
                if not follow:
                    if not number:
                        _parse(rest, f"{path}:1")
                    return
                time.sleep(poll_s)
                continue
            number += 1
            record = _parse(rest, f"{path}:{number}")
            rest = ""
            yield record
            if record["kind"] == "stream":
                last = "metrics"
            if follow and record["kind"] == last:
                return


def _parse(line: str, where: str) -> Record:
    try:
        record = json.loads(line)
        if isinstance(record, dict) and "kind" in record:
            return record
    except ValueError:
        pass
    quote = ascii(line.strip()[:60]) if line else "an empty file"
    raise InputError(
        f'{where}: expected a JSON object with a "kind", got {quote}; give a log of `engram learn`'
    )
