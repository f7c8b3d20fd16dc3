"""The document of the benchmark: tables and plots from what is stored, nothing by hand."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from pathlib import Path

import cells
import plots
from results import Results, mean, spread

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "benchmarks-continual.md"
IMAGES = ROOT / "docs" / "images"
BEGIN, END = "<!-- make bench-continual: begin -->", "<!-- make bench-continual: end -->"
TITLES = {
    "P1": "P1, Fashion-MNIST: classes 0 to 4 known, then one at a time",
    "P3": "P3, spoken digits (FSDD): 0 to 5 known, then one word at a time",
    "P5": "P5, Speech Commands: four words and both rejections known, then two words at a time",
}


def best_bound(results: Results, protocol: str, model: str) -> tuple[float, str] | None:
    """Mean accuracy of joint training, the best of the settings tried, and that setting."""
    rows = results.bounds(protocol, model)
    means = {}
    for setting in {row["setting"] for row in rows}:
        means[setting] = mean([row for row in rows if row["setting"] == setting])
    best = max(means, key=lambda setting: means[setting], default=None)
    return None if best is None else (means[best], best)


def shown(results: Results) -> dict:
    """The claims that the issue of the benchmark makes, as figures; empty where not yet run."""
    figures: dict = {}
    bound = best_bound(results, "P1", cells.DENSE["P1"])
    cell = cells.Cell(strategy=cells.BEST)
    cells_by_title = {
        "500 latents, 8 bits": cell,
        "500 latents, 4 bits": cell._replace(bits=4),
        "100 latents, 8 bits": cell._replace(buffer=100),
    }
    if bound:
        figures["joint training"] = round(bound[0], 4)
    for name, one in cells_by_title.items():
        rows = results.of(one)
        if rows:
            figures[name] = f"{mean(rows):.4f} ± {spread(rows):.4f}"
            if bound:
                figures[name + ", points below joint"] = round(100 * (bound[0] - mean(rows)), 2)
    for row in results.few_shot():
        figures.setdefault(row["setting"], []).append(round(row["accuracy"], 4))
    return figures


def _percent(rows: list[dict], field: str = "accuracy") -> str:
    return f"{100 * mean(rows, field):.1f} ± {100 * spread(rows, field):.1f}"


def _kilo(value: float) -> str:
    return f"{value / 1000:.1f}"


def _table(head: Iterable[str], rows: Iterable[Iterable]) -> str:
    names = list(head)
    lines = [names, ["---"] + ["---:"] * (len(names) - 1), *[list(map(str, row)) for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _costs(rows: list[dict]) -> list[str]:
    row = rows[0]
    return [
        _kilo(row["flash_bytes"]),
        _kilo(row["ram_bytes"]),
        f"{row['step_instructions'] / 1e6:.2f}",
    ]


_COSTS = ["flash, kB", "RAM, kB", "10^6 instructions a step"]


def strategies(results: Results, protocol: str, model: str) -> str:
    cells_of_grid = results.settings(
        lambda c: (
            (c.protocol, c.model, c.bits, c.buffer, c.policy, c.depth)
            == (protocol, model, 8, 500, "balanced", None)
        )
    )
    rows = sorted((results.of(c) for c in dict.fromkeys(cells_of_grid)), key=mean, reverse=True)
    body = [[r[0]["strategy"], _percent(r), _percent(r, "forgetting"), *_costs(r)] for r in rows]
    return _table(["strategy", "accuracy, %", "forgetting, points", *_COSTS], body)


def memory(results: Results, protocol: str, strategy: str) -> str:
    """Bits by buffer; each entry with the flash it takes."""
    body = []
    for bits in cells.BITS:
        line = [str(bits)]
        for buffer in cells.BUFFERS:
            cell = cells.Cell(protocol, cells.DENSE[protocol], strategy, bits, buffer)
            rows = results.of(cell)
            full = len(rows) == len(cells.SEEDS)
            line.append(f"{_percent(rows)} ({_kilo(rows[0]['flash_bytes'])} kB)" if full else "–")
        body.append(line)
    return _table(["bits", *[f"{b} latents" for b in cells.BUFFERS]], body)


def policies(results: Results, protocol: str) -> str:
    body = []
    for policy in cells.POLICIES:
        line = [policy]
        for buffer in (100, 500):
            rows = results.of(
                cells.Cell(protocol, cells.DENSE[protocol], cells.BEST, 8, buffer, policy)
            )
            line.append(_percent(rows) if len(rows) == len(cells.SEEDS) else "–")
        body.append(line)
    return _table(["policy", "100 latents", "500 latents"], body)


def depths(results: Results, protocol: str) -> str:
    cells_of_grid = results.settings(lambda c: c.protocol == protocol and c.depth is not None)
    rows = [results.of(cell) for cell in cells_of_grid]
    body = [
        [r[0]["strategy"], r[0]["depth"], r[0]["bits"], _percent(r), *_costs(r)[1:]] for r in rows
    ]
    head = ["strategy", "layers that learn", "bits", "accuracy, %", *_COSTS[1:]]
    return _table(head, body)


def few_shot(results: Results) -> str:
    rows = results.few_shot()
    by = {row["setting"]: [r for r in rows if r["setting"] == row["setting"]] for row in rows}
    return _table(
        ["P11, Omniglot", "accuracy, %"], [[name, _percent(scores)] for name, scores in by.items()]
    )


def peers(results: Results) -> str:
    """Ours beside Avalanche's on the same latents and memory; empty where its job has not run."""
    path = results.path.parent / "peers" / "avalanche.json"
    body = []
    for row in json.loads(path.read_text()) if path.is_file() else []:
        cell = cells.Cell(strategy=row["strategy"], buffer=row["buffer"] or 500)
        seeds = row["seeds"]
        ours = results.of(cell, seeds)
        packed = results.of(cell._replace(bits=4, buffer=1000), seeds) if row["buffer"] else []
        if len(ours) == len(seeds):
            body.append([
                row["strategy"], row["buffer"] or "–", _percent(ours),
                f"{100 * row['mean']:.1f} ± {100 * row['spread']:.1f}",
                *difference([one["accuracy"] for one in ours], row["accuracy"]),
                _percent(packed) if row["buffer"] == 500 and packed else "–",
            ])  # fmt: skip
    head = ["strategy", "latents", "Engram, 8 bits", "Avalanche, float32", "points", "Engram is",
            "Engram, 1000 latents at 4 bits"]  # fmt: skip
    return _table(head, body) if body else ""


