"""engram log"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from engram_host import api
from engram_host.commands import options, output
from engram_host.commands.energy_rows import energy_rows
from engram_host.commands.stream_tables import METRICS

_COLUMNS = (
    "step", "loss", "right", "new", "replayed", "read", "forward", "backward", "update", "link",
)  # fmt: skip
_PHASES = ("replay_read", "forward", "backward", "update")
_LAYOUT = "{:>9} {:>7} {:>5} {:>3} {:>8}" + 5 * " {:>9}"


@click.command(epilog="Example: engram log --follow")
@click.argument("file", type=options.FILE, required=False)
@click.option("--follow", "-f", is_flag=True, help="Wait for more, until the session ends.")
@options.json
@options.debug
def command(file: Path | None, follow: bool, as_json: bool) -> None:
    """Show the log of a learning session as a table; without FILE the newest one.

    The five columns at the right are parts of a step, in the unit that the heading names: the
    phases of the step, and the work of the link beside them.
    """
    for record in api.log(file, follow=follow):
        if as_json:
            output.show_json(record)
        else:
            _SHOW.get(record["kind"], _other)(record)


def _begin(record: dict[str, Any]) -> None:
    print(
        f"{record['board']}, {record['model']}: {record['samples']} samples, "
        f"{_length(record)}strategy {record['strategy']}"
    )
    if record.get("classes"):
        print(f"classes: {output.class_counts(record['classes'], record['class_names'])}")


def _length(record: dict[str, Any]) -> str:
    """How long the session was to learn, where that was said."""
    for name in ("epochs", "steps"):
        if record.get(name):
            return f"{record[name]} {name}, "
    return ""


def _observe(record: dict[str, Any]) -> None:
    unit = f"{record['unit']} ({record['source']})"
    # logs of before have no such figure: every sample was stored
    count = record.get("stored", record["samples"])
    print(
        f"observed {record['samples']} samples, stored {count}: {record['observe_units']:,} {unit}"
    )
    print(f"phases of a step in {unit}:")
    print(_LAYOUT.format(*_COLUMNS), flush=True)


def _step(record: dict[str, Any]) -> None:
    phases = [f"{record['phases'][name]:,}" for name in _PHASES]
    step = f"{record['step']}/{record['of']}"
    loss = f"{record['loss']:.4f}"
    right = "–" if record["acc"] is None else f"{record['acc']:.0%}"
    phases.append(f"{record.get('link', 0):,}")  # logs of before have no such figure
    print(
        _LAYOUT.format(step, loss, right, record["new"], record["replayed"], *phases), flush=True
    )


def _summary(record: dict[str, Any]) -> None:
    if record["stopped"]:
        print(f"stopped after {record['steps']} steps")
    elif "error" in record:
        print(f"failed after {record['steps']} steps: {record['error']}")
    else:
        print(
            f"{record['steps']} steps in {record['wall_s']:.1f} s (host), "
            f"{output.size(record['flash_bytes'])} of flash programmed, "
            f"state {record['generation']} saved"
        )


def _timeline(record: dict[str, Any]) -> None:
    print(f"timeline of {len(record['intervals'])} phases, for a power meter")


def _energy(record: dict[str, Any]) -> None:
    for name, text in energy_rows({"energy": record}, None):
        print(f"{name}: {text}")


def _stream(record: dict[str, Any]) -> None:
    names = ", ".join(portion["name"] for portion in record["sessions"])
    print(f"{len(record['sessions'])} sessions ({record['protocol']}-incremental): {names}")


def _evaluation(record: dict[str, Any]) -> None:
    print(
        f"test {record['test_name']}: {record['accuracy']:.1%} of {record['n']} right", flush=True
    )


def _metrics(record: dict[str, Any]) -> None:
    if record.get("stopped") or "error" in record:
        print(f"the stream ended early: {record.get('error', 'stopped')}")
        return
    for name in METRICS:
        if record.get(name) is not None:
            print(f"{name.replace('_', ' ')}: {record[name]:.1%}")


def _other(record: dict[str, Any]) -> None:
    print(record)


_SHOW = {
    "stream": _stream,
    "begin": _begin,
    "observe": _observe,
    "step": _step,
    "timeline": _timeline,
    "energy": _energy,
    "summary": _summary,
    "evaluation": _evaluation,
    "metrics": _metrics,
}
