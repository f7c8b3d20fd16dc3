"""`make lint` as tests, so that what CI runs includes it."""

import subprocess
import sys

import pytest

from tidy import tree

RUFF = ["ruff", "check", "--output-format=concise", "."]


@pytest.mark.slow
@pytest.mark.parametrize("tool", [RUFF, ["mypy"]], ids=lambda t: t[0])
def test_has_nothing_to_say(tool):
    """ruff: style and common mistakes, everywhere. mypy: the types of the host part."""
    result = subprocess.run(
        [sys.executable, "-m", *tool], cwd=tree.ROOT, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
