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
PC = {"pc", "pc.compat", "pc.board", "pc.arrays", "pc.mapped"}  # CPython's part: no board has it
TRAINING = {"continual", "nn", "memory", "backend", "npy"}
# Parse and describe a model; compute nothing.
DATA = {"nn.model", "nn.graph", "nn.ops", "nn.formats", "nn.objectives", "nn.geometry", "nn.names"}
DATA |= {"nn.safetensors", "nn.reading", "nn.net"}
# Find rows and places for them; compute nothing either, and are gone when a learner is open.
ROWS = {"nn.program", "nn.losses", "nn.updates", "nn.optimisers", "nn.sections", "nn.recompute"}
ROWS |= {"nn.partial", "nn.channels", "nn.channel_steps", "nn.integers", "nn.steps"}
ROWS |= {"nn.clipping", "nn.velocity"}
RECORD = {"memory.record"}  # the numbers of a q8 tensor's record; it imports nothing
PLANNING = ROWS | {"nn.scope", "nn.plan", "memory.layout", "memory.lifetimes"}
PLANNING |= {"memory.replay"}
# The kernels in Python: a file a family, and what their arguments must be.
BACKENDS = {"kernels.python", "kernels.numpy"}
KERNEL_PARTS = {m for m in imports.modules(DEVICE) if m.startswith("kernels.")} - BACKENDS

FAMILIES = ("layers", "train", "vae", "some", "int8", "q8", "replay", "audio")  # beside the first

# module or package below `engram` -> what of `engram` it may import. The most specific row counts.
DEVICE_ROWS = {
    "errors": set(),
    "compat": {"pc.compat"},  # its half for CPython
    "pc.compat": set(),
    "pc": {"store.blockdev"} | BASE,  # loaded by compat, by name
    "places": {"store.slots"} | BASE,
    "kernels.python": KERNEL_PARTS | RECORD,  # the definition: it can be read alone
    "kernels.numpy": KERNEL_PARTS | {"kernels.python"},  # inherits what it does not do better
    **dict.fromkeys(KERNEL_PARTS, KERNEL_PARTS | RECORD),
    "kernels": set(),
    "backend": BACKENDS | BASE,
    "npy": {"places"} | BASE,
    "vibration": {"backend"} | BASE,
    "memory.arena": {"backend"} | BASE,
    "memory.layout": set(),
    "memory.lifetimes": {"memory.layout"},  # knows rows and bytes, no layer
    "memory.replay": set(),
    "memory.record": set(),
    "memory": set(),
    "nn.names": set(),
    "nn.geometry": BASE,
    "nn.safetensors": BASE,
    "nn.ops": {"nn.geometry"},
    "nn.formats": {"nn.formats", "nn.ops"} | BASE,
    "nn.objectives": {"nn.objectives"} | BASE,
    "nn.net": BASE,
    "nn.graph": DATA | BASE,
    "nn.reading": DATA | BASE,
    "nn.model": DATA | BASE,
    # runs on the host too: no kernels, no buffers
    **dict.fromkeys(ROWS, DATA | ROWS | RECORD | BASE),
    "nn.scope": DATA | BASE | {"nn.channels"},
    "nn.plan": DATA | PLANNING | BASE,
    # what a learner runs holds no code of what planned it
    "nn.params": {"backend"},
    "nn.quantizing": {"backend"} | RECORD | BASE,
    "nn.scales": {"backend"} | RECORD,
    "continual.health": {"nn.scales"} | RECORD,
    "nn.variational": {"nn.names"},
    "nn.stage": {"nn.variational", "nn.params", "nn.names", "backend"} | BASE,
    "nn.integer_stage": {"nn.stage", "nn.names", "nn.quantizing", "nn.scales", "backend"} | BASE,
    "nn": set(),
    "store": {"store"} | BASE,  # a block device comes as an argument
    "continual": TRAINING | BASE,  # the store comes as an argument too
    "continual.learner": {"watch.watch", "watch.parts"} | TRAINING | BASE,  # watch(), match()
    "watch": {"watch", "continual.numbers", "continual.reading", "continual.rng"}
    | {"continual.scoring", "continual.vector", "backend"} | BASE,
    "continual.recovery": {"places"} | TRAINING | BASE,
    "watch.shift": {"watch", "continual.vector", "nn.model", "nn.names", "places", "backend"}
    | BASE,
    "link.wire": BASE,  # both ends of the line run this file
    "link.phases": BASE,  # the host knows the numbers of the phases from here
    "holder": BASE,
    "link.watches": {"link.calls", "watch.watch", "watch.parts"} | BASE,
    "link.samples": {"vibration", "link", ""} | TRAINING | BASE,
    "link": {"link", "opener", "holder", "places", "store", "stores", ""} | TRAINING | BASE,
    # puts a learner and its store together
    "opener": {"continual", "nn", "store", "stores", "places", "holder"} | BASE,
    "stores": {"continual.numbers", "store"} | BASE,
    "progress": set(),
    "": {"opener", "store", "progress"} | TRAINING | BASE,  # never the link
}

