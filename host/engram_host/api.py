"""The verbs of the command line, as functions: `engram push data` is `api.push_data()`.

    from engram_host import api

    with api.connect("qemu_m4f") as board:
        api.push_model(board, "digits.safetensors")
        api.learn(board, "sevens.npz", epochs=3)
        print(api.eval(board, "test.npz")["accuracy"])

`port` is a board's name (a virtual board is started), any URL that pyserial opens, or a Device
from connect(), which then stays open. All errors are engram.errors.EngramError.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engram.link import wire
from engram_host import boards as board_facts
from engram_host import build as firmware
from engram_host import samples as sample_files
from engram_host import virtual
from engram_host.build import ports as build_ports
from engram_host.device import MODEL, Answer, Device, Reading, learner_options
from engram_host.errors import InputError
from engram_host.flash import flasher
from engram_host.flash.flasher import Outcome
from engram_host.flash.ways import WAYS
from engram_host.learning import log as logs
from engram_host.learning import scores, stream_start
from engram_host.learning import streams as streams
from engram_host.learning.interrupt import StopAtNextStep
from engram_host.learning.rehearsal import known_samples
from engram_host.learning.session import Learned, Length, Session
from engram_host.learning.stream_run import LearnedStream, StreamRun
from engram_host.learning.undo import roll_back
from engram_host.learning.watch_run import WatchRun
from engram_host.line import census, ports
from engram_host.line.link import Link
from engram_host.meters.base import Meter
from engram_host.progress import Reporter, Silent
from engram_host.samples import Samples, vibration
from engram_host.samples import names as names_of_classes
from engram_host.samples.inputs import Input

if TYPE_CHECKING:
    from engram_host.imports.network import Network

FLASH_WAYS = tuple(WAYS)
Port = str | Device | None
Data = Samples | Path | str
ClassNames = Sequence[str] | Path | str | None  # by their labels; a file with a line per name


def ignore(*_: Any) -> None:
    """A callback that does nothing."""


# --- boards -------------------------------------------------------------------------------------


def boards() -> list[dict[str, Any]]:
    """The boards there are: facts, whether their firmware is built, whether virtual ones run."""
    rows = []
    for board in board_facts.load_all():
        chip = board.facts["chip"]
        row: dict[str, Any] = {
            "name": board.name,
            "title": board.title,
            "status": board.status,
            "port": board.facts.get("build", {}).get("port"),
            "ways": list(board.facts.get("upload", ())),
            "chip": chip["name"],
            "ram_bytes": chip["ram_bytes"],
            "flash_bytes": chip["flash_bytes"],
        }
        if "build" in board.facts:
            row["built"] = build_ports.artefact(board).exists()
        if board.is_virtual:
            state = virtual.status(board.name)
            row["built"] = board.artefact.exists()
            row["running"] = state is not None
            row["tty"] = str(state.tty) if state else None
        rows.append(row)
    return rows


def serial_ports(ask: bool = True) -> list[dict[str, Any]]:
    """The boards at serial ports, and the virtual boards that run.

    See census.look for the fields; `description` is the text of the USB plug.
    ask: False leaves the ports closed; the entries then have no facts of the boards.
    """
    there: list[dict[str, Any]] = [*ports.serial_ports(), *ports.virtual_ports()]
    if not ask:
        return there
    states = census.survey([row["port"] for row in there])
    return [{**row, **states[row["port"]]} for row in there]


def build(
    board: str,
    micropython_dir: Path | None = None,
    *,
    say: Callable[[str], None] = ignore,
) -> Path:
    """Build the firmware of a board; the path of the firmware file."""
    facts = board_facts.load(board)
    builder = firmware.build if facts.is_virtual else build_ports.build
    return builder(facts, micropython_dir, say=say)


def stock_of(board: str) -> str:
    """The virtual board with MicroPython alone that goes with this one; its name."""
    return board_facts.stock_of(board)


def build_commands(board: str, micropython_dir: Path | None = None) -> list[str]:
    """The commands that build a real board's firmware, to type in a shell."""
    return build_ports.recipe(board_facts.load(board), micropython_dir)


def flash(board: str, *, say: Callable[[str], None] = ignore, **options: Any) -> Outcome:
    """Put a firmware onto a real board; options: as flash.flasher.flash takes them."""
    return flasher.flash(board_facts.load(board), say=say, **options)


def start(board: str, *, flash: Path | None = None, fresh: bool = False) -> virtual.Status:
    """Start a virtual board.

    flash: an image to load into its flash; fresh: begin with blank flash.
    """
    facts = board_facts.load(board)

    def prepare(file: Path) -> None:
        if fresh:
            file.unlink(missing_ok=True)
        if flash is not None:
            facts.load_flash(flash, file)

    if flash is not None and not flash.is_file():
        raise InputError(f"{flash}: expected a flash image (`engram stop --save`), got no file")
    if not (fresh or flash):
        return virtual.ensure(board, facts.command)
    return virtual.start(board, facts.command, prepare)


