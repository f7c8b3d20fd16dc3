"""The content of a replay region, of whatever model: tells whether erasing it loses anything."""

from .checkpoint import HEADER_BYTES, unpack_header
from .format import EMPTY
from .log import ReplayStore
from .region import Region
from .wipe import first_header


def contents(dev, program_bytes, past):
    """(samples, generation of the last saved state or 0) of a region; None where it holds no log.

    The log is mounted as it was made. past: session of records that do not count, as the
    model file carries them.
    """
    header = first_header(dev)
    blocks = dev.ioctl(4, 0)
    if header is None or header.units > blocks:
        return None
    store = ReplayStore(
        Region(dev, 0, header.units), program_bytes, header.model_id, header.latent_bytes,
        header.bits, align=header.page_bytes > 1, targets=header.targets,
    )
    generation, area = 0, (blocks - header.units) // 2
    raw = bytearray(HEADER_BYTES)
    for first in (header.units, header.units + area) if area else ():
        dev.readblocks(first, raw, 0)
        fields = unpack_header(raw)
        generation = max(generation, fields[5] if fields else 0)
    samples = [
        slot for slot, label in enumerate(store.labels)
        if label != EMPTY and store.sessions[slot] != past
    ]
    return len(samples), generation
