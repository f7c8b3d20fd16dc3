"""Fashion-MNIST as the two files that `engram learn` takes: train.npz and test.npz.

    python examples/fashion/prepare.py --out out/fashion

The set is looked for in the folder that ENGRAM_DATA names, else fetched once from its authors.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from engram_host.datasets import fashion_mnist


def main() -> None:
    """Writes the two files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/fashion"), help="folder to write to")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    data = fashion_mnist()
    for name, x, y in (
        ("train", data.x_train, data.y_train),
        ("test", data.x_test, data.y_test),
    ):
        np.savez(out / f"{name}.npz", x=x, y=y)
        print(f"{out / name}.npz: {len(x):,} samples of {x[0].size} bytes")


if __name__ == "__main__":
    main()
