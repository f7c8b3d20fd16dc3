"""Geometries and numbers for the cases of kernels, the same on every host."""

from array import array

GEOM = (
    # H  W  C  K  R  S  sh sw pt pl dh dw OH OW
    (1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1),
    (4, 4, 3, 5, 3, 3, 1, 1, 1, 1, 1, 1, 4, 4),  # same padding
    (5, 7, 2, 4, 3, 2, 2, 3, 1, 0, 1, 1, 3, 2),  # odd, strided
    (6, 5, 4, 8, 3, 3, 1, 1, 2, 2, 2, 2, 6, 5),  # dilated
    (7, 6, 1, 6, 2, 3, 2, 2, 0, 2, 2, 1, 3, 4),  # one channel, stride and dilation
    (3, 4, 5, 9, 1, 1, 1, 1, 0, 0, 1, 1, 3, 4),  # pointwise
    (4, 4, 3, 2, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2),  # 1x1, strided
    (2, 9, 4, 4, 2, 4, 1, 2, 0, 3, 1, 1, 1, 6),  # windows that hang over on the left
    (1, 9, 3, 4, 1, 3, 1, 1, 0, 1, 1, 1, 1, 9),  # along one axis
    (3, 4, 2, 2, 3, 4, 3, 4, 0, 0, 1, 1, 1, 1),  # the whole input: a global pool
    (1, 16, 5, 6, 1, 3, 1, 1, 0, 8, 1, 4, 1, 16),  # along one axis, causal, dilated by 4
    (9, 8, 5, 6, 3, 2, 2, 1, 3, 1, 3, 2, 4, 7),  # dilated by 3 and by 2, rows strided
    (1, 11, 2, 9, 1, 4, 1, 3, 0, 2, 1, 2, 1, 3),  # along one axis, dilated and strided
)


class Source:
    """The same numbers on every host, from a small congruential generator.

    f() and b() take its steps themselves: a board makes more than a million, and calls nothing so.
    """

    def __init__(self, exact):
        self.exact = exact
        self.state = 1

    def next(self):
        self.state = (self.state * 1103 + 12345) % 65521
        return self.state

    def f(self, n):
        """n float32: multiples of 1/64 up to 1, or anything up to 1."""
        out = array("f", range(n))  # it has a length: allocated once, and not beside bytes
        v, exact = self.state, self.exact
        for i in range(n):
            v = (v * 1103 + 12345) % 65521
            out[i] = (v % 129 - 64) / 64 if exact else (v - 32760) / 32761
        self.state = v
        return out

    def b(self, n):
        out = bytearray(n)
        v = self.state
        for i in range(n):
            v = (v * 1103 + 12345) % 65521
            out[i] = v >> 3 & 255
        self.state = v
        return out

    def l(self, n, low, high):
        return array(
            "i", (low + (self.next() * 65521 + self.next()) % (high - low + 1) for _ in range(n))
        )

    def q(self):
        """Zero points and an activation range."""
        return array("i", (self.next() % 256 - 128, self.next() % 256 - 128, -110, 120))

    def requantization(self, n):
        return self.l(n, -5000, 5000), self.l(n, 1 << 30, 2147483647), self.l(n, -11, 1)


def sizes(geom, B):
    """Elements of x, out, w, and the output channels."""
    H, W, C, K, R, S = geom[:6]
    return B * H * W * C, B * geom[12] * geom[13] * K, K * R * S * C, K


def channelwise(geom):
    return geom[:3] + (geom[2],) + geom[4:]
