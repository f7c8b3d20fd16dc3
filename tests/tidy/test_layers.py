"""Who may import whom. The tables are the rule; ARCHITECTURE.md explains it.

Arrows point downward only, so that every part can be read, tested and replaced with only what is
below it: the device library trains without a link, the store works on any block device, the wire
knows no model.
"""

import re
from pathlib import Path

import pytest
from tidy import imports

ROOT = Path(__file__).resolve().parents[2]
DEVICE = ROOT / "device_lib" / "engram"
HOST = ROOT / "host" / "engram_host"

BASE = {"errors", "compat"}
TRAINING = {"continual", "nn", "plan", "arena", "backend", "npy"}
DATA = {"nn.model", "nn.geometry", "nn.safetensors"}  # parse and describe a model; compute nothing

# module or package below `engram` -> what of `engram` it may import. The most specific row counts.
DEVICE_ROWS = {
    "errors": set(),
    "compat": set(),
    "kernels_py": set(),  # the definition stands alone, so that it can be read alone
    "kernels_np": set(),
    "backend": {"kernels_py", "kernels_np"} | BASE,
    "npy": BASE,
    "arena": {"backend"} | BASE,
    "nn.geometry": BASE,
    "nn.safetensors": BASE,
    "nn.model": DATA | BASE,
    "plan": DATA | BASE,  # runs on the host too: no kernels, no buffers
    "nn": {"nn", "plan", "arena", "backend"} | BASE,
    "store": {"store"} | BASE,  # a block device comes as an argument
    "continual": TRAINING | BASE,  # the store comes as an argument too
    "link.wire": BASE,  # both ends of the line run this file
    "link": {"link", "session", "store", ""} | TRAINING | BASE,
    "session": {"continual", "nn", "store"} | BASE,  # puts a learner and its store together
    "": {"session", "store"} | TRAINING | BASE,  # never the link
}

# What MicroPython brings. typing, dataclasses and the like are not there.
DEVICE_OUTSIDE = set(
    "array binascii errno gc hashlib io json math os random select struct sys time".split()
)
DEVICE_OUTSIDE_EXTRA = {
    "kernels_np": {"numpy", "ulab"},
    "backend": {"_engram"},
    "compat": {"micropython", "uctypes", "machine"},
    "link": {"engram_board", "machine"},
    "session": {"engram_board"},
}

# The only files that may ask where they run; every other file is the same on every host.
MAY_ASK = {"backend", "kernels_np", "compat"}
ASKS = re.compile(
    r"except\s*\(?[^:\n]*(ImportError|ModuleNotFoundError)"
    r"|sys\.(implementation|platform)|os\.uname"
)


def violations(package, name, rows):
    """(module, import) pairs that no row of the table allows."""
    known = imports.modules(package)
    for module, path in known.items():
        row = imports.row_for(module, rows)
        assert row is not None, f"{path.relative_to(ROOT)} has no row in the table of {__file__}"
        for target in sorted(imports.inside(path, module, name, known)):
            if imports.row_for(target, rows[row]) is None:
                yield f"{path.relative_to(ROOT)} imports {name}.{target}"


def graph(package, name):
    known = imports.modules(package)
    return {module: imports.inside(path, module, name, known) for module, path in known.items()}


def test_device_imports_follow_the_table():
    assert list(violations(DEVICE, "engram", DEVICE_ROWS)) == []


def test_device_has_no_import_cycle():
    """In a cycle the order of first imports matters, and no part can be understood alone."""
    assert imports.cycle(graph(DEVICE, "engram")) == []


def test_device_imports_only_what_micropython_has():
    """A module that CPython has and MicroPython lacks would pass here and fail on the board."""
    found = []
    for module, path in imports.modules(DEVICE).items():
        extra = DEVICE_OUTSIDE_EXTRA.get(imports.row_for(module, DEVICE_OUTSIDE_EXTRA), set())
        found += [
            f"{path.relative_to(ROOT)} imports {target}"
            for target in sorted(imports.outside(path, module, "engram") - DEVICE_OUTSIDE - extra)
        ]
    assert found == []


@pytest.mark.parametrize("module", sorted(set(imports.modules(DEVICE)) - MAY_ASK))
def test_only_three_files_ask_where_they_run(module):
    """One source for every host: differences live in the three files whose job they are."""
    asks = ASKS.search(imports.modules(DEVICE)[module].read_text())
    assert asks is None, f"asks where it runs: {asks and asks[0]!r}; let compat.py answer that"
