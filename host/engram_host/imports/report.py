"""The report of import_model()."""

from __future__ import annotations

from typing import Any, TypedDict

from .cut import cuts, latent_elements
from .network import Layer, Network
from .trunk import trunk


class LayerRow(TypedDict):
    """A layer of the original. values: of its weights. role: "frozen", "learns", "goes" (it makes
    probabilities or is replaced) or "not supported", with the reason; "" before a cut."""

    name: str
    source: str
    op: str
    activation: str
    out: list[int]
    values: int
    role: str
    reason: str


class CutRow(TypedDict):
    """A place to cut: the layer behind which learning begins. latent: values of a stored sample.
    reason: why not there, "" where it can be."""

    layer: str
    latent: int
    reason: str


class OutputRow(TypedDict):
    """An output of a device model beside that of the original. name: in its framework. classes:
    whether it tells classes apart. agreement, snr_db: as in Made."""

    name: str
    classes: bool
    agreement: float | None
    snr_db: float | None


class Made(TypedDict):
    """A device model. bytes: of the file. samples: how many it was compared on. outputs: those
    that the original has, too; of the one that tells classes apart, else of the first:

    agreement: share of the samples that it puts into the class of the original; of values the
    share of their variance that stays. snr_db: of its output. None without samples, and with a new
    classifier. Of a float32 original: snr_of_layers, latent_snr_db: how far its frozen layers and
    the latent are from it, in dB (None: no error); steps_of_layers: steps of int8 that an ordinary
    sample reaches. problems: what import_model() refuses, unless it is told to accept it.
    """

    bytes: int
    classes: int
    samples: int
    outputs: list[OutputRow]
    agreement: float | None
    snr_db: float | None
    accuracy: float | None
    snr_of_layers: dict[str, float | None]
    latent_snr_db: float | None
    steps_of_layers: dict[str, int]
    problems: list[str]


def enter(made: Made, rows: list[OutputRow]) -> None:
    """Enters the outputs of a device model, the main one as its own agreement and noise."""
    made["outputs"] = rows
    for row in [row for row in rows if row["classes"]] or rows[:1]:
        made["agreement"], made["snr_db"] = row["agreement"], row["snr_db"]


class EndRow(TypedDict):
    """An output that is kept. name: in its framework. layer: the one that makes its values.
    objective: "classify", "regress"; "" of a single output."""

    name: str
    layer: str
    objective: str


class ImportReport(TypedDict):
    """The whole of it. integer: whether its arithmetic is that of int8. out, cut, made: None where
    nothing was written."""

    name: str
    integer: bool
    input: dict[str, Any]
    outputs: list[EndRow]
    layers: list[LayerRow]
    cuts: list[CutRow]
    cut: str | None
    out: str | None
    made: Made | None


def survey(network: Network, classes: int | None, dtype: str) -> ImportReport:
    """The report of a network that is not cut yet. dtype: of its samples."""
    return {
        "name": network.name,
        "integer": network.is_integer,
        "input": {"shape": list(network.input_shape), "dtype": dtype},
        "outputs": [
            {"name": end.name, "layer": end.layer, "objective": end.objective}
            for end in trunk(network, classes).ends
        ],
        "layers": [_row(layer) for layer in network.layers],
        "cuts": [
            {
                "layer": place.layer,
                "latent": latent_elements(network, place.layer),
                "reason": place.reason,
            }
            for place in cuts(network, classes)
        ],
        "cut": None,
        "out": None,
        "made": None,
    }


def _row(layer: Layer) -> LayerRow:
    return {
        "name": layer.name,
        "source": layer.source,
        "op": layer.op,
        "activation": layer.activation,
        "out": list(layer.out),
        "values": layer.weights,
        "role": "not supported" if layer.reason else "",
        "reason": layer.reason,
    }
