"""Random calls of every C kernel, right and wrong: each succeeds, or raises and writes nothing.

Deterministic: the same seed makes the same calls. A call starts from a case of the table, of which
some arguments are then bent: another length, other contents (any bits at all), another number,
another type, or memory that is also another argument's. Runs in any build of the extension, as a
rule in the sanitized one, where a stray access ends the process.
"""

import random
from array import array

import kernels_check as cases

from engram.backend import kernels

NUMBERS = (-(2**40), -(2**30), -2, -1, 0, 1, 2, 3, 5, 7, 8, 9, 16, 255, 40000, 2**30 - 1, 2**31)
STRANGERS = (None, 1.5, True, "text", [1], array("h", [1, 2]), array("d", [1.0]), memoryview(b""))


def bits(rng, buf):
    """The same buffer with some of its elements any bits at all."""
    view = memoryview(buf).cast("B")
    size = memoryview(buf).itemsize
    for _ in range(rng.randint(1, 4)):
        if len(view):
            at = rng.randrange(len(view) // size) * size
            view[at : at + size] = rng.randbytes(size)
    return buf


def entries(rng, buf):
    """A geometry or a table of ints with some entries a little off."""
    for _ in range(rng.randint(1, 3)):
        if len(buf):
            at = rng.randrange(len(buf))
            value = buf[at] + rng.choice((-3, -1, 1, 2, 30, 32767))
            buf[at] = max(-(2**31), min(2**31 - 1, value))
    return buf


def length(rng, buf):
    n = max(0, len(buf) + rng.choice((-3, -1, 1, 2, 17)))
    values = [buf[i % len(buf)] if len(buf) else 0 for i in range(n)]
    return array(buf.typecode, values) if isinstance(buf, array) else bytearray(values)


def unaligned(rng, buf):
    """The same elements a byte further, where no element of 4 bytes may lie."""
    data = bytes(buf)
    room = memoryview(bytearray(len(data) + 8))
    room[1 : 1 + len(data)] = data
    return room[1 : 1 + len(data)]


def frozen(rng, buf):
    return memoryview(buf).toreadonly()


def bend(rng, args):
    """One argument of the list, changed in one way."""
    i = rng.randrange(len(args))
    if isinstance(args[i], int):
        args[i] = rng.choice(NUMBERS) if rng.random() < 0.7 else args[i] + rng.choice((-1, 1))
    elif isinstance(args[i], (array, bytearray)):
        ways = [bits, bits, length, length, unaligned, frozen]
        if isinstance(args[i], array) and args[i].typecode == "i":
            ways += [entries] * 6
        args[i] = rng.choice(ways)(rng, args[i])
    if rng.random() < 0.1:
        args[i] = rng.choice(STRANGERS)
    elif rng.random() < 0.1:
        other = rng.choice(args)
        args[i] = other if rng.random() < 0.5 or not isinstance(other, array) else other[1:]


def contents(args):
    return [bytes(a) if isinstance(a, (array, bytearray, memoryview)) else a for a in args]


def on_tape(kernel, *args):
    """A call as a row of a tape: bound, and put into the place of the same once more."""
    row = (kernel, *args)
    tape = kernels.bind([row])
    kernels.put(tape, 0, row)
    kernels.run(tape)


def call(rng):
    """One random call, or the same as a row of a tape. Returns whether it succeeded."""
    builder, written, exact, shapes = rng.choice(cases.CASES)
    args = list(builder(cases.Source(exact), *rng.choice(shapes)))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        bend(rng, args)
    if rng.random() < 0.02:
        args = args[: rng.randrange(len(args))]
    before = contents(args)
    try:
        kernel = getattr(kernels, cases.kernel_name(builder))
        on_tape(kernel, *args) if rng.random() < 0.3 else kernel(*args)
        return True
    except (ValueError, TypeError) as error:
        assert str(error).startswith(cases.kernel_name(builder) + ": "), error
        assert contents(args) == before, (builder.__name__, "wrote, then refused")
        return False


def main(calls, seed=1):
    """Makes so many calls; (succeeded, refused)."""
    rng = random.Random(seed)
    succeeded = sum(call(rng) for _ in range(calls))
    return succeeded, calls - succeeded
