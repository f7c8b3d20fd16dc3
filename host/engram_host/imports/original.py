"""A whole int8 network as it comes, layer by layer: a device model is compared with it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from engram.nn import formats
from engram.nn.names import INPUT
from engram_host.convert import int8_ops

from .integers import frozen
from .network import Network

I8 = NDArray[np.int8]
s8 = formats.load("s8")


def values(network: Network, x: I8, wanted: Iterable[str] | None = None) -> dict[str, I8]:
    """{layer: (n, *its output shape)} of int8 inputs x (n, *input shape).

    wanted: names of the layers to return; None: all. Layers that no board runs have none, nor have
    those above them.
    """
    known = {INPUT: x.reshape(len(x), *network.input_shape)}
    for layer in network.layers:
        if layer.reason or any(value not in known for value in layer.inputs):
            continue
        entry, tensors = frozen(layer, network.scales)
        entry["shapes"] = [list(shape) for shape in layer.shapes]
        own = {key: tensors[entry[key]] for key, _, _ in s8.tensors(entry)}
        out = int8_ops.apply(entry, own, *(known[value] for value in layer.inputs))
        known[layer.name] = out.reshape(len(x), *layer.out)
    return known if wanted is None else {name: known[name] for name in wanted if name in known}
