"""The command line in this process."""

from click.testing import CliRunner

from engram_host.cli import main


def run(*args, **options):
    """`engram` with these words: .exit_code, .stdout, .stderr."""
    return CliRunner().invoke(
        main, [str(arg) for arg in args], prog_name="engram", catch_exceptions=False, **options
    )
