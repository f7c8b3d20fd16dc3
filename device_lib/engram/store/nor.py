"""The rules of NOR flash: a program clears bits, an erase sets them."""


def anded(data, at, buf):
    """The bytes after buf is programmed over data[at:]. OSError(EIO) where a bit would be set."""
    out = bytearray(len(buf))
    for i in range(len(buf)):
        old, new = data[at + i], buf[i]
        if new != 0xFF and old & new != new:
            raise OSError(5, "a program at byte %d would set bits: erase first" % (at + i))
        out[i] = old & new
    return out
