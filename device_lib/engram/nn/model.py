"""The device model file: what is in it, checked before anything is allocated.

A safetensors file whose metadata holds {"engram_model": "1", "graph": JSON}. The graph
names an int8 frozen stage, the latent it produces, and an f32 adaptive stage:

    name, classes
    input     shape, dtype "uint8" or "float32", scale, zero_point
    frozen    [{op, w, bias, mult, shift, kernel, stride, pad, in, out, q}, ...]
    latent    shape, scale, zero_point
    adaptive  [{op, w, b, kernel, stride, pad, in, out}, ...]
"""

import json
import struct
from array import array
from binascii import crc32

from ..errors import ModelError
from .geometry import elems, geom
from .ops import ADAPTIVE_OPS, FROZEN_OPS, SAME_ELEMS, parameter_elems, parameters
from .safetensors import TensorFile

VERSION = "1"
INPUT_DTYPES = ("uint8", "float32")


class ModelSpec:
    """A parsed and validated model file, still open for reading its tensors.

    .name, .classes       from the graph; widen() makes room for more classes
    .known                classes that the file's head has rows for, or fewer after limit()
    .graph                the graph, as dicts and lists
    .input_elems, .latent_elems, .parameter_bytes (of the adaptive stage)
    .latent_id            u32: the frozen stage and its quantization; equal ids mean
                          that stored latents are interchangeable
    .model_id             u32: the whole model; equal ids mean that learned states are
    .file                 TensorFile

    stream: seekable binary stream. Raises ModelError on anything inconsistent.
    """

    def __init__(self, stream):
        self.file = TensorFile(stream)
        meta = self.file.metadata
        if meta.get("engram_model") != VERSION:
            raise ModelError(
                "model file of version %s expected, %s came; make it with `engram convert`"
                % (VERSION, meta.get("engram_model", "none"))
            )
        try:
            self.graph = graph = json.loads(meta["graph"])
            self.name = graph["name"]
            self.classes = self.known = graph["classes"]
            self.input_elems = elems(graph["input"]["shape"])
            self.latent_elems = elems(graph["latent"]["shape"])
            self._check_graph(graph)
            self.latent_id, self.model_id = self._identify(graph)
        except (KeyError, ValueError, TypeError, IndexError) as e:
            raise ModelError("model file: its graph is incomplete (%r)" % (e,))

    @property
    def parameter_bytes(self):
        """Bytes of the parameters of the adaptive stage."""
        return 4 * sum([parameter_elems(layer, ADAPTIVE_OPS) for layer in self.graph["adaptive"]])

    def widen(self, classes):
        """Makes room for `classes` classes in the head; the file knows the first of them."""
        if not self.known <= classes <= 254:
            raise ModelError(
                "%d to 254 classes expected, %r came: the model knows %d"
                % (self.known, classes, self.known)
            )
        self.classes = classes
        self.graph["adaptive"][-1]["out"] = [classes]

    def limit(self, known):
        """Takes no more than the first `known` classes of the file as known."""
        if not isinstance(known, int) or not 1 <= known <= self.known:
            raise ModelError(
                "1 to %d known classes expected, %r came: the model has no more"
                % (self.known, known)
            )
        self.known = known

    def _check_graph(self, graph):
        if graph["input"]["dtype"] not in INPUT_DTYPES:
            raise ModelError(
                "input dtype %s expected, %s came"
                % (" or ".join(INPUT_DTYPES), graph["input"]["dtype"])
            )
        if not 1 <= self.classes <= 254:
            raise ModelError("1 to 254 classes expected, %d came" % self.classes)
        shape = graph["input"]["shape"]
        shape = self._check_stage(graph["frozen"], FROZEN_OPS, shape)
        if list(shape) != list(graph["latent"]["shape"]):
            raise ModelError(
                "latent of shape %s expected, %s came" % (shape, graph["latent"]["shape"])
            )
        if not graph["adaptive"] or graph["adaptive"][-1]["op"] != "dense":
            raise ModelError("the adaptive stage must end in a dense layer (the classifier)")
        shape = self._check_stage(graph["adaptive"], ADAPTIVE_OPS, shape)
        if elems(shape) != self.classes:
            raise ModelError(
                "%d outputs expected, one a class; %d came" % (self.classes, elems(shape))
            )

    def _check_stage(self, layers, ops, shape):
        for layer in layers:
            op = layer["op"]
            if op not in ops:
                raise ModelError("op %s is unknown; known: %s" % (op, ", ".join(sorted(ops))))
            needs_geom = ops[op][1]
            if op in SAME_ELEMS:
                layer["in"] = layer["out"] = shape
            elif op == "global_avgpool":
                layer["in"] = shape
                layer["out"] = [1, 1, shape[2]]
                layer["kernel"] = layer["stride"] = [shape[0], shape[1]]
                layer["pad"] = [0, 0, 0, 0]
            elif elems(layer["in"]) != elems(shape) or (
                needs_geom and list(layer["in"]) != list(shape)
            ):
                raise ModelError("%s: input %s expected, %s came" % (op, shape, layer["in"]))
            if needs_geom:
                geom(layer)
            for name, dtype, dims in parameters(layer, ops):
                self.file.expect(name, dtype, dims)
            shape = layer["out"]
        return shape

    def _identify(self, graph):
        latent = graph["latent"]
        crc = crc32(struct.pack("<fi", latent["scale"], latent["zero_point"]))
        crc = self._crc_stage(graph["frozen"], FROZEN_OPS, crc)
        return crc, self._crc_stage(graph["adaptive"], ADAPTIVE_OPS, crc)

    def _crc_stage(self, layers, ops, crc):
        stream = self.file.stream
        for layer in layers:
            for name, _, _ in parameters(layer, ops):
                offset, left = self.file.entries[name][2:]
                stream.seek(offset)
                while left > 0:
                    chunk = stream.read(min(left, 256))
                    crc = crc32(chunk, crc)
                    left -= len(chunk)
        return crc & 0xFFFFFFFF

    def quantization(self, key):
        """array('f') [scale, zero_point] of "input" or "latent"."""
        q = self.graph[key]
        return array("f", (q["scale"], q["zero_point"]))
