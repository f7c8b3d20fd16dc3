"""From the records of a run to the figures that are shown: the only place that derives any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engram.continual import metrics
from engram.continual.defaults import BITS

from ..boards import is_known, load
from ..boards.clock import milliseconds
from ..planning.energy import (
    ESTIMATE_CODE,
    Board,
    Code,
    Cost,
    code_of,
    costs,
    estimate_instructions,
    left_out,
)
from ..planning.report import PlanReport
from .schema import DemoResult, Evaluation, ModelFacts, Run, Session, Source, StepRecord, Summary

Matrix = list[list[float | None]]

# Phases of a session in the order they happen: the key in Session or in a step, and its title.
PHASES = {
    "receive": "receive",
    "observe": "observe (frozen stage)",
    "flash_write": "write latents to flash",
    "replay_read": "read replays",
    "forward": "forward",
    "backward": "backward",
    "update": "update",
    "save": "save",
    "link": "link (frames, JSON, heap)",
}
LATENT_BITS = BITS  # of a store that is made
UNKNOWN_CODE = Code("core that is not known", "unknown", "unknown")  # of a board not in boards/


def model_facts(plan: PlanReport) -> ModelFacts:
    """The facts about a model that a report shows, from its plan."""
    latent = [row["out"] for row in plan["layers"] if row["stage"] == "frozen"][-1:]
    elements = 1
    for size in latent[0] if latent else []:
        elements *= size
    adaptive = [row for row in plan["layers"] if row["stage"] == "adaptive"]
    return {
        "name": plan["model"],
        "file_bytes": plan["model_file_bytes"],
        "parameters": sum(row["parameters"] for row in adaptive),
        "macs_observe": plan["macs_observe"],
        "macs_step": plan["macs_step"],
        "latent_bytes": elements * LATENT_BITS // 8,
        "latent_bits": LATENT_BITS,
    }


def class_groups(run: Run) -> list[list[int]]:
    """The classes each session brought: the columns of the accuracy matrix."""
    return [session["classes"] for session in run["sessions"]]


def group_name(classes: Sequence[int]) -> str:
    """[0, 1, 2, 3, 4] -> "0–4", [7] -> "7"."""
    if len(classes) > 1 and list(classes) == list(range(classes[0], classes[-1] + 1)):
        return f"{classes[0]}–{classes[-1]}"
    return ", ".join(map(str, classes))


def accuracy_on(evaluation: Evaluation, classes: Iterable[int]) -> float | None:
    """Share of the test samples of some classes that were recognised; None if there are none."""
    labels = list(classes)
    total = sum(evaluation["total"][c] for c in labels)
    return sum(evaluation["right"][c] for c in labels) / total if total else None


def accuracy_matrix(run: Run) -> Matrix:
    """[after session][class group], groups that come later included."""
    groups = class_groups(run)
    return [
        [accuracy_on(session["evaluation"], group) for group in groups]
        for session in run["sessions"]
    ]


def accuracy_seen(run: Run) -> list[float]:
    """[after session]: accuracy on the test samples of all classes that came until then."""
    seen: list[int] = []
    result = []
    for session in run["sessions"]:
        seen += session["classes"]
        result.append(accuracy_on(session["evaluation"], seen) or 0.0)
    return result


def phase_totals(session: Session) -> dict[str, int]:
    """{phase: counter units} of one session, by PHASES; phases that did not happen are 0."""
    totals = dict.fromkeys(PHASES, 0)
    totals.update(observing(session.get("observe_total", 0), session.get("observe_phases", {})))
    totals["save"] = session.get("save_total", 0)
    for step in session["steps"]:
        for name, units in step["phases"].items():
            totals[name] = totals.get(name, 0) + units
    totals["link"] = link_units(totals, session.get("busy_total"), session["steps"])
    return totals


def link_units(
    totals: Mapping[str, int], busy: int | None, steps: Iterable[Mapping[str, Any]]
) -> int:
    """Counter units beside the phases. busy: of all requests of a session; None where a log does
    not tell them, as of a session that was cut off: then those of its steps."""
    if busy is None:
        return sum(step.get("link", 0) for step in steps)
    return max(0, busy - sum(units for phase, units in totals.items() if phase != "link"))


def observing(units: int, phases: Mapping[str, int]) -> dict[str, int]:
    """{"receive", "observe", "flash_write"}: counter units. units: of inference and writing
    together; phases: what the log tells of them, {} in older ones."""
    write = phases.get("flash_write", 0)
    return {"receive": phases.get("receive", 0), "observe": units - write, "flash_write": write}


def all_steps(run: Run) -> list[StepRecord]:
    """The steps of all sessions, in order."""
    return [step for session in run["sessions"] for step in session["steps"]]


def learning_instructions(result: DemoResult) -> tuple[int, Source]:
    """Instructions of the run with replay: observing, learning, saving, and all that the link
    takes for them. Evaluation left out.

    Counted where the board counts instructions, else estimated from multiply-accumulates.
    """
    sessions = result["replay"]["sessions"]
    if result["counter_unit"] == "instructions":
        units = sum(sum(phase_totals(session).values()) for session in sessions)
        return units, result["counter_kind"]
    model = result["model"]
    samples = sum(session["observed"] for session in sessions)
    steps = len(all_steps(result["replay"]))
    return estimate_instructions(
        samples * model["macs_observe"], steps * model["macs_step"]
    ), "model"


def learning_code(result: DemoResult) -> Code:
    """The code that learning_instructions() are of."""
    if result["counter_unit"] != "instructions":
        return ESTIMATE_CODE
    board = result["board"]
    return code_of(load(board).facts) if is_known(board) else UNKNOWN_CODE


def chip_costs(result: DemoResult, boards: Iterable[Board]) -> list[Cost]:
    """Time and energy of the whole learning with replay on each board that has power figures and
    runs the code that was counted.
    """
    return costs(learning_instructions(result)[0], boards, learning_code(result))


def share_outside_kernels(steps: Sequence[StepRecord]) -> float | None:
    """Share of the step time not spent inside kernels; None where the kernels count nothing."""
    total = sum(step["total"] for step in steps)
    outside = sum(step["outside"] for step in steps)
    return outside / total if total and outside < total else None


def microseconds(result: DemoResult, count: int | None) -> int | None:
    """Units of the board's counter as time; None where they are none."""
    ms = None if count is None else milliseconds(count, result["board"], result["counter_unit"])
    return None if ms is None else round(1000 * ms)