def stop(board: str, *, save: Path | None = None) -> bool:
    """Stop a virtual board; save its flash as an image. False if it did not run."""
    facts = board_facts.load(board)
    was_running = virtual.stop(board)
    if save is not None:
        file = virtual.Place.of(board).flash
        if not file.exists():
            raise InputError(
                f"expected the flash of a board that was started, got none of {board}; `engram "
                f"start {board}` makes one"
            )
        facts.save_flash(file, save)
    return was_running


# --- a connection -------------------------------------------------------------------------------


def connect(
    port: str | None = None,
    reporter: Reporter | None = None,
    on_text: Callable[[bytes], None] = ignore,
) -> Device:
    """A board with its agent running. on_text gets what the board prints."""
    transport = ports.open_transport(port)
    try:
        return Device(Link(transport, on_text), reporter)
    except BaseException:
        transport.close()
        raise


@contextmanager
def _device(port: Port) -> Iterator[Device]:
    """The Device that was given, or one that is closed afterwards."""
    if isinstance(port, Device):
        yield port
        return
    with connect(port) as device:
        yield device


def info(port: Port = None) -> dict[str, Any]:
    """The facts of a board: runtime, memory, files, model, store."""
    with _device(port) as device:
        facts = device.info()
        facts["files"] = device.files()
        facts["flash"] = device.store_info() if facts["learner"] else None
        return facts


def install(
    port: str | None,
    reporter: Reporter | None = None,
    *,
    say: Callable[[str], None] = ignore,
    **wishes: Any,
) -> dict[str, Any]:
    """Put the library and its kernels on a board whose firmware is not ours; verified, tested.

    The stock firmware of a virtual board is built where it is missing; say is told so.
    wishes: packages, kernels, store, store_bytes, dry_run, as installer.Wishes has them. Returns
    what the board is, what it got and why, and what that takes. Raises InstallError where the
    board cannot take it, with what was expected.
    """
    from engram_host.install import installer

    stock = ports.virtual_board(port)
    if stock and stock.stock and not stock.artefact.exists():
        build(stock.name, say=say)
    target = ports.resolve(port)
    known = board_facts.load(target.board).facts if target.board else {}
    transport = ports.open_transport(port)
    try:
        request = installer.Wishes(board=known, **wishes)
        return installer.install(transport, request, reporter or Silent())
    finally:
        transport.close()


# --- model and data -----------------------------------------------------------------------------


def push_model(
    port: Port,
    path: Path | str,
    *,
    name: str = MODEL,
    class_names: ClassNames = None,
    place: str = "file",
    **options: Any,
) -> dict[str, Any]:
    """Put a model on a board and open it. options: batch, lr, scope, ..., as for learn().

    place: "file", a file of the board, whose weights are copied to RAM; "flash", a slot in flash
    that the processor reads as memory, where int8 weights are read in place. It is open as
    "flash:" + name then.

    class_names: in the order of their labels, or a file with a line per name; kept with the model.
    What the board had learned with the same model before is loaded. Returns the learner's facts.
    """
    with _device(port) as device:
        names = None if class_names is None else _names(class_names, device)
        return device.push_model(path, name, names, place, **options)


def push_data(
    port: Port, data: Data, *, name: str = "test", labels: Path | None = None
) -> dict[str, str]:
    """Keep labelled samples on a board, for eval(). Returns the names of the files there."""
    _need(data)
    with _device(port) as device:
        samples = _samples(data, labels, device)
        if device.info()["learner"]:
            device.warn_of_range(samples)
        return device.push_data(name, samples)


def files(port: Port = None) -> dict[str, Any]:
    """The files of a board and the space of its file system, in bytes.

    {"files": [{"name", "bytes", "part"}], "free_bytes", "total_bytes"}; "part" is true for the
    beginning of a file whose transfer was interrupted.
    """
    with _device(port) as device:
        space = device.info()["fs"]
        rows = [
            {"name": name, "bytes": size, "part": name.endswith(wire.PART)}
            for name, size in device.files().items()
        ]
    return {"files": rows, **{key: space[key] for key in ("free_bytes", "total_bytes")}}


def remove(port: Port, *names: str) -> dict[str, Any]:
    """Delete files of a board. Returns files() after that.

    Raises DeviceError at the first name that the board does not have; the names before it are
    gone then.
    """
    with _device(port) as device:
        for name in names:
            device.remove(name)
        return files(device)


def reset(port: Port) -> dict[str, Any]:
    """Make a board forget everything it learned: stored samples and saved states are erased."""
    with _device(port) as device:
        return device.reset()


def _need(data: Data | None) -> None:
    """Raises InputError where a file of samples is not there."""
    if isinstance(data, (str, Path)):
        sample_files.need(data)


def _samples(
    data: Data, labels: Path | None, device: Device, class_names: ClassNames = None
) -> Samples:
    """Samples as the open model of a board takes them, their labels as it counts its classes."""
    if not isinstance(data, Samples):
        learner = device.info()["learner"]
        data = sample_files.load(data, labels, device.taken() if learner else None)
    if not data.class_names:
        return data
    learner = device.info()["learner"]
    names = _names(class_names, device) if learner or class_names is not None else []
    return data.numbered(names, learner["classes"] if learner else None)