# What MicroPython brings. typing, dataclasses and the like are not there.
DEVICE_OUTSIDE = set(
    "array binascii errno gc hashlib io json math os random select struct sys time".split()
)
DEVICE_OUTSIDE_EXTRA = {
    "kernels.numpy": {"numpy", "ulab"},
    "backend": {"_engram"},
    "compat": {"micropython", "uctypes", "machine", "engram_board"},
    "pc": {"fcntl", "mmap", "numpy", "weakref"},
    "link": {"engram_board", "machine"},
}

# The only files that may ask where they run; every other file is the same on every host.
MAY_ASK = {"backend", "kernels.numpy", "compat", "watch.parts"} | PC
ASKS = re.compile(
    r"except\s*\(?[^:\n]*(ImportError|ModuleNotFoundError)"
    r"|sys\.(implementation|platform)|os\.uname"
)

# The same for the host part, below `engram_host`: a row per package, from the bottom up, and one
# for each part that may import less than its package.
HOST_ROWS = {
    "errors": set(),
    "system": {"errors"},
    "progress": set(),
    # what is known without a board at hand: its facts, firmware, models, data, images of a store
    "boards": {"boards", "errors"},
    "build": {"build", "boards", "system", "errors"},
    # runs whatever process it is given, in a place that belongs to a checkout
    "virtual": {"virtual", "system", "errors"},
    "virtual.place": {"boards", "errors"},
    "datasets": {"datasets", "errors"},
    "samples": {"samples", "datasets.mfcc", "errors"},
    "convert": {"convert", "samples", "errors"},
    "store": {"store", "errors"},
    "make": {"make", "convert", "errors"},
    "imports": {"imports", "convert", "samples", "planning"},
    "planning": {"planning", "line.room", "boards", "errors"},
    # the line to a board, and what needs no agent at its other end
    "line": {"line", "boards", "virtual", "system", "errors"},
    "line.frames": set(),
    "line.link": {"line.frames", "line.room", "line.patience", "line.transport.base", "errors"},
    "line.patience": {"line.transport.base"},
    "line.room": {"errors"},
    "line.transport": {"errors"},
    "meters": {"meters", "line.transport", "errors"},
    "flash": {"flash", "boards", "system", "errors"},
    "flash.flasher": {"flash", "line.census", "line.ports", "boards", "errors"},
    "install": {"install", "line.transport.base", "boards", "build", "progress", "errors"},
    "install.raw_repl": {"line.transport.base", "line.patience", "errors"},
    "install.pack": set(),
    # a board whose agent runs, and learning on it
    "device": {"device", "samples", "convert.model_file", "line.link", "progress", "errors"},
    "learning": {"learning", "device", "samples", "meters", "planning.energy", "datasets"}
    | {"boards", "errors"},
    "learning.log": {"errors"},
    "learning.watching": set(),
    "learning.latent_store": {"errors"},
    "report": {"report", "learning.log", "learning.watching", "planning", "boards", "errors"},
    # short runs of a learner on this computer, and what they cost on a board
    "search": {"search", "planning", "learning.latent_store", "learning.streams", "convert"}
    | {"samples", "datasets", "errors"},
    # the verbs, a script of verbs, and how their answers look
    "api": {"learning", "device", "samples", "line", "flash", "install.installer", "build"}
    | {"virtual", "boards", "convert", "imports", "make", "planning.report", "report", "meters"}
    | {"store", "search", "progress", "errors"},
    "demo": {"demo", "api", "device", "samples", "meters.base", "planning.report", "report"}
    | {"convert", "datasets", "virtual", "boards", "progress", "errors"},
    "demo.fan_signal": set(),
    "demo.fan_phases": {"demo.fan_signal"},
    "demo.fan": {"demo", "api", "device", "samples", "learning.log", "learning.watching"}
    | {"learning.watch_run", "report", "boards", "progress", "errors"},
    "demo.joint": {"convert", "datasets", "learning.latent_store", "report.schema"},
    "commands": {"commands", "api", "demo", "make", "line.console", "line.ports", "progress"}
    | {"samples.names", "errors"}
    | {"boards.clock", "planning.report", "report.terminal", "device.learner_options"}
    | {"meters.spec", "meters.result", "install.choice", "install.packages"},
    "cli": {"commands", "errors"},
    "__main__": {"cli"},
    "": set(),
}

