"""Avalanche on the latents that peers_export.py wrote; run by the Python that has avalanche-lib.

    python tests/bench/continual/peers_avalanche.py out/bench/peers

The same samples in the same order, the same dense head with the same first weights, growing as
ours does, momentum and batch size as ours, the learning rate falling to 0 over an experience. The
first experience is what the backbone knows: it is shown to the plugins, nothing is trained on it.
Learning rate, epochs and the strategy's own numbers are the best of SETTINGS with seeds that the
table does not show. Writes avalanche.json into the folder.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch

warnings.filterwarnings("ignore")
# Avalanche imports torchvision for pictures, which are not used here; a torchvision built for
# another torch fails while it registers shapes of operators it does not have.
_register = torch.library.register_fake
torch.library.register_fake = lambda op, *args, **kwargs: (  # type: ignore[assignment]
    (lambda function: function)
    if isinstance(op, str) and op.startswith("torchvision::")
    else _register(op, *args, **kwargs)
)

from avalanche.benchmarks import class_incremental_benchmark  # noqa: E402
from avalanche.benchmarks.utils.classification_dataset import (  # noqa: E402
    _make_taskaware_classification_dataset as dataset_of,
)
from avalanche.core import SupervisedPlugin  # noqa: E402
from avalanche.models import IncrementalClassifier  # noqa: E402
from avalanche.training.plugins import (  # noqa: E402
    CWRStarPlugin,
    EvaluationPlugin,
    EWCPlugin,
    LwFPlugin,
    ReplayPlugin,
)
from avalanche.training.storage_policy import ClassBalancedBuffer  # noqa: E402
from avalanche.training.supervised import Naive, StreamingLDA  # noqa: E402
from peers_settings import (  # noqa: E402
    BATCH,
    BUFFERS,
    MOMENTUM,
    REPLAYING,
    SEEDS,
    SETTINGS,
    TUNING_SEEDS,
)


class Head(torch.nn.Module):
    """The dense head, with the model file's weights for the classes known."""

    def __init__(self, data) -> None:
        super().__init__()
        known = int(data["known"])
        self.classifier = IncrementalClassifier(data["w"].shape[1], initial_out_features=known)
        with torch.no_grad():
            layer = self.classifier.classifier
            layer.weight.copy_(torch.from_numpy(data["w"][:known]))
            layer.bias.copy_(torch.from_numpy(data["b"][:known]))

    def forward(self, x):
        return self.classifier(x)


class FallingRate(SupervisedPlugin):
    """The learning rate falls to 0 in the course of an experience, in equal steps."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def before_training_exp(self, strategy, **_):
        self.done = 0

    def before_training_iteration(self, strategy, **_):
        total = strategy.train_epochs * len(strategy.dataloader)
        for group in strategy.optimizer.param_groups:
            group["lr"] = self.rate * (1 - self.done / total)
        self.done += 1


def plugins_of(name: str, own, buffer: int, model) -> list:
    memory = [
        ReplayPlugin(
            buffer,
            batch_size=own if own and own < BATCH else BATCH,
            batch_size_mem=BATCH - own if own and own < BATCH else BATCH,
            storage_policy=ClassBalancedBuffer(buffer, adaptive_size=True),
        )
    ]
    return {
        "finetune": lambda: [],
        "replay": lambda: memory,
        "ewc": lambda: [EWCPlugin(own, mode="online", decay_factor=1.0)],
        "lwf": lambda: [LwFPlugin(alpha=own, temperature=2)],
        "cwr": lambda: [CWRStarPlugin(model)],
        "ar1": lambda: [CWRStarPlugin(model, freeze_remaining_model=False), *memory],
    }[name]()


class Samples(torch.utils.data.TensorDataset):
    """x (n, elements) and y (n) with the attribute that Avalanche sorts by."""

    def __init__(self, x, y) -> None:
        super().__init__(x, y)
        self.targets = y.tolist()

    def __getitem__(self, i):
        x, y = super().__getitem__(i)
        return x, int(y)


def benchmark_of(data):
    """A stream of one experience a file's part."""
    x, y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
    whole = dataset_of(Samples(x, y), task_labels=0)
    starts = [0, *data["ends"][:-1]]
    order = [sorted(set(data["y"][a:b].tolist())) for a, b in zip(starts, data["ends"])]
    return class_incremental_benchmark({"train": whole}, class_order=sum(order, []),
                                       num_classes_per_exp=[len(c) for c in order])  # fmt: skip


