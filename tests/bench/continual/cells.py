"""The cells of the continual-learning benchmark: which run is made, in which order.

A cell is one setting and one seed; its key is what it is stored under. Everything but the
protocol has a default, so that a cell says only where it leaves the middle of the grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import peers_settings

from engram.continual.policies import TRIMMING as POLICIES
from engram.continual.strategies import NAMES as STRATEGIES

SEEDS = (11, 12, 13)
BITS = (32, 8, 7, 6, 5, 4, 3)  # 32: float32 latents of the frozen stage run in float32
BUFFERS = (100, 200, 500, 1000)
FULL = 32  # bits of a latent that is not quantized


class Cell(NamedTuple):
    """One run. buffer: latents that stay. depth: how many layers learn, None: the strategy's."""

    protocol: str = "P1"
    model: str = "fashion_dense"
    strategy: str = "replay"
    bits: int = 8
    buffer: int = 500
    policy: str = "balanced"
    depth: int | None = None
    seed: int = SEEDS[0]

    @property
    def setting(self) -> tuple:
        """The cell without its seed."""
        return self[:-1]

    @property
    def key(self) -> str:
        return "/".join(str(value) for value in self)


# How every strategy is run: the same for all, but for what stands in its own row. Those compared
# with Avalanche are chosen by choose.py; all of it on P1, with seeds that no table shows.
TRAINING = {"epochs": 3, "lr": 0.03, "lr_decay": 1.0, "batch": 16}
OWN_TRAINING: dict[str, dict] = {
    "cwr": {"lr": 0.003},
    "ewc": {"lr": 0.0003, "options": {"lambda": 300}},
    "finetune": {"lr": 0.0003},
    "lwf": {"lr": 0.0003, "options": {"alpha": 32, "temperature": 2}},
    "ncm": {"epochs": 1},
    "replay_lwf": {"options": {"alpha": 8}},
    "slda": {"epochs": 1},
}
# P1 brings many new samples for few old ones: plain replay learns slower there, by buffer.
_OF_REPLAY = {100: 0.003, 200: 0.005, 500: 0.01, 1000: 0.01}
RATES = {"replay": _OF_REPLAY, "head": _OF_REPLAY, "ar1": {100: 0.01}}
FROM_THE_START = ("ncm", "slda")  # what these know of a class is its mean, of the first ones too
EACH = {"P1": 1000, "P3": 1000, "P5": 1000}  # new samples a class at most; P3 and P5 have fewer

# The model whose last layer only learns cannot say what depth means.
DEEP = {"P1": "fashion", "P3": "spoken_digits", "P5": "spoken_words"}
DENSE = {"P1": "fashion_dense", "P3": "spoken_digits_dense", "P5": "spoken_words_dense"}
BEST = "replay_lwf" if "replay_lwf" in STRATEGIES else "replay"


def _shown() -> Iterator[Cell]:
    """What has to be shown first."""
    for buffer, bits in ((500, 8), (500, 4), (100, 8)):
        yield Cell(strategy=BEST, bits=bits, buffer=buffer)


def _strategies(protocol: str, models: dict) -> Iterator[Cell]:
    for strategy in STRATEGIES:
        yield Cell(protocol, models[protocol], strategy)


def _memory(protocol: str, strategy: str) -> Iterator[Cell]:
    for bits in BITS:
        for buffer in BUFFERS:
            yield Cell(protocol, DENSE[protocol], strategy, bits, buffer)


def _policies(protocol: str) -> Iterator[Cell]:
    for policy in POLICIES:
        for buffer in (100, 500):
            yield Cell(protocol, DENSE[protocol], BEST, 8, buffer, policy)


def peers() -> Iterator[Cell]:
    """Settings that another library has too, and what its bytes buy here."""
    for strategy in peers_settings.SETTINGS:
        yield Cell(strategy=strategy)
    for strategy in peers_settings.REPLAYING:
        yield Cell(strategy=strategy, buffer=100)
        yield Cell(strategy=strategy, bits=4, buffer=1000)


def _depths(protocol: str) -> Iterator[Cell]:
    for strategy in ("replay", BEST):
        for depth in (1, 2):
            for bits in (8, 4):
                yield Cell(protocol, DEEP[protocol], strategy, bits, 500, "balanced", depth)


def settings() -> list[Cell]:
    """Every setting once, first seed, what matters most first."""
    cells_of_grid: list[Cell] = list(_shown())
    for protocol in ("P1", "P3", "P5"):
        cells_of_grid += _strategies(protocol, DENSE)
    cells_of_grid += peers()
    cells_of_grid += _memory("P1", BEST)
    cells_of_grid += _memory("P1", "replay")
    cells_of_grid += _policies("P1")
    cells_of_grid += _depths("P1")
    cells_of_grid += _strategies("P1", DEEP)
    for protocol in ("P3", "P5"):
        cells_of_grid += _memory(protocol, BEST)
        cells_of_grid += _policies(protocol)
        cells_of_grid += _depths(protocol)
    return list(dict.fromkeys(cells_of_grid))


def grid() -> Iterator[Cell]:
    """All cells: the seeds of a setting, then the next setting; more of those compared."""
    peer_cells = set(peers())
    for cell in settings():
        for seed in peers_settings.SEEDS if cell in peer_cells else SEEDS:
            yield cell._replace(seed=seed)


def training(cell: Cell) -> dict:
    """epochs, lr, lr_decay, batch; weight_decay and options of the strategy where it has any."""
    recipe = {**TRAINING, **OWN_TRAINING.get(cell.strategy, {})}
    if (cell.protocol, cell.model) == ("P1", DENSE["P1"]):
        recipe["lr"] = RATES.get(cell.strategy, {}).get(cell.buffer, recipe["lr"])
    return recipe
