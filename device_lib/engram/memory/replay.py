"""The heap that a replay store takes, for a plan."""

_STORE_BYTES = 3080  # replay store, checkpoints and reader, without what is below
_RECORD_BYTES = 12  # of a record besides its latent
_RECORD_COPIES = 4  # packed, as it is read, as a blank one reads, padded to pages
_SLOT_BYTES = 3  # label, session
_ORDER_BYTES = 2  # sampling order of a record
_UNIT_BYTES = 7  # status, erases, live records of an erase unit
_USUAL_UNIT = 4096  # bytes of one: what the plan takes it to be
_UNIT_HEAD = 40  # of these, the header
_RESERVE = 7  # units in use for each one kept free


def index_bytes(latent_elems, slots, bits):
    """Bytes of a store of `slots` latents of `latent_elems` elements of `bits` each."""
    record = _RECORD_BYTES + (latent_elems * bits + 7) // 8
    in_unit = max(1, (_USUAL_UNIT - _UNIT_HEAD) // record)
    units = (slots + in_unit - 1) // in_unit
    units += max(1, units // _RESERVE)
    index = units * (in_unit * _SLOT_BYTES + _UNIT_BYTES) + slots * _ORDER_BYTES
    return _STORE_BYTES + _RECORD_COPIES * record + index + (4 << bits)
