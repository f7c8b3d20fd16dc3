"""One module a verb: it parses, calls engram_host.api, shows the answer. Nothing else."""