def reboot(port: Port = None) -> None:
    """Reset a board, as its button does: its main.py runs again. What is in flash stays: stored
    samples, saved states, the model with its options, how far a stream of sessions has come. What
    was learned since the last save is lost."""
    if isinstance(port, Device):
        port.link.reboot()
        port.link.open()
        return
    transport = ports.open_transport(port)
    try:
        Link(transport).reboot()
    finally:
        transport.close()


def rollback(port: Port, to: str = "last", *, model: str | None = None) -> dict[str, Any]:
    """Go back to a saved state: the "last" one, the "previous" one, or "factory", the model file.

    The states after it are erased; stored samples stay. Returns the learner's facts, and beside
    them "to", the "generation" of the state (None for "factory"), the state "before", the sessions
    and steps that are "undone", the number of stored samples that are "new" again, and
    "accuracy", a pair: before and after. Raises DeviceError where the board has no such state,
    and where its flash holds the states of another model.
    """
    with _device(port) as device:
        device.need_open(model)
        return roll_back(device, to)


# --- what is stored -----------------------------------------------------------------------------


def store_info(image: Path | str | None = None, *, port: Port = None) -> dict[str, Any]:
    """The content of a flash image or a board's replay region: records, wear, saved states."""
    from engram_host.store.figures import figures

    return dict(figures(_store_image(image, port)))


def store_check(image: Path | str | None = None, *, port: Port = None) -> dict[str, Any]:
    """Every stored sample checked, in a flash image or on a board: counts, damaged slots, wear."""
    return _store_image(image, port).check()


def store_dump(image: Path | str | None, out: Path | str, *, port: Port = None) -> dict[str, Any]:
    """Write the stored samples: OUT.jsonl with all fields, OUT.npy latents, OUT.bin the region."""
    from engram_host.store.image import WRITERS

    path = Path(out)
    if path.suffix not in WRITERS:
        raise InputError(
            f"{path}: expected a file name that ends in .jsonl, .npy or .bin, got {path.name}"
        )
    content = _store_image(image, port)
    WRITERS[path.suffix](content, path)
    return {"samples": len(content.records()), "file": path}


def store_format(
    image: Path | str | None = None, *, port: Port = None, keep_wear: bool = False
) -> None:
    """Erase stored samples and saved states, in a flash image or on a board.

    keep_wear: keep the erase counts, and with them the model and geometry of the store; else the
    region is left blank, for any model.
    """
    if image is None:
        with _device(port) as device:
            device.store_format(keep_wear)
        return
    from engram_host.store.figures import wiped

    content = _store_image(image, None)
    Path(image).write_bytes(wiped(content, keep_wear))


def _store_image(image: Path | str | None, port: Port) -> Any:
    """The replay region of a flash image, or of a board, as a store.image.StoreImage."""
    from engram_host.device.flash_copy import copy_region
    from engram_host.store.image import StoreImage

    if image is not None:
        return StoreImage.of_file(Path(image))
    with _device(port) as device:
        name = f"the replay region of {device.link.board}"
        return StoreImage(copy_region(device), name, is_region=True)


# --- learning -----------------------------------------------------------------------------------


def learn(
    port: Port,
    data: Data,
    *,
    labels: Path | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    model: str | None = None,
    log: Path | None = None,
    class_names: ClassNames = None,
    meter: str | Meter | None = None,
    unlabelled: bool = False,
    on_step: Callable[[dict[str, Any]], None] = ignore,
    **options: Any,
) -> Learned:
    """One session: send labelled samples, learn them, save the learned state, write the log.

    data: its y are labels, or floats where the model regresses; `targets` beside labels where it
    does both.
    unlabelled: the inputs alone are sent, for a model that learns from them (`make_vae`).
    epochs: passes over the samples; or steps: how many. Neither: the strategy's own number, 800
    as a rule, or one pass where that is more.
    options: of the learner: strategy, strategy_options (a dict), goal ("classes", "domain" or
    "user"), composition, new_share, scope, depth, classes, known, bits, policy, budget (latents,
    or a text as "200kB"), batch, micro, optimiser, lr, lr_decay, momentum, weight_decay, clip,
    keep, skip, recompute, seed; those not given stay as they are.
    A label beyond the classes that the learner has room for makes its head grow; what was learned
    is kept.
    Ctrl-C stops at the next step: then Stopped is raised, the log is complete so far and the
    board is usable; what was sent stays on the board and is learned by the next session.
    class_names: for the log, where the model has none or others.
    meter: measures the session's energy; a Meter from open_meter(), which stays open, or a text as
    open_meter() takes it.
    """
    length = Length.of(epochs, steps)
    _need(data)
    with _device(port) as device, metered(meter) as measures, StopAtNextStep() as stop:
        learner = device.need_open(model, **options)
        samples = _samples(data, labels, device, class_names)
        if unlabelled:
            samples = samples.without_answers()
        else:
            samples.need_answers()
        learner = device.grow(learner, samples) if options.get("classes") is None else learner
        device.check(samples)
        device.warn_of_range(samples)
        path = log or logs.default_path(device.link.board)
        with logs.Writer(path) as writer:
            names = _names(class_names, device)
            session = Session(device, writer, stop, on_step, measures, names)
            return session.run(learner, samples, length)


