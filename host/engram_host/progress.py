"""Progress of transfers and learning: an interface, nothing, and bars by rich."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

Update = Callable[..., None]  # update(count, total=None, note="")
_Shown = AbstractContextManager[Update]


class Reporter(Protocol):
    """Shows the user how far things are."""

    def bytes(self, what: str, total: int) -> _Shown:
        """A transfer of `total` bytes; within it, update(count)."""
        ...

    def items(self, what: str, total: int | None, unit: str) -> _Shown:
        """`total` (None: not known yet) things called `unit`; update(count, total, note)."""
        ...


def _ignore(count: int, total: int | None = None, note: str = "") -> None:
    pass


@contextmanager
def _nothing() -> Iterator[Update]:
    yield _ignore


class Silent:
    """Shows nothing: for scripts."""

    def bytes(self, what: str, total: int) -> _Shown:
        return _nothing()

    def items(self, what: str, total: int | None, unit: str) -> _Shown:
        return _nothing()


class _Rate(ProgressColumn):
    """Things a second, in their own unit."""

    def render(self, task: Task) -> Text:
        speed = task.completed / task.elapsed if task.elapsed else 0
        digits = 1 if speed < 100 else 0
        text = f"{speed:.{digits}f} {task.fields['unit']}/s" if speed else ""
        return Text(text, style="progress.data.speed", no_wrap=True)


class Bars:
    """Bars with rate and remaining time. console: on stderr, so that output can be piped."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def bytes(self, what: str, total: int) -> _Shown:
        return self._bar(what, total, "bytes", (DownloadColumn(), TransferSpeedColumn()))

    def items(self, what: str, total: int | None, unit: str) -> _Shown:
        return self._bar(what, total, unit, (MofNCompleteColumn(), _Rate()))

    @contextmanager
    def _bar(
        self, what: str, total: int | None, unit: str, columns: tuple[ProgressColumn, ...]
    ) -> Iterator[Update]:
        display = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            *columns,
            TimeElapsedColumn(),
            TimeRemainingColumn(elapsed_when_finished=False),
            TextColumn("[dim]{task.fields[note]}"),
            console=self._console,
        )
        with display:
            task = display.add_task(what, total=total, unit=unit, note="")

            def update(count: int, total: int | None = None, note: str | None = None) -> None:
                fields = {} if note is None else {"note": note}
                if total is not None:
                    display.update(task, total=total)
                display.update(task, completed=count, **fields)  # type: ignore[arg-type]

            yield update
