"""A self-test of what was installed, on the board, and the heap that each part takes."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence

from engram_host.errors import DeviceError, InstallError
from engram_host.install import packages
from engram_host.install.choice import Choice
from engram_host.install.facts import script
from engram_host.install.raw_repl import RawRepl

# What a session with a learner holds of a package. The rest of it is loaded when an option asks
# for it, or while a model is opened: OPENING, which is dropped then.
IMPORTS = {
    "core": "engram engram.backend engram.nn.stage engram.nn.optimisers "
    "engram.nn.objectives.classify engram.memory.arena",
    "store": "engram.store engram.store.wipe",
    "continual": "engram.continual.learner engram.continual.strategies.replay "
    "engram.continual.policies.balanced engram.continual.metrics engram.opener",
    "link": "engram.link.agent",
    "python": "engram.kernels.python",
}
OPENING = "engram.continual.config engram.nn.reading engram.nn.model"
# Exact in float32; see on_board/check.py.
_DENSE = [47500, 0, 72500, 0]


def tiny_model() -> bytes:
    """A device model of four inputs and one dense layer with two outputs, not trained."""
    graph = {
        "name": "check",
        "classes": 2,
        "input": {"shape": [1, 1, 4], "dtype": "uint8", "scale": 1 / 255, "zero_point": -128},
        "frozen": [],
        "latent": {"shape": [1, 1, 4], "scale": 1 / 255, "zero_point": -128},
        "adaptive": [{"op": "dense", "in": [4], "out": [2], "w": "w", "b": "b"}],
    }
    header = {
        "__metadata__": {"engram_model": "1", "graph": json.dumps(graph)},
        "w": {"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 32]},
        "b": {"dtype": "F32", "shape": [2], "data_offsets": [32, 40]},
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + struct.pack("<10f", *([0.0] * 10))


def heap_cost(repl: RawRepl, choice: Choice) -> dict[str, int]:
    """Bytes of heap after the import of the kernels, then of each package, in an empty heap."""
    rows: list[tuple[str, Sequence[str]]] = []
    if choice.kernels:
        rows.append(("kernels", list(choice.kernels)))
    rows += [(name, IMPORTS[name].split()) for name in choice.packages]
    repl.reset()
    repl.run(script("check"))
    out: dict[str, int] = {}
    for row in rows:  # one at a time: a slow board must not be silent for all of them
        out.update(json.loads(repl.run(f"_say(_cost({[row]!r}))")))
    return out


def self_test(repl: RawRepl, choice: Choice) -> dict[str, object]:
    """A kernel against its value; a learner that trains, saves and predicts where there is one.

    {"kernels": name, "learner": whether one was tried}. Raises InstallError when a result is not
    the expected one.
    """
    repl.reset()
    repl.run(script("check"))
    try:
        name, values = json.loads(repl.run("_say(_kernels())"))
        if values != _DENSE:
            raise InstallError(
                f"expected {_DENSE} of the kernels {name} on the board, got {values}: these "
                "kernels do not fit this chip; install with --kernels python"
            )
        learns = "continual" in choice.packages
        if learns:
            for part in packages.with_needs(["continual"]):
                repl.run(f"_cost({[(part, IMPORTS[part].split())]!r})")
            text = repl.run(f"_say(_learn({tiny_model()!r}))")
            first, last, label, generation = json.loads(text)
            if not last < first or label != 1 or generation != 1:
                raise InstallError(
                    "expected a loss that falls, label 1 and state 1 of a learner on the board, "
                    f"got {first} to {last}, label {label} and state {generation}"
                )
    except DeviceError as e:
        raise InstallError(f"expected the self-test on the board to run, got {e}") from e
    return {"kernels": name, "learner": learns}
