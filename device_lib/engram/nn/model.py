"""The device model file: what is in it, checked before anything is allocated.

A safetensors file whose metadata holds {"engram_model": VERSION, "graph": JSON}. Version 2:

    name      of the model
    classes   that its head tells apart; 0 where no output does
    input     shape, dtype "uint8" or "float32", scale, zero_point
    nodes     [{name, op, format, in, ...}, ...]: see graph.py and ops.py
    latent    node, shape, scale, zero_point
    outputs   [{node, objective, weight}, ...]: see objectives.py

Version 1 has two chains of layers in the place of nodes and outputs, and is read for ever:

    frozen    [{op, w, bias, mult, shift, kernel, stride, pad, in, out, q}, ...]   int8
    adaptive  [{op, w, b, kernel, stride, pad, in, out}, ...]                      float32
"""

import json
import struct
from array import array
from binascii import crc32

from ..errors import ModelError
from . import formats, graph, ops
from .geometry import elems
from .safetensors import TensorFile

VERSIONS = ("1", "2")
INPUT_DTYPES = ("uint8", "float32")


class ModelSpec:
    """A parsed and validated model file, still open for reading its tensors.

    .name, .classes       from the graph; widen() makes room for more classes
    .known                classes that the file's head has rows for, or fewer after limit()
    .graph                {"input", "latent"} of the file, as dicts; .net: graph.Graph
    .version              of the file
    .input_elems, .latent_elems, .parameter_bytes (of the adaptive stage)
    .latent_id            u32: the graph up to the latent, its quantization and tensors; equal ids
                          mean that stored latents are interchangeable
    .model_id             u32: the whole model; equal ids mean that learned states are
    .file                 TensorFile

    stream: seekable binary stream. Raises ModelError on anything inconsistent.
    """

    def __init__(self, stream):
        self.file = TensorFile(stream)
        meta = self.file.metadata
        self.version = meta.get("engram_model", "none")
        if self.version not in VERSIONS:
            raise ModelError(
                "expected a model file of version %s, got %s; make it with `engram convert`"
                % (" or ".join(VERSIONS), self.version)
            )
        try:
            raw = json.loads(meta.pop("graph"))  # nodes are many objects: .net has them alone
            self.graph = {key: raw[key] for key in ("input", "latent")}
            self.name = raw["name"]
            self.classes = self.known = raw["classes"]
            self.input_elems = elems(raw["input"]["shape"])
            self.latent_elems = elems(raw["latent"]["shape"])
            self.net = graph.read(raw, self.version)
            self._check(raw)
            self.latent_id, self.model_id = self._identify(raw)
        except (KeyError, ValueError, TypeError, IndexError) as e:
            raise ModelError("model file: its graph is incomplete (%r)" % (e,))

    def parameters(self):
        """[(node, elements, whether it is a bias)] of the float32 tensors, in the order of the
        graph."""
        return [
            (node["name"], elems(shape), key == ops.bias(node["op"]))
            for node in self.net.adaptive
            for key, dtype, shape in formats.load(node["format"]).tensors(node)
            if dtype == "F32"
        ]

    @property
    def targets(self):
        """float32 values of a target: those of all outputs that regress."""
        return sum([
            elems(self.net.node(output["node"])["out"])
            for output in self.net.outputs
            if output["objective"] == "regress"
        ])

    @property
    def parameter_bytes(self):
        """Bytes of the parameters of the adaptive stage."""
        return 4 * sum([n for _, n, _ in self.parameters()])

    def widen(self, classes):
        """Makes room for `classes` classes in the head; the file knows the first of them."""
        if not self.net.head:
            raise ModelError("expected a model that tells classes apart, got one that does not")
        if not self.known <= classes <= 254:
            raise ModelError(
                "%d to 254 classes expected, %r came: the model knows %d"
                % (self.known, classes, self.known)
            )
        self.classes = classes
        self.net.head["out"] = [classes]

    def limit(self, known):
        """Takes no more than the first `known` classes of the file as known."""
        if not isinstance(known, int) or not 1 <= known <= self.known:
            raise ModelError(
                "1 to %d known classes expected, %r came: the model has no more"
                % (self.known, known)
            )
        self.known = known

    def _check(self, raw):
        if raw["input"]["dtype"] not in INPUT_DTYPES:
            raise ModelError(
                "input dtype %s expected, %s came"
                % (" or ".join(INPUT_DTYPES), raw["input"]["dtype"])
            )
        head = self.net.head
        if head and not 1 <= self.classes <= 254:
            raise ModelError("1 to 254 classes expected, %d came" % self.classes)
        if head and elems(head["out"]) != self.classes:
            raise ModelError(
                "%d outputs expected, one a class; %d came" % (self.classes, elems(head["out"]))
            )
        learnable = []
        for node in self.net.frozen + self.net.adaptive:
            for key, dtype, shape in formats.load(node["format"]).tensors(node):
                self.file.expect(node[key], dtype, shape)
                if dtype == "F32":
                    learnable.append(node[key])
        for tensor in set(learnable):
            if learnable.count(tensor) > 1:
                raise ModelError("expected a float32 tensor of one node, got %s of two" % tensor)

    def _identify(self, raw):
        latent = raw["latent"]
        crc = crc32(struct.pack("<fi", latent["scale"], latent["zero_point"]))
        for key in ("shape", "dtype", "scale", "zero_point"):
            crc = _crc_of(raw["input"][key], crc)
        crc = self._crc_nodes(self.net.frozen, crc)
        whole = self._crc_nodes(self.net.adaptive, crc)
        return crc, _crc_of(self.net.outputs, whole)

    def _crc_nodes(self, nodes, crc):
        for node in nodes:
            crc = _crc_of(node, crc)
            crc = self._crc_tensors(node, crc)
        return crc

    def _crc_tensors(self, node, crc):
        stream = self.file.stream
        for key, _, _ in formats.load(node["format"]).tensors(node):
            offset, left = self.file.entries[node[key]][2:]
            stream.seek(offset)
            while left > 0:
                chunk = stream.read(min(left, 256))
                crc = crc32(chunk, crc)
                left -= len(chunk)
        return crc & 0xFFFFFFFF

    def legacy_ids(self):
        """(latent_id, model_id) as releases before 0.2 had them, of the tensors alone: a store
        that they wrote is recognised by these."""
        latent = self.graph["latent"]
        crc = crc32(struct.pack("<fi", latent["scale"], latent["zero_point"]))
        for node in self.net.frozen:
            crc = self._crc_tensors(node, crc)
        whole = crc
        for node in self.net.adaptive:
            whole = self._crc_tensors(node, whole)
        return crc & 0xFFFFFFFF, whole & 0xFFFFFFFF

    def quantization(self, key):
        """array('f') [scale, zero_point] of "input" or "latent"."""
        q = self.graph[key]
        return array("f", (q["scale"], q["zero_point"]))


def _crc_of(value, crc):
    """The crc32 of a JSON value, in an order and a notation that all hosts share."""
    if isinstance(value, dict):
        for key in sorted(value):
            crc = _crc_of(value[key], crc32(key.encode(), crc))
        return crc
    if isinstance(value, (list, tuple)):
        crc = crc32(b"[%d" % len(value), crc)
        for item in value:
            crc = _crc_of(item, crc)
        return crc
    if isinstance(value, float):
        return crc32(struct.pack("<f", value), crc)
    return crc32(str(value).encode(), crc)
