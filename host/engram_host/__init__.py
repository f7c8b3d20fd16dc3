"""The host side of Engram: `engram` on the command line, the same verbs in `engram_host.api`."""
