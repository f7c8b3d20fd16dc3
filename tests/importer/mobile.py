"""A MobileNetV2-like network in PyTorch: inverted residuals, ReLU6, batch normalization.

`python tests/importer/mobile.py FOLDER` trains it for a minute on the Fashion-MNIST of ENGRAM_DATA
and writes mobile.pt2, mobile.onnx (with PyPI's onnxscript), calibrate.npz and test.npz there.
"""

import gzip
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn


def _block(c, k, kernel=3, stride=1, groups=1, bends=True):
    layers = [
        nn.Conv2d(c, k, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(k),
    ]
    return nn.Sequential(*layers, *([nn.ReLU6(inplace=True)] if bends else []))


class Inverted(nn.Module):
    """Wide inside, narrow outside; a sum where both ends have one shape."""

    def __init__(self, c, k, stride, widen):
        super().__init__()
        wide = c * widen
        self.adds = stride == 1 and c == k
        self.body = nn.Sequential(
            _block(c, wide, 1),
            _block(wide, wide, 3, stride, wide),
            _block(wide, k, 1, bends=False),
        )

    def forward(self, x):
        return x + self.body(x) if self.adds else self.body(x)


class Mobile(nn.Module):
    """Images (N, 1, 28, 28) to logits of 10 classes."""

    def __init__(self, classes=10):
        super().__init__()
        rows = [(8, 8, 1, 2), (8, 16, 2, 4), (16, 16, 1, 4), (16, 24, 2, 4), (24, 24, 1, 4)]
        self.stem = _block(1, 8, 3, 2)
        self.blocks = nn.Sequential(*(Inverted(*row) for row in rows))
        self.last = _block(24, 64, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(64, classes)

    def forward(self, x):
        x = self.pool(self.last(self.blocks(self.stem(x))))
        return self.head(self.drop(torch.flatten(x, 1)))


def train(model, x, y, seconds, batch=64, rate=3e-3, seed=0):
    """Trains for so many seconds; then the model predicts."""
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), rate)
    end = time.monotonic() + seconds
    model.train()
    while time.monotonic() < end:
        rows = torch.randint(len(x), (batch,))
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()


def pictures(part):
    """(images (n, 28, 28) of 0 to 1, labels) of Fashion-MNIST. part: "train" or "t10k"."""
    folder = Path(os.environ["ENGRAM_DATA"]) / "fashion_mnist"
    images, labels = (
        np.frombuffer(gzip.decompress((folder / f"{part}-{kind}-ubyte.gz").read_bytes()), np.uint8)
        for kind in ("images-idx3", "labels-idx1")
    )
    return images[16:].reshape(-1, 28, 28).astype(np.float32) / 255, labels[8:]


def main(folder, seconds=60):
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = Mobile()
    (x, y), (test, labels) = pictures("train"), pictures("t10k")
    train(model, torch.as_tensor(x)[:, None], torch.as_tensor(y).long(), seconds)
    with torch.no_grad():
        found = model(torch.as_tensor(test)[:, None]).argmax(1).numpy()
    print(f"accuracy in float32: {(found == labels).mean():.2%} of {len(test)}")
    np.savez(folder / "calibrate.npz", x=x[:500, :, :, None], y=y[:500])
    np.savez(folder / "test.npz", x=test[:1000, :, :, None], y=labels[:1000])
    example = torch.zeros(1, 1, 28, 28)
    torch.export.save(torch.export.export(model, (example,)), folder / "mobile.pt2")
    try:
        torch.onnx.export(model, (example,), folder / "mobile.onnx", external_data=False)
    except ImportError as error:
        print(f"no mobile.onnx: {error}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
