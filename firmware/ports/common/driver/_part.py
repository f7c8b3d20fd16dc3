"""A part of a port's flash, as a block device: for the file system, and for the learner."""


class Part:
    """Blocks first .. first + count - 1 of `dev`, of erase_bytes each, numbered from 0.

    address: where the processor sees the first of them; None where it does not. OSError for a
    block that is not among them.
    """

    def __init__(self, dev, first, count, erase_bytes, address=None):
        self.dev = dev
        self.first = first
        self.count = count
        self.erase_bytes = erase_bytes
        self.address = address

    def mapping(self):
        """The part as memory, to be read only; None where the processor does not see it."""
        if self.address is None:
            return None
        from uctypes import bytearray_at

        return memoryview(bytearray_at(self.address, self.count * self.erase_bytes))

    def _at(self, block):
        if not 0 <= block < self.count:
            raise OSError(22, "block %d of %d" % (block, self.count))
        return self.first + block

    def readblocks(self, block, buf, offset=0):
        return self.dev.readblocks(self._at(block), buf, offset)

    def writeblocks(self, block, buf, offset=None):
        if offset is None:  # of these drivers: erase first
            return self.dev.writeblocks(self._at(block), buf)
        return self.dev.writeblocks(self._at(block), buf, offset)

    def ioctl(self, op, arg):
        if op == 4:
            return self.count
        if op == 6:
            arg = self._at(arg)
        return self.dev.ioctl(op, arg)
