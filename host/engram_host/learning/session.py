"""One learning session: samples to the board, steps, the saved state; a log line for each."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engram_host import boards
from engram_host.device import Device, learner_options
from engram_host.errors import EngramWarning, InputError, Stopped
from engram_host.learning import log as logs
from engram_host.learning import rehearsal
from engram_host.learning.interrupt import StopAtNextStep
from engram_host.learning.measuring import Measuring
from engram_host.meters.base import Meter
from engram_host.planning import energy
from engram_host.samples import Samples


class Length(NamedTuple):
    """How long a session learns: passes over its samples, or steps; None: as the board has it."""

    epochs: int | None = None
    steps: int | None = None

    @classmethod
    def of(cls, epochs: int | None, steps: int | None) -> Length:
        """Raises InputError where both are given, or one is below 1."""
        if epochs is not None and steps is not None:
            raise InputError(f"expected epochs or steps, got both: {epochs} and {steps}; drop one")
        for name, value in (("epochs", epochs), ("steps", steps)):
            if value is not None:
                learner_options.check_number(name, value)
        return cls(epochs, steps)


class Learned(NamedTuple):
    """summary: the log's last record. steps: one record a step. log: the file. energy: the
    record of that name; None where no meter measured."""

    summary: dict[str, Any]
    steps: list[dict[str, Any]]
    log: Path
    energy: dict[str, Any] | None = None


class Session:
    """Carries out one call of api.learn() and writes down what happens.

    `stop` is looked at between two steps, so that the board is always left in order.
    meter: None, or one that measures the session's energy; it stays open. class_names: for the
    log.
    """

    def __init__(
        self,
        device: Device,
        writer: logs.Writer,
        stop: StopAtNextStep,
        on_step: Callable[[dict[str, Any]], None],
        meter: Meter | None = None,
        class_names: Sequence[str] = (),
    ) -> None:
        self.class_names = list(class_names)
        self.device, self.writer, self.stop, self.on_step = device, writer, stop, on_step
        self.meter = meter
        self.measuring: Measuring | None = None
        self.model: energy.Model | None = None
        self.energy: dict[str, Any] | None = None
        self.start_s = time.monotonic()
        self.steps: list[dict[str, Any]] = []
        self.busy: dict[str, int] = {}  # counter units of whole requests, by the session's parts
        self.flash_before = device.flash_bytes()
        self.counter = device.counter
        self.figures: dict[str, Any] = {"samples": 0, "stopped": False}

    def run(
        self,
        learner: dict[str, Any],
        samples: Samples,
        length: Length | None,
        sent: int = 0,
        **about: Any,
    ) -> Learned:
        """learner: the board's facts about it. length None: the samples are stored, not learned.

        sent: so many of them the board has stored already. about: more facts for the log's first
        record.
        """
        if length:
            self._warn(learner, samples)
        facts = self.device.info()
        self.model = energy.model_of(facts["board"], self.counter["unit"], boards.load_all())
        self.figures.update(
            board=facts["board"],
            model=facts["model"],
            strategy=learner["strategy"],
            epochs=length.epochs if length else 0,
            lr=learner["lr"],
            lr_decay=learner["lr_decay"],
        )
        if samples.y is not None:
            classes = {"classes": samples.counts(), "class_names": self.class_names}
            self.figures.update(classes)
            about.update(classes)
        self._write(
            "begin",
            board=facts["board"],
            runtime=facts["runtime"],
            model=facts["model"],
            options=facts["options"],
            strategy=learner["strategy"],
            learner=learner,
            session=learner["session"],
            samples=len(samples),
            epochs=length.epochs if length else 0,
            steps=length.steps if length else 0,
            **about,
        )
        try:
            if self.meter is None:
                self._work(samples, sent, length)
            else:
                with Measuring(self.device, self.meter) as self.measuring:
                    self._work(samples, sent, length)
                    self.measuring.finish()
                self._measured(self.measuring)
        except KeyboardInterrupt:
            self.figures["stopped"] = True
            raise
        except Exception as e:
            self.figures["error"] = str(e)
            raise
        finally:
            summary = self._summary()
        return Learned(summary, self.steps, self.writer.path, self.energy)

    def _warn(self, learner: dict[str, Any], samples: Samples) -> None:
        """Warns (EngramWarning) of a session that forgets unawares, before anything is sent."""
        text = rehearsal.warning(self.device, learner, samples)
        if text:
            self._tell(text)

    def _tell(self, text: str) -> None:
        self.figures["warning"] = text
        warnings.warn(text, EngramWarning, stacklevel=5)

    def _work(self, samples: Samples, sent: int, length: Length | None) -> None:
        for name, work in (
            ("observe", lambda: self._observe(samples, sent)),
            ("learn", lambda: self._learn(length) if length else None),
            ("save", self._keep),
        ):
            before = self.device.busy()
            work()
            self.busy[name] = self.device.busy() - before

    def _measured(self, measuring: Measuring) -> None:
        """The record "timeline" and, where the meter was read, "energy"."""
        self._write("timeline", **measuring.record())
        self.figures["timeline"] = True
        if measuring.live:
            result = measuring.result()
            self.energy = self._write("energy", **result)
            keys = ("source", "meter", "total", "step", "sample")
            self.figures["energy"] = {key: result[key] for key in keys if key in result}

    def _observe(self, samples: Samples, sent: int) -> None:
        chunk = 64  # samples between two looks at Ctrl-C
        units, count = 0, sent
        receive = write = 0
        self.figures["samples"] = sent
        with self.device.reporter.items("observe", len(samples), "samples") as update:
            for start in range(sent, len(samples), chunk):
                self._check_stop()
                answer = self.device.observe_quietly(samples.part(start, start + chunk))
                units, count = units + answer["units"], count + answer.get("stored", answer["n"])
                receive, write = receive + answer["receive"], write + answer["flash_write"]
                if self.measuring:
                    self.measuring.samples(answer)
                self.figures["samples"] = min(len(samples), start + chunk)
                update(self.figures["samples"])
        figures: dict[str, Any] = {"observe_units": units, "stored": count}
        figures["observe_phases"] = {
            "receive": receive,
            "forward": units - write,
            "flash_write": write,
        }
        self.figures.update(figures)
        cost = self._energy(units + receive)
        self._write("observe", samples=len(samples), **figures, **cost, **self.counter)

    def _learn(self, length: Length) -> None:
        with self.device.reporter.items("learn", None, "steps") as update:
            learning = self.device.learning(*length)
            try:
                for row in learning:
                    row["flash_bytes"] -= self.flash_before
                    if self.measuring:
                        self.measuring.step(row)
                    cost = self._energy(row["total"] + row["link"])
                    record = self._write("step", **row, **cost, **self.counter)
                    self.steps.append(record)
                    update(row["step"], total=row["of"], note=_note(row))
                    self.on_step(record)
                    if row.get("warning"):
                        self._tell(row["warning"])
                    self._check_stop()
            finally:
                learning.close()

    def _keep(self) -> None:
        self.device.end_session()
        state = self.device.save()
        if self.measuring:
            self.measuring.saved(state)
        self.figures["generation"], self.figures["save_units"] = (
            state["generation"],
            state["units"],
        )

    def _energy(self, units: int) -> dict[str, Any]:
        """{"energy": of the model}; {} where a meter measures, or no model knows."""
        if self.meter is not None or self.model is None:
            return {}
        return {"energy": self.model.energy(units)}

    def _spent(self) -> int:
        """Counter units of the session: of all its requests, where it came to its end; else of
        what the learner counted."""
        figures = self.figures
        if "save" in self.busy:
            return sum(self.busy.values())
        units = sum(figures.get(key, 0) for key in ("observe_units", "total", "save_units"))
        return int(units + figures.get("observe_phases", {}).get("receive", 0))

    def _check_stop(self) -> None:
        if self.stop.asked:
            place = f"after step {len(self.steps)}" if self.steps else "before the first step"
            raise Stopped(
                f"stopped {place}; the board is ready, and has kept what was sent to learn from. "
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
                link=sum(row["link"] for row in steps),
                outside=sum(row["outside"] for row in steps),
                ram_bytes=max(row["ram_bytes"] for row in steps),
                learner_ram_bytes=max(row["learner_ram_bytes"] or 0 for row in steps),
            )
        if "save" in self.busy:
            figures.update(busy=self.busy, busy_units=sum(self.busy.values()))
        figures.update(self._energy(self._spent()))
        if not {"stopped", "error"} & {key for key, value in figures.items() if value}:
            learner = self.device.info()["learner"]
            figures["flash_bytes"] = self.device.flash_bytes() - self.flash_before
            for key in ("ram_planned_bytes", "ram_measured_bytes", "session"):
                figures[key] = learner[key]
        return self._write("summary", **figures, **self.counter)

    def _write(self, kind: str, **record: Any) -> dict[str, Any]:
        record["wall_s"] = round(time.monotonic() - self.start_s, 4)
        return self.writer.write(kind, record)


def _note(row: dict[str, Any]) -> str:
    """A step in a few words."""
    right = "" if row["acc"] is None else f"  right {row['acc']:.0%}"
    return f"loss {row['loss']:.3f}{right}"
