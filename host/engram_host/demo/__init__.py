"""The digits, class after class, on a board: with replay, without, and the joint bound.

Everything is measured on the board by the same verbs a user has; this file is the script.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import numpy as np

from engram_host import api, boards
from engram_host.convert import convert
from engram_host.datasets import Dataset, digits, draw_per_class
from engram_host.demo.board import Say, blank_board
from engram_host.demo.joint import joint_training
from engram_host.device import Device
from engram_host.errors import DeviceError, InputError
from engram_host.meters.base import Meter
from engram_host.planning.report import PlanReport, plan_report
from engram_host.progress import Reporter, Silent
from engram_host.report.schema import DemoResult, Ram, Run, SeedResult, Session
from engram_host.report.summary import model_facts, summarise
from engram_host.report.write import write_report
from engram_host.samples import Samples

TITLE = "Handwritten digits, one new class a session"
_MODEL = "digits.safetensors"
_FEWER = 4  # times fewer samples in memory, at the next try
# Bytes that what comes in and goes out may take, and that opening the learner again needs: with
# less, the arena of stock firmware in 256 KB finds no piece the second time.
_HEAP_LEFT = 28 * 1024
# Settings that decide what memory a learner takes.
_FORMAT = ("format", "rounding")
_PLANNED = (
    "batch", "micro", "bits", "scope", "depth", "optimiser", "momentum", "clip", "keep", "skip",
    "recompute", "classes", *_FORMAT,
)  # fmt: skip


def demo(
    port: str = "qemu_m4f",
    *,
    out: Path = Path("out/demo"),
    seeds: bool = False,
    meter: str | None = None,
    format: str | None = None,
    rounding: str | None = None,
    reporter: Reporter | None = None,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Run the demo; write its report into `out`.

    port: a virtual board (built if need be, and run with a blank flash of its own, so that what
    the user's board of that name has learned stays) or a serial port. seeds: repeat with three
    seeds, for mean and spread. meter: measures the sessions with replay, as api.learn() takes it.
    format, rounding: of what learns, as Learner takes them.
    say: is told what happens. Returns {"summary", "paths"}.
    """
    out.mkdir(parents=True, exist_ok=True)
    settings = load_settings()
    settings["learner"].update(format=format, rounding=rounding)
    data = digits()
    model = prepare(out, data, settings)
    with ExitStack() as stack:
        installation = stack.enter_context(blank_board(port, out, say, reporter))
        device = stack.enter_context(api.connect(port, reporter))
        meters = stack.enter_context(api.metered(meter))
        result = _run(device, model, data, settings, out, reporter or Silent(), say, meters)
        if installation:
            result["install"] = installation
        if seeds:
            result["seeds"] = _seeds(device, model, data, settings, out, result, say)
    paths = write_report(result, out)
    return {"summary": summarise(result, _facts()), "paths": paths}


def example() -> Path:
    """The folder of the example: settings and float weights."""
    folder = boards.home() / "examples" / "digits"
    if not folder.is_dir():
        raise InputError(
            f"{folder} does not exist: the demo runs in a checkout of Engram; "
            "clone it, or set ENGRAM_HOME to one"
        )
    return folder


def load_settings() -> dict[str, Any]:
    """demo.toml."""
    return tomllib.loads((example() / "demo.toml").read_text(encoding="utf-8"))


def prepare(out: Path, data: Dataset, settings: dict[str, Any]) -> Path:
    """Writes the device model and the samples that the README's lines use; the model's path."""
    stream = settings["stream"]
    base = stream["base_classes"]
    calibration = out / "calibration.npz"
    x, y = data.train_of(base)
    np.savez(calibration, x=x, y=y)
    model = out / _MODEL
    convert(
        example() / "digits_float.safetensors",
        calibration,
        model,
        rehearse=Samples(x, y),
        rehearse_per_class=stream["rehearse_per_class"],
    )
    np.savez(out / "test.npz", x=data.x_test, y=data.y_test)
    for name, classes, count in (
        ("base", base, stream["base_per_class"]),
        ("new", stream["new_classes"], stream["new_per_class"]),
        ("sevens", [7], stream["new_per_class"]),
    ):
        x, y = draw_per_class(data.x_train, data.y_train, classes, count, 1)
        np.savez(out / f"{name}.npz", x=x, y=y)
    return model


