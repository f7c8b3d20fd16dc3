"""The report of a run of the demo: which figures it shows, and what it says about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..boards.clock import frequency_words
from ..planning.energy import Cost
from .energy_cards import energy_card, energy_tiles
from .figures.accuracy import matrix_picture, seen_picture, session_names
from .figures.energy import energy_picture, readable_energy, readable_time
from .figures.learning import loss_picture, phases_picture
from .figures.memory import flash_picture, ram_picture
from .figures.render import inline_svg
from .figures.style import Picture
from .page import Card, DataTable, Page, Tile
from .phase_table import phase_table
from .schema import DemoResult, Source, Summary
from .summary import class_groups, group_name, learning_instructions, phase_totals

Pictures = dict[str, Picture]


def draw(result: DemoResult, chips: Sequence[Cost]) -> Pictures:
    """Every picture of the report, by the name of its file."""
    sessions = result["replay"]["sessions"]
    names = session_names(class_groups(result["replay"]))
    losses = [[step["loss"] for step in session["steps"]] for session in sessions]
    totals = [phase_totals(session) for session in sessions]
    pictures = {
        "accuracy": seen_picture(result),
        "matrix": matrix_picture(result),
        "loss": loss_picture(list(zip(names, losses))),
        "phases": phases_picture(list(zip(names, totals)), result["counter_unit"]),
        "ram": ram_picture(result),
        "flash": flash_picture(result),
    }
    if chips:
        pictures["energy"] = energy_picture(chips)
    return pictures


def demo_page(
    result: DemoResult, summary: Summary, chips: Sequence[Cost], pictures: Pictures
) -> Page:
    """The page of a run."""
    board: Source = result["counter_kind"]
    svg = {name: inline_svg(picture, name) for name, picture in pictures.items()}
    ram, flash, model = result["ram"], result["flash"], result["model"]
    groups = summary["class_groups"]
    new = [c for group in groups[1:] for c in group]
    base = group_name(groups[0])
    cards = [
        Card(
            "Accuracy on all classes seen so far",
            "After each session the board is tested on every class it has met. Joint training "
            "sees all data at once, on a PC: the bound.",
            [board, "host"],
            svg["accuracy"],
            _seen_table(summary),
        ),
        Card(
            "What it knows after each session",
            "A row for each session, a column for each group of classes. Without replay the "
            "newest class erases the others.",
            [board],
            svg["matrix"],
        ),
        Card(
            "Training loss",
            f"{summary['steps']:,} steps of stochastic gradient descent with replay, "
            f"{len(new)} sessions. Pale: single steps.",
            [board],
            svg["loss"],
        ),
        Card(
            "Where the time goes",
            _phases_text(result, summary),
            [board],
            svg["phases"],
            _phases_table(result),
        ),
    ]
    card = energy_card(_measured(result))
    if card:
        cards.append(card)
    if chips:
        cards.append(_energy_card(result, chips, svg["energy"]))
    if summary["energy_left_out"]:
        cards.append(_no_energy_card(summary))
    cards += [
        Card(
            "Flash programmed",
            f"{flash['programmed_bytes']:,} bytes and {flash['erases']:,} sector erases in all; "
            f"{flash['records']:,} stored latents occupy {flash['replay_bytes']:,} bytes.",
            [board],
            svg["flash"],
        ),
        Card(
            "RAM: the plan and the peak",
            f"Computed before anything is flashed: {ram['planned_bytes']:,} bytes. Measured "
            f"peak: {ram['peak_bytes']:,}.",
            ["model", board],
            svg["ram"],
        ),
        Card("The run", "What was run, and with which settings.", ["host"], table=_facts(result)),
    ]
    if "seeds" in result:
        cards.append(_seeds_card(result, board))
    return Page(
        title=f"{len(new)} new classes learned on the board, "
        f"{summary['accuracy_replay']:.0%} right on all {len(groups[0]) + len(new)}",
        kicker=result["title"],
        lede=f"A network that knew the classes {base} was put on the board {result['board']} "
        f"with MicroPython {result['micropython']}. The classes {group_name(new)} then arrived "
        "one session at a time over the serial line, and the board trained on them: once with "
        f"{model['latent_bits']}-bit replays from its flash, once without.",
        tiles=_tiles(result, summary, chips),
        cards=cards,
        closing="All figures are in summary.json beside this page, the records of every step in "
        "result.json.",
    )


def _tiles(result: DemoResult, summary: Summary, chips: Sequence[Cost]) -> list[Tile]:
    board: Source = result["counter_kind"]
    tiles = [
        Tile(f"{summary['accuracy_replay']:.1%}", "with replay", board, "replay"),
        Tile(f"{summary['accuracy_finetune']:.1%}", "without replay", board, "finetune"),
        Tile(f"{summary['accuracy_joint']:.1%}", "joint training, the bound", "host", "joint"),
        Tile(f"{summary['ram_peak_bytes'] / 1024:.1f} KiB", "peak RAM of the learner", board),
    ]
    if summary["instructions_per_step"]:
        tiles.append(
            Tile(f"{summary['instructions_per_step'] / 1e6:.2f} M", "instructions a step", board)
        )
    if summary["cycles_per_step"]:
        tiles.append(Tile(f"{summary['cycles_per_step'] / 1e6:.2f} M", "cycles a step", board))
    if summary["us_per_step"]:
        label = "a training step" + _at(result)
        tiles.append(Tile(readable_time(summary["us_per_step"] / 1000), label, board))
    if chips:
        cheapest = min(chips, key=lambda row: row["mj"])
        label = f"all sessions on an {cheapest['chip']}"
        tiles.append(Tile(readable_energy(cheapest["mj"]), label, "model"))
    return tiles + energy_tiles(_measured(result))


def _measured(result: DemoResult) -> list[tuple[str, dict[str, Any]]]:
    """The sessions that a power meter measured."""
    sessions = result["replay"]["sessions"]
    names = session_names(class_groups(result["replay"]))
    return [(name, s["energy"]) for name, s in zip(names, sessions) if s.get("energy")]


def _seen_table(summary: Summary) -> DataTable:
    seen = summary["accuracy_seen"]
    names = session_names(summary["class_groups"])
    return DataTable(
        [
            (name, *(f"{seen[key][i]:.1%}" for key in ("replay", "finetune", "joint")))
            for i, name in enumerate(names)
        ],
        ("after", "replay", "no replay", "joint"),
    )


def _at(result: DemoResult) -> str:
    return frequency_words(result["board"], result["counter_unit"])


def _phases_text(result: DemoResult, summary: Summary) -> str:
    text = "Each session with replay, evaluation left out."
    if summary["sessions_us"]:
        together = readable_time(summary["sessions_us"] / 1000)
        text += f" All of them together: {together}{_at(result)}."
    share = summary["share_outside_kernels"]
    if share is not None:
        text += f" {share:.1%} of a training step is spent outside the C kernels."
    return text


def _phases_table(result: DemoResult) -> DataTable:
    sessions = result["replay"]["sessions"]
    totals = [phase_totals(session) for session in sessions]
    names = session_names(class_groups(result["replay"]))
    return phase_table(names, totals, result["board"], result["counter_unit"])


def _energy_card(result: DemoResult, chips: Sequence[Cost], svg: str) -> Card:
    instructions, origin = learning_instructions(result)
    participle = "estimated" if origin == "model" else "counted"
    return Card(
        "Energy on real chips",
        f"All sessions with replay: {instructions / 1e6:,.0f} million {participle} instructions, "
        "with clock, cycles per instruction and active power from each board's data."
        + "".join(f" {row['chip']}: {row['assumption']}." for row in chips if row["assumption"]),
        ["model"],
        svg,
        DataTable(
            [
                (
                    row["board"],
                    row["chip"],
                    readable_time(row["ms"]),
                    _range(row),
                )
                for row in chips
            ],
            ("board", "chip", "time", "energy"),
        ),
    )


def _range(row: Cost) -> str:
    """The energy of a chip; from the least to the most where an assumption is made."""
    most, least = readable_energy(row["mj"]), readable_energy(row["least_mj"])
    return most if most == least else f"{least} to {most}"


def _no_energy_card(summary: Summary) -> Card:
    return Card(
        "Chips without a figure for energy",
        f"The instructions of {summary['board']} are not those that these chips would run.",
        ["model"],
        table=DataTable(list(summary["energy_left_out"].items()), ("board", "why")),
    )


def _facts(result: DemoResult) -> DataTable:
    model = result["model"]
    rows = [
        ("board", f"{result['board']}: {result['board_title']}"),
        ("MicroPython", result["micropython"]),
        ("model", f"{model['name']}, {model['file_bytes']:,} bytes"),
        ("trained parameters", f"{model['parameters']:,}"),
        ("frozen stage", f"{model['macs_observe']:,} MACs a sample"),
        ("training step", f"{model['macs_step']:,} MACs"),
        ("latent", f"{model['latent_bytes']} bytes of {model['latent_bits']} bits"),
    ]
    rows += _settings(result["settings"])
    rows.append(("time on this computer", f"{result['wall_s']:.0f} s"))
    return DataTable(rows)


def _settings(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Tables of demo.toml as rows: ("learner", "batch 16, lr 0.04, ...")."""
    rows, single = [], []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            inner = [f"{key.replace('_', ' ')} {_text(each)}" for key, each in value.items()]
            rows.append((name, "; ".join(inner)))
        else:
            single.append((name.replace("_", " "), _text(value)))
    return single + rows


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _seeds_card(result: DemoResult, board: Source) -> Card:
    keys = ("accuracy_replay", "accuracy_finetune", "accuracy_joint", "forgetting")
    seeds = result["seeds"]
    columns = [[float(row[key]) for row in seeds] for key in keys]  # type: ignore[literal-required]
    rows = [
        (str(row["seed"]), *(f"{column[i]:.1%}" for column in columns))
        for i, row in enumerate(seeds)
    ]
    rows.append(("mean", *(f"{sum(c) / len(c):.1%}" for c in columns)))
    rows.append(("spread", *(f"{(max(c) - min(c)) * 100:.1f} points" for c in columns)))
    return Card(
        "Repeated with other seeds",
        "Other samples in another order, the same network.",
        [board, "host"],
        table=DataTable(rows, ("seed", "replay", "no replay", "joint", "forgetting")),
    )
