"""Erases a replay region, whatever it holds: a log, saved states, data of another model."""

from ..errors import StoreError
from .flash import Flash
from .format import HEADER_BYTES, MAGIC, unpack_header
from .geometry import extended
from .log import ReplayStore
from .region import Region


def first_header(dev):
    """The first intact unit header of a region (format.UnitHeader), None if it holds no log."""
    raw = bytearray(HEADER_BYTES)
    for block in range(extended(dev)[0]):
        dev.readblocks(block, raw, 0)
        header = unpack_header(raw)[0] if raw[:4] == MAGIC else None
        if header is not None:
            return header
    return None


def wipe(dev, program_bytes, keep_wear=False):
    """Leaves a region blank, so that any model can move in; its erase counts start again.

    keep_wear: keeps the erase counts, so also the geometry and the model of the log that is
    there; StoreError without one. A cut leaves a part of what was there, to be wiped again. Raises
    StoreError when the flash does not erase.
    """
    flash = Flash(dev, program_bytes)
    header = first_header(dev) if keep_wear else None
    if keep_wear and (header is None or header.units > flash.blocks):
        raise StoreError("no replay log is there whose erase counts could be kept")
    for block in range(flash.blocks - 1, header.units - 1 if header else -1, -1):
        if not flash.erase(block):
            raise StoreError(
                "block %d does not read as 0xFF after an erase: the flash is worn out or "
                "write-protected" % block
            )
    if header:
        ReplayStore.format(
            Region(dev, 0, header.units), program_bytes, header.model_id, header.latent_bytes,
            header.bits, align=header.page_bytes > 1, targets=header.targets,
        )