def rehearse(
    port: Port,
    data: Data,
    *,
    labels: Path | None = None,
    model: str | None = None,
    log: Path | None = None,
    class_names: ClassNames = None,
    **options: Any,
) -> Learned:
    """Store samples of classes that the model knows, to be replayed; nothing is trained.

    data: at most as many of it as the budget are sent, of each class alike. class_names,
    options: as for learn(). Raises InputError on a class that is new to the model.
    """
    _need(data)
    with _device(port) as device, StopAtNextStep() as stop:
        learner = device.need_open(model, **options)
        samples = _samples(data, labels, device, class_names)
        samples.need_answers()
        device.check(samples)
        device.warn_of_range(samples)
        rehearsal = known_samples(samples, learner, options.get("seed") or 1)
        path = log or logs.default_path(device.link.board)
        with logs.Writer(path) as writer:
            names = _names(class_names, device)
            session = Session(device, writer, stop, ignore, class_names=names)
            return session.run(learner, rehearsal, None)


def learn_stream(
    port: Port,
    data: Path | str,
    *,
    labels: Path | None = None,
    test: Path | str | None = None,
    sessions: str | None = None,
    field: str | None = None,
    per_class: int | None = None,
    test_per_class: int | None = None,
    known_first: bool = False,
    fresh: bool = False,
    abandon: bool = False,
    epochs: int | None = None,
    steps: int | None = None,
    model: str | None = None,
    log: Path | None = None,
    class_names: ClassNames = None,
    meter: str | Meter | None = None,
    on_step: Callable[[dict[str, Any]], None] = ignore,
    on_test: Callable[[dict[str, Any]], None] = ignore,
    say: Callable[[str], None] = ignore,
    **options: Any,
) -> LearnedStream:
    """A stream of sessions; after each one the tests, and at the end the metrics.

    sessions, field, per_class, test, test_per_class: how the stream is cut out of the data, as
    streams.load() takes them. known_first: the model knows what the first session brings; its
    samples are stored, nothing is trained. fresh: forget first what the board learned. say: told
    where it goes on.
    class_names, meter, options: as for learn(); each session is measured by itself.
    A board that was stopped or cut off in this very stream, of the same samples, settings and
    model, goes on from the state it saved last, to the same result. A board that has learned
    before goes on from there: with `test` its known classes are tested too, as a first session
    that is over. Raises InputError when it is in the middle of another stream, unless `abandon`
    leaves that as it is.
    """
    length, seed = Length.of(epochs, steps), options.get("seed") or 1
    for source in (data, test):
        _need(source)
    with _device(port) as device, metered(meter) as measures, StopAtNextStep() as stop:

        def read(path: Path | str, its_labels: Path | None = None) -> Samples:
            return _samples(path, its_labels, device, class_names)

        stream = streams.load(
            data,
            labels=labels,
            test=test,
            sessions=sessions,
            field=field,
            per_class=per_class,
            test_per_class=test_per_class,
            seed=seed,
            read=read,
        )
        learner = _fresh(device, model, options) if fresh else device.need_open(model, **options)
        if options.get("classes") is None:
            learner = device.grow(learner, *(portion.samples for portion in stream.sessions))
        for portion in stream.sessions + stream.tests:
            device.check(portion.samples)
        device.warn_of_range(stream.sessions[0].samples)
        settings = {"epochs": epochs, "steps": steps, "known_first": known_first, "seed": seed}
        settings["options"] = device.info()["options"]
        beginning = stream_start.start(
            device,
            learner,
            stream,
            streams.number(stream, settings),
            stream_start.Tests(test, test_per_class, seed),
            abandon=abandon,
            say=say,
        )
        path = log or logs.default_path(device.link.board)
        with logs.Writer(path) as writer:
            names = _names(class_names, device)
            new_session = partial(Session, device, writer, stop, on_step, measures, names)
            run = StreamRun(device, writer, stop, new_session, on_test)
            return run.run(learner, beginning, length=length, known_first=known_first, seed=seed)


def open_meter(text: str) -> Meter:
    """A power meter, connected, of a text as "ppk2:/dev/ttyACM1,volts=3.3" (docs/energy.md)."""
    from engram_host.meters import spec

    return spec.open_meter(text)


@contextmanager
def metered(meter: str | Meter | None) -> Iterator[Meter | None]:
    """The Meter that was given, or one that is closed afterwards; None without."""
    if not isinstance(meter, str):
        yield meter
        return
    instrument = open_meter(meter)
    try:
        yield instrument
    finally:
        instrument.close()


def measure(log: Path | str | None, meter: str) -> dict[str, Any]:
    """The energy of a logged session, from a meter's recording; it is added to the log.

    log: of a session with --meter (None: the newest log); its last session counts. meter: one that
    reads a file, as "csv:recording.csv", of the same session. Returns the record "energy".
    """
    from engram_host.learning.measuring import from_recording

    path = Path(log) if log is not None else logs.latest()
    lines = [record for record in logs.read(path) if record["kind"] == "timeline"]
    if not lines:
        raise InputError(
            f"{path}: expected a log with a timeline, got none; learn with --meter "
            "csv:recording.csv"
        )
    with metered(meter) as measures:
        assert measures is not None
        energy = from_recording(lines[-1], measures)
    with logs.Writer(path) as writer:
        return writer.write("energy", energy)


