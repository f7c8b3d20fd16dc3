"""Reads and checks a device model file, and tells who it is. Needed until a model is open."""

import json
import struct
from binascii import crc32

from ..compat import collect_often
from ..errors import ModelError
from . import formats, graph
from .geometry import elems
from .objectives import WITHOUT_ANSWERS
from .safetensors import TensorFile

VERSIONS = ("1", "2")
INPUT_DTYPES = ("uint8", "float32")
# Of a node, beside the names of its tensors.
_KEYS = (
    "name", "op", "format", "in", "out", "shapes", "kernel", "stride", "pad", "dilation", "slope",
    "q", "qp", "in_qp", "is_output",
)


def read(spec, stream):
    """Fills a model.ModelSpec from a stream. Raises ModelError on anything inconsistent.

    The heap is collected often from here on, until a learner is open: what stays of the text would
    else lie scattered over the room for the arena.
    """
    collect_often()
    spec.file = TensorFile(stream)
    meta = spec.file.metadata
    spec.version = meta.get("engram_model", "none")
    if spec.version not in VERSIONS:
        raise ModelError(
            "expected a model file of version %s, got %s; make it with `engram convert`"
            % (" or ".join(VERSIONS), spec.version)
        )
    try:
        text = meta.pop("graph")
        raw = json.loads(text)  # nodes are many objects: .net has them alone
        spec.graph = {key: raw[key] for key in ("input", "latent")}
        spec.name, spec.class_names = raw["name"], meta.pop("class_names", "")
        spec.front_end = meta.pop("front_end", "")
        spec.classes = spec.known = raw["classes"]
        spec.input_elems = elems(raw["input"]["shape"])
        spec.latent_elems = elems(raw["latent"]["shape"])
        for key in ("input", "latent"):
            spec.quantization(key)  # KeyError
        spec.net = graph.read(raw, spec.version)
        spec.net.in_place = spec.file.mapped is not None
        spec.targets = sum([
            elems(spec.net.node(output["node"])["out"])
            for output in spec.net.outputs
            if output["objective"] == "regress"
        ])
        kinds = [output["objective"] for output in spec.net.outputs]
        spec.unlabelled = any([kind in WITHOUT_ANSWERS for kind in kinds])
        _check(spec, raw)
        spec.rehearsal = _rehearsal(spec)
        spec.latent_id, spec.model_id = _identify(spec, text)
    except (KeyError, ValueError, TypeError, IndexError) as e:
        raise ModelError("model file: its graph is incomplete (%r)" % (e,))


def _check(spec, raw):
    if raw["input"]["dtype"] not in INPUT_DTYPES:
        raise ModelError(
            "expected an input of dtype %s, got %s"
            % (" or ".join(INPUT_DTYPES), raw["input"]["dtype"])
        )
    head = spec.net.head
    if head and not 1 <= spec.classes <= 254:
        raise ModelError("expected 1 to 254 classes, got %d" % spec.classes)
    if head and elems(head["out"]) != spec.classes:
        raise ModelError(
            "expected %d outputs, one per class, got %d" % (spec.classes, elems(head["out"]))
        )
    learnable = []
    for node in spec.net.frozen + spec.net.adaptive:
        unknown = [key for key in node if key not in _KEYS]
        for key, dtype, shape in formats.load(node["format"]).tensors(node):
            spec.file.expect(node[key], dtype, shape)
            unknown.remove(key)
            if dtype == "F32":
                learnable.append(node[key])
        if unknown:
            raise ModelError(
                "node %s (%s): expected keys of %s and its tensors, got %s"
                % (node["name"], node["op"], ", ".join(_KEYS), ", ".join(unknown))
            )
    for tensor in set(learnable):
        if learnable.count(tensor) > 1:
            raise ModelError("expected a float32 tensor of one node, got %s of two" % tensor)


def _rehearsal(spec):
    """ModelSpec.rehearsal."""
    entries, name = spec.file.entries, "rehearsal.%s"
    if name % "latents" not in entries:
        return None
    n = entries[name % "latents"][1][0]
    spec.file.expect(name % "latents", "I8", (n, spec.latent_elems))
    spec.file.expect(name % "labels", "I8", (n,))
    if spec.targets:
        spec.file.expect(name % "targets", "F32", (n, spec.targets))
    offsets = [entries.get(name % part, (0, 0, 0))[2] for part in ("latents", "labels", "targets")]
    return (n,) + tuple(offsets)


def _identify(spec, text):
    """(latent_id, model_id). text: the graph's JSON."""
    crc = 0
    for key in ("input", "latent"):
        crc = _crc_text(text, key, crc)
    for node in spec.net.frozen:
        crc = _crc_node(spec, node, crc, "")
    whole = crc
    for node in spec.net.adaptive:
        whole = _crc_node(spec, node, whole, "%.3g")
    return crc, _crc_of(spec.net.outputs, whole, "%.3g")


def _crc_text(text, key, crc):
    """The JSON object of "input" or "latent", to the letter: two hosts may read a decimal fraction
    as numbers that differ in the last bit."""
    start = text.index('"%s"' % key)
    while text[text.index(":", start) + 1 :].lstrip()[:1] != "{":
        start = text.index('"%s"' % key, start + 1)
    part = text[start : text.index("}", start) + 1]
    return crc32("".join(part.split()).encode(), crc)


def _crc_node(spec, node, crc, fraction):
    return _crc_tensors(spec, node, _crc_of(node, crc, fraction))


def _crc_tensors(spec, node, crc):
    stream = spec.file.stream
    for key, _, _ in formats.load(node["format"]).tensors(node):
        offset, rest = spec.file.entries[node[key]][2:]
        stream.seek(offset)
        while rest > 0:
            chunk = stream.read(min(rest, 256))
            crc = crc32(chunk, crc)
            rest -= len(chunk)
    return crc & 0xFFFFFFFF


def legacy_ids(spec):
    """(latent_id, model_id) as releases before 0.2 had them, of the tensors alone: a store
    that they wrote is recognised by these."""
    latent = spec.graph["latent"]
    crc = crc32(struct.pack("<fi", latent["scale"], latent["zero_point"]))
    for node in spec.net.frozen:
        crc = _crc_tensors(spec, node, crc)
    whole = crc
    for node in spec.net.adaptive:
        whole = _crc_tensors(spec, node, whole)
    return crc & 0xFFFFFFFF, whole & 0xFFFFFFFF


def _crc_of(value, crc, fraction):
    """The crc32 of a JSON value, in an order and a notation that all hosts share.

    fraction: how a float is written. "": not at all; int8 tensors hold what a scale does.
    """
    if isinstance(value, dict):
        for key in sorted(value):
            crc = _crc_of(value[key], crc32(key.encode(), crc), fraction)
        return crc
    if isinstance(value, (list, tuple)):
        crc = crc32(b"[%d" % len(value), crc)
        for item in value:
            crc = _crc_of(item, crc, fraction)
        return crc
    text = fraction % value if isinstance(value, float) and fraction else str(value)
    if isinstance(value, float) and not fraction:
        return crc
    return crc32(text.encode(), crc)
