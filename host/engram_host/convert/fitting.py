"""The frozen nodes made int8 one after another, each fitted to what those before it compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.nn.names import INPUT

from . import int8_ops
from .frozen import Step, quantized
from .graph import F32, Entry
from .quantize import Scale
from .rounding import seen

Quantized = tuple[Entry, dict[str, NDArray[Any]]]  # as quantized() returns it


def fitted(
    steps: Sequence[Step],
    scales: Mapping[str, Scale],
    values: Mapping[str, F32],
    source: NDArray[np.int8],
) -> list[Quantized]:
    """Every step as quantized() has it, its weights and its bias fitted to the samples.

    values: of the float model, over the samples. source: the samples in int8. Raises ModelError
    when an accumulator could leave int32.
    """
    wanted, integers = {INPUT: values[INPUT]}, {INPUT: source}
    made: list[Quantized] = []
    for step in steps:
        facts = step.node.described()
        first = step.node.inputs[0]
        taps, zero = int8_ops.INT8[step.node.op].taps, scales[first].zero_point
        inputs = seen(taps, facts, wanted[first], integers[first], zero) if taps else None
        entry, tensors = quantized(step, scales, inputs)
        own = {key: tensors[entry[key]] for key in entry if key != "q"}
        sources = [integers[value] for value in step.node.inputs]
        integers[step.node.name] = int8_ops.apply({**facts, **entry}, own, *sources)
        wanted[step.node.name] = values[step.value]
        made.append((entry, tensors))
    return made
