"""The files that are the project: what git tracks or is about to, and how to read them."""

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEFT_BEHIND = {"build", "dist", "out", ".git", ".venv", "venv"}  # at the top


@functools.cache
def files() -> tuple[Path, ...]:
    """Every file of the project, absolute. Without git: all but what builds leave behind."""
    listing = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
    )
    if listing.returncode == 0:
        paths = (ROOT / name for name in listing.stdout.split("\0") if name)
    else:
        inside = ((p, p.relative_to(ROOT).parts) for p in ROOT.rglob("*"))
        paths = (p for p, at in inside if at[0] not in LEFT_BEHIND and "__pycache__" not in at)
    return tuple(sorted({p for p in paths if p.is_file()}))


@functools.cache
def text_files() -> dict[str, str]:
    """Path relative to the root -> text, for every file that is UTF-8 text."""
    texts = {}
    for path in files():
        data = path.read_bytes()
        if b"\0" in data:
            continue
        try:
            texts[path.relative_to(ROOT).as_posix()] = data.decode()
        except UnicodeDecodeError:
            continue
    return texts


def matching(pattern, ends=("",)) -> list[str]:
    """'file:line: text' for every line that a pattern finds, in files whose names end so."""
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in text_files().items()
        if name.endswith(tuple(ends))
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
