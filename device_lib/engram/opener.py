"""Opens a learner on this board: model file, replay store and last saved state together."""

from .compat import board_of, collect_often, collect_rarely, forget, forget_below, heap_free
from .compat import heap_used, overwrite_stack, own_module
from .continual.defaults import BITS, POLICY, SPARED
from .errors import FitError, ModelError, StoreError
from .holder import hold, release

_STATE_BYTES = 32
_STREAM_BYTES = 1024  # how far a stream of sessions has come: the accuracies of 10 and more
_RECORD_BYTES = 16  # of a record, beside its latent
_MOST_SLOTS = 4096  # of a new store, where its device does not say: six bytes of RAM each
_SCATTERED = 3  # the share of code in heap that lies so that it is lost to others
_FILL_BYTES = 6144  # of heap, while the latents of a model file go into a blank store
_PIECE_BYTES = 4096  # of heap in one piece: a frame and its answer, a file's buffers
_CODE_PER_PIECE = 32768  # of heap: calls load code into other pieces
# Options that decide what memory a learner takes.
_PLANNED = (
    "batch", "micro", "strategy", "strategy_options", "scope", "depth", "optimiser", "lr",
    "momentum", "weight_decay", "clip", "keep", "skip", "format", "rounding",
    "recompute",
)
# Modules that a learner holds.
_HELD = (
    "engram.nn.stage", "engram.continual.learner", "engram.store", "engram.store.wipe",
    "engram.nn.optimisers", "engram.nn.objectives.classify",
)
# What is dropped before the arena is allocated, and loaded again: a learner's code beside it. Of
# the store not what a board's device is made of.
_AROUND = ("engram.continual", "engram.store")
_DEVICES = (
    "engram.store.file_units", "engram.store.blockdev", "engram.store.nor", "engram.store.region",
)
# Modules that are needed until it is open.
_OPENING = (
    "engram.nn.model", "engram.nn.net", "engram.nn.safetensors", "engram.store.wipe",
    "engram.places", "engram.continual.opening", "engram.store.slots",
)


def open_learner(
    path, board=None, heap_base=None, bits=None, beat=None, fresh=False, in_place=False,
    features=None, **options
):
    """A Learner for the model file at `path`, with the samples and the learned state of a board.

    path: below the folder that a host pushes to (FS_ROOT of engram_board), or as it is named.
    board: a module or object like engram_board; None imports engram_board. On a PC None keeps the
    state in a folder: folder=, or beside the model with the ending .engram; store_bytes= is the
    size of its flash, sync=False leaves it to the operating system when that is on the disk.
    heap_base: bytes of heap that were in use without a learner; None measures them now.
    bits: of a latent element in the replay store, 3 to 8; None: as many as the store that is
    there has, BITS in a new one.
    beat: None, or called whenever flash was written or looked through, now and later.
    features: None, or a function that makes the inputs of the model of what is given to the
    learner, such as the frozen stage of another runtime (docs/import.md).
    fresh: True erases the samples and the learned state that are there, whatever they are of.
    in_place: True reads the int8 weights where the file lies in memory, which takes no RAM: a PC
    maps the file. "flash:NAME" (`engram push model --place flash`) and files of ROMFS lie in
    memory without being asked.
    options: Learner's other arguments, by name. Another strategy, policy or number of classes
    than the saved state has takes over its parameters. Other bits, or a state that needs more
    flash than was set aside, are refused where samples or a state would be lost.
    The last saved state is loaded when there is one. A learner that was open on the board is
    released: its memory is needed. Raises ModelError, FitError, StoreError.
    """
    try:
        learner = _open(path, board, heap_base, bits, beat, fresh, in_place, options)
        if features:
            learner.inputs.features = features
        return learner
    finally:
        collect_rarely()  # all that stays is there


