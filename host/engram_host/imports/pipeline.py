"""import_model(): the whole way from a model of another framework to a device model file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path

from engram.errors import DataError, ModelError
from engram_host.convert.pipeline import MIN_AGREEMENT
from engram_host.convert.quantize import INT8_MIN
from engram_host.samples import Input, Samples

from . import (
    calibrated,
    checks,
    copied,
    onnx_file,
    onnx_network,
    tflite_file,
    tflite_network,
    torch_graph,
)
from . import cut as cutting
from .network import Network
from .report import ImportReport, survey
from .trunk import trunk

READERS: Mapping[str, Callable[[Path], Network]] = {
    ".tflite": lambda path: tflite_network.network(tflite_file.load(path), path.stem),
    ".onnx": lambda path: onnx_network.network(onnx_file.load(path), path.stem),
    ".pt2": lambda path: onnx_network.network(torch_graph.load(path), path.stem),
}


def read(path: Path) -> Network:
    """The network of a file. Raises ModelError, naming the file."""
    if path.suffix.lower() not in READERS:
        raise ModelError(
            f"{path}: expected a file that ends in {', '.join(READERS)}, got {path.suffix or path}"
        )
    try:
        net = READERS[path.suffix.lower()](path)
        net.check_size()
        return net
    except ModelError as error:
        if str(path) in str(error):
            raise
        raise ModelError(f"{path}: {error}") from error
    except Exception as error:  # what no row of a reader has thought of
        raise ModelError(
            f"{path}: expected a model that this reader understands, got one that is damaged or "
            f"new to it ({type(error).__name__}: {error}); --debug shows where"
        ) from error


def input_of(net: Network, dtype: str | None) -> Input:
    """The input of a network, for those who read samples. dtype: None, uint8 where the network
    takes bytes, or int8 that are bytes of an image (0 is the least of them), else float32."""
    scale = net.input_scale
    is_of_bytes = net.takes == "uint8" or scale is not None and scale.zero_point == INT8_MIN
    return Input(prod(net.input_shape), dtype or ("uint8" if is_of_bytes else "float32"))


def import_model(
    net: Network,
    out: Path | str | None = None,
    *,
    cut: str | None = None,
    classes: int | None = None,
    samples: Samples | None = None,
    input_dtype: str | None = None,
    class_names: Sequence[str] | None = None,
    min_agreement: float = MIN_AGREEMENT,
    accept: bool = False,
) -> ImportReport:
    """Writes the device model of a network of read(); without `out` or `cut` it only reports.

    cut: the layer behind which learning begins, as cut.find() takes it. classes: of a new
    classifier in the place of the last layer. samples: as the board will see them; a float32
    network is calibrated with them, and the result is compared with the original on them.
    input_dtype: of samples, as input_of() takes it. min_agreement: a result that agrees less is
    refused, and so is one with the other problems of checks.problems(). accept: it is written all
    the same. Raises ModelError or DataError, before anything is written.
    """
    dtype = input_of(net, input_dtype).dtype
    report = survey(net, classes, dtype)
    if cut is None or out is None:
        return report
    value = _checked_cut(net, cut, classes)
    write = copied.write if net.is_integer else calibrated.write
    out = Path(out)
    part = out.with_name(out.name + ".part")
    try:
        made = write(part, net, value, classes, dtype, samples, class_names)
        made["problems"] = checks.problems(made, min_agreement)
        if made["problems"] and not accept:
            raise DataError(checks.advice(made["problems"]))
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    frozen = {layer.name for layer in cutting.split(net, value, ())[0]}
    learning = {layer.name for layer in trunk(net, classes).layers} - frozen
    for row in report["layers"]:
        name = row["name"]
        row["role"] = "frozen" if name in frozen else "learns" if name in learning else "goes"
    return {**report, "cut": value, "out": str(out), "made": made}


def _checked_cut(net: Network, text: str, classes: int | None) -> str:
    """The name of the value behind which a user cuts. Raises ModelError, with the nearest one."""
    value = cutting.find(net, text)
    places = cutting.cuts(net, classes)
    at = next((i for i, place in enumerate(places) if place.layer == value), None)
    if at is None:
        raise ModelError(
            f"expected a cut below the last layer, {net.layers[-1].name}, got {value}: nothing "
            "above it learns"
        )
    if not places[at].reason:
        return value
    good = [i for i, place in enumerate(places) if not place.reason]
    if not good:
        raise ModelError(
            f"cannot cut behind {value}: {places[at].reason}; no other place works{_fewer(net)}"
        )
    nearest = places[min(good, key=lambda i: abs(i - at))].layer
    raise ModelError(
        f"cannot cut behind {value}: {places[at].reason}; the nearest cut that works is {nearest}"
        f"{_fewer(net)}"
    )


def _fewer(net: Network) -> str:
    """Advice on a network of several outputs."""
    if len(net.outputs) == 1:
        return ""
    return f"; or keep fewer outputs with --output, of {', '.join(net.output_names)}"
