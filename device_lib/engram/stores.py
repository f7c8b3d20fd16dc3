"""The stores of a learner that is opened, in flash that may hold another model's stores."""

from .errors import StoreError


def stores(open_flash, spec, board, bits, beat, fresh, saved_bytes, path, options):
    """(ReplayStore, Checkpoints) of a board for a learner of `spec`. Erases what was made for
    others, where fresh is true or nothing would be lost. open_flash: opener.open_flash. Raises
    StoreError."""
    from .store import Checkpoints

    device, program_bytes = board.store_device(), board.PROGRAM_BYTES
    if fresh:
        from .store.wipe import wipe

        wipe(device, program_bytes)
    for again in (False, True):
        try:
            store, rest, model_id = open_flash(
                spec, device, program_bytes, bits, getattr(board, "PROGRAM_ONCE", None), beat,
                saved_bytes, path, **options
            )
            return store, Checkpoints(rest, program_bytes, model_id, beat=beat)
        except StoreError as e:
            if again:
                raise
            make_way(device, program_bytes, e)


def make_way(device, program_bytes, error):
    """Wipes a region that holds no sample and no state, for a learner that it was not made for.
    Raises StoreError where something would be lost."""
    from .continual.numbers import PAST
    from .store.contents import contents
    from .store.wipe import wipe

    counts = contents(device, program_bytes, PAST)
    if counts is None:
        raise error
    if any(counts):
        raise StoreError(
            "%s: its %d samples and the state of generation %d would be lost; open the model as "
            "it was, or with fresh=True (engram push model --fresh), which erases them"
            % ((str(error).split(";")[0],) + counts)
        )
    wipe(device, program_bytes)
