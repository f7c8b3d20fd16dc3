"""Opens a learner on this board: model file, replay store and last saved state together."""

from .compat import collect_often, collect_rarely, forget, heap_free, heap_used
from .continual.learner import Learner
from .continual.policies import policy_class
from .continual.strategies import strategy_class
from .errors import FitError
from .store import Checkpoints, ReplayStore, regions
from .store.wipe import first_header

_BITS = 8  # of a latent element in a store that is made here
_STATE_BYTES = 32
_STREAM_BYTES = 1024  # how far a stream of tasks has come: the accuracies of 10 tasks and more
_PIECE_BYTES = 4096  # of heap in one piece: a frame and its answer, a file's buffers, a module
POLICY = "balanced"  # where none is given
BATCH = 16
# Options that decide what memory a learner takes.
_PLANNED = (
    "batch", "strategy", "strategy_options", "scope", "depth", "optimiser", "lr", "momentum",
    "weight_decay", "clip",
)
# Modules that a learner holds, of those that are not imported with it.
_HELD = ("engram.nn.optimisers", "engram.nn.objectives.classify")
# Modules that are needed until it is open.
_OPENING = ("engram.nn.model", "engram.nn.net", "engram.nn.safetensors")


def open_learner(path, board=None, heap_base=None, bits=None, beat=None, **options):
    """A Learner for the model file at `path`, with what this board has stored for it.

    board: a module or object like engram_board; None imports engram_board.
    heap_base: bytes of heap that were in use without a learner; None measures them now.
    bits: of a latent element in the replay store, 3 to 8; None: as many as the store that is
    there has, 8 in a new one.
    beat: None, or called whenever flash was written or looked through, now and later.
    options: Learner's other arguments, by name. The strategy, its depth and the policy decide
    how much flash a saved state takes, so a region that was written with others is refused.
    The last saved state is loaded when there is one. Raises ModelError, FitError,
    StoreError.
    """
    collect_often()
    load_code(**options)
    _touch_code()
    board = board or __import__("engram_board")
    board.store_device()  # made now: it stays when the learner goes
    if heap_base is None:
        heap_base = heap_used()
    learner = _before_load(path, board, heap_base, bits, beat, options)
    forget(_OPENING)
    learner.load()
    collect_rarely()  # all that stays is there
    return learner


def _need_piece(learner):
    """Raises FitError when the learner leaves no hole that work with it would go into."""
    free = heap_free()
    try:
        bytearray(_PIECE_BYTES)
    except MemoryError:
        raise FitError(
            "this learner (batch %d), beside its own memory, in one piece," % learner.batch,
            _PIECE_BYTES,
            free,
            "in smaller pieces; reduce the batch, the replay budget, or the adaptive stage",
        )


def _touch_code():
    from .continual.opening import touch_code

    touch_code()


def _before_load(path, board, heap_base, bits, beat, options):
    """A Learner with the weights of the model file.

    Where the heap has no room, the micro-batch gets smaller, unless one was asked for.
    """
    from .nn.model import ModelSpec

    with open(path, "rb") as stream:
        spec = ModelSpec(stream)
        if options.get("classes"):
            spec.widen(options["classes"])
        batch = options.get("batch", BATCH)
        micros = [n for n in range(batch, 0, -1) if batch % n == 0] if type(batch) is int else []
        while True:
            micro = options.get("micro") or (micros.pop(0) if micros else None)
            try:
                return _learner(spec, board, heap_base, bits, beat, options, micro)
            except (MemoryError, FitError, ImportError) as error:  # a pack without memory
                if options.get("micro") or not micros:
                    if isinstance(error, FitError):
                        raise
                    raise FitError(
                        "this learner, beside its arena,", _PIECE_BYTES, heap_free(),
                        "reduce the replay budget or what learns (scope)",
                    )


def _learner(spec, board, heap_base, bits, beat, options, micro):
    """A Learner of micro-batches of `micro` samples. Its arena is allocated first, while the heap
    is in one piece."""
    from .continual.opening import forget_code, reserve

    _tidy(board.store_device())
    planned = {name: options[name] for name in _PLANNED if name in options}
    planned["micro"] = micro
    room = reserve(spec, planned)
    store, checkpoint_device, model_id = open_flash(
        spec, board.store_device(), board.PROGRAM_BYTES, bits,
        getattr(board, "PROGRAM_ONCE", None), beat, **options
    )
    forget_code()
    checkpoints = Checkpoints(checkpoint_device, board.PROGRAM_BYTES, model_id, beat=beat)
    _tidy(board.store_device())
    options = dict(options)
    options["micro"] = micro
    learner = Learner(
        spec,
        store,
        checkpoints,
        counter=board.counter,
        heap_base=heap_base,
        room=room,
        **options
    )
    _need_piece(learner)
    return learner


def load_code(strategy="replay", policy=POLICY, **options):
    """Imports what a learner with these options uses: code is no part of what a plan counts.

    Raises DataError on an unknown name.
    """
    strategy_class(strategy)
    policy_class(policy)
    for name in _HELD:
        __import__(name)


def open_flash(spec, device, program_bytes, bits, program_once=None, beat=None, strategy="replay",
               scope=None, depth=None, policy=POLICY, **options):
    """(ReplayStore, region for Checkpoints, model id) in a flash region, for a learner of `spec`.

    bits: None for what is there. strategy, scope, depth, policy: as the learner takes them; they
    decide what a saved state holds. program_once: no page is programmed twice between erases; None
    for what the device says. beat: as open_learner() takes it.
    """
    from .continual.config import saved_bytes

    header = first_header(device)
    if bits is None:
        bits = _BITS if header is None else header.bits
    state_bytes = _STATE_BYTES + _STREAM_BYTES + 4 * (spec.classes or 1)
    state_bytes += saved_bytes(spec, strategy, scope, depth)
    state_bytes += policy_class(policy).saved_bytes(spec.classes or 1)
    store_device, checkpoint_device = regions(device, state_bytes, program_bytes)
    latent_bytes = (spec.latent_elems * bits + 7) // 8
    latent_id, model_id = _ids(spec, header)
    store = ReplayStore(
        store_device, program_bytes, latent_id, latent_bytes, bits, align=program_once, beat=beat,
        targets=spec.targets,
    )
    return store, checkpoint_device, model_id


def _ids(spec, header):
    """(latent id, model id): as the store that is there has them, where it is of this model.

    header: of its first unit, or None. Releases before 0.2 took the ids from the tensors alone.
    """
    if header is not None and header.model_id != spec.latent_id:
        from .nn.reading import legacy_ids

        legacy = legacy_ids(spec)
        if header.model_id == legacy[0]:
            return legacy
    return spec.latent_id, spec.model_id


def _tidy(device):
    """What a mount leaves in the heap must not keep the arena from its place."""
    if hasattr(device, "release"):
        device.release()
    heap_used()  # collects
