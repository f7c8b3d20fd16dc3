"""Reads a safetensors file from a seekable stream, a tensor at a time.

The format is an 8-byte little-endian header length, a JSON header, raw tensors:
https://huggingface.co/docs/safetensors/index#format
"""

import json
import struct

from ..compat import mapping
from ..errors import ModelError

ITEMSIZE = {"F32": 4, "I32": 4, "I8": 1}
_MAX_HEADER_BYTES = 65536


def _size_of(stream):
    end = stream.seek(0, 2)
    stream.seek(0)
    return end


class TensorFile:
    """The tensors of a safetensors stream.

    .metadata   dict of str
    .entries    {name: (dtype, shape, offset in the file, bytes)}
    .mapped     the file as memory (memoryview), where the stream has it; None for others

    Raises ModelError when the file is truncated, too long, or not safetensors.
    """

    def __init__(self, stream):
        self.stream, self.mapped = stream, mapping(stream)
        size = _size_of(stream)
        head = stream.read(8)
        if len(head) < 8:
            raise ModelError("model file: expected 8 bytes of header length, got %d" % len(head))
        (length,) = struct.unpack("<Q", head)
        if length > _MAX_HEADER_BYTES or 8 + length > size:
            raise ModelError(
                "model file: expected a header of %d bytes, got a file that holds %d; "
                "it is truncated or not a safetensors file" % (length, size - 8)
            )
        try:
            header = json.loads(stream.read(length))
        except ValueError:
            raise ModelError("model file: its header is not JSON; push it again")
        self.entries = {}
        end = 0
        try:
            self.metadata = dict(header.pop("__metadata__", {}))
            for name, entry in header.items():
                end = max(end, self._add(name, entry, 8 + length))
        except (AttributeError, KeyError, TypeError, ValueError) as e:
            raise ModelError("model file: its header does not describe tensors (%r)" % (e,))
        if 8 + length + end != size:
            raise ModelError(
                "model file: expected %d bytes, got %d; it was cut off, push it again"
                % (8 + length + end, size)
            )

    def _add(self, name, entry, base):
        dtype, shape = entry["dtype"], entry["shape"]
        start, end = entry["data_offsets"]
        if dtype not in ITEMSIZE:
            raise ModelError(
                "tensor %s: expected dtype F32, I32 or I8, got %s" % (name, dtype)
            )
        elems = 1
        for n in shape:
            elems *= n
        if end - start != elems * ITEMSIZE[dtype] or start < 0:
            raise ModelError(
                "tensor %s: expected %d bytes for its shape, got %d"
                % (name, elems * ITEMSIZE[dtype], end - start)
            )
        self.entries[name] = (dtype, tuple(shape), base + start, end - start)
        return end

    def expect(self, name, dtype, shape):
        """Checks that tensor `name` is there with this dtype and shape (tuple)."""
        if name not in self.entries:
            raise ModelError(
                "expected a tensor %s in the model file, got none; convert it again" % name
            )
        entry = self.entries[name]
        if entry[0] != dtype or entry[1] != shape:
            raise ModelError(
                "tensor %s: expected %s %s, got %s %s" % (name, dtype, shape, entry[0], entry[1])
            )

    def elems(self, name):
        """How many elements tensor `name` has."""
        dtype, _, _, nbytes = self.entries[name]
        return nbytes // ITEMSIZE[dtype]

    def window(self, name):
        """Tensor `name` where it lies in memory, as bytes."""
        dtype, _, offset, nbytes = self.entries[name]
        if offset % ITEMSIZE[dtype]:
            raise ModelError(
                "tensor %s: expected an offset that %d divides, got %d; write the file with "
                "engram convert or import" % (name, ITEMSIZE[dtype], offset)
            )
        return self.mapped[offset : offset + nbytes]

    def read_into(self, name, window):
        """Reads tensor `name` into `window`, a byte buffer of exactly its size."""
        offset, nbytes = self.entries[name][2:]
        if len(window) != nbytes:
            raise ModelError("tensor %s: window of %d bytes for %d" % (name, len(window), nbytes))
        self.stream.seek(offset)
        count = self.stream.readinto(window)
        if count != nbytes:
            raise ModelError("tensor %s: expected %d bytes, got %d" % (name, nbytes, count))
