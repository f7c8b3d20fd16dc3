"""One learning session: samples to the board, steps, the saved state; a log line for each."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from engram_host import log as logs
from engram_host.device import Device
from engram_host.errors import Stopped
from engram_host.interrupt import StopAtNextStep
from engram_host.samples import Samples


class Learned(NamedTuple):
    """summary: the log's last record. steps: one record a step. log: the file."""

    summary: dict[str, Any]
    steps: list[dict[str, Any]]
    log: Path


class Session:
    """Carries out one call of api.learn() and writes down what happens.

    `stop` is looked at between two steps, so that the board is always left in order.
    """

    def __init__(
        self,
        device: Device,
        writer: logs.Writer,
        stop: StopAtNextStep,
        on_step: Callable[[dict[str, Any]], None],
    ) -> None:
        self.device, self.writer, self.stop, self.on_step = device, writer, stop, on_step
        self.began = time.monotonic()
        self.steps: list[dict[str, Any]] = []
        self.flash_before = device.flash_bytes()
        self.counter = device.counter
        self.figures: dict[str, Any] = {"samples": 0, "stopped": False}

    def run(
        self,
        learner: dict[str, Any],
        samples: Samples,
        epochs: int,
        sent: int = 0,
        **about: Any,
    ) -> Learned:
        """learner: the board's facts about it. epochs 0: the samples are stored, not learned.

        sent: so many of them the board has stored already. about: more facts for the log's first
        record.
        """
        facts = self.device.info()
        self.figures.update(
            board=facts["board"],
            model=facts["model"],
            strategy=learner["strategy"],
            epochs=epochs,
        )
        self._write(
            "begin",
            board=facts["board"],
            runtime=facts["runtime"],
            model=facts["model"],
            options=facts["options"],
            strategy=learner["strategy"],
            learner=learner,
            experience=learner["experience"],
            samples=len(samples),
            epochs=epochs,
            **about,
        )
        try:
            self._observe(samples, sent)
            if epochs:
                self._learn(epochs)
            self._keep()
        except KeyboardInterrupt:
            self.figures["stopped"] = True
            raise
        except Exception as e:
            self.figures["error"] = str(e)
            raise
        finally:
            summary = self._summary()
        return Learned(summary, self.steps, self.writer.path)

    def _observe(self, samples: Samples, sent: int) -> None:
        chunk = 64  # samples between two looks at Ctrl-C
        units, stored = 0, sent
        self.figures["samples"] = sent
        with self.device.reporter.items("observe", len(samples), "samples") as update:
            for start in range(sent, len(samples), chunk):
                self._check_stop()
                told = self.device.observe_quietly(samples.part(start, start + chunk))
                units, stored = units + told["units"], stored + told.get("stored", told["n"])
                self.figures["samples"] = min(len(samples), start + chunk)
                update(self.figures["samples"])
        figures = {"observe_units": units, "stored": stored}
        self.figures.update(figures)
        self._write("observe", samples=len(samples), **figures, **self.counter)

    def _learn(self, epochs: int) -> None:
        with self.device.reporter.items("learn", None, "steps") as update:
            learning = self.device.learning(epochs)
            try:
                for row in learning:
                    row["flash_bytes"] -= self.flash_before
                    record = self._write("step", **row, **self.counter)
                    self.steps.append(record)
                    note = f"loss {row['loss']:.3f}  right {row['acc']:.0%}"
                    update(row["step"], total=row["of"], note=note)
                    self.on_step(record)
                    self._check_stop()
            finally:
                learning.close()

    def _keep(self) -> None:
        self.device.end_experience()
        saved = self.device.save()
        self.figures["generation"], self.figures["save_units"] = (
            saved["generation"],
            saved["units"],
        )

    def _check_stop(self) -> None:
        if self.stop.asked:
            done = f"after step {len(self.steps)}" if self.steps else "before the first step"
            raise Stopped(
                f"stopped {done}; the board is ready, and has kept what was sent to learn from. "
                f"Log: {self.writer.path}"
            )

    def _summary(self) -> dict[str, Any]:
        steps, figures = self.steps, self.figures
        figures["steps"] = len(steps)
        if steps:
            figures.update(
                of=steps[-1]["of"],
                first_loss=steps[0]["loss"],
                last_loss=steps[-1]["loss"],
                last_acc=steps[-1]["acc"],
                phases={
                    name: sum(row["phases"][name] for row in steps) for name in steps[0]["phases"]
                },
                total=sum(row["total"] for row in steps),
                outside=sum(row["outside"] for row in steps),
                ram_bytes=max(row["ram_bytes"] for row in steps),
            )
        if not {"stopped", "error"} & {key for key, value in figures.items() if value}:
            learner = self.device.info()["learner"]
            figures["flash_bytes"] = self.device.flash_bytes() - self.flash_before
            for key in ("ram_planned_bytes", "ram_measured_bytes", "experience"):
                figures[key] = learner[key]
        return self._write("summary", **figures, **self.counter)

    def _write(self, kind: str, **record: Any) -> dict[str, Any]:
        record["wall_s"] = round(time.monotonic() - self.began, 4)
        return self.writer.write(kind, record)
