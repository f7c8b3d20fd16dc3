"""Joint training on the same latents: what a learner with no limit on memory reaches."""

from __future__ import annotations

from collections.abc import Iterator

import cells
import streams

# (epochs, learning rate): the best mean over the seeds is the bound
TRIED = {
    "P1": ((12, 0.03), (24, 0.03)),
    "P3": ((24, 0.03), (48, 0.03)),
    "P5": ((12, 0.03), (24, 0.03)),
}


def of(protocol: str, data: streams.Data) -> Iterator[dict]:
    """A row for each seed and each setting that was tried."""
    for epochs, lr in TRIED[protocol]:
        for seed in cells.SEEDS:
            yield {
                "row": "joint",
                "protocol": protocol,
                "model": data.model.stem,
                "setting": f"{epochs} epochs, learning rate {lr}",
                "seed": seed,
                "accuracy": streams.joint(data, seed, cells.EACH[protocol], epochs, lr),
                "kind": "host",
            }
