"""The result that a run hands to the report, and the fields of summary.json.

The result of a run is raw: records as the board sent them, evaluations as the learner returned
them. Everything derived (matrix, forgetting, shares, energy) is computed in summary.py, in one
place, and every figure that is shown carries the name of where it was measured:

    device   a clock on silicon, or a power meter
    icount   instructions counted by the emulator
    cycles   processor cycles counted by the emulator, by its model of the chip's memory
    model    computed, from a plan or a data sheet
    host     measured or computed on the PC
    simulated  by a meter that was made up
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

Source = Literal["device", "icount", "cycles", "model", "host", "simulated"]
Unit = Literal["instructions", "cycles", "us"]


class Evaluation(TypedDict):
    """As Learner.evaluate() returns it: samples of the test split, by class."""

    n: int
    correct: int
    total: list[int]  # [class]: samples tested
    right: list[int]  # [class]: of these, recognised


class StepRecord(TypedDict):
    """As Learner.steps() yields it: one SGD step, times in units of the board's counter."""

    step: int  # 1..of
    of: int
    loss: float
    acc: float | None  # None where the model tells no classes apart
    new: int
    replayed: int
    phases: dict[str, int]  # replay_read, forward, backward, update
    total: int
    outside: int  # of total, what was not spent inside kernels
    link: NotRequired[int]  # beside total: frames, JSON, collector
    learner_ram_bytes: NotRequired[int | None]  # heap the learner holds, where it is measured


class Session(TypedDict):
    """One session: samples arrive, the board learns them, then it is evaluated."""

    classes: list[int]  # that arrived
    observed: int  # samples that arrived
    observe_total: NotRequired[int]  # counter units of the frozen stage and the flash writes
    observe_phases: NotRequired[dict[str, int]]  # receive, forward, flash_write
    energy: NotRequired[dict[str, Any]]  # as meters.result.analyse() gives it; with a meter only
    busy_total: NotRequired[int]  # counter units of all its requests, from frame to answer
    save_total: NotRequired[int]  # counter units of saving the learned state
    steps: list[StepRecord]  # [] where nothing was trained
    evaluation: Evaluation  # afterwards, on the whole test split
    flash_bytes: int  # programmed during this session
    wall_s: float


class Run(TypedDict):
    """One pass over the stream. sessions[0] is the base: seeds for the replay, no training."""

    strategy: str
    sessions: list[Session]


class Ram(TypedDict):
    """Planned and measured heap of the learner."""

    planned_bytes: int  # Plan.total_bytes
    peak_bytes: int  # measured on the board
    board_bytes: int  # RAM of the chip
    heap_bytes: NotRequired[int]  # of it, what MicroPython may allocate
    free_bytes: NotRequired[int]  # of that, what the open learner leaves, in pieces
    rows: NotRequired[list[list[Any]]]  # Plan.rows: name, kind, bytes, offset, first, last


class Flash(TypedDict):
    """The replay region over the run with replay."""

    programmed_bytes: int
    erases: int
    replay_bytes: int  # flash that the stored latents occupy
    records: int  # latents stored at the end
    store_bytes: NotRequired[int]  # size of the region


class ModelFacts(TypedDict):
    """The device model, from its plan."""

    name: str
    file_bytes: int
    parameters: int  # trained ones
    macs_observe: int  # one sample through the frozen stage
    macs_step: int  # one mini-batch through the adaptive stage, forward and backward
    latent_bytes: int
    latent_bits: int


class Joint(TypedDict):
    """The bound: the same model on the same latents, all classes' data mixed, on the host."""

    accuracy: list[float]  # [session]: on the classes seen until then; the last is the bound


class SeedResult(TypedDict):
    """The four outcomes of a run with one seed."""

    seed: int
    accuracy_replay: float
    accuracy_finetune: float
    accuracy_joint: float
    forgetting: float


class DemoResult(TypedDict):
    """Everything a run of the demo collects."""

    title: str
    board: str
    board_title: str
    micropython: str
    counter_kind: Source  # what the figures of the board's counter are
    counter_unit: Unit
    settings: dict[str, Any]  # as in demo.toml
    model: ModelFacts
    replay: Run
    finetune: Run
    joint: Joint
    ram: Ram
    flash: Flash
    wall_s: float
    seeds: NotRequired[list[SeedResult]]
    install: NotRequired[dict[str, Any]]  # on stock firmware: what api.install() told


class Summary(TypedDict):
    """summary.json."""

    board: str
    micropython: str
    accuracy_replay: float  # on all classes, after the last session
    accuracy_finetune: float
    accuracy_joint: float
    forgetting: float  # mean over the class groups before the last: best so far - last
    forgetting_finetune: float
    accuracy_matrix: list[list[float | None]]  # [after session][class group], with replay
    accuracy_matrix_finetune: list[list[float | None]]
    accuracy_seen: dict[str, list[float]]  # replay, finetune, joint: [after session]
    class_groups: list[list[int]]
    ram_peak_bytes: int
    ram_planned_bytes: int
    latent_bits: int
    replay_bytes: int
    flash_programmed_bytes: int
    steps: int
    instructions_per_step: int | None  # None where the board counts no instructions
    cycles_per_step: int | None
    us_per_step: int | None  # of a clock, or of cycles at the chip's frequency
    sessions_us: int | None  # all phases of all sessions with replay, likewise
    share_outside_kernels: float | None
    phases: dict[str, int]  # counter units over all steps with replay
    energy_mj: dict[str, float]  # [chip]: learning all sessions with replay
    energy_least_mj: dict[str, float]  # less than that where a count is assumed to stand
    time_ms: dict[str, float]  # [chip]
    energy_left_out: dict[str, str]  # [chip]: why the run's instructions say nothing of it
    wall_s: float
    sources: dict[str, Source]  # [key of this summary]: where it was measured
    seeds: NotRequired[list[SeedResult]]
