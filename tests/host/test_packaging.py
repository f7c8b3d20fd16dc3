"""A plain installation: what it carries, and what becomes of it where nothing can be compiled."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tidy import tree

pytestmark = pytest.mark.slow


def build(folder, **environment):
    """Build from a copy of the project; returns (library folder, what the build said)."""
    source, library = folder / "source", folder / "library"
    for path in tree.files():
        target = source / path.relative_to(tree.ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    result = subprocess.run(
        [sys.executable, "setup.py", "-q", "build", "--build-lib", library],
        cwd=source,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return library, result.stderr


def answer(library, expression):
    """What an expression prints in a Python that has nothing but the library folder and numpy."""
    for path in Path(sysconfig.get_path("platlib")).glob("numpy*"):
        (library / path.name).symlink_to(path)
    program = (
        f"import sys; sys.path.insert(0, {str(library)!r}); import engram.backend; "
        f"import engram_host.boards as boards; print({expression})"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "ENGRAM_HOME")}
    result = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=library,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_without_a_compiler_it_installs_says_so_and_uses_numpy(tmp_path):
    library, text = build(tmp_path, CC="false")
    assert "C kernels were not built" in text and "numpy" in text
    assert not list(library.rglob("_engram*"))
    assert answer(library, "engram.backend.kernels.__name__") == "engram.kernels.numpy"


def test_with_one_it_has_the_kernels_and_the_boards(tmp_path):
    library, text = build(tmp_path)
    assert "not built" not in text
    there = sorted(p.parent.name for p in (tree.ROOT / "boards").glob("*/board.toml"))
    expected = ("_engram", str(library / "engram_host" / "_data"), there)
    names = "sorted(b.name for b in boards.load_all())"
    expression = f"(engram.backend.kernels.__name__, str(boards.home()), {names})"
    assert answer(library, expression) == str(expected)
