"""NOR flash that tears: programs and erases stop at any byte, misuse is refused.

Runs on CPython and MicroPython. Every change is a list of steps; a power cut keeps the first
of them. With a journal the steps are recorded, so that each wreck of a run can be made without
running it again.
"""

from array import array

from engram.store import RamFlash


_CHUNK = 64  # steps of a journal that are kept together


class Journal:
    """Steps (offset, bytes) in little memory and small pieces, because boards keep one too."""

    def __init__(self):
        self._length = 0
        self._chunks = []  # (offsets, where the bytes of each step start, bytes)

    def append(self, step):
        at, data = step
        if self._length % _CHUNK == 0:
            self._chunks.append((array("I", []), array("I", [0]), bytearray()))
        offsets, starts, data_of_chunk = self._chunks[-1]
        offsets.append(at)
        data_of_chunk.extend(data)
        starts.append(len(data_of_chunk))
        self._length += 1

    def __len__(self):
        return self._length

    def apply(self, number, image):
        """Does step `number` to an image of the flash."""
        offsets, starts, content = self._chunks[number // _CHUNK]
        n = number % _CHUNK
        at, start, end = offsets[n], starts[n], starts[n + 1]
        image[at : at + end - start] = content[start:end]


class PowerCut(Exception):
    """The power went; only what was programmed and erased so far is there."""


# Order in which a torn operation reaches the bytes of a page or unit
UP, DOWN, MIXED = "up", "down", "mixed"
# Stronger: an erase ends field by field, header and mark among them; an erase clears bits before
# it raises them, as chips that program a unit before they erase it; a program clears bit by bit.
FIELDS, CLEARING, BITS = "fields", "clearing", "bits"
_HEADER_ENDS = (36, 40)  # what says whether a packed unit is in use: header, retired mark


class NorFlash(RamFlash):
    """A RamFlash with steps, wear and faults.

    order     in what order a torn operation changes bytes: UP, DOWN, and at random in the others.
              An erase that is torn in MIXED or BITS order has raised random bits all over the
              unit, in CLEARING order it has cleared random bits before; in FIELDS order it has
              raised some fields whole and left the others
    erase_steps  points at which an erase can be cut; 0: after every byte
    once      True: a page that was programmed is not programmed again before an erase

    fuel      steps until PowerCut, -1 is never
    journal   Journal that steps are added to, or None
    stuck     set of byte offsets that a program does not change
    calls_left  device calls until `interrupt` is raised, -1 is never
    wear      erases of each unit
    endurance  erases that a unit stands, one for each unit; () is without end. From then on an
              erase leaves a cell that does not rise, another one each time.
    taken     bytes that were given to be programmed
    """

    def __init__(self, blocks, erase_bytes, program_bytes, order=UP, erase_steps=6, once=False):
        super().__init__(blocks, erase_bytes, program_bytes, once)
        self.order = order
        self.erase_steps = erase_steps
        self.once = once
        self.fuel = -1
        self.journal = None
        self.stuck = ()
        self.calls_left = -1
        self.interrupt = KeyboardInterrupt
        self.wear = [0] * blocks
        self.endurance = ()
        self.taken = 0
        self.written = set()  # pages programmed since their erase
        self._random = 12345

    def like(self, image):
        """A flash of the same kind that holds a copy of `image`, with power."""
        other = type(self)(
            self.blocks, self.erase_bytes, self.program_bytes, self.order, self.erase_steps,
            self.once,
        )
        other.data[:] = image
        if self.once:
            size = self.program_bytes
            for page in range(len(image) // size):
                if not is_ones(image[page * size : page * size + size]):
                    other.written.add(page)
        return other

    def readblocks(self, block, buf, offset=0):
        self._call()
        super().readblocks(block, buf, offset)

    def writeblocks(self, block, buf, offset):
        self._call()
        if self.once:
            self._mark_pages(block * self.erase_bytes + offset, buf)
        try:
            super().writeblocks(block, buf, offset)
        except PowerCut:
            self._forget_ones(block * self.erase_bytes + offset, len(buf))
            raise
        self.taken += len(buf)

    def ioctl(self, op, arg):
        if op == 6:
            self._call()
            self._at(arg, 0, self.erase_bytes)
            self.wear[arg] += 1
            first = arg * self.erase_bytes // self.program_bytes
            for page in range(first, first + self.erase_bytes // self.program_bytes):
                self.written.discard(page)
        result = super().ioctl(op, arg)
        if op == 6 and self.endurance and self.wear[arg] > self.endurance[arg]:
            self._step(arg * self.erase_bytes + self._below(self.erase_bytes), b"\xef")
        return result

    def flip(self, at, bit):
        """Lets a bit fall over."""
        self.data[at] ^= 1 << bit

    def _call(self):
        if self.calls_left == 0:
            self.calls_left = -1
            raise self.interrupt()
        self.calls_left -= self.calls_left > 0

    def _mark_pages(self, at, buf):
        for start in range(0, len(buf), self.program_bytes):
            page = (at + start) // self.program_bytes
            if page in self.written:
                raise OSError(5, "page %d is programmed twice" % page)
            self.written.add(page)

    def _forget_ones(self, at, length):
        """A page that a cut program has not begun cannot be told from one that was erased."""
        size = self.program_bytes
        for page in range(at // size, (at + length) // size):
            if is_ones(self.data[page * size : page * size + size]):
                self.written.discard(page)

    def _store(self, at, data):
        if len(data) == self.erase_bytes and at % self.erase_bytes == 0 and is_ones(data):
            self._erase(at)
            return
        if self._unwatched():
            self.data[at : at + len(data)] = data
            return
        for i in self._ordered(len(data)):
            if data[i] != self.data[at + i] and at + i not in self.stuck:
                self._change(at + i, data[i])

    def _unwatched(self):
        """Whether an operation can be done all at once: nothing stops or records it."""
        return self.fuel < 0 and self.journal is None and not self.stuck

    def _change(self, at, value):
        """Programs a byte: at once, or in BITS order bit after bit."""
        if self.order == BITS:
            for i in self._shuffled(8):
                if (self.data[at] ^ value) & self.data[at] & 1 << i:
                    self._step(at, bytes([self.data[at] & ~(1 << i)]))
        if self.data[at] != value:
            self._step(at, bytes([value]))

    def _step(self, at, data):
        if self.fuel == 0:
            raise PowerCut()
        self.fuel -= self.fuel > 0
        if self.journal is not None:
            self.journal.append((at, bytes(data)))
        self.data[at : at + len(data)] = data

    def _ordered(self, n):
        if self.order == UP:
            return range(n)
        if self.order == DOWN:
            return range(n - 1, -1, -1)
        return self._shuffled(n)

    def _shuffled(self, n):
        places = list(range(n))
        for i in range(n - 1, 0, -1):
            j = self._below(i + 1)
            places[i], places[j] = places[j], places[i]
        return places

    def _below(self, n):
        self._random = (self._random * 4093 + 12829) & 0xFFFFFF
        return (self._random >> 4) % n

    def _erase(self, at):
        size = self.erase_bytes
        if self._unwatched():
            self.data[at : at + size] = b"\xff" * size
            return
        if self.order == FIELDS:
            for start, end in self._fields():
                self._step(at + start, b"\xff" * (end - start))
            return
        if self.order == CLEARING:
            for _ in range((self.erase_steps or 9) - 1):
                part = bytearray(self.data[at : at + size])
                for i in range(size):
                    part[i] &= self._below(256) | self._below(256)
                self._step(at, part)
            self._step(at, bytes(size))
        if self.order in (MIXED, CLEARING, BITS):
            for _ in range((self.erase_steps or 9) - 1):
                part = bytearray(self.data[at : at + size])
                for i in range(size):
                    part[i] |= self._below(256) & self._below(256)
                self._step(at, part)
            self._step(at, b"\xff" * size)
            return
        ends = list(range(1, size + 1))
        if self.erase_steps:
            # Close together where the header is, then anywhere.
            ends = sorted(set([1, 5, 30, 38, size // 3, size - 30, size - 1, size]))
        start = 0
        for end in ends:
            if self.order == UP:
                self._step(at + start, b"\xff" * (end - start))
            else:
                self._step(at + size - end, b"\xff" * (end - start))
            start = end


    def _fields(self):
        """(start, end) of the fields of a unit: pages, or header, mark and words. In any order,
        and one time of two the worst: the mark first, the header last."""
        if self.once:
            ends = list(range(self.program_bytes, self.erase_bytes + 1, self.program_bytes))
        else:
            ends = list(_HEADER_ENDS)
            while ends[-1] < self.erase_bytes:
                ends.append(min(self.erase_bytes, ends[-1] + 4 + 4 * self._below(16)))
        order = self._shuffled(len(ends))
        if self._below(2):
            order = [1] + [i for i in order if i > 1] + [0]
        return [(ends[i - 1] if i else 0, ends[i]) for i in order]


def is_ones(data):
    return bytes(data) == b"\xff" * len(data)
