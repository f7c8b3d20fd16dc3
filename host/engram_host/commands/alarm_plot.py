"""Means of a watch as they come, a character each, and the places where the alarm changes."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

_LEVELS = "▁▂▃▄▅▆▇█"
_BELOW = 6  # of them, from the median of normal means to the threshold
_WIDTH = 64  # samples a line
_STYLES = {"alarm": "bold red", "filling": "dim", "unknown": "yellow"}


class AlarmPlot:
    """Lines of _WIDTH samples on a console. facts: of the watch, as Watch.info() tells them."""

    def __init__(self, console: Console, facts: dict[str, Any]) -> None:
        self._console, self._facts = console, facts
        self._line, self._first, self._count = Text(), 0, 0
        self._state, self._alarm = "filling", False
        console.print(f"[bold]threshold[/] {threshold_words(facts)}", highlight=False)

    def add(self, reading: tuple[float | None, float, str]) -> None:
        """The next sample."""
        _, mean, state = reading
        level = "?" if state == "unknown" else _LEVELS[self._level(mean)]
        if state != self._state and "unknown" in (state, self._state):
            self._tell(f"score {'lost: no finite number' if state == 'unknown' else 'is back'}")
        alarm = self._alarm if state == "unknown" else state == "alarm"
        if alarm != self._alarm:
            words = "begins" if alarm else "ends"
            limit = self._facts["threshold" if alarm else "lower"]
            sign = "above" if alarm else "below"
            style = "red" if alarm else "green"
            self._tell(f"alarm {words}: mean {mean:.4g} {sign} {limit:.4g}", style)
        self._state, self._alarm = state, alarm
        self._line.append(level, _STYLES.get(state, ""))
        self._count += 1
        if self._count - self._first == _WIDTH:
            self.end()

    def adapted(self, told: dict[str, Any], facts: dict[str, Any]) -> None:
        """The board has learned something; facts: of the watch from now on."""
        self._facts = facts
        self._tell(adapted_words(told), style="cyan")

    def end(self) -> None:
        """Prints the line that is not full."""
        if self._line:
            line = Text(f"{self._first:>7} ") + self._line
            self._console.print(line, soft_wrap=True)
        self._line, self._first = Text(), self._count

    def _level(self, mean: float) -> int:
        high, lower = self._facts["threshold"], self._facts["lower"]
        half = high - lower  # half-way from the median
        share = (mean - high) / (2 * half) + 1 if half > 0 else float(mean > high)
        level = int(_BELOW * max(0.0, min(2.0, share)))
        return min(max(level, _BELOW), len(_LEVELS) - 1) if mean > high else min(level, _BELOW - 1)

    def _tell(self, words: str, style: str = "red") -> None:
        self.end()
        line = f"{self._count:>7} {words}"
        self._console.print(line, style=style, highlight=False, soft_wrap=True)


def adapted_words(told: dict[str, Any]) -> str:
    """Words on what a board has learned: since which sample it is new, how to undo it."""
    words = (
        f"new since sample {min(told['samples'])}: {told['blocks']} blocks learned in "
        f"{told['steps']} steps, loss {told['before']:.4g} -> {told['after']:.4g}, threshold "
        f"{told['threshold_before']:.4g} -> {told['threshold']:.4g}"
    )
    if told["generation"] is None:
        return f"{words}, not saved"
    return (
        f"{words}, saved as state {told['generation']}; "
        "`engram rollback --to previous` undoes it"
    )


def threshold_words(facts: dict[str, Any]) -> str:
    """The threshold of a watch in words: where it comes from, and how sure that is."""
    how = "a quantile" if facts["how"] == "quantile" else "the exponential tail"
    words = f"{facts['threshold']:.4g}, from {how} of {facts['means']:,} means of "
    words += f"{facts['window']} scores by engine {facts['engine']};"
    words += f" {facts['rate']:.2g} of normal samples above it"
    if facts["extrapolated"]:
        words += ", extrapolated beyond all that were seen"
    if not facts["held_out"]:
        words += "; the model has learned from these samples, so expect more false alarms"
    return words