# What the host takes from the device library: data and pure functions. None of it loads kernels.
PURE = DATA | PLANNING | {"errors", "npy", "link.wire", "link.phases", "kernels.demands"}
PURE |= {"store.format", "store.checkpoint", "places"}
PURE |= {"continual.metrics", "continual.policies", "continual.strategies", "continual.config"}
PURE |= {"continual.composition", "continual.defaults", "watch.quarantine"}
# The host modules that run the whole library, because they do the board's work on this computer.
SIMULATES = {"demo.joint", "learning.latent_store", "planning.flash", "store.figures"}
SIMULATES |= {"datasets.mfcc", "samples.vibration", "search.trial"}
SIMULATES |= {"install.on_board.check"}  # text that runs on a board


def violations(package, name, rows):
    """(module, import) pairs that no row of the table allows."""
    known = imports.modules(package)
    for module, path in known.items():
        row = imports.row_for(module, rows)
        assert row is not None, f"{path.relative_to(ROOT)} has no row in the table of {__file__}"
        for target in sorted(imports.inside(path, module, name, known)):
            if imports.row_for(target, rows[row]) is None:
                yield f"{path.relative_to(ROOT)} imports {name}.{target}"


def reachable(start, edges):
    """Every node that can be reached from one node of a graph, itself included."""
    nodes, todo = set(), [start]
    while todo:
        node = todo.pop()
        if node not in nodes:
            nodes.add(node)
            todo += edges[node]
    return nodes


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
    problems = []
    for module, path in imports.modules(DEVICE).items():
        extra = DEVICE_OUTSIDE_EXTRA.get(imports.row_for(module, DEVICE_OUTSIDE_EXTRA), set())
        problems += [
            f"{path.relative_to(ROOT)} imports {target}"
            for target in sorted(imports.outside(path, module, "engram") - DEVICE_OUTSIDE - extra)
        ]
    assert problems == []


@pytest.mark.parametrize("module", sorted(set(imports.modules(DEVICE)) - MAY_ASK))
def test_few_files_ask_where_they_run(module):
    """One source for every host: differences live in the four files whose job they are, and in
    the package that boards do not have."""
    asks = ASKS.search(imports.modules(DEVICE)[module].read_text())
    assert asks is None, f"asks where it runs: {asks and asks[0]!r}; let compat.py answer that"


def test_host_imports_follow_the_table():
    assert list(violations(HOST, "engram_host", HOST_ROWS)) == []


def test_host_has_no_import_cycle():
    """In a cycle no part can be understood, or tested, alone."""
    assert imports.cycle(graph(HOST, "engram_host")) == []


def test_host_packages_have_no_import_cycle():
    """The same one level up: of two packages that import each other, neither is the lower one."""
    packages = {}
    for module, targets in graph(HOST, "engram_host").items():
        package = module.partition(".")[0]
        tops = {target.partition(".")[0] for target in targets} - {package}
        packages[package] = packages.get(package, set()) | tops
    assert imports.cycle(packages) == []


def test_no_row_of_the_host_allows_what_nobody_imports():
    """An arrow that is gone stays gone until somebody decides on it anew."""
    uses = {}
    for module, targets in graph(HOST, "engram_host").items():
        row = imports.row_for(module, HOST_ROWS)
        uses.setdefault(row, set()).update(imports.row_for(t, HOST_ROWS[row]) for t in targets)
    assert {row: left for row, names in HOST_ROWS.items() if (left := names - uses[row])} == {}


def test_host_takes_only_data_and_pure_functions_from_the_device_library():
    """Else the command line would need kernels to push a file."""
    known = imports.modules(DEVICE)
    problems = []
    for module, path in imports.modules(HOST).items():
        if imports.row_for(module, SIMULATES) is None:
            targets = imports.imported(path, module, "engram_host")
            problems += [
                f"{path.relative_to(ROOT)} imports engram.{target}"
                for target in sorted(imports.of_package(targets, "engram", known) - PURE - {""})
            ]
    assert problems == []


@pytest.mark.parametrize("module", sorted(PURE))
def test_what_the_host_takes_loads_no_kernels(module):
    """The promise behind the rule above, through everything that the module itself imports."""
    assert not reachable(module, graph(DEVICE, "engram")) & {"backend", "memory.arena", "opener"}


def test_no_row_of_a_table_is_stale():
    """A row for a module that is gone would allow what nobody decided."""
    for package, rows in ((DEVICE, DEVICE_ROWS), (HOST, HOST_ROWS)):
        known = imports.modules(package)
        names = set(rows).union(*rows.values())
        assert [n for n in sorted(names) if imports.row_for(n, known) != n] == []
    assert SIMULATES <= set(imports.modules(HOST)) and PURE <= set(imports.modules(DEVICE))