def _run(
    device: Device,
    model: Path,
    data: Dataset,
    settings: dict[str, Any],
    out: Path,
    reporter: Reporter,
    say: Say,
    meter: Meter | None,
) -> DemoResult:
    """One run with the first seed: everything the report shows."""
    start_s = time.monotonic()
    seed = settings["run"]["seed"]
    settings = _fitted(device, model, settings, say)
    device.push_data("test", Samples(data.x_test, data.y_test))
    finetune = learn_stream(device, model, data, settings, seed, "finetune", out, say)
    replay = learn_stream(device, model, data, settings, seed, "replay", out, say, meter)
    facts = device.info()
    store = device.store_info()["store"]
    accuracy = _joint(model, data, settings, seed, reporter)
    micro = facts["learner"]["micro"]
    settings = {**settings, "learner": {**settings["learner"], "micro": micro}}
    options = _given(settings["learner"], _FORMAT)
    layout = plan_report(
        model, _facts(), settings["learner"]["batch"], store["capacity"], micro=micro, **options
    )
    board = boards.load(facts["board"]) if boards.is_known(facts["board"]) else None
    return {
        "title": TITLE,
        "board": facts["board"],
        "board_title": board.title if board else facts["board"],
        "micropython": facts["runtime"].removeprefix("micropython "),
        "counter_kind": facts["counter"]["kind"],
        "counter_unit": facts["counter"]["unit"],
        "settings": settings,
        "model": model_facts(layout),
        "replay": replay,
        "finetune": finetune,
        "joint": {"accuracy": accuracy},
        "ram": _ram(replay, facts, layout, board),
        "flash": {
            "programmed_bytes": sum(s["flash_bytes"] for s in replay["sessions"]),
            "erases": store["erases"],
            "replay_bytes": store["live"] * store["slot_bytes"],
            "records": store["live"],
            "store_bytes": store["blocks"] * store["erase_bytes"],
        },
        "wall_s": round(time.monotonic() - start_s, 2),
    }


def _fitted(device: Device, model: Path, settings: dict[str, Any], say: Say) -> dict[str, Any]:
    """The settings, with fewer samples in memory and a smaller budget where the board has no room.

    Firmware that is not ours keeps the library in RAM and gives its flash to files. Raises
    InputError when the board has learned something: the demo erases the replay region.
    """
    ladder = _smaller(settings["learner"])
    for words, learner in ladder:
        trial = {**settings, "learner": learner}
        last = learner is ladder[-1][1]
        if words:
            say(f"this board has too little RAM left for that: {words}")
            device.link.soft_reset()  # what the attempt before has left lies scattered in the heap
        if not last and _planned_left(device, model, trial) < _HEAP_LEFT:
            continue
        try:
            facts = device.push_model(model, **_options(trial, 1))
            has_room = last or device.info()["heap"]["free_bytes"] >= _HEAP_LEFT
        except DeviceError as e:
            if e.kind not in ("FitError", "MemoryError") or last:
                raise
            has_room = False
        if not has_room:
            continue
        store = device.store_info()["store"]
        if facts["session"] or store["live"] > facts["rehearsed"]:
            raise InputError(
                "this board has learned something with this model, and the demo would erase it; "
                "`engram reset` forgets it, then run the demo again"
            )
        room = store["capacity"] * 9 // 10 - settings["stream"]["new_per_class"]
        if room < trial["learner"]["budget"]:
            trial["learner"]["budget"] = room
            say(f"this board's store is smaller: {room} latents stay when a session ends")
        return trial
    raise AssertionError("the last rung of the ladder fits or raises")


def _planned_left(device: Device, model: Path, settings: dict[str, Any]) -> int:
    """Bytes of heap that a learner with these settings leaves on this board, by the plan; less
    than nothing where it does not fit."""
    learner = settings["learner"]
    options = _given(learner, _PLANNED)
    fit = api.plan(model, port=device, **options)["fit"][0]
    spare: int = fit["available_bytes"] - fit["needed_bytes"]
    return spare if fit["fits"] else min(spare, -1)


def _given(learner: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: learner[name] for name in names if learner.get(name) is not None}


