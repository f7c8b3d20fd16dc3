"""A whole stream on a board: each session is learned, then all tests are taken; one log of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engram_host.device import Device
from engram_host.errors import Stopped
from engram_host.learning import log as logs
from engram_host.learning.interrupt import StopAtNextStep
from engram_host.learning.rehearsal import within
from engram_host.learning.session import Learned, Length, Session
from engram_host.learning.stream_start import Start
from engram_host.learning.streams import Portion, Stream

START = -1  # what an evaluation came after, when nothing had been learned yet


class LearnedStream(NamedTuple):
    """summary: the log's last record, "metrics". sessions: as they were learned. log: the file."""

    summary: dict[str, Any]
    sessions: list[Learned]
    log: Path


class StreamRun:
    """Carries out one call of api.learn_stream().

    new_session: makes the Session of each portion, all of one device, log and stop.
    """

    def __init__(
        self,
        device: Device,
        writer: logs.Writer,
        stop: StopAtNextStep,
        new_session: Callable[[], Session],
        on_test: Callable[[dict[str, Any]], None],
    ) -> None:
        self.device, self.writer, self.stop = device, writer, stop
        self.new_session, self.on_test = new_session, on_test
        self.start_s = time.monotonic()
        self.results: list[dict[str, Any]] = []

    def run(
        self,
        learner: dict[str, Any],
        start: Start,
        *,
        length: Length,
        known_first: bool,
        seed: int,
    ) -> LearnedStream:
        """length: how long each session learns. known_first: the model knows what the first one
        brings: its samples are stored for replay, nothing is trained. seed: of which of them."""
        stream, own, done, sent = start
        portions = list(stream.sessions)
        if known_first:
            name, samples = portions[own]
            portions[own] = Portion(name, within(samples, learner["budget"], seed))
        self._write(
            "stream",
            protocol=stream.protocol,
            sessions=[_facts(portion) for portion in portions],
            tests=[_facts(test) for test in stream.tests],
            known_first=known_first,
            learner=learner,
            done=done,
            sent=sent,
        )
        try:
            # the tests after the last save are taken again: what they gave may be lost
            self._test(done - 1 if done else START, stream.tests)
            sessions = []
            for i, portion in enumerate(portions[done:], done):
                learns = None if known_first and i == own else length
                sessions.append(self._learn(i, portion, learns, sent if i == done else 0))
                self._test(i, stream.tests)
            summary = self._metrics(sessions, stream)
        except KeyboardInterrupt:
            self._write("metrics", stopped=True)
            raise
        except Exception as e:
            self._write("metrics", error=str(e))
            raise
        return LearnedStream(summary, sessions, self.writer.path)

    def _learn(self, place: int, portion: Portion, length: Length | None, sent: int) -> Learned:
        session = self.new_session()
        learner = self.device.info()["learner"]
        about = {"place": place, "name": portion.name}
        return session.run(learner, portion.samples, length, sent, **about)

    def _test(self, after: int, tests: list[Portion]) -> None:
        for j, test in enumerate(tests):
            if self.stop.asked:
                raise Stopped(
                    f"stopped before test {test.name}; what was learned is saved. "
                    f"Log: {self.writer.path}"
                )
            result = self.device.evaluate_stream(test.samples, session=j)
            accuracy = result["correct"] / result["n"] if result["n"] else 0.0
            record = self._write(
                "evaluation", after=after, test=j, test_name=test.name, accuracy=accuracy, **result
            )
            self.results.append(record)
            self.on_test(record)

    def _metrics(self, sessions: list[Learned], stream: Stream) -> dict[str, Any]:
        store = self.device.store_info()["store"]
        summaries = [session.summary for session in sessions]
        steps = sum(summary["steps"] for summary in summaries)
        total = sum(summary.get("total", 0) for summary in summaries)
        return self._write(
            "metrics",
            **(self.device.metrics() if stream.tests else {}),
            accuracy=self._overall(len(stream.tests)),
            protocol=stream.protocol,
            sessions=[portion.name for portion in stream.sessions],
            tests=[test.name for test in stream.tests],
            diagonal=len(stream.tests) == len(stream.sessions),
            bits=self.device.info()["learner"]["bits"],
            samples=sum(summary["samples"] for summary in summaries),
            steps=steps,
            units_per_step=round(total / steps) if steps else None,
            flash_bytes=sum(summary["flash_bytes"] for summary in summaries),
            replay_records=store["live"],
            replay_bytes=store["live"] * store["slot_bytes"],
            **_warning(summaries),
            **self.device.counter,
        )

    def _overall(self, tests: int) -> float | None:
        """Share of all test samples that were right the last time; None without tests."""
        last = self.results[-tests:] if tests else []
        total = sum(record["n"] for record in last)
        return sum(record["correct"] for record in last) / total if total else None

    def _write(self, kind: str, **record: Any) -> dict[str, Any]:
        record["wall_s"] = round(time.monotonic() - self.start_s, 4)
        return self.writer.write(kind, record)


def _warning(summaries: list[dict[str, Any]]) -> dict[str, Any]:
    """{"warning": of the first session that gave one}; {} without."""
    warnings = [summary["warning"] for summary in summaries if "warning" in summary]
    return {"warning": warnings[0]} if warnings else {}


def _facts(portion: Portion) -> dict[str, Any]:
    classes = [int(c) for c in np.unique(portion.samples.labels)]
    return {"name": portion.name, "classes": classes, "samples": len(portion.samples)}
