"""A part of a block device, as a block device."""


class Region:
    """Blocks first .. first + count - 1 of a block device, numbered from 0.

    .program_bytes, .program_once: what the device says, None where it does not.
    """

    def __init__(self, dev, first, count):
        self.dev = dev
        self.first = first
        self.count = count
        self.program_bytes = getattr(dev, "program_bytes", None)
        self.program_once = getattr(dev, "program_once", None)

    def _check(self, block):
        if not 0 <= block < self.count:
            raise OSError(22, "block %d of %d" % (block, self.count))

    def readblocks(self, block, buf, offset=0):
        self._check(block)
        self.dev.readblocks(self.first + block, buf, offset)

    def writeblocks(self, block, buf, offset=None):
        self._check(block)
        if offset is None:
            self.dev.writeblocks(self.first + block, buf)
        else:
            self.dev.writeblocks(self.first + block, buf, offset)

    def mapping(self):
        """The part as memory, None where the device is none."""
        from .flash import mapping  # here: a device outlives the code of the store

        whole = mapping(self.dev)
        if whole is None:
            return None
        erase_bytes = self.dev.ioctl(5, 0)
        return whole[self.first * erase_bytes : (self.first + self.count) * erase_bytes]

    def ioctl(self, op, arg):
        if op == 4:
            return self.count
        if op == 6:
            self._check(arg)
            arg += self.first
        return self.dev.ioctl(op, arg)