def _smaller(learner: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """(what is said, a learner's settings), each with less RAM than the one before. The steps
    stay the same: the gradients of a mini-batch add up."""
    rungs, micro = [("", learner)], learner["batch"] // _FEWER
    while micro:
        words = f"{micro} sample{'s' * (micro > 1)} in memory at a time"
        rungs.append((words, {**learner, "micro": micro}))
        micro //= _FEWER
    return rungs


def _options(settings: dict[str, Any], seed: int, strategy: str = "replay") -> dict[str, Any]:
    options = {k: v for k, v in settings["learner"].items() if k != "epochs"}
    budget = options["budget"] if strategy == "replay" else 0
    return {**options, "seed": seed, "strategy": strategy, "budget": budget}


def learn_stream(
    device: Device,
    model: Path,
    data: Dataset,
    settings: dict[str, Any],
    seed: int,
    strategy: str,
    out: Path,
    say: Say,
    meter: Meter | None = None,
) -> Run:
    """The stream of sessions on a board that has learned nothing yet.

    strategy: "replay", or "finetune" for contrast. Session 0 brings samples of the classes that
    the network knows, beside those in the model file, for the replay to come; nothing is trained.
    Without replay it brings none.
    meter: measures the sessions that train.
    """
    stream = settings["stream"]
    device.link.soft_reset()  # an empty heap for each stream; small boards need every byte
    device.reset()
    learner = device.push_model(model, **_options(settings, seed, strategy))
    count = learner["rehearsed"] // len(stream["base_classes"])
    say(f"{strategy}, session 0: classes {_words(stream['base_classes'])} (known)")
    more = stream["base_per_class"] - count if strategy == "replay" else 0
    sessions = [_base_session(device, data, stream, seed, more)]
    seen = list(stream["base_classes"])
    for label in stream["new_classes"]:
        say(f"{strategy}, session {len(sessions)}: class {label} arrives")
        x, y = draw_per_class(data.x_train, data.y_train, [label], stream["new_per_class"], seed)
        log = out / "log" / f"{strategy}-{seed}-{label}.jsonl"
        log.unlink(missing_ok=True)
        seen.append(label)
        sessions.append(_session(device, Samples(x, y), [label], seen, settings, log, meter))
    return {"strategy": strategy, "sessions": sessions}


def _base_session(
    device: Device, data: Dataset, stream: dict[str, Any], seed: int, count: int
) -> Session:
    start_s, busy = time.monotonic(), device.busy()
    before = device.flash_bytes()
    classes = stream["base_classes"]
    x, y = draw_per_class(data.x_train, data.y_train, classes, count, seed)
    nothing = {"units": 0, "receive": 0, "flash_write": 0}
    figures = device.observe(Samples(x, y)) if count else nothing
    device.end_session()
    state = device.save()
    busy = device.busy() - busy
    return {
        "busy_total": busy,
        "classes": classes,
        "observed": len(x),
        "observe_total": figures["units"],
        "observe_phases": {key: figures[key] for key in ("receive", "flash_write")},
        "save_total": state["units"],
        "steps": [],
        "evaluation": cast(Any, device.evaluate("test", seen=classes)),
        "flash_bytes": device.flash_bytes() - before,
        "wall_s": round(time.monotonic() - start_s, 3),
    }


def _session(
    device: Device,
    samples: Samples,
    classes: list[int],
    seen: list[int],
    settings: dict[str, Any],
    log: Path,
    meter: Meter | None,
) -> Session:
    start_s = time.monotonic()
    epochs = settings["learner"]["epochs"]
    learned = api.learn(device, samples, epochs=epochs, log=log, meter=meter)
    session: Session = {
        "classes": classes,
        "observed": len(samples),
        "observe_total": learned.summary["observe_units"],
        "observe_phases": learned.summary["observe_phases"],
        "save_total": learned.summary["save_units"],
        "busy_total": learned.summary["busy_units"],
        "steps": cast(Any, learned.steps),
        "evaluation": cast(Any, device.evaluate("test", seen=seen)),
        "flash_bytes": learned.summary["flash_bytes"],
        "wall_s": round(time.monotonic() - start_s, 3),
    }
    if learned.energy:
        session["energy"] = learned.energy
    return session


def _joint(
    model: Path, data: Dataset, settings: dict[str, Any], seed: int, reporter: Reporter
) -> list[float]:
    """The joint-training bound after each session, on this computer."""
    stream, learner = settings["stream"], settings["learner"]
    groups: list[Sequence[int]] = [stream["base_classes"]]
    groups += [[label] for label in stream["new_classes"]]
    with reporter.items("joint training bound (host)", None, "steps") as update:
        bound = joint_training(
            model,
            data,
            groups,
            epochs=settings["joint"]["epochs"],
            lr=settings["joint"]["lr"],
            batch=settings["joint"]["batch"],
            momentum=learner["momentum"],
            weight_decay=learner["weight_decay"],
            seed=seed,
            progress=lambda count, of: update(count, total=of),
        )
    return bound["accuracy"]


def _ram(run: Run, facts: dict[str, Any], layout: PlanReport, board: boards.Board | None) -> Ram:
    steps = [step for session in run["sessions"] for step in session["steps"]]
    return {
        "planned_bytes": layout["ram_peak_bytes"],
        "peak_bytes": max(step.get("learner_ram_bytes") or 0 for step in steps),
        "board_bytes": board.facts["chip"]["ram_bytes"] if board else facts["memory"]["ram"],
        "heap_bytes": facts["memory"]["heap"],
        "free_bytes": facts["heap"]["free_bytes"],
        "rows": layout["ram_rows"],
    }


def _seeds(
    device: Device,
    model: Path,
    data: Dataset,
    settings: dict[str, Any],
    out: Path,
    result: DemoResult,
    say: Say,
) -> list[SeedResult]:
    """The outcomes of every seed; the first one's are those of `result`."""
    outcomes = []
    for seed in settings["run"]["seeds"]:
        if seed != settings["run"]["seed"]:
            say(f"seed {seed}")
            finetune, replay = (
                learn_stream(device, model, data, settings, seed, strategy, out, say)
                for strategy in ("finetune", "replay")
            )
            result = {
                **result,
                "finetune": finetune,
                "replay": replay,
                "joint": {"accuracy": _joint(model, data, settings, seed, Silent())},
            }
        summary = summarise(result, _facts())
        outcomes.append(
            SeedResult(
                seed=seed,
                accuracy_replay=summary["accuracy_replay"],
                accuracy_finetune=summary["accuracy_finetune"],
                accuracy_joint=summary["accuracy_joint"],
                forgetting=summary["forgetting"],
            )
        )
    return outcomes


def _facts() -> list[Any]:
    return [board.facts for board in boards.load_all()]


def _words(values: Sequence[int]) -> str:
    return ", ".join(str(v) for v in values)
