"""Latent replay in PyTorch on the situations of defaults.py: the same latents, as many in memory.

    python tests/bench/continual/torch_replay.py FOLDER OUT.json

A dense head, SGD with momentum 0.9, a rate that falls to 0, a class-balanced random memory of
MEMORY latents as float32. Rate, steps and the share of new samples are tuned for each situation as
defaults.py tunes ours. Runs in an environment that has torch and numpy; imports nothing of ours.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import numpy as np
import torch

MEMORY, BATCH, MOMENTUM = 1000, 16, 0.9
TUNING_SEEDS, SEEDS = (1, 2), (11, 12, 13, 14, 15)
NAMES = ("P1", "P2", "P3", "P5", "P12", "drift")
START = {"lr": 0.05, "steps": 800, "share": None}
KNOBS = (("share", (None, 0.25, 0.5, 0.75)), ("lr", (0.01, 0.03, 0.05, 0.1, 0.2)),
         ("steps", (400, 800, 1600)))  # fmt: skip


def parts(data, name):
    """[(x, y)] of memory, session or test."""
    sessions = []
    while f"{name}{len(sessions)}_x" in data:
        i = len(sessions)
        sessions.append((torch.tensor(data[f"{name}{i}_x"]), torch.tensor(data[f"{name}{i}_y"])))
    return sessions


def trimmed(x, y, rng):
    """A memory in which the largest class gives way, at random."""
    order = rng.permutation(len(y))
    counts = np.bincount(y.numpy(), minlength=1)
    while counts.sum() > MEMORY:
        counts[counts.argmax()] -= 1
    rows, left = [], counts.copy()
    for i in order:
        if left[y[i]] > 0:
            left[y[i]] -= 1
            rows.append(i)
    return x[rows], y[rows]


def fair_share(new, old):
    """Each class has the same share; that of a class which comes again is two thirds new."""
    fresh, known = set(new.tolist()), set(old.tolist())
    return (len(fresh) - len(fresh & known) / 3) / len(fresh | known)


def learn(head, known, new, old, settings, rng):
    """One session."""
    share = fair_share(new[1], old[1]) if settings["share"] is None else settings["share"]
    fresh = min(BATCH, max(1, int(BATCH * share + 0.5)))
    by_class = [np.flatnonzero(old[1].numpy() == c) for c in np.unique(old[1].numpy())]
    optimiser = torch.optim.SGD(head.parameters(), lr=settings["lr"], momentum=MOMENTUM)
    steps, order = settings["steps"], []
    for step in range(steps):
        while len(order) < fresh:
            order = order + list(rng.permutation(len(new[1])))
        mine, order = order[:fresh], order[fresh:]
        classes = rng.integers(0, len(by_class), BATCH - fresh)
        theirs = [by_class[c][rng.integers(len(by_class[c]))] for c in classes]
        x = torch.cat((new[0][mine], old[0][theirs]))
        y = torch.cat((new[1][mine], old[1][theirs]))
        for group in optimiser.param_groups:
            group["lr"] = settings["lr"] * (1 - step / steps)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(head(x)[:, :known], y).backward()
        optimiser.step()


def score(name, rows, sizes):
    """As situations.py scores: (accuracies on all tests after each session)."""
    if name == "P2":
        return rows[-1][1]
    if name == "drift":
        return statistics.mean(row[n + 1] for n, row in enumerate(rows))
    if name == "P12":
        return statistics.mean(rows[-1])
    return float(np.dot(rows[-1], sizes) / sum(sizes))


def run(folder, name, seed, settings):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    data = np.load(folder / f"{name}-{seed}.npz")
    head = torch.nn.Linear(data["w"].shape[1], data["w"].shape[0])
    with torch.no_grad():
        head.weight.copy_(torch.tensor(data["w"]))
        head.bias.copy_(torch.tensor(data["b"]))
    known = int(data["known"])
    memory, tests, rows = trimmed(*parts(data, "memory")[0], rng), parts(data, "test"), []
    for n, new in enumerate(parts(data, "session")):
        known = max(known, int(new[1].max()) + 1)
        learn(head, known, new, memory, settings, rng)
        memory = trimmed(*(torch.cat(pair) for pair in zip(memory, new)), rng)
        with torch.no_grad():
            rows.append(
                [
                    (head(x)[:, :known].argmax(dim=1) == y).float().mean().item()
                    for x, y in tests[: n + 2]
                ]
            )
    return 100 * score(name, rows, [len(y) for _, y in tests])


def tuned(folder, name):
    best = dict(START)
    best_score = statistics.mean(run(folder, name, seed, best) for seed in TUNING_SEEDS)
    for _ in range(2):
        for knob, values in KNOBS:
            for value in values:
                settings = {**best, knob: value}
                if settings == best:
                    continue
                average = statistics.mean(run(folder, name, s, settings) for s in TUNING_SEEDS)
                if average > best_score:
                    best, best_score = settings, average
    return best


def main():
    torch.set_num_threads(1)
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    results = {}
    for name in NAMES:
        settings = tuned(folder, name)
        figures = [round(run(folder, name, seed, settings), 2) for seed in SEEDS]
        results[name] = {"settings": settings, "scores": figures}
        print(f"{name}: {statistics.mean(figures):.1f} {settings}", flush=True)
        out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
