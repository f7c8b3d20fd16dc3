"""A small run of the demo, made by arithmetic: input for the tests of the report."""

from engram_host.report.schema import DemoResult, Evaluation, Run, Session, StepRecord

GROUPS = [[0, 1, 2, 3, 4], [5], [6], [7], [8], [9]]
TESTED = 36  # samples a class


def _evaluation(right: list[int]) -> Evaluation:
    return {"n": TESTED * 10, "correct": sum(right), "total": [TESTED] * 10, "right": right}


def _steps(session: int, count: int, replay: bool) -> list[StepRecord]:
    share = max(2, 6 - session) if replay else 16
    rows: list[StepRecord] = []
    for n in range(count):
        wobble = ((n * 7919 + session * 31) % 97) / 97
        phases = {
            "replay_read": 96_000 + 1_000 * (n % 3),
            "forward": 820_000,
            "backward": 1_190_000,
            "update": 61_000,
        }
        rows.append(
            {
                "step": n + 1,
                "of": count,
                "loss": 2.6 * 0.94**n + 0.05 + 0.25 * wobble,
                "acc": min(1.0, 0.5 + n / count * 0.5),
                "new": share,
                "replayed": 16 - share,
                "phases": phases,
                "total": sum(phases.values()) + 9_000,
                "outside": 74_000,
            }
        )
    return rows


def _run(replay: bool) -> Run:
    sessions: list[Session] = []
    for i, classes in enumerate(GROUPS):
        seen = 5 + i
        right = [0] * 10
        for c in range(seen):
            if replay:
                right[c] = 35 - (c * 3 + i) % 4
            else:
                right[c] = 35 if c == seen - 1 or not i else max(0, 9 - 4 * (seen - c))
        session: Session = {
            "classes": classes,
            "observed": 400 if i == 0 else 100,
            "observe_total": (400 if i == 0 else 100) * 190_000,
            "save_total": 2_000_000 if i else 0,
            "steps": _steps(i, (100 + 20 * i if replay else 21), replay) if i else [],
            "evaluation": _evaluation(right),
            "flash_bytes": (400 if i == 0 else 100) * 256 + (15_360 if i else 0),
            "wall_s": 4.2,
        }
        sessions.append(session)
    return {"strategy": "replay" if replay else "finetune", "sessions": sessions}


def demo_result() -> DemoResult:
    """A complete result: every optional field but `seeds` is there."""
    return {
        "title": "Handwritten digits",
        "board": "qemu_m4f",
        "board_title": "Emulated Cortex-M4F with the memory of an nRF52840 (QEMU)",
        "micropython": "1.25.0",
        "counter_kind": "icount",
        "counter_unit": "instructions",
        "settings": {"batch": 16, "lr": 0.03, "momentum": 0.9, "epochs": 3, "budget": 640},
        "model": {
            "name": "digits",
            "file_bytes": 19_336,
            "parameters": 3_818,
            "macs_observe": 36_864,
            "macs_step": 457_728,
            "latent_bytes": 192,
            "latent_bits": 8,
        },
        "replay": _run(True),
        "finetune": _run(False),
        "joint": {"accuracy": [0.994, 0.991, 0.988, 0.985, 0.979, 0.975]},
        "ram": {
            "planned_bytes": 83_560,
            "peak_bytes": 83_616,
            "board_bytes": 262_144,
            "heap_bytes": 196_608,
            "rows": [
                ["params", "f32", 15272, 0, 0, 13],
                ["grads", "f32", 15272, 15272, 0, 13],
                ["velocity", "f32", 15272, 30544, 0, 13],
                ["conv2.w", "i8", 1728, 45816, 0, 13],
                ["a0", "f32", 12288, 47704, 3, 12],
                ["f0", "i8", 1024, 47704, 1, 2],
                ["a1", "f32", 8192, 59992, 4, 11],
                ["latents", "i8", 3072, 59992, 0, 3],
                ["a3", "f32", 2048, 68184, 6, 9],
                ["d2", "f32", 8192, 68184, 10, 12],
                ["a4", "f32", 640, 70232, 7, 8],
                ["d4", "f32", 640, 70872, 8, 9],
                ["d3", "f32", 2048, 76376, 9, 10],
                ["conv1.bias", "i32", 64, 0, 0, 13],
                ["objects", "heap", 0, 0, 0, 13],
                ["replay index", "heap", 4800, 0, 0, 13],
            ],
        },
        "flash": {
            "programmed_bytes": 307_200,
            "erases": 83,
            "replay_bytes": 163_840,
            "records": 640,
            "store_bytes": 360_448,
        },
        "wall_s": 74.0,
    }


M4F = {"core": "cortex-m4", "arch": "armv7emsp", "fpu": "fpv4-sp-d16"}
M7 = {"core": "cortex-m7", "arch": "armv7emdp", "fpu": "fpv5-d16"}


def chip(name: str, title: str, clock_hz: int, active_mw: float, code: dict = M4F) -> dict:
    """A board.toml's content, as far as the energy model reads it."""
    return {
        "name": name,
        "chip": {"name": title, "clock_hz": clock_hz, "ram_bytes": 262_144, **code},
        "power": {"active_mw": active_mw, "cycles_per_instruction": 1.25},
    }


CHIPS = [
    chip("nano", "nRF52840", 64_000_000, 19.8),
    chip("nucleo", "STM32L4R5", 120_000_000, 52.0),
    chip("teensy", "i.MX RT1062", 600_000_000, 330.0, M7),
]
