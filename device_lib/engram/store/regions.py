"""The parts of a flash region: replay log and saved states."""

from ..errors import StoreError
from .checkpoint import units_for
from .format import Layout
from .geometry import Geometry
from .region import Region

_LEAST_UNITS = 4  # a policy that replaces whole units works on some of them


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
