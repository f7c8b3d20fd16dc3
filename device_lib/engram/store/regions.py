"""Parts of a block device, as block devices."""

from ..errors import StoreError
from .checkpoint import units_for
from .flash import mapping
from .format import Layout
from .geometry import Geometry

_LEAST_UNITS = 4  # a policy that replaces whole units works on some of them


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


def regions(dev, checkpoint_bytes, program_bytes=None, most_units=None):
    """(replay region, checkpoint region) of a device: the last units are for checkpoints.

    checkpoint_bytes: what one checkpoint holds, the sum of its buffers. program_bytes: None for
    what the device says. most_units: of the replay region, None for as many as there are; the
    rest is for checkpoints. Raises StoreError when the device does not hold both.
    """
    geometry = Geometry(dev, program_bytes, True)
    blocks, erase_bytes = geometry.blocks, geometry.erase_bytes
    last = 2 * units_for(checkpoint_bytes, erase_bytes, geometry.program_bytes)
    if blocks < last + 2:
        raise StoreError(
            "checkpoints of %d bytes and a replay log need %d bytes of flash (%d units for two "
            "generations, 2 for the log); %d are available: make the region larger or the "
            "adaptive stage smaller"
            % (checkpoint_bytes, (last + 2) * erase_bytes, last, blocks * erase_bytes)
        )
    units = min(blocks - last, most_units or blocks)
    return Region(dev, 0, units), Region(dev, units, blocks - units)


def units_of(dev, program_bytes, once, latent_bytes, targets, slots):
    """Erase units of a replay log with an index of about so many slots, at least _LEAST_UNITS.

    program_bytes, once: as Geometry takes them. 0 where a unit holds no latent.
    """
    geometry = Geometry(dev, program_bytes, once)
    page_bytes = geometry.program_bytes if geometry.once else 1
    in_unit = Layout(geometry.erase_bytes, page_bytes, latent_bytes, targets).slots
    return max(_LEAST_UNITS, slots // in_unit) if in_unit else 0
