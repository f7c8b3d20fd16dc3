"""Adaptation without labels: which samples that look new are taken in, and which are not.

The size of a score cannot tell a fault from a new way of running: both are unlike what was
learned. Time can. A new speed comes and goes between speeds that are known; a fault stays, and
nothing is normal after it. So a block of samples that looks new waits, and is taken in only where
among the BLOCKS blocks before it and among the BLOCKS after it at least a quarter are surely
normal: their mean score is below the three-quarter quantile of those of the samples that were
learned first. These first samples decide for good, so a fault cannot become normal by and by.

A fault of more than 25 blocks is not taken in, unless blocks of it score as normal ones do. Of a
shorter one blocks are, as of a new speed that comes and goes: whoever knows that it was a fault
says so by refuse(). A speed that stays for good is not taken in either.
"""

from array import array

BLOCK = 8  # samples that wait together
BLOCKS = 16
_SURE = BLOCKS // 4


class Quarantine:
    """The blocks that wait. rows: samples of a block; elems: of a latent, int8.

    limit: the mean score of a block up to which it is surely normal.

    .adopted, .refused   blocks so far
    .waiting             blocks that wait now
    Memory: BLOCKS * rows * elems bytes.
    """

    def __init__(self, rows, elems, limit):
        self._size, self.limit = rows * elems, limit
        self._kept = bytearray(BLOCKS * self._size)
        self._sure = bytearray(BLOCKS)  # of the last blocks, a ring: 1 where one is surely normal
        self._before = array("b", [-1] * BLOCKS)  # surely normal ones before; -1: it does not wait
        self._after = bytearray(BLOCKS)
        self.blocks = self.adopted = self.refused = self.waiting = 0

    def feed(self, mean, new, latents):
        """Takes a block: its mean score, whether it looks new, its latents. Returns None, or the
        latents of the block that was BLOCKS blocks before this one, where they may be learned."""
        at = self.blocks % BLOCKS
        sure = mean <= self.limit
        self.blocks += 1
        for i in range(BLOCKS):
            if self._before[i] >= 0:
                self._after[i] += sure
        old = self._old(at)
        before = sum(self._sure)
        self._sure[at] = sure
        if new and not sure:
            self._wait(at, before, latents)
        return old

    def refuse(self):
        """Lets nothing that waits be taken in: it was a fault."""
        for i in range(BLOCKS):
            self._sure[i] = 0
            if self._before[i] >= 0:
                self._before[i] = -1
                self.refused += 1
        self.waiting = 0

    def _old(self, at):
        """The latents that waited in a place, where they may be learned; the place is free."""
        if self._before[at] < 0:
            return None
        good = self._before[at] >= _SURE and self._after[at] >= _SURE
        self._before[at] = -1
        self.waiting -= 1
        if not good:
            self.refused += 1
            return None
        self.adopted += 1
        return self._kept[at * self._size : (at + 1) * self._size]

    def _wait(self, at, before, latents):
        self._before[at], self._after[at] = before, 0
        self._kept[at * self._size : (at + 1) * self._size] = latents
        self.waiting += 1
