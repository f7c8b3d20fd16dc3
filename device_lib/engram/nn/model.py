"""The device model file: its content is checked before anything is allocated.

A safetensors file whose metadata holds {"engram_model": VERSION, "graph": JSON}, and may hold
class_names, a line per class, and front_end. Version 2:

    name      of the model
    classes   that its head tells apart; 0 where no output does
    input     shape, dtype "uint8" or "float32", scale, zero_point
    nodes     [{name, op, format, in, ...}, ...]: see graph.py and ops.py
    latent    node, shape, scale, zero_point
    outputs   [{node, objective, weight}, ...]: see objectives.py

A file may carry latents of the classes that it knows, for replay on a board that has stored none:

    rehearsal.latents   int8 (n, elements): as observe() would make them, a class after the other
    rehearsal.labels    int8 (n), modulo 256
    rehearsal.targets   float32 (n, values), where an output regresses

Version 1 has two chains of layers in the place of nodes and outputs, and is read for ever:

    frozen    [{op, w, bias, mult, shift, kernel, stride, pad, in, out, q}, ...]   int8
    adaptive  [{op, w, b, kernel, stride, pad, in, out}, ...]                      float32
"""

from array import array

from ..errors import ModelError
from .names import product


class ModelSpec:
    """A parsed and validated model file, still open for reading its tensors.

    .name, .classes       from the graph; widen() makes room for more classes
    .class_names          names of classes in the order of their labels, a line per name; "" where
                          the file has none
    .front_end            what makes inputs of raw data: "mfcc" of a sound, "vibration:64x3:0.001"
                          of windows (engram.vibration); "" for the data as they are
    .known                classes that the file's head has rows for, or fewer after limit()
    .graph                {"input", "latent"} of the file, as dicts; .net: net.Net
    .version              of the file
    .input_elems, .latent_elems, .parameter_bytes (of the adaptive stage)
    .targets              float32 values of a target: those of all outputs that regress
    .latent_id            u32: the graph up to the latent, its quantization and tensors; equal ids
                          mean that stored latents are interchangeable
    .model_id             u32: the whole model; equal ids mean that learned states are
    .file                 TensorFile
    .rehearsal            None, or where the file has latents of the classes that it knows:
                          (how many, offsets of latents, of labels, of targets)

    stream: seekable binary stream. Raises ModelError on anything inconsistent.
    """

    def __init__(self, stream):
        from . import reading

        reading.read(self, stream)

    def parameters(self):
        """[(node, elements, whether it is a bias)] of the tensors that are float32 in memory, in
        the order of the graph."""
        from . import formats, ops

        return [
            (node["name"], product(shape), key == ops.bias(node["op"]))
            for node in self.net.adaptive
            if not formats.load(node["format"]).INTEGER
            for key, dtype, shape in formats.load(node["format"]).tensors(node)
            if dtype == "F32"
        ]

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
                "expected %d to 254 classes, as the model knows %d, got %r"
                % (self.known, self.known, classes)
            )
        self.classes = classes
        self.net.head["out"] = [classes]

    def limit(self, known):
        """Takes no more than the first `known` classes of the file as known."""
        if not isinstance(known, int) or not 1 <= known <= self.known:
            raise ModelError(
                "expected 1 to %d known classes, as many as the model has, got %r"
                % (self.known, known)
            )
        self.known = known

    def quantization(self, key):
        """array('f') [scale, zero_point] of "input" or "latent"."""
        q = self.graph[key]
        return array("f", (q["scale"], q["zero_point"]))
