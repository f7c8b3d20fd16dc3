"""Instructions of a learner's work on a core: its rows, each by the counts of its kernel.

Observing a sample runs the frozen stage once; a training step reads, runs forward and backward a
micro-batch at a time, and updates. What a step does outside of kernels (MicroPython, the tapes)
was counted too and is in. What the model leaves out: the flash's own time to program and erase,
the link, and that zeros make float operations in software shorter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from engram.nn.names import AGAIN, LISTS, VIEW
from engram.nn.ops import macs

from .kernel_costs import CoreCosts
from .sizes import STEP, sizes

Row = tuple[str, dict[str, int]]  # a kernel and the sizes of a call
Calls = list[tuple[Row, int]]  # with how many of them there are
_UPDATES = ("begin", "update")  # sections that run once per mini-batch


class Work(NamedTuple):
    """The calls of kernels of each kind of work: of a sample, of an answer, of a training step."""

    observe: Calls
    predict: Calls
    step: Calls

    @classmethod
    def of(cls, plan: Any, latent_elems: int, bits: int, known: int) -> Work:
        """plan: nn.sections.Sections. known: classes in use."""

        def calls(section: str, times: int = 1) -> Calls:
            if section not in plan.sections:
                return []
            return [
                (_whole(plan, kernel, args, sizes(kernel, _sized(plan, args), known)), times)
                for kernel, args, _ in plan.section(section)
                if kernel != VIEW
            ]

        batch, micro = plan.choice.batch, plan.micro
        micros = batch // micro
        observe = calls("frozen") + [(("pack_s8", _packed(latent_elems, bits)), 1)]
        predict = calls("frozen") + calls("single") + calls("answer")
        step = calls("forward", micros) + calls("backward", micros) + calls("again", micros)
        step += calls("teacher", micros) + calls("single_backward", batch)
        for section in _UPDATES:
            step += calls(section)
        read = {"rows": micro, "size": micro * latent_elems, "bits": bits}
        reads = 2 if "again" in plan.sections else 1
        step.append((("draw_batch", {"batch": micro}), micros))
        gather = "gather_codes" if plan.program.graph.latent_format == "q8" else "gather_latents"
        step.append(((gather, read), reads * micros))
        rows = sum(times for _, times in step)
        step.append(((STEP, {"micros": micros, "rows": rows}), 1))
        return cls(observe, predict, step)


def computed_twice(plan: Any) -> dict[str, int]:
    """{node: its multiply-accumulates of one sample} of those that each step computes twice.

    plan: nn.sections.Sections.
    """
    rows = plan.section("backward") + (plan.section("again") if "again" in plan.sections else [])
    written = {row[1][0][0] for row in rows if isinstance(row[1][0], tuple)}
    nodes = plan.program.graph.adaptive
    return {node["name"]: macs(node) for node in nodes if AGAIN + node["name"] in written}


def _sized(plan: Any, args: Sequence[Any]) -> list[Any]:
    """Arguments of a row; a window of all of a buffer of records, which grows while rows are made,
    has its elements."""
    return [
        (arg[0], 0, plan.program.sizes[arg[0]][1] // 4, 0)
        if isinstance(arg, tuple) and arg[2] is None
        else arg
        for arg in args
    ]


_SOME = "_some"  # end of the names of kernels whose samples have lists of structures


def _whole(plan: Any, kernel: str, args: Sequence[Any], of: dict[str, int]) -> Row:
    """A call; one over lists as that of a whole layer that has as many structures as a list."""
    if not kernel.endswith(_SOME):
        return kernel, of
    of, structures = dict(of), "M" if "M" in of else "K"
    buffers = [arg[0] for arg in args if isinstance(arg, tuple)]
    (name,) = [buffer[len(LISTS) :] for buffer in buffers if buffer.startswith(LISTS)]
    share = plan.partial.share(plan.program.graph.node(name))
    of[structures] = max(round(of[structures] * share), 1)
    if "P" in of:
        of["B"] *= of.pop("P")
    if kernel.startswith("depthwise"):
        of["C"] = of["K"]
    return kernel.removesuffix(_SOME), of


def _packed(n: int, bits: int) -> dict[str, int]:
    return {"n": n, "size": (n * bits + 7) // 8, "bits": bits}


def instructions(calls: Calls, costs: CoreCosts) -> float:
    """Instructions of all the calls on a core."""
    return sum(times * costs.instructions(*row) for row, times in calls)


def not_counted(calls: Calls, costs: CoreCosts) -> list[str]:
    """Kernels of the calls that have no measured cost on a core, in order."""
    return sorted({kernel for (kernel, _), _ in calls if not costs.has(kernel)})
