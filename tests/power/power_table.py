"""The tables of docs/power.md, from out/bench/power.json and out/bench/kills.json."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out" / "bench"
DOCUMENT = ROOT / "docs" / "power.md"

# row of the table -> field of the figures
KILLS = {
    "kills of the emulator's process": "kills",
    "acknowledged records lost": "lost",
    "records served that were not as sent": "torn",
    "records served twice": "twice",
    "restarts that did not mount": "unmountable",
    "saved states lost or changed": "states_lost",
    "restarts where board and flash file disagree": "disagreements",
    "sessions that ended by themselves": "ended",
    "kills that the host did not notice in 60 s": "unnoticed",
    "restarts checked on the board as well": "checked_on_board",
    "samples observed": "observed",
    "training steps": "steps",
    "states saved": "saves",
    "units collected": "collections",
    "kills aimed at a change of the flash": "aimed_at_writes",
    "kills that left a torn slot": "left_a_torn_slot",
    "kills whose flash the next mount repaired": "repaired_by_mount",
    "seconds": "seconds",
}


def rows(figures, fields):
    lines = ["| | |", "|---|---:|"]
    return lines + [f"| {title} | {figures.get(field, 0)} |" for title, field in fields.items()]


def kills(figures):
    lines = rows(figures, KILLS)
    where = ", ".join(f"{phase} {n}" for phase, n in figures["killed_in"].items())
    return "\n".join([*lines, f"| killed in | {where} |"])


def of_kills(number_format):
    """The name of the figures of a campaign."""
    return "kills" if number_format == "f32" else f"kills_{number_format}"


def write(name, figures):
    """Puts figures into out/bench/NAME.json."""
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{name}.json"
    path.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"wrote {path.relative_to(ROOT)}")


# row of the table -> part and field of the figures
POWER = {
    "geometries": ("cuts", "scenes"),
    "cuts of a scripted life": ("cuts", "cuts"),
    "of these in a life that drops and levels units": ("cuts", "cuts_with_drops"),
    "cuts of a format": ("cuts", "format_cuts"),
    "recoveries tried": ("cuts", "recoveries"),
    "of these with something to do": ("cuts", "recoveries_with_steps"),
    "cuts within recoveries": ("cuts", "cuts_in_recoveries"),
    "recoveries within recoveries, deepest": ("cuts", "deepest"),
    "cuts of the life after a recovery": ("cuts", "cuts_in_later_lives"),
    "random lives": ("lives", "lives"),
    "operations in them": ("lives", "operations"),
    "cuts in them": ("lives", "cuts"),
    "cuts in their recoveries": ("lives", "cuts_in_recoveries"),
    "of these lives ended by wear, all told": ("lives", "worn_out"),
    "replacements at 80 % fill": ("wear", "replacements"),
    "wear by the simulator, equal to info(), least": ("wear", "wear_min"),
    "wear by the simulator, equal to info(), most": ("wear", "wear_max"),
    "records moved per record appended": ("wear", "moved_per_append"),
    "bytes programmed per byte of latents": ("wear", "program_bytes_per_payload_byte"),
    "mutants planted": ("mutants", "planted"),
    "mutants caught": ("mutants", "caught"),
}


def power(figures):
    lines = ["| | |", "|---|---:|"]
    lines += [f"| {title} | {figures[part].get(f, 0)} |" for title, (part, f) in POWER.items()]
    lines += [f"| acknowledged records lost | {figures['lost']} |"]
    return "\n".join([*lines, f"| torn records served | {figures['torn']} |"])


TABLES = {"kills": kills, "kills_q8": kills, "power": power}


def put():
    """Replaces the tables whose figures are there in the document."""
    text = DOCUMENT.read_text()
    for name, table in TABLES.items():
        path = OUT / f"{name}.json"
        if path.exists():
            begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
            before, rest = text.split(begin)
            after = rest.split(end)[1]
            text = f"{before}{begin}\n{table(json.loads(path.read_text()))}\n{end}{after}"
    DOCUMENT.write_text(text)
    print(f"wrote {DOCUMENT.relative_to(ROOT)}")
