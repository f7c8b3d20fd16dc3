"""The table of the virtual boards, as text and in docs/boards.md."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "boards.md"
BEGIN, END = "<!-- make test-boards: begin -->", "<!-- make test-boards: end -->"
HEAD = """\
# Boards

The virtual boards, measured by `make test-boards DOCS=1`.

"""
COLUMNS = (
    "board",
    "core",
    "RAM",
    "device tests",
    "accuracy",
    "without replay",
    "RAM peak",
    "a training step",
    "outside kernels",
)


def cells(row):
    """The cells of a board's row, as text."""
    passed = sum(fault is None for fault in row["device_tests"].values())
    tests = f"{passed}/{len(row['device_tests'])}"
    start = [f"`{row['board']}`", row["core"], f"{row['ram_bytes'] // 1024} KB", tests]
    demo = row["demo"]
    if not demo:
        return [*start, *["–"] * (len(COLUMNS) - len(start))]
    share = demo["share_outside_kernels"]
    return [
        *start,
        f"{100 * demo['accuracy_replay']:.1f} %",
        f"{100 * demo['accuracy_finetune']:.1f} %",
        f"{demo['ram_peak_bytes']:,} B",
        f"{demo['per_step']:,} {demo['unit']} ({demo['kind']})",
        "–" if share is None else f"{100 * share:.1f} %",
    ]


def markdown(rows):
    """The table: a row a board, as run.py has measured it."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|---|" + "---:|" * (len(COLUMNS) - 2)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join(lines)


def put(text, document=DOCUMENT):
    """Puts a table into the document; both are made if need be. Of the table that is there, rows
    of other boards stay, unless it has other columns."""
    page = document.read_text() if document.exists() else HEAD
    if BEGIN not in page:
        page += f"{BEGIN}\n{END}\n"
    before, rest = page.split(BEGIN)
    there, after = rest.split(END)
    new, old = text.splitlines(), there.strip().splitlines()
    rows = {_board_of(line): line for line in new[2:]}
    if old[:1] == new[:1]:
        rows = {_board_of(line): line for line in old[2:]} | rows
    lines = new[:2] + [rows[name] for name in sorted(rows)]
    document.write_text("\n".join([before + BEGIN, *lines, END + after]))


def _board_of(line):
    return line.split("|")[1].strip(" `")
