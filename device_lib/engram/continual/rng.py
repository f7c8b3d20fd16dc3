"""The same random picks on every host: small ints only, nothing allocated."""


class Rng:
    """L'Ecuyer's combination of three 16-bit generators (CACM 31(6), 1988, fig. 3).

    Every intermediate value fits in 24 bits, so MicroPython needs no big integers; the
    period is about 8e12. seed: int.
    """

    RANGE = 32361  # raw() is in [1, RANGE]

    def __init__(self, seed):
        self.seed(seed)

    def seed(self, seed):
        self.s1 = 1 + seed * 127 % 32362
        self.s2 = 1 + seed * 311 % 31726
        self.s3 = 1 + seed * 733 % 31656
        for _ in range(8):
            self.raw()

    def raw(self):
        self.s1 = 157 * self.s1 % 32363
        self.s2 = 146 * self.s2 % 31727
        self.s3 = 142 * self.s3 % 31657
        z = (self.s1 - self.s2 + self.s3) % 32362
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

    def state_into(self, out, at):
        out[at], out[at + 1], out[at + 2] = self.s1, self.s2, self.s3

    def restore(self, state, at):
        self.s1, self.s2, self.s3 = state[at], state[at + 1], state[at + 2]
