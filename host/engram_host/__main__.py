"""python -m engram_host is engram."""

from engram_host.cli import main

main(prog_name="engram")
