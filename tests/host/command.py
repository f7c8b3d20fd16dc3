"""The command line, in this process and as one of its own."""

import subprocess
import sys

from click.testing import CliRunner

from engram_host.cli import main


def run(*args, **options):
    """`engram` with these words: .exit_code, .stdout, .stderr."""
    return CliRunner().invoke(
        main, [str(arg) for arg in args], prog_name="engram", catch_exceptions=False, **options
    )


def engram(*words, **options):
    """What `engram` prints as a process of its own, which must end well."""
    result = subprocess.run(
        [sys.executable, "-m", "engram_host", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