# Student's t, two sides, 95 %, by degrees of freedom
_T95 = {2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def difference(ours: list[float], theirs: list[float]) -> tuple[str, str]:
    """Mean of the differences, seed by seed, and its 95 % interval; what that says.

    A seed brings the same samples to both, so that the differences are paired.
    """
    points = [100 * (a - b) for a, b in zip(ours, theirs, strict=True)]
    middle, n = statistics.mean(points), len(points)
    reach = _T95[n - 1] * statistics.stdev(points) / n**0.5
    says = "equal, within chance" if abs(middle) <= reach else "ahead" if middle > 0 else "behind"
    return f"{middle:+.1f} ± {reach:.1f}", says


def bound_line(results: Results, protocol: str, model: str) -> str:
    bound = best_bound(results, protocol, model)
    if not bound:
        return ""
    rows = [r for r in results.bounds(protocol, model) if r["setting"] == bound[1]]
    return f"Joint training on the same latents: {_percent(rows)} % ({bound[1]})."


def text(results: Results) -> str:
    parts = []
    for protocol, title in TITLES.items():
        for models, what in ((cells.DENSE, "one layer learns"), (cells.DEEP, "two layers learn")):
            model = models[protocol]
            table = strategies(results, protocol, model)
            if table.count("\n") > 1:
                parts.append(f"## {title}; {what}")
                parts += [bound_line(results, protocol, model), table]
        for strategy in dict.fromkeys((cells.BEST, "replay")):
            table = memory(results, protocol, strategy)
            if "±" in table:
                parts += [f"### {protocol}: bits and buffer, `{strategy}`, accuracy in %", table]
        for name, table in (
            (f"policies, `{cells.BEST}`, accuracy in %", policies(results, protocol)),
            (f"depth, model `{cells.DEEP[protocol]}`, 500 latents", depths(results, protocol)),
        ):
            if "±" in table:
                parts += [f"### {protocol}: {name}", table]
    if peers(results):
        parts += ["## Avalanche on the same latents (P1, accuracy in %)", peers(results)]
    if results.few_shot():
        parts += ["## Few-shot learning", few_shot(results)]
    return "\n\n".join(part for part in parts if part)


def write(results: Results) -> None:
    """Plots into docs/images, tables into the document."""
    pictures = plots.draw(results, IMAGES)
    links = "\n\n".join(f"![{title}](images/{name})" for title, name in pictures)
    before, rest = DOCUMENT.read_text().split(BEGIN)
    after = rest.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{links}\n\n{text(results)}\n{END}{after}")
