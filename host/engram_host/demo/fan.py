"""A simulated fan that a board learns without labels, watches, and follows to a new speed.

The fan is simulated on this computer (fan_signal.py); its raw windows go over the line, and all
else is done and measured on the board by the same verbs a user has. This file is the script.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from engram_host import api, boards
from engram_host.demo.board import Say, blank_board
from engram_host.device import Device
from engram_host.errors import InputError
from engram_host.learning import log as logs
from engram_host.learning import watching
from engram_host.learning.watch_run import WatchRun
from engram_host.progress import Reporter
from engram_host.report.fan_page import summary, write_fan_report
from engram_host.samples import vibration

from . import fan_phases
from .fan_signal import BALANCED, IMBALANCED, SAMPLES, Fan

TITLE = "A simulated fan"
AXES = 3
RECIPE: dict[str, Any] = {"hidden": (16,), "code": 2, "beta": 0.1, "likelihood": "gaussian"}
LEARNER: dict[str, Any] = {"optimiser": "adam", "lr": 0.005, "bits": 8, "budget": 600}
FIRST_STEPS, STEPS = 200, 100  # of the first session, and of a run of the adaptation
WATCH: dict[str, Any] = {
    "engine": "clusters", "window": fan_phases.BLOCK, "false_alarms": 1e-4, "clusters": 8,
}  # fmt: skip
_PROBES = 8  # windows of each state that are coded and made again, before and after


def fan_demo(
    port: str = "qemu_m4f",
    *,
    out: Path = Path("out/fan"),
    seed: int = 1,
    reporter: Reporter | None = None,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Run the demo; write its report into `out`.

    port: a virtual board (built if need be, and run with a blank flash of its own) or a serial
    port. seed: of the fan, the weights and the clusters. say: is told what happens. Returns
    {"result", "summary", "paths"}; result["kept"] says whether all was as promised.
    """
    if boards.is_known(port) and boards.load(port).is_virtual and boards.load(port).stock:
        raise InputError(
            f"expected firmware with the kernels of vibration, auto-encoders and watches, got "
            f"{port}, which gets a part of the kernels; take "
            f"--port {port.removesuffix('_stock')}"
        )
    out.mkdir(parents=True, exist_ok=True)
    start_s = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(blank_board(port, out, say, reporter))
        device = stack.enter_context(api.connect(port, reporter))
        result = run(device, out, seed, say)
    result["all_s"] = round(time.monotonic() - start_s, 2)
    paths = write_fan_report(result, out)
    return {"result": result, "summary": summary(result), "paths": paths}