def stream_groups(text: str) -> list[list[int]]:
    """[[0, 1, 2], [5]] of "0-2,5". Raises InputError."""
    return streams.groups(text)


def _fresh(device: Device, model: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """The open learner, made to forget what it learned."""
    return device.reset(model, **options) or device.need_open(model, **options)


def eval(
    port: Port,
    data: Data | None = None,
    *,
    name: str = "test",
    labels: Path | None = None,
    stream: bool = False,
    session: int | None = None,
    model: str | None = None,
    class_names: ClassNames = None,
) -> dict[str, Any]:
    """Accuracy of a board's learner, in all and by class; the errors of one that regresses.

    data: labelled samples; they are kept on the board as `name` (and not sent again if it has
    them). None: those that the board keeps as `name`. stream: send them without keeping them.
    session: number of the one that they test; the board enters the accuracy into its matrix, which
    metrics() tells. class_names: for the result, where the model has none or others.
    Returns {"n", "correct", "accuracy", "total": [per class], "right": [per class], "confusion":
    [a row per true class of samples per predicted class], "recall", "precision", "f1": [per class,
    None where no sample counts], "macro_recall", "macro_f1": means over the classes that samples
    are of, "class_names": []}; for a regression {"n", "mse", "mae"}: mean squared and mean
    absolute error per value. A model with several outputs has the errors of each under its name,
    beside the accuracy.
    """
    _need(data)
    with _device(port) as device:
        learner = device.need_open(model)
        samples = None if data is None else _samples(data, labels, device, class_names)
        answers: list[int] | None = [] if learner["classes"] else None
        if samples is not None:
            device.check(samples)
            device.warn_of_range(samples)
        if stream:
            if samples is None:
                raise InputError("expected samples to stream, got none; give a file of them")
            result = device.evaluate_stream(samples, session, answers)
        else:
            if samples is not None:
                device.push_data(name, samples)
            result = device.evaluate(name, session, answers)
        if answers is None:
            return result
        right = device.labels(name) if samples is None else samples.labels
        names = _names(class_names, device)
    result["accuracy"] = result["correct"] / result["n"] if result["n"] else 0.0
    counts = scores.confusion(right, answers, learner["classes"])
    result.update(confusion=counts.tolist(), **scores.per_class(counts), class_names=names)
    return result


def score(
    port: Port,
    data: Data,
    *,
    labels: Path | None = None,
    engine: str = "clusters",
    window: int = 8,
    false_alarms: float | str = 0.001,
    every: float | None = None,
    normal: Sequence[int] | None = None,
    model: str | None = None,
    log: Path | None = None,
    class_names: ClassNames = None,
    adapt: bool = False,
    steps: int | None = None,
    on_watch: Callable[[dict[str, Any]], None] = ignore,
    on_reading: Callable[[Reading], None] = ignore,
    on_adapted: Callable[[dict[str, Any], dict[str, Any]], None] = ignore,
    **options: Any,
) -> dict[str, Any]:
    """Watch samples: how unlike they are to those that the board has stored, and alarms.

    data: samples, in the order in which they came; with labels, 0 is normal. engine, window,
    false_alarms, every: as Learner.watch() takes them; normal: labels of the stored samples that
    are normal, None: all. options: of the engine: clusters, neighbours, seed. on_watch gets the
    settings and the threshold, on_reading (score or None, mean, state) of each sample, as they
    come. log: file for these as JSON Lines.
    adapt: the board takes in what is new and comes and goes between what is known, learns it
    `steps` steps at a time (None: 100), saves its state and sets a new threshold. on_adapted gets
    what was learned, and the settings and the threshold from then on.
    Returns {"watch": settings and threshold, "scores", "means", "states": [per sample]} and the
    figures of learning.watching.summary(): "n", "alarms", "auc" where there are labels, ...; with
    adapt also "adapted": [what was learned], "adopted", "refused", "waiting", "taken": blocks of 8
    samples.
    """
    _need(data)
    if steps is not None:
        if not adapt:
            raise InputError("expected steps with adapt=True (--adapt), got steps alone")
        learner_options.check_number("steps", steps)
    with _device(port) as device, contextlib.ExitStack() as stack:
        device.need_open(model)
        samples = _samples(data, labels, device, class_names)
        device.check_inputs(samples)
        device.warn_of_range(samples)
        given = {"labels": None if normal is None else list(normal), "every": every, **options}
        run = WatchRun(
            device,
            None if log is None else stack.enter_context(logs.Writer(log)),
            adapt=adapt,
            steps=steps,
            on_watch=on_watch,
            on_reading=on_reading,
            on_adapted=on_adapted,
            engine=engine,
            window=window,
            false_alarms=false_alarms,
            **{name: value for name, value in given.items() if value is not None},
        )
        run.run(samples)
        return run.result(samples.y)


def largest_confusions(confusion: Any, most: int = 10) -> list[tuple[int, int, int]]:
    """[(true class, class that the model gave, samples)] of a confusion matrix of eval(), the
    most frequent first."""
    return scores.largest(np.asarray(confusion), most)


def class_names(port: Port = None, *, model: str | None = None) -> list[str]:
    """Names of the classes in the order of their labels, as the file of a board's model has
    them; [] where it has none."""
    with _device(port) as device:
        device.need_open(model)
        return device.class_names()


def _names(source: ClassNames, device: Device) -> list[str]:
    """The class names that were given, else those of the open model."""
    if source is None:
        return device.class_names()
    return read_names(source) if isinstance(source, (str, Path)) else list(source)


def read_names(path: Path | str) -> list[str]:
    """Class names of a text file with a line per class. Raises InputError."""
    return names_of_classes.read(path)


def metrics(port: Port = None, *, model: str | None = None) -> dict[str, Any]:
    """The figures that a board computed from its tests: accuracy matrix, average accuracy,
    forgetting, backward and forward transfer."""
    with _device(port) as device:
        device.need_open(model)
        return device.metrics()


def predict(port: Port, data: Data, *, model: str | None = None) -> list[Answer]:
    """A board's answer to each input: (label, probability) where the model tells classes apart,
    a list of values where it regresses, {output: either} where it has several outputs."""
    _need(data)
    with _device(port) as device:
        device.need_open(model)
        samples = _samples(data, None, device)
        device.check_inputs(samples)
        device.warn_of_range(samples)
        return device.predict(samples)


def log(path: Path | None = None, *, follow: bool = False) -> Iterator[dict[str, Any]]:
    """The records of a log (None: the newest one); follow: also those still to come."""
    return logs.read(path or logs.latest(), follow)


# --- models and reports -------------------------------------------------------------------------


def plan(
    model: Path | str,
    *,
    boards: Sequence[str] = (),
    port: Port = None,
    batch: int = 16,
    replay_slots: int = 0,
    **learner: Any,
) -> dict[str, Any]:
    """The memory, time and energy that a model needs, before anything is flashed.

    boards: names; none: all. port: plan for the board there, which is asked for its free memory
    and files. replay_slots: samples to be kept in flash, 0: as many as it holds.
    learner: bits, strategy, scope, depth, classes, micro, optimiser, momentum, clip, keep,
    skip, recompute, as the learner takes them; place, as push_model() takes it.
    """
    from engram_host.planning.report import plan_report

    if learner.get("keep") is not None:
        learner["keep"] = learner_options.shares(learner["keep"])
    selection = [board_facts.load(name) for name in boards]
    if not selection and port is None:
        selection = board_facts.load_all()
    facts = [board.facts for board in selection]
    if port is not None:
        with _device(port) as device:
            facts.append(_facts_of(device, Path(model)))
    return dict(plan_report(Path(model), facts, batch, replay_slots, **learner))


def plan_search(
    model: Path | str,
    data: Path | str,
    *,
    board: str | None = None,
    port: Port = None,
    ram: int | None = None,
    flash: int | None = None,
    time: float | None = None,
    labels: Path | None = None,
    test: Path | str | None = None,
    sessions: str | None = None,
    known_first: bool = False,
    known: int | None = None,
    trials: int = 100,
    minutes: float | None = None,
    seed: int = 1,
    study: Path | None = None,
    out: Path | str | None = None,
    choose: bool = False,
    reporter: Reporter | None = None,
    **learner: Any,
) -> dict[str, Any]:
    """Search the options of a learner that are worth their RAM, flash and time.

    Each point is computed first; those beyond the limits are refused. The others are learned in
    short runs on this computer, up to `trials` of them, for `minutes` at most.
    data: labelled samples that a board is to learn; test: to be tested on, None: a quarter of
    data. sessions, known_first, known: as for learn_stream() and learn(). ram, flash: bytes; time:
    seconds of the largest session; each one that is given is an objective beside accuracy. board:
    a name; None: the one at port. study: file of a journal that several processes may share.
    out: folder for front.json, front.png and front.svg; None: none are written. learner: options
    as plan() takes them; scope, bits, budget, batch and steps are searched where they are not
    given. choose: search the layers that are worth learning instead, one after the other, with all
    other options as given. Returns the report that front.json has.
    """
    from engram_host.report.figures.front import write_front
    from engram_host.search.choosing import chosen
    from engram_host.search.feasible import Limits
    from engram_host.search.search import Wish, input_of, searched

    path, name = Path(model), board or (port if isinstance(port, str) else None)
    if name is None:
        raise InputError("expected a board, got none; name one with --board or --port")
    if not path.is_file():
        raise InputError(
            f"{path}: expected a device model, got no file; make it with `engram convert`"
        )
    if board is not None:
        facts: Any = board_facts.load(board).facts
    else:
        with _device(port) as device:
            facts = _facts_of(device, path)
    limits = Limits(ram, flash, time)
    wish = Wish(
        path, str(data), None if test is None else str(test), facts, name, limits, learner,
        sessions, known_first, known, trials, minutes, seed, study,
    )  # fmt: skip
    taken = input_of(path)
    samples = sample_files.load(data, labels, taken)
    tested = None if test is None else sample_files.load(test, None, taken)
    count = 0
    with (reporter or Silent()).items("search", None if choose else trials, "runs") as update:

        def on_run(accuracy: float) -> None:
            nonlocal count
            count += 1
            update(count, None if choose else trials, f"{accuracy:.1%}")

        if choose:
            return chosen(wish, samples, tested, lambda _, accuracy: on_run(accuracy))
        report = searched(wish, samples, tested, lambda tried: on_run(tried.accuracy))
    if out is not None and report["front"]:
        report["files"] = [str(file) for file in write_front(report, Path(out))]
    return report


def _facts_of(device: Device, model: Path) -> dict[str, Any]:
    """A board.toml's content for a connected board, with memory, files and store as it says."""
    info, room, region = device.info(), device.room(), device.region()
    name, fs = info["board"], info["fs"]
    known: Any = board_facts.load(name).facts if board_facts.is_known(name) else {}
    chip = known.get("chip", {"name": name, "ram_bytes": info["memory"].get("ram", 0)})
    flash = {"program_once": False, **known.get("flash", {}), **region}
    free = fs["free_bytes"] + (device.held_bytes(model.read_bytes()) if model.is_file() else 0)
    sizes = {"asked": True, "fs_bytes": free, "block_bytes": fs["block_bytes"], **room}
    sizes["store_bytes"] = flash["store_bytes"]
    return {**known, "name": name, "chip": chip, "flash": flash, "room": sizes}


def convert(
    float_model: Path | str,
    calibration: Path | str,
    out: Path | str,
    *,
    class_names: ClassNames = None,
    rehearse: Data | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Make the model a board runs (int8 and float32) of a float model and calibration samples.

    class_names: in the order of their labels, or a file with a line per name; kept in the model.
    rehearse: labelled samples of the classes that the model knows; the file carries latents of
    some of them, which a board with an empty store replays. options: rehearse_per_class,
    percentile, min_agreement, front_end, as convert.convert() takes them. Returns what the int8
    model lost: "layers", "outputs", "agreement" with the float model on the samples; "rehearsal",
    how many latents the file carries. Raises DataError where it agrees too little.
    """
    from engram_host import convert as converter

    if isinstance(class_names, (str, Path)):
        class_names = names_of_classes.read(class_names)
    known = None
    if rehearse is not None:
        front_end = options.get("front_end", "")
        taken = vibration.input_of(front_end) if vibration.is_front_end(front_end) else None
        known = (
            rehearse if isinstance(rehearse, Samples) else sample_files.load(rehearse, model=taken)
        )
        if known.class_names:
            known = known.numbered(list(class_names or ()), None)
    return dict(
        converter.convert(
            float_model, calibration, out, class_names=class_names, rehearse=known, **options
        )
    )


def import_model(
    file: Path | str,
    out: Path | str | None = None,
    *,
    cut: str | None = None,
    classes: int | None = None,
    output: Sequence[str] = (),
    data: Data | None = None,
    input_dtype: str | None = None,
    board: str = "arduino_nano_33_ble",
    class_names: ClassNames = None,
    min_agreement: float = 0.9,
    accept: bool = False,
) -> dict[str, Any]:
    """Make the model a board runs of a .tflite, .onnx or .pt2 file, cut behind a layer.

    Without cut and out nothing is written: the result says where the model can be cut, "cuts", and
    what each cut costs on a board, "costs". classes: of a new classifier. output: names of the
    outputs that are kept; none: all. data: samples, to compare the result with the original:
    "agreement", "snr_db", "accuracy". accept: writes a result that has "problems" too. Raises
    ModelError, DataError.
    """
    from engram_host.imports import pipeline

    network = pipeline.read(Path(file))
    choices = {"cut": cut, "classes": classes, "input_dtype": input_dtype, "accept": accept}
    return _imported(
        network, out, data, board, class_names, output, min_agreement=min_agreement, **choices
    )


def import_torch(
    module: Any,
    example: Any,
    out: Path | str | None = None,
    *,
    name: str = "torch",
    data: Data | None = None,
    board: str = "arduino_nano_33_ble",
    class_names: ClassNames = None,
    **choices: Any,
) -> dict[str, Any]:
    """Make the model a board runs of a PyTorch module, cut behind a layer.

    example: an input of it, (1, C, H, W) or (1, N). data: samples as the board will see them,
    channels last, (n, H, W, C). choices, and the result: of import_model(). Raises ModelError
    without PyTorch, too.
    """
    from engram_host.imports import onnx_network, torch_graph

    network = onnx_network.network(torch_graph.export(module, example), name)
    return _imported(network, out, data, board, class_names, **choices)


def _imported(
    network: Network,
    out: Path | str | None,
    data: Data | None,
    board: str,
    class_names: ClassNames,
    output: Sequence[str] = (),
    **choices: Any,
) -> dict[str, Any]:
    """The report of a network that is cut, and the costs of one that is not."""
    from engram_host.imports import costs, pipeline, trunk

    network = trunk.chosen(network, output)

    if isinstance(class_names, (str, Path)):
        class_names = names_of_classes.read(class_names)
    samples = None
    if data is not None:
        source = pipeline.input_of(network, choices.get("input_dtype"))
        samples = data if isinstance(data, Samples) else sample_files.load(data, model=source)
        samples.check_inputs(source.elems, source.dtype)
        samples = samples.taken_as(source.dtype)
    report = pipeline.import_model(
        network, out, samples=samples, class_names=class_names, **choices
    )
    facts = board_facts.load(board).facts
    rows = [] if choices.get("cut") else list(costs.costs(network, facts, choices.get("classes")))
    return {**report, "board": board, "costs": rows}


def make_head(
    out: Path | str,
    data: Data | None = None,
    *,
    inputs: int | None = None,
    low: float | None = None,
    high: float | None = None,
    **choices: Any,
) -> dict[str, Any]:
    """Make a classifier for values that a function on the board makes of samples.

    data: such values, for their number and range; else inputs, low and high say them. choices: of
    make.head.Recipe, by name. Returns "out", "bytes", "inputs", "low", "high". Raises InputError.
    """
    from engram_host.make import head

    if data is not None:
        samples = data if isinstance(data, Samples) else sample_files.load(data)
        values = np.asarray(samples.x).reshape(len(samples), -1)
        inputs, (low, high) = values.shape[1], head.range_of(values)
    if inputs is None or low is None or high is None:
        raise InputError("expected --data or --inputs, --low and --high, got neither; give one")
    recipe = head.Recipe(inputs, low=low, high=high, name=Path(out).stem, **choices)
    size = head.write(Path(out), recipe)
    return {"out": str(out), "bytes": size, "inputs": inputs, "low": low, "high": high}


def make_vae(
    out: Path | str,
    data: Data | None = None,
    *,
    front_end: str | None = None,
    floor: float = 0.001,
    **choices: Any,
) -> dict[str, Any]:
    """Make an auto-encoder that was never trained.

    data: samples of float values, for their range and size; None: a sample is of bytes.
    front_end: "vibration": the model learns the features of windows, whose samples x axes are the
    shape; floor: the noise of the sensor in the unit of its samples (docs/data.md). choices: of
    make.vae.Recipe, by name. Returns "out", "bytes", "parameters" and those of the "encoder".
    Raises InputError.
    """
    from engram_host.make import vae

    taken = None
    if front_end is not None:
        taken = _front_end(front_end, choices["shape"], floor)
        choices |= {"shape": [taken.elems], "front_end": taken.front_end}
    if data is not None:
        samples = data if isinstance(data, Samples) else sample_files.load(data, model=taken)
        choices |= vae.sizes_of(np.asarray(samples.x))
    if taken is not None:
        choices |= vae.STEPS_OF_FEATURES
    recipe = vae.Recipe(name=Path(out).stem, **choices)
    return {"out": str(out), "bytes": vae.write(Path(out), recipe), **vae.parameters(recipe)}


def _front_end(name: str, shape: Sequence[int], floor: float) -> Input:
    """The input of a model of windows (samples, axes) behind a front end. Raises InputError."""
    if name != vibration.NAME:
        raise InputError(f"expected the front end {vibration.NAME}, got {name}")
    if len(shape) != 2:
        raise InputError(
            "expected a shape of samples x axes, as 64x3, for the front end vibration, got "
            + "x".join(map(str, shape))
        )
    return vibration.input_of(vibration.named(shape[0], shape[1], floor))


def make_features(out: Path | str, data: Data, classes: int, **choices: Any) -> dict[str, Any]:
    """Make a model of filters that are learned here from images without labels, and a head that
    a board teaches.

    data: images; labels among them are not looked at. classes: room in the head. choices: of
    make.features.Recipe, by name. Returns "out", "bytes", "features" (inputs of the head) and
    "parameters" of the head. Raises InputError, DataError.
    """
    from engram_host.convert.reference import DeviceModel
    from engram_host.make import features

    samples = data if isinstance(data, Samples) else sample_files.load(data)
    recipe = features.Recipe(classes, name=Path(out).stem, **choices)
    size = features.write(Path(out), np.asarray(samples.x), recipe)
    count = int(np.prod(DeviceModel(Path(out)).graph["latent"]["shape"]))
    return {
        "out": str(out), "bytes": size, "features": count, "parameters": (count + 1) * classes,
    }  # fmt: skip


def report(source: Path | str | Sequence[Path | str], out: Path | str) -> dict[str, Any]:
    """Write report.html and pictures: of the result.json of a run, or of the logs of `learn`."""
    import json

    from engram_host.report import write_log_report, write_report

    sources = [source] if isinstance(source, (str, Path)) else list(source)
    if all(Path(each).suffix == ".jsonl" for each in sources):
        return dict(write_log_report(sources, out))
    if len(sources) > 1:
        raise InputError(
            f"expected one result.json or any number of logs (.jsonl), got {len(sources)} files"
        )
    path = Path(sources[0])
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise InputError(f"{path}: expected the result.json of a run, got {e}") from e
    if content.get("demo") == "fan":
        from engram_host.report.fan_page import write_fan_report

        return dict(write_fan_report(content, out))
    return dict(write_report(content, out, [board.facts for board in board_facts.load_all()]))
