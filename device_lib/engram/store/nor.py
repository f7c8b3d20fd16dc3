"""What NOR flash does with what it is given."""


def anded(data, at, buf):
    """What programming buf over data[at:] leaves. OSError(EIO) where it would set a bit."""
    out = bytearray(len(buf))
    for i in range(len(buf)):
        old, new = data[at + i], buf[i]
        if new != 0xFF and old & new != new:
            raise OSError(5, "a program at byte %d would set bits: erase first" % (at + i))
        out[i] = old & new
    return out
