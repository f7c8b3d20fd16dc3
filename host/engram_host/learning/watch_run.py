"""A watch on a board over samples that come in parts: what it says of them, what it learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engram_host.device import Device, Reading
from engram_host.learning import log as logs
from engram_host.learning import watching
from engram_host.samples import Samples

Adapted = dict[str, Any]  # as adapting.Adaptation.adapt(), and "sample": those read before it
_STEPS = 100  # of a learning run


class WatchRun:
    """Feeds samples to a watch, and lets the board learn what it has taken in.

    adapt: whether it takes in what is new; steps: of a learning run. options: of the watch, as
    Device.watch() takes them. writer: log of all that happens. on_watch gets the settings and the
    threshold, on_reading each answer, on_adapted what was learned and the threshold from then on.

    .facts      the settings and the threshold as they were at the beginning
    .readings   (score or None, mean, state) of all samples
    .adapted    what was learned, in the order of time
    """

    def __init__(
        self,
        device: Device,
        writer: logs.Writer | None = None,
        *,
        adapt: bool = False,
        steps: int | None = None,
        on_watch: Callable[[dict[str, Any]], None],
        on_reading: Callable[[Reading], None],
        on_adapted: Callable[[Adapted, dict[str, Any]], None],
        **options: Any,
    ) -> None:
        self.device, self._writer = device, writer
        self._on_reading, self._on_adapted = on_reading, on_adapted
        self._adapts = adapt
        if adapt:
            options["adapt"] = _STEPS if steps is None else steps
        self.facts = device.watch(**options)
        self.readings: list[Reading] = []
        self.adapted: list[Adapted] = []
        self._write("watch", {"board": device.link.board, **self.facts})
        on_watch(self.facts)

    def run(self, samples: Samples) -> None:
        """Feeds the next samples; labels go into the log."""
        first = len(self.readings)

        def on_each(reading: Reading) -> None:
            at = len(self.readings)
            label = {} if samples.y is None else {"label": int(samples.y[at - first])}
            values = dict(zip(("score", "mean", "state"), reading))
            self._write("reading", {"sample": at, **values, **label})
            self.readings.append(reading)
            self._on_reading(reading)

        self.device.readings(samples, on_each, self._adapt if self._adapts else None)

    def taken_in(self) -> dict[str, int]:
        """{"adopted", "refused", "waiting": blocks of samples; "taken": those of the adopted that
        are stored and not learned yet}; {} of a watch that learns nothing."""
        if not self._adapts:
            return {}
        facts = self.device.watch_info()
        return {key: facts[key] for key in ("adopted", "refused", "waiting", "taken")}

    def result(self, labels: Any = None) -> dict[str, Any]:
        """Ends the log with a summary; {"watch", "scores", "means", "states"} and its figures.

        labels: of all samples, (n), or None.
        """
        figures: dict[str, Any] = watching.summary(self.readings, labels)
        if self._adapts:
            figures |= {"adapted": self.adapted, **self.taken_in()}
        self._write("summary", figures)
        parts = {
            name: [reading[i] for reading in self.readings]
            for i, name in enumerate(("scores", "means", "states"))
        }
        return {"watch": self.facts, **figures, **parts}

    def _adapt(self) -> None:
        told, facts = self.device.adapt()
        told = {"sample": len(self.readings), **told}
        self.adapted.append(told)
        self._write("adapted", {**told, "watch": facts})
        self._on_adapted(told, facts)

    def _write(self, kind: str, record: dict[str, Any]) -> None:
        if self._writer is not None:
            self._writer.write(kind, record)
