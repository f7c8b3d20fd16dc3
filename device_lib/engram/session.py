"""Opens a learner on this board: model file, replay store and last saved state together."""

from .compat import heap_used
from .continual.learner import Learner
from .continual.strategies import saved_bytes
from .nn.model import ModelSpec
from .store import Checkpoints, ReplayStore, regions

_STATE_BYTES = 32


def open_learner(path, board=None, heap_base=None, bits=8, **options):
    """A Learner for the model file at `path`, with what this board has stored for it.

    board: a module or object like engram_board; None imports engram_board.
    heap_base: bytes of heap that were in use without a learner; None measures them now.
    bits: of a latent element in the replay store, 3 to 8.
    options: Learner's other arguments, by name. The strategy and its depth decide how much flash
    a saved state takes, so a region that was written with others is refused.
    The last saved state is loaded when there is one. Raises ModelError, FitError,
    StoreError.
    """
    if heap_base is None:
        heap_base = heap_used()
    board = board or __import__("engram_board")
    with open(path, "rb") as stream:
        spec = ModelSpec(stream)
        if options.get("classes"):
            spec.widen(options["classes"])
        state_bytes = _STATE_BYTES + 4 * spec.classes + saved_bytes(
            spec, options.get("strategy", "replay"), options.get("depth")
        )
        store_device, checkpoint_device = regions(board.store_device(), state_bytes)
        store = ReplayStore(
            store_device,
            board.PROGRAM_BYTES,
            spec.latent_id,
            (spec.latent_elems * bits + 7) // 8,
            bits,
        )
        learner = Learner(
            spec,
            store,
            Checkpoints(checkpoint_device, board.PROGRAM_BYTES, spec.model_id),
            counter=board.counter,
            heap_base=heap_base,
            **options
        )
    learner.load()
    return learner