def _open(path, board, heap_base, bits, beat, fresh, in_place, options):
    board = board or board_of(path, options)
    path = _found(path, board)
    release(board)
    forget(_OPENING)  # of an attempt that failed
    collect_often()
    load_code(**options)
    board.store_device()  # made now: it stays when the learner goes
    if heap_base is None:
        heap_base = heap_used()
    for spared in SPARED:
        learner = error = None
        overwrite_stack()
        if beat:
            beat()  # where code is in files an attempt takes long
        try:
            learner, pieces = _before_load(
                path, board, heap_base, bits, beat, fresh, in_place, options, spared
            )
            learner.path = path
            learner.load()
            heap_free()  # collects
            [bytearray(_PIECE_BYTES) for _ in range(pieces)]  # free at once, for work with it
            break
        except MemoryError:
            pass
        except FitError as e:
            error = e
    else:
        learner = None
        if error:
            raise error
        raise FitError(
            "this learner, beside its own memory, in one piece,", _PIECE_BYTES, heap_free(),
            "in smaller pieces; reduce the batch, the replay budget, or what learns (scope)",
        )
    forget(_OPENING + (__name__,))
    hold(board, learner, path, options if bits is None else dict(options, bits=bits))
    return learner


def _found(path, board):
    """The path of a model file. Raises ModelError where there is none."""
    from .places import find

    root = getattr(board, "FS_ROOT", "")
    return find(path, root, ModelError, "send it: engram push model FILE")


def _before_load(path, board, heap_base, bits, beat, fresh, in_place, options, spared):
    """(a Learner with the weights of the model file, pieces of heap that work with it needs). In a
    blank store are the latents that the file carries. spared: as opening.prepare() takes it.

    Its arena is allocated first: where code is heap there is one piece for it before the code of
    learner and store is loaded, and none after.
    """
    from .nn.model import ModelSpec

    code = heap_free()
    forget_below(_AROUND, _DEVICES)
    free = heap_free()
    code = free - code
    from .continual.opening import prepare
    from .places import opened

    with opened(path, in_place, board) as stream:
        spec = ModelSpec(stream)
        if options.get("classes") is not None:
            spec.widen(options["classes"])
        if options.get("known") is not None:
            spec.limit(options["known"])
        _tidy(board.store_device())
        values = {name: options[name] for name in _PLANNED if name in options}
        if spec.rehearsal:
            code += _FILL_BYTES
        plan = prepare(
            spec, values, _most_slots(board.store_device(), spec, bits or BITS), bits or BITS,
            free - code - code // _SCATTERED, lambda: forget_below(_AROUND, _DEVICES), spared,
        )
        if beat:
            beat()
        spec.net = spec.file = prepare = None  # nobody asks for them from here on
        forget(_OPENING)
        pieces = 1 + code // _CODE_PER_PIECE
        held = [bytearray(_PIECE_BYTES) for _ in range(pieces)]  # code goes into smaller holes
        for name in _HELD:
            __import__(name)
        from .continual.learner import Learner
        from .stores import stores

        store, checkpoints = stores(
            open_flash, spec, board, bits, beat, fresh, plan.saved_bytes, path, options
        )
        forget(("engram.stores",))
        plan.plan_store(store.capacity, store.bits)
        _tidy(board.store_device())
        learner = Learner(
            spec,
            store,
            checkpoints,
            counter=board.counter,
            heap_base=heap_base,
            prepared=plan,
            **options
        )
        del held
        if spec.rehearsal:
            learner.rehearsed = _fill(learner, stream, spec.rehearsal)
        return learner, pieces


def _fill(learner, stream, rehearsal):
    """Puts the latents of a model file into a blank store; how many records are of the file."""
    count = own_module("engram.continual.rehearsal").fill(learner, stream, rehearsal)
    forget(("engram.continual.rehearsal",))
    return count


def _most_slots(device, spec, bits):
    """At most so many records have room in a flash region."""
    size = (spec.latent_elems * bits + 7) // 8 + _RECORD_BYTES
    slots = device.ioctl(4, 0) * device.ioctl(5, 0) // size
    return min(slots, _slot_limit(device))