def run(name: str, data, setting, buffer: int, seed: int) -> float:
    """Accuracy on all test samples after the last experience."""
    torch.manual_seed(seed)
    epochs, rate, own = setting
    x_test, y_test = torch.from_numpy(data["x_test"]), data["y_test"]
    quiet = EvaluationPlugin(loggers=[])
    stream = benchmark_of(data).streams["train"]
    if name == "slda":
        return run_slda(data, stream, x_test, y_test, quiet)
    model = Head(data)
    plugins = plugins_of(name, own, buffer, model)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=MOMENTUM)
    strategy = Naive(
        model=model, optimizer=optimizer, criterion=torch.nn.CrossEntropyLoss(),
        train_mb_size=BATCH, train_epochs=epochs, plugins=[*plugins, FallingRate(rate)],
        evaluator=quiet,
    )  # fmt: skip
    for n, experience in enumerate(stream):
        strategy.train_epochs = epochs if n else 0
        head = [p.detach().clone() for p in model.parameters()]
        strategy.train(experience)
        if not n and name in ("cwr", "ar1"):
            keep_known(model, plugins[0], head, data)
    model.eval()
    with torch.no_grad():
        answers = model(x_test).argmax(1).numpy()
    return float((answers == y_test).mean())


def keep_known(model, plugin, head, data) -> None:
    """CWR* zeroes the head before an experience: what is known counts as learned in the first."""
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), head):
            parameter.copy_(value)
    plugin.model.saved_weights.clear()
    plugin.model.past_j.clear()
    plugin.cur_class = list(range(int(data["known"])))
    first = data["y"][: data["ends"][0]]
    plugin.model.cur_j = {c: int((first == c).sum()) for c in plugin.cur_class}
    plugin.consolidate_weights()
    plugin.set_consolidate_weights()


def run_slda(data, stream, x_test, y_test, quiet) -> float:
    model = torch.nn.Identity()
    size, classes = data["x"].shape[1], int(data["y"].max()) + 1
    strategy = StreamingLDA(
        slda_model=model, criterion=torch.nn.CrossEntropyLoss(), input_size=size,
        num_classes=classes, output_layer_name=None, train_mb_size=BATCH, train_epochs=1,
        eval_mb_size=BATCH, plugins=[], evaluator=quiet,
    )  # fmt: skip
    for experience in stream:
        strategy.train(experience)
    with torch.no_grad():
        answers = strategy.predict(x_test).argmax(1).numpy()
    return float((answers == y_test).mean())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--budget", type=float, default=30, help="minutes")
    parser.add_argument("--only", nargs="*", default=list(SETTINGS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    until = time.monotonic() + 60 * options.budget
    out = options.folder / "avalanche.json"
    rows = json.loads(out.read_text()) if out.is_file() else []
    have = {(row["strategy"], row["buffer"]) for row in rows}
    data = {s: dict(np.load(options.folder / f"seed-{s}.npz")) for s in (*TUNING_SEEDS, *SEEDS)}
    for name in options.only:
        for buffer in BUFFERS if name in REPLAYING else (0,):
            if (name, buffer) in have:
                continue
            if time.monotonic() > until:
                sys.exit("the budget is used up; what was done is kept")
            averages = {
                setting: statistics.mean(
                    run(name, data[seed], setting, buffer, seed) for seed in TUNING_SEEDS
                )
                for setting in SETTINGS[name]
            }
            best = max(averages, key=lambda s: averages[s])
            scores = [run(name, data[seed], best, buffer, seed) for seed in SEEDS]
            rows.append({
                "strategy": name, "buffer": buffer, "setting": best, "tried": len(averages),
                "seeds": SEEDS, "accuracy": scores, "mean": statistics.mean(scores),
                "spread": statistics.stdev(scores),
            })  # fmt: skip
            out.write_text(json.dumps(rows, indent=1) + "\n")
            print(name, buffer, best, [round(a, 4) for a in scores], flush=True)


if __name__ == "__main__":
    main()
