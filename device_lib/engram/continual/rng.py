"""The same random picks on every host: small ints only, nothing allocated."""

from array import array

ONE = 1 << 28  # a chance of 1, and a small int on 32-bit hosts
_HALF_BITS = 14


def happens(rng, chance):
    """Whether something of this chance, in parts of ONE, comes true: at ONE without a draw."""
    if chance >= ONE:
        return True
    below = rng.below
    return (below(1 << _HALF_BITS) << _HALF_BITS) + below(1 << _HALF_BITS) < chance


class Rng:
    """L'Ecuyer's combination of three 16-bit generators (CACM 31(6), 1988, fig. 3).

    Every intermediate value fits in 24 bits, so MicroPython needs no big integers; the
    period is about 8e12. seed: int. state: array('i') of three, which kernels.draw_batch goes on
    with.
    """

    RANGE = 32361  # raw() is in [1, RANGE]

    def __init__(self, seed):
        self.state = array("i", (0, 0, 0))
        self.seed(seed)

    def seed(self, seed):
        self.state[0] = 1 + seed * 127 % 32362
        self.state[1] = 1 + seed * 311 % 31726
        self.state[2] = 1 + seed * 733 % 31656
        for _ in range(8):
            self.raw()

    def raw(self):
        s = self.state
        s[0] = 157 * s[0] % 32363
        s[1] = 146 * s[1] % 31727
        s[2] = 142 * s[2] % 31657
        z = (s[0] - s[1] + s[2]) % 32362
        return z if z else 32361

    def below(self, n):
        """An int in [0, n), for 1 <= n <= 2**24."""
        if n <= 32361:
            return (self.raw() - 1) * n // 32361
        high = n // 32361 + 1
        while True:
            value = self.below(high) * 32361 + self.raw() - 1
            if value < n:
                return value

    def shuffle(self, items, count):
        """Shuffles items[0:count] in place (Fisher and Yates)."""
        i = count - 1
        while i > 0:
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
            i -= 1