def summarise(result: DemoResult, boards: Iterable[Board]) -> Summary:
    """The content of summary.json."""
    replay, finetune = result["replay"], result["finetune"]
    steps = all_steps(replay)
    matrix, matrix_finetune = accuracy_matrix(replay), accuracy_matrix(finetune)
    total = sum(s["total"] + s.get("link", 0) for s in steps)
    per_step = round(total / len(steps)) if steps else None
    unit = result["counter_unit"]
    phases = dict.fromkeys(PHASES, 0)
    for session in replay["sessions"]:
        for name, units in phase_totals(session).items():
            phases[name] += units
    boards = list(boards)
    chips = chip_costs(result, boards)
    board = result["counter_kind"]
    seen = {
        "replay": accuracy_seen(replay),
        "finetune": accuracy_seen(finetune),
        "joint": list(result["joint"]["accuracy"]),
    }
    sources: dict[str, Source] = {
        "accuracy_replay": board,
        "accuracy_finetune": board,
        "accuracy_joint": "host",
        "forgetting": board,
        "accuracy_matrix": board,
        "ram_peak_bytes": board,
        "ram_planned_bytes": "model",
        "replay_bytes": board,
        "flash_programmed_bytes": board,
        "instructions_per_step": board,
        "cycles_per_step": board,
        "us_per_step": board,
        "sessions_us": board,
        "share_outside_kernels": board,
        "phases": board,
        "energy_mj": "model",
        "energy_least_mj": "model",
        "time_ms": "model",
        "wall_s": "host",
    }
    summary: Summary = {
        "board": result["board"],
        "micropython": result["micropython"],
        "accuracy_replay": seen["replay"][-1],
        "accuracy_finetune": seen["finetune"][-1],
        "accuracy_joint": seen["joint"][-1],
        "forgetting": metrics.forgetting(matrix),
        "forgetting_finetune": metrics.forgetting(matrix_finetune),
        "accuracy_matrix": matrix,
        "accuracy_matrix_finetune": matrix_finetune,
        "accuracy_seen": seen,
        "class_groups": class_groups(replay),
        "ram_peak_bytes": result["ram"]["peak_bytes"],
        "ram_planned_bytes": result["ram"]["planned_bytes"],
        "latent_bits": result["model"]["latent_bits"],
        "replay_bytes": result["flash"]["replay_bytes"],
        "flash_programmed_bytes": result["flash"]["programmed_bytes"],
        "steps": len(steps),
        "instructions_per_step": per_step if unit == "instructions" else None,
        "cycles_per_step": per_step if unit == "cycles" else None,
        "us_per_step": microseconds(result, per_step),
        "sessions_us": microseconds(result, sum(phases.values())),
        "share_outside_kernels": share_outside_kernels(steps),
        "phases": phases,
        "energy_mj": {row["board"]: row["mj"] for row in chips},
        "energy_least_mj": {row["board"]: row["least_mj"] for row in chips},
        "time_ms": {row["board"]: row["ms"] for row in chips},
        "energy_left_out": left_out(boards, learning_code(result)),
        "wall_s": result["wall_s"],
        "sources": sources,
    }
    if "seeds" in result:
        summary["seeds"] = result["seeds"]
    return summary