def run(device: Device, out: Path, seed: int, say: Say) -> dict[str, Any]:
    """The demo on a board: what the report shows. Raises InputError where the board has learned
    something."""
    start_s = time.monotonic()
    fan, random = Fan(seed), np.random.default_rng(seed)
    model = _pushed(device, out, seed)
    front_end = device.taken().front_end
    probes = {
        (hz, imbalance): vibration.raw(fan.windows(_PROBES, hz, imbalance), front_end)
        for hz in (*fan_phases.KNOWN, fan_phases.NEW)
        for imbalance in (BALANCED, IMBALANCED)
    }

    speeds = [
        fan_phases.KNOWN[i // fan_phases.BLOCK % 2]
        for i in range(fan_phases.LEARNED * fan_phases.BLOCK)
    ]
    say(f"learning {len(speeds)} windows of a balanced fan at {_hz(fan_phases.KNOWN)}, unlabelled")
    windows = fan_phases.windows_of(fan, speeds, BALANCED)
    log = _empty(out / "learn.jsonl")
    learned = api.learn(
        device, vibration.raw(windows, front_end), unlabelled=True, steps=FIRST_STEPS, log=log
    )
    maps = {"before": _maps(device, probes)}

    with logs.Writer(_empty(out / "watch.jsonl")) as writer:
        watch = WatchRun(
            device,
            writer,
            adapt=True,
            steps=STEPS,
            on_watch=lambda facts: None,
            on_reading=lambda reading: None,
            on_adapted=lambda told, _: say(
                f"the board learned {told['blocks']} blocks in {told['steps']} steps, "
                f"{told['sample']} windows after the watch began"
            ),
            seed=seed,
            **WATCH,
        )
        phases, followed = _phases(device, watch, fan, random, front_end, say)
        watched = watch.result()
    maps["after"] = _maps(device, probes)

    info = device.info()
    faults = fan_phases.faults_learned(phases, watched["adapted"])
    return {
        "demo": "fan",
        "title": TITLE,
        "board": info["board"],
        "board_title": boards.load(info["board"]).title if boards.is_known(info["board"]) else "",
        "micropython": info["runtime"].removeprefix("micropython "),
        "counter_kind": info["counter"]["kind"],
        "counter_unit": info["counter"]["unit"],
        "settings": {
            "seed": seed,
            "model": {key: _plain(value) for key, value in RECIPE.items()},
            "learner": LEARNER,
            "watch": WATCH,
            "steps": [FIRST_STEPS, STEPS],
        },
        "model": model,
        "learned": {
            "windows": len(speeds),
            "losses": [step["loss"] for step in learned.steps],
            "busy_units": learned.summary["busy_units"],
        },
        "watch": watched["watch"],
        "readings": {key: watched[key] for key in ("scores", "means", "states")},
        "speeds": followed["speeds"],
        "adapted": watched["adapted"],
        "blocks": {key: watched[key] for key in ("adopted", "refused", "waiting", "taken")},
        "phases": phases,
        "faults_learned": faults,
        "maps": maps,
        "units_a_window": followed["units_a_window"],
        "ram_bytes": info["learner"]["ram_measured_bytes"],
        "kept": all(phase["kept"] for phase in phases) and not faults,
        "wall_s": round(time.monotonic() - start_s, 2),
    }


def _pushed(device: Device, out: Path, seed: int) -> dict[str, Any]:
    """Makes an auto-encoder that was never trained and opens it on the board: {"bytes",
    "parameters"}."""
    path = out / "fan.safetensors"
    made = api.make_vae(path, shape=[SAMPLES, AXES], front_end="vibration", seed=seed, **RECIPE)
    facts = device.push_model(path, seed=seed, **LEARNER)
    if facts["session"] or device.store_info()["store"]["live"]:
        raise InputError(
            "this board has learned something with this model, and the demo would go on from "
            "there; `engram reset` forgets it, then run the demo again"
        )
    return {"bytes": made["bytes"], "parameters": made["parameters"]}


def _phases(
    device: Device,
    watch: WatchRun,
    fan: Fan,
    random: np.random.Generator,
    front_end: str,
    say: Say,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Plays all phases: (their outcomes, {"speeds": of each window, "units_a_window": counter
    units of the first phase, frames included})."""
    speeds: list[int] = []
    plans, units = [], 0
    for phase in fan_phases.PHASES:
        own, first, busy = fan_phases.speeds_of(phase, random), len(speeds), device.busy()
        say(f"{phase.name}: {len(own)} windows at {_hz(sorted(set(own)))}")
        windows = fan_phases.windows_of(fan, own, phase.imbalance)
        watch.run(vibration.raw(windows, front_end))
        units = units or (device.busy() - busy) // len(own)
        speeds += own
        plans.append((phase, first, own))
    alarmed = watching.alarmed([state for _, _, state in watch.readings])
    at = watch.adapted[0]["sample"] if watch.adapted else None
    outcomes = [
        fan_phases.outcome(phase, first, own, alarmed[first : first + len(own)], at)
        for phase, first, own in plans
    ]
    return outcomes, {"speeds": speeds, "units_a_window": units}


def _maps(device: Device, probes: dict[tuple[int, float], Any]) -> list[dict[str, Any]]:
    """Answers of the model to windows of each state: {"hz", "imbalance", "codes": means of the
    code, "given": the features of the first window, "again": as the model gives them}."""
    rows = []
    for (hz, imbalance), samples in probes.items():
        answers: list[Any] = device.predict(samples)
        window = samples.x[:1].reshape(1, SAMPLES, AXES)
        features = vibration.Windows(device.taken()).make(window).x[0]
        rows.append(
            {
                "hz": hz,
                "imbalance": imbalance,
                "codes": [answer["code_mean"] for answer in answers],
                "given": [float(value) for value in features],
                "again": answers[0]["again"],
            }
        )
    return rows


def _empty(path: Path) -> Path:
    """A log to be written from its beginning."""
    path.unlink(missing_ok=True)
    return path


def _hz(speeds: Sequence[int]) -> str:
    return " and ".join(map(str, speeds)) + " turns a second"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