def _slot_limit(device):
    return getattr(device, "most_slots", _MOST_SLOTS)


def load_code(strategy="replay", policy=None, **options):
    """Imports what a learner with these options uses: code is no part of what a plan counts.

    Raises DataError on an unknown name.
    """
    from .continual.policies import policy_class
    from .continual.strategies import strategy_class

    for name in _HELD:
        __import__(name)
    strategy_class(strategy)
    policy_class(policy or POLICY)


def open_flash(spec, device, program_bytes, bits, program_once=None, beat=None, saved_bytes=None,
               path=None, strategy="replay", scope=None, depth=None, policy=None, **options):
    """(ReplayStore, region for Checkpoints, model id) in a flash region, for a learner of `spec`.

    bits: None for what is there. strategy, scope, depth, policy: as the learner takes them; they
    decide what a saved state holds. program_once: no page is programmed twice between erases; None
    for what the device says. beat: as open_learner() takes it. saved_bytes: of parameters and
    what the strategy saves, where it is known. path: of the model file, where `spec` has let go of
    its tensors.
    """
    from .continual.policies import policy_class
    from .store import ReplayStore, units_of
    from .store.wipe import first_header

    header = first_header(device)
    if bits is None:
        bits = BITS if header is None else header.bits
    state_bytes = _STATE_BYTES + _STREAM_BYTES + 4 * (spec.classes or 1)
    if saved_bytes is None:
        from .continual.config import saved_bytes as of_state

        saved_bytes = of_state(spec, strategy, scope, depth)
    state_bytes += saved_bytes
    state_bytes += policy_class(policy or POLICY).saved_bytes(spec.classes or 1)
    latent_bytes = (spec.latent_elems * bits + 7) // 8
    slots = _slot_limit(device)
    most = units_of(device, program_bytes, program_once, latent_bytes, spec.targets, slots)
    store_device, checkpoint_device = _parts(device, state_bytes, program_bytes, header, most)
    latent_id, model_id = _ids(spec, header, path)
    store = ReplayStore(
        store_device, program_bytes, latent_id, latent_bytes, bits, align=program_once, beat=beat,
        targets=spec.targets,
    )
    return store, checkpoint_device, model_id


def _parts(device, state_bytes, program_bytes, header, most_units):
    """(replay region, checkpoint region): as they were made, where a log is there."""
    from .store import Region, regions
    from .store.checkpoint import units_for

    blocks = device.ioctl(4, 0)
    if header is None or header.units > blocks - 2:
        return regions(device, state_bytes, program_bytes, most_units)
    rest = blocks - header.units
    units = units_for(state_bytes, header.erase_bytes, program_bytes)
    if units > rest // 2:
        raise StoreError(
            "expected %d bytes of flash per saved state for these options, got %d, set aside when "
            "the store was made" % (units * header.erase_bytes, rest // 2 * header.erase_bytes)
        )
    return Region(device, 0, header.units), Region(device, header.units, rest)


def _ids(spec, header, path):
    """(latent id, model id): as the store that is there has them, where it is of this model.

    header: of its first unit, or None. Releases before 0.2 took the ids from the tensors alone.
    """
    if header is not None and header.model_id != spec.latent_id:
        legacy = _legacy_ids(spec, path)
        if header.model_id == legacy[0]:
            return legacy
    return spec.latent_id, spec.model_id


def _legacy_ids(spec, path):
    from .nn.reading import legacy_ids

    if not path:
        return legacy_ids(spec)
    from .nn.model import ModelSpec
    from .places import opened

    with opened(path) as stream:
        return legacy_ids(ModelSpec(stream))


def _tidy(device):
    """Frees the buffers that a mount leaves, so that the arena finds its place in the heap."""
    if hasattr(device, "release"):
        device.release()
    heap_used()  # collects
