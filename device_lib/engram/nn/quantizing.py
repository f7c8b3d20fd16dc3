"""Float32 tensors of a model file as the integers of q8 nodes."""

import struct
from array import array

from ..backend import kernels
from ..compat import bytes_of
from ..memory.record import (
    BIAS_EXPONENT,
    EXPONENT,
    LARGEST,
    MOST_EXPONENT,
    RANDOM,
    RECORD,
)

_CHUNK = 64  # numbers that are in memory at a time
_ROOM = 79  # the largest weight at first: the others have some room to grow
_PROBE = 7  # exponent of the record that measures the largest weight
_MOST = (1 << 30) - 1
_SEED = 2463534242  # Marsaglia's, for the generator of the first tensor


class Origins:
    """The integer tensors of a stage, and where they lie in the model file.

    integers: integers.Integers. window: function(buffer, first element, elements) -> window.
    file: safetensors.TensorFile.
    """

    def __init__(self, integers, window, file):
        self._rows = []
        for at, (tensor, buffer, first, n, record) in enumerate(integers.tensors):
            known = min(n, file.elems(tensor))  # classes that are to come are not in the file
            rest, chosen = integers.rests.get(tensor), integers.chosen.get(tensor)
            self._rows.append((
                file.entries[tensor][2], known, window(buffer, first, known),
                window(*rest[:3]) if rest else None, chosen.marks() if chosen and rest else None,
                None if record is None else window(*integers.record(record)[:3]), at,
            ))

    def read(self, stream):
        """Quantizes the tensors that a model file has; the rest stays as it is."""
        for offset, n, values, rests, marks, record, at in self._rows:
            if record is None:
                _read_biases(stream, offset, n, values)
            else:
                _read_weights(stream, offset, n, values, rests, marks, record, _SEED ^ at)


def _chunks(stream, offset, n):
    """(first element, array('f') of some elements) after the other."""
    stream.seek(offset)
    for at in range(0, n, _CHUNK):
        numbers = array("f", range(min(_CHUNK, n - at)))
        stream.readinto(bytes_of(numbers))
        yield at, numbers


def _read_weights(stream, offset, n, values, rests, marks, record, seed):
    probe = array("i", (_PROBE,) + (0,) * (RECORD - 1))
    waste = bytearray(_CHUNK)
    for _, numbers in _chunks(stream, offset, n):
        kernels.quantize_q8(memoryview(waste)[: len(numbers)], probe, numbers)
    own = array("i", (exponent_for(probe[LARGEST], _PROBE + 8),) + (0,) * (RECORD - 1))
    own[RANDOM] = seed - (seed >> 31 << 32)
    below = array("i", (own[EXPONENT] + 8,) + (0,) * (RECORD - 1))
    back, minus = array("f", range(_CHUNK)), array("f", (-1,))
    to = 0
    for at, numbers in _chunks(stream, offset, n):
        k = len(numbers)
        kernels.quantize_q8(values[at : at + k], own, numbers)
        if rests is not None:
            part = memoryview(back)[:k]
            kernels.dequantize_q8(part, values[at : at + k], own)
            kernels.axpy_f32(numbers, part, minus)
            target = memoryview(waste)[:k] if marks else rests[at : at + k]
            kernels.quantize_q8(target, below, numbers)
            if marks:
                to = _put_marked(rests, to, target, at, marks)
    own[LARGEST] = 0
    struct.pack_into("6i", record, 0, *([own[EXPONENT], 0, 0, 0, 0, own[RANDOM]]))


def _put_marked(rests, to, numbers, at, marks):
    """Puts those of the numbers, elements `at` and up of a tensor, that channels.Chosen has marked
    into rests from `to` on; returns where the next ones go."""
    inner, last, rows, columns = marks
    for i in range(len(numbers)):
        if rows[(at + i) // inner] and columns[(at + i) % last]:
            rests[to] = numbers[i]
            to += 1
    return to


def exponent_for(largest, units):
    """The largest exponent with which a magnitude of largest * 2**-units is at most _ROOM."""
    e = min(MOST_EXPONENT, 24)
    while largest and e > -MOST_EXPONENT and _over(largest, e - units):
        e -= 1
    return e if largest else _PROBE


def _over(largest, left):
    return (largest << left if left > 0 else largest >> -left) > _ROOM


def _read_biases(stream, offset, n, values):
    for at, numbers in _chunks(stream, offset, n):
        for i in range(len(numbers)):
            v = int(numbers[i] * (1 << BIAS_EXPONENT))
            struct.pack_into("i", values, 4 * (at + i), max(-_MOST, min(v, _MOST)))


def latent_exponent(qp):
    """The exponent with which every latent of qp, (scale, zero point), is at most 127."""
    scale, zero_point = qp
    e, most = 24, max(abs(-128 - zero_point), abs(127 - zero_point)) * scale
    while e > -MOST_EXPONENT and most * 2.0**e > 127.5:
        e -= 1
    return e


def table_of(values, record):
    """bytearray of float32 values as the integers of a record."""
    out = bytearray(len(values))
    kernels.quantize_q8(out, record, values)
    return out
