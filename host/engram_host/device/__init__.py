"""A board as the host sees it: the agent's functions as methods, over one link."""

from __future__ import annotations

import contextlib
import functools
import io
import warnings
from binascii import crc32
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram import places
from engram.link import wire
from engram.nn.model import ModelSpec
from engram.nn.objectives import WITHOUT_ANSWERS
from engram.watch.quarantine import BLOCK
from engram_host.convert import model_file
from engram_host.device import learner_options
from engram_host.errors import DeviceError, EngramWarning, InputError, LinkError
from engram_host.line.link import Link
from engram_host.progress import Reporter, Silent
from engram_host.samples import Input, Samples, names, remark

MODEL = "model.safetensors"  # where the model lies on the board, unless told otherwise
PLACES = {"file": "", "flash": places.IN_FLASH}  # of a model: what stands before its name there
_SLICE_MS = 250  # so often the host can stop, and hears how far the board is
_SLICE_ROWS = 8
_CLASSIFY = "classify"  # the objective of classes
_BYTES = ("ram_bytes", "learner_ram_bytes", "flash_bytes")
_VALUE_BYTES = 24  # a float32 as JSON, with what is between two
_READING_BYTES = 64  # a Reading as JSON

# What predict() says of an input: (label, probability) where the model tells classes apart, values
# where it regresses, {output: either} where it has several outputs.
Answer = tuple[int, float] | list[float] | dict[str, Any]
Learning = Generator[dict[str, Any], None, None]
Reading = tuple[float | None, float, str]  # of a watch: score, mean, state, as watch.Reading's


class Device:
    """One board with its agent running. Use as a context manager, or close() it.

    Methods raise DeviceError (the board refused, nothing changed), LinkLost, LinkError, PortError.
    """

    def __init__(self, link: Link, reporter: Reporter | None = None) -> None:
        self.link = link
        self.reporter = reporter or Silent()
        self.hello = link.open()

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the port back; the agent and its model stay."""
        self.link.close()

    # --- facts -----------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """Board, runtime, memory, file system, open model."""
        return self.link.call("info")  # type: ignore[no-any-return]

    @functools.cached_property
    def counter(self) -> dict[str, str]:
        """{"unit", "source"} of the figures of this board's counter."""
        facts = self.info()["counter"]
        return {"unit": facts["unit"], "source": facts["kind"]}

    def store_info(self) -> dict[str, dict[str, int]]:
        """The replay region: "store" and "checkpoints", in figures."""
        return self.link.call("store_info")  # type: ignore[no-any-return]

    def flash_bytes(self) -> int:
        """Bytes programmed in the replay region since the model was opened."""
        return sum(part["bytes_programmed"] for part in self.store_info().values())

    def room(self) -> dict[str, Any]:
        """{"heap_bytes": free for a learner, "stock": whether the library is in RAM}."""
        return self.link.call("room")  # type: ignore[no-any-return]

    def region(self) -> dict[str, int]:
        """The replay region: {"store_bytes", "erase_bytes", "program_bytes"}."""
        region = self.link.call("flash")
        size = region["blocks"] * region["erase_bytes"]
        return {"store_bytes": size, **{k: region[k] for k in ("erase_bytes", "program_bytes")}}

    # --- files -----------------------------------------------------------------------------

    def files(self) -> dict[str, int]:
        """Name -> bytes."""
        return dict(self.link.call("list"))

    def put(self, name: str, data: bytes) -> bool:
        """Send a file; resumes. False if the board had it already."""
        with self.reporter.bytes(f"push {name}", len(data)) as update:
            return self.link.put(name, data, update)

    def held_bytes(self, data: bytes) -> int:
        """Bytes of these that the board holds already, as a file of any name."""
        files = self.files()
        return len(data) if any(self.link.has(name, data, files) for name in files) else 0

    def get(self, name: str) -> bytes:
        """Fetch a file."""
        size = self.link.call("stat", name=name)["size"]
        with self.reporter.bytes(f"get {name}", size) as update:
            return self.link.get(name, update)

    def remove(self, name: str) -> None:
        """Delete a file."""
        self.link.call("remove", name=name)

    # --- the model -------------------------------------------------------------------------

    def push_model(
        self,
        path: Path | str,
        name: str = MODEL,
        class_names: Sequence[str] | None = None,
        place: str = "file",
        **options: Any,
    ) -> dict[str, Any]:
        """Check a model file, send it, open it. Returns what the learner is and needs.

        class_names: kept in the file on the board, in the place of those that it has. The model
        that the board has under this name is replaced when the new one has opened; where that is
        refused, the old one works as before. place: "file", or "flash" for a slot in memory-mapped
        flash, where int8 weights take no RAM. fresh, of the options: erase samples and states.
        """
        if place not in PLACES:
            raise InputError(f"expected a place of {', '.join(PLACES)}, got {place!r}")
        name, path = PLACES[place] + name, Path(path)
        if not path.is_file():
            raise InputError(f"{path}: expected a device model file, got no file")
        with path.open("rb") as stream:
            spec = ModelSpec(stream)  # ModelError here, before anything is sent
        learner_options.check_budget(learner_options.for_board(options))
        content = path.read_bytes()
        if class_names is not None:
            names.check_count(class_names, spec.classes)
            text = "\n".join(names.checked(class_names))
            content = model_file.with_metadata(content, class_names=text)
        fresh = {"fresh": True} if options.pop("fresh", False) else {}
        settings = {**learner_options.for_board(options), **fresh}
        if fresh and PLACES[place]:
            self.link.call("store_format")  # its flash is what the model takes
        files = self.files()
        there = files.get(name) == len(content) and self.link.call("stat", name=name)
        if name not in files or (there and there["crc"] == crc32(content)):
            self.put(name, content)
            return self._opened("open", name, settings)
        self.put(name + wire.PUSHED, content)
        try:
            return self._opened("open", name, {**settings, "pushed": name + wire.PUSHED})
        except DeviceError:
            self.remove(name + wire.PUSHED)
            raise

    def open(self, name: str = MODEL, **options: Any) -> dict[str, Any]:
        """Open a model that is on the board, with what the board saved for it.

        options: as learner_options.for_board() takes them: strategy, bits, budget, lr, ...
        """
        settings = learner_options.for_board(options)
        learner_options.check_budget(settings)
        return self._opened("open", name, settings)

    def _opened(self, function: str, model: str, options: dict[str, Any]) -> dict[str, Any]:
        """Opens a model by a function of the agent's; where the heap is too fragmented for it,
        once more on an empty one. A board that refuses that too has its former model again."""
        try:
            return self.link.call(function, model=model, **options)  # type: ignore[no-any-return]
        except DeviceError as e:
            if e.kind != "FitError" or "in one piece" not in e.said:
                raise
        now = self.info()
        self.link.soft_reset()
        try:
            return self.link.call("open", model=model, **options)  # type: ignore[no-any-return]
        except DeviceError:
            if now["model"] is not None:  # the restart made the board forget it
                with contextlib.suppress(DeviceError):
                    self.link.call("open", model=now["model"], **now["options"])
            raise

    def need_open(self, name: str | None = None, **options: Any) -> dict[str, Any]:
        """The open learner; opened first if it is not, or if other options are wanted."""
        now = self.info()
        changes = learner_options.for_board(options)
        target = name or now["model"] or MODEL
        same = all(now["options"].get(key) == value for key, value in changes.items())
        if now["learner"] and now["model"] == target and same:
            return now["learner"]  # type: ignore[no-any-return]
        return self.open(target, **learner_options.merged(now["options"], changes))

    def grow(self, learner: dict[str, Any], *samples: Samples) -> dict[str, Any]:
        """The open learner with room for the classes of labelled samples, opened again where it
        has none; what it learned is kept. learner: its facts."""
        labels = [int(each.y.max()) for each in samples if each.y is not None and len(each)]
        most = max(labels, default=-1) + 1
        if not learner["classes"] or most <= learner["classes"]:
            return learner
        now = self.info()
        settings = learner_options.merged(now["options"], {"classes": most})
        return self._opened("open", now["model"], settings)

    def reset(self, name: str | None = None, **options: Any) -> dict[str, Any]:
        """Forget everything learned: stored samples and saved states are erased.

        The model is opened afresh: `name`, or the one that was open, with the options given and
        those in force. Returns the learner's facts; {} without a model.
        """
        now = self.info()
        target = name or now["model"] or MODEL
        if name is None and target not in self.files():
            return self.link.call("reset")  # type: ignore[no-any-return]
        settings = learner_options.merged(now["options"], learner_options.for_board(options))
        learner_options.check_budget(settings)
        return self._opened("reset", target, settings)

    def save(self) -> dict[str, int]:
        """Keep the learned state in flash: {"generation", "at", "units"}."""
        return self.link.call("save")  # type: ignore[no-any-return]

    def rollback(self, to: str) -> int | None:
        """Go back to a saved state, for good: "last", "previous" or "factory" (the model file).

        Its generation, None for "factory"; the model is opened afresh then.
        """
        now = self.info()
        generation: int | None = self.link.call("rollback", to=to)["generation"]
        if generation is None:
            self._opened("open", now["model"], now["options"])
        return generation

    def stored(self) -> dict[str, int]:
        """Samples in the store: "new", of the session under way; "old", those before it."""
        return self.link.call("stored")  # type: ignore[no-any-return]

    def store_format(self, keep_wear: bool = False) -> None:
        """Erase stored samples and saved states, whatever is there, also without a model.

        keep_wear: the erase counts stay, and with them the model and geometry of the store. A
        learner that was open is opened afresh.
        """
        now = self.info()
        self.link.call("store_format", keep_wear=keep_wear)
        if now["learner"]:
            self._opened("open", now["model"], now["options"])

    def phases_begin(self, pins: list[Any], lamp: bool = False) -> None:
        """Show the phases of learning on pins from now on; [] where the board has none for it.

        lamp: only the sync pulses, for a meter that sees them in the power.
        """
        self.link.call("phases_begin", pins=pins, lamp=lamp)

    def phases_sync(self, spans_ms: list[int]) -> list[int]:
        """Sync pulses for a power meter: the counter at each of their edges."""
        return list(self.link.call("phases_sync", spans_ms=spans_ms)["edges"])

    def phases_quiet(self, ms: int) -> tuple[int, int]:
        """The board does nothing for so many ms: the counter before and after."""
        start, end = self.link.call("phases_quiet", ms=ms)["span"]
        return start, end

    def phases_end(self) -> None:
        """Show the phases no more."""
        self.link.call("phases_end")

    def load(self) -> int | None:
        """Go back to the saved state: its generation, None if there is none."""
        return self.link.call("load")["generation"]  # type: ignore[no-any-return]

    # --- samples ---------------------------------------------------------------------------

    def observe(self, samples: Samples) -> dict[str, Any]:
        """Send labelled samples to learn from: {"n", "units", ...}.

        Their latents are in flash then.
        """
        rows = samples.taken_as(self.check(samples)["input"]["dtype"])
        return self._stream("observe", wire.OBSERVE, rows)

    def observe_quietly(self, samples: Samples) -> dict[str, Any]:
        """observe() without a progress bar of its own."""
        rows = samples.taken_as(self.check(samples)["input"]["dtype"])
        return self.link.samples(wire.OBSERVE, rows.records(), raw=bool(rows.raw))

    def predict(self, samples: Samples) -> list[Answer]:
        """The learner's answer to each input."""
        learner = self.check_inputs(samples)
        outputs, rows = _outputs(learner), samples.taken_as(learner["input"]["dtype"])
        answer = self._stream("predict", wire.PREDICT, rows, _answer_bytes(outputs))
        return [_answer(values, outputs) for values in answer["out"]]

    def _stream(
        self, what: str, sink: int, samples: Samples, answer_bytes: int = 0
    ) -> dict[str, Any]:
        records = samples.inputs() if sink == wire.PREDICT else samples.records()
        with self.reporter.items(what, len(samples), "samples") as update:
            return self.link.samples(
                sink, records, update, answer_bytes, raw=bool(samples.raw)
            )

    def check(self, samples: Samples) -> dict[str, Any]:
        """The facts of the open learner. Raises InputError on labelled samples that it cannot
        learn from."""
        learner = self.check_inputs(samples)
        if len(samples):
            kinds = {output["objective"] for output in learner.get("outputs", ())}
            answered = kinds.isdisjoint(WITHOUT_ANSWERS)
            samples.check(learner["classes"], learner.get("targets", 0), answered)
        return learner

    def check_inputs(self, samples: Samples) -> dict[str, Any]:
        """The facts of the open learner. Raises InputError on inputs that it would take for
        others, or not at all."""
        learner: dict[str, Any] = self.link.call("opened")
        samples.check_inputs(learner["input"]["elems"], learner["input"]["dtype"])
        if samples.raw and samples.raw != (front_end := self.taken().front_end):
            raise InputError(
                f"expected samples for the front end of the model, {front_end or 'none'}, got "
                f"windows for {samples.raw}"
            )
        return learner

    def warn_of_range(self, samples: Samples) -> None:
        """Warns (EngramWarning) where inputs are not as the open model takes them, or can hardly
        be in its range."""
        if samples.raw:
            return
        layout = self.link.call("opened")["input"]
        try:
            samples.check_inputs(layout["elems"], layout["dtype"])
        except InputError as e:
            text: str | None = str(e)
        else:
            if "scale" not in layout:  # boards of version 0.1 do not say it
                return
            x = samples.taken_as(layout["dtype"]).x
            text = remark(x, layout["scale"], layout["zero_point"])
        if text:
            warnings.warn(text, EngramWarning, stacklevel=3)

    # --- learning and evaluating -----------------------------------------------------------

    def busy(self) -> int:
        """Counter units that all requests took until now, from their frames to their answers."""
        return int(self.link.call("busy"))

    def learning(self, epochs: int | None = None, steps: int | None = None) -> Learning:
        """Learn what was observed: one dict per step, with RAM and flash bytes added, and "link":
        counter units beside the step's total that its request took, for frames, JSON and heap.

        epochs, steps: how long, as Learner.steps() takes them.

        Closing the generator stops the board after the step it is at.
        """
        busy, is_over = self.busy(), False
        self.link.call("learn_begin", epochs=epochs, steps=steps)
        try:
            while not is_over:
                answer = self.link.call("learn_step", ms=_SLICE_MS, rows=_SLICE_ROWS)
                is_over = answer["done"]
                extra = {
                    key: answer[key] for key in ("ram_bytes", "learner_ram_bytes", "flash_bytes")
                }
                rows = answer["rows"]
                rest = answer["busy"] - busy - sum(row["total"] for row in rows)
                busy = answer["busy"]
                for number, row in enumerate(rows):
                    share = rest // len(rows) + (number < rest % len(rows))
                    yield {**row, "link": share, **extra}
        except LinkError:
            is_over = True  # there is nobody to tell
            raise
        finally:
            if not is_over:
                self.stop()

    def stop(self) -> None:
        """Drop what was begun; the learner stays as it is."""
        self.link.call("stop")

    def end_session(self) -> dict[str, Any]:
        """Ends the session: its records are old from now on, and are replayed."""
        return self.link.call("end_session")  # type: ignore[no-any-return]

    def push_data(self, name: str, samples: Samples) -> dict[str, str]:
        """Keep labelled samples on the board as NAME.x.npy, NAME.y.npy and, of targets beside
        labels, NAME.targets.npy.

        In the dtype that the open model takes, where one is open and they can be.
        """
        learner = self.info()["learner"]
        if learner:
            samples = samples.taken_as(learner["input"]["dtype"])
        files = samples.files()
        self.link.need_room({_names(name)[key]: data for key, data in files.items()})
        if "targets" not in files and _names(name)["targets"] in self.files():
            self.remove(_names(name)["targets"])
        for key, data in files.items():
            self.put(_names(name)[key], data)
        return {key: _names(name)[key] for key in files}

    def evaluate(
        self,
        name: str,
        session: int | None = None,
        predicted: list[int] | None = None,
        seen: Sequence[int] | None = None,
    ) -> dict[str, Any]:
        """The result on samples that the board keeps, as Learner.evaluating() gives it.

        {"n", "correct", "total", "right"} where the model tells classes apart, {"n", "mse", "mae"}
        where it regresses. session: number of the session that they test, for metrics(). seen:
        classes whose accuracy the progress shows; None: all. predicted: gets the class that the
        model gives each sample, where it has classes.
        """
        learner = self.link.call("opened")
        _check_session(learner, session)
        names = _names(name)
        if not (learner["classes"] and learner.get("targets")):
            del names["targets"]
        about: dict[str, Any] = {} if session is None else {"session": session}
        if predicted is not None:
            about["said"] = True
        of = self.link.call("eval_begin", **names, **about)["of"]
        result: dict[str, Any] = {}
        is_over = False
        with self.reporter.items("evaluate", of, "samples") as update:
            try:
                while not is_over:
                    answer = self.link.call("eval_step", ms=_SLICE_MS)
                    is_over, result = answer["done"], answer["result"] or result
                    if predicted is not None:
                        predicted += answer["out"]
                    update(result.get("n", 0), note=_words(result, seen))
            finally:
                if not is_over:
                    self.stop()
        return result

    def labels(self, name: str) -> NDArray[np.uint8]:
        """The labels of samples that the board keeps."""
        content = np.load(io.BytesIO(self.link.get(_names(name)["y"])))
        return content.reshape(-1)  # type: ignore[no-any-return]

    def class_names(self) -> list[str]:
        """Names of the classes in the order of their labels, as the open model's file has them;
        [] where it has none."""
        return list(self._texts()["class_names"])

    def taken(self) -> Input:
        """The input of the open model."""
        layout = self.link.call("opened")["input"]
        return Input(layout["elems"], layout["dtype"], self._texts()["front_end"])

    def _texts(self) -> dict[str, Any]:
        try:
            return self.link.call("texts")  # type: ignore[no-any-return]
        except DeviceError:  # a board of version 0.1
            return {"class_names": [], "front_end": ""}

    def evaluate_stream(
        self, samples: Samples, session: int | None = None, predicted: list[int] | None = None
    ) -> dict[str, Any]:
        """The same on samples that are sent for it and not kept. session, predicted: as there."""
        learner = self.check(samples)
        _check_session(learner, session)
        classes = learner["classes"]
        if len(samples) and classes and samples.labels.max() >= classes:
            raise InputError(
                f"expected labels from 0 to {classes - 1}, got {samples.labels.max()}"
            )
        rows = samples.taken_as(learner["input"]["dtype"])
        answer = self._stream("evaluate", wire.EVALUATE, rows)
        if predicted is not None:
            predicted += answer["out"]
        if session is not None:
            self.link.call("tested", session=session)
        if learner.get("targets"):
            return self.link.call("scored")  # type: ignore[no-any-return]
        total, right = [0] * classes, [0] * classes
        for label, predicted in zip(samples.labels.tolist(), answer["out"]):
            total[label] += 1
            right[label] += label == predicted
        return {"n": sum(total), "correct": sum(right), "total": total, "right": right}

    # --- watching --------------------------------------------------------------------------

    def watch(self, **options: Any) -> dict[str, Any]:
        """A watch from the stored samples, for readings(): its settings and threshold, as
        watch.Watch.info() tells them. options: as watch.Watch takes them; adapt: steps of a
        learning run, where it is to learn what is new."""
        self.link.call("watch_begin", **options)
        return dict(self._fitted("fit", "watch_step")["watch"])

    def adapt(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Learns what the watch has taken in: (what was learned, as adapting.Adaptation.adapt()
        tells it; the settings and the threshold from now on)."""
        self.link.call("adapt_begin")
        answer = self._fitted("adapt", "adapt_step")
        return answer["adapted"], answer["watch"]

    def watch_info(self) -> dict[str, Any]:
        """The watch as it is now, as watch() told it."""
        return self.link.call("watch_info")  # type: ignore[no-any-return]

    def _fitted(self, what: str, function: str) -> dict[str, Any]:
        """The last answer of work that the board does in slices."""
        answer: dict[str, Any] = {"done": False}
        with self.reporter.items(what, None, "slices") as update:
            count = 0
            try:
                while not answer["done"]:
                    answer = self.link.call(function, ms=_SLICE_MS)
                    count += 1
                    update(count)
            except LinkError:
                raise  # there is nobody to tell
            except BaseException:
                self.stop()
                raise
        return answer

    def readings(
        self,
        samples: Samples,
        on_reading: Callable[[Reading], None],
        on_ready: Callable[[], None] | None = None,
    ) -> list[Reading]:
        """The answer of the watch to each sample; on_reading gets it as it comes. on_ready: is
        called where the watch has taken in enough for adapt(), which it may call."""
        learner = self.check_inputs(samples)
        rows = samples.taken_as(learner["input"]["dtype"])
        out: list[Any] = []
        told = 0

        def tell(_: int) -> None:
            nonlocal told
            for score, mean, state in out[told:]:
                on_reading((score, mean, state))
            told = len(out)

        def after(answer: dict[str, Any]) -> None:
            if on_ready and answer.get("ready"):
                on_ready()

        self.link.samples(
            wire.WATCH, rows.inputs(), tell, _READING_BYTES, out, bool(rows.raw), after,
            BLOCK if on_ready else 0,
        )  # fmt: skip
        return [(score, mean, state) for score, mean, state in out]

    def stream(self) -> dict[str, Any]:
        """The stream of sessions that the board is in, as calls.stream() on the board tells it."""
        return self.link.call("stream")  # type: ignore[no-any-return]

    def begin_stream(self, number: int, **about: Any) -> dict[str, Any]:
        """A stream of sessions begins, known by a number that is not 0; the board saves that.

        about: sessions, known, as Learner.begin_stream() takes them.
        """
        return self.link.call("stream_begin", number=number, **about)  # type: ignore[no-any-return]

    def forget_current(self) -> int:
        """Delete the samples that were stored since the last session ended: how many."""
        return int(self.link.call("forget_current")["deleted"])

    def reopen(self) -> dict[str, Any]:
        """Opens the model that is open once more: what was not saved is gone."""
        now = self.info()
        return self._opened("open", now["model"], now["options"])

    def metrics(self) -> dict[str, Any]:
        """As the board computed them: accuracy matrix, forgetting, transfer, of tests taken."""
        return self.link.call("metrics")  # type: ignore[no-any-return]


def _outputs(learner: dict[str, Any]) -> list[dict[str, Any]]:
    """[{"name", "objective", "values"}] of a learner's facts: classes first, then in the order of
    the values in a target. Boards of version 0.1 say nothing of outputs and tell classes apart."""
    classes = {"name": "classes", "objective": _CLASSIFY, "values": learner["classes"]}
    return learner.get("outputs") or [classes]


def _words(result: dict[str, Any], seen: Sequence[int] | None = None) -> str:
    """A result of evaluate() in a few words. seen: as evaluate() takes it."""
    words = []
    if seen is not None and "total" in result:
        total = sum(result["total"][label] for label in seen)
        right = sum(result["right"][label] for label in seen)
        words.append(f"{right / max(1, total):.1%} right on all classes seen")
    elif result.get("n") and "correct" in result:
        words.append(f"{result['correct'] / result['n']:.1%} right")
    if "mse" in result:
        words.append(f"mse {result['mse']:.4g}, mae {result['mae']:.4g}")
    parts = {name: part for name, part in result.items() if isinstance(part, dict)}
    words += [f"{name}: {_words(part)}" for name, part in parts.items()]
    return "  ".join(words)


def _names(name: str) -> dict[str, str]:
    """{key of Samples.files(): file on the board}."""
    return {key: f"{name}.{key}.npy" for key in ("x", "y", "targets")}


def _answer(values: Any, outputs: list[dict[str, Any]]) -> Answer:
    """An answer as the agent's JSON has it, with a tuple for label and probability."""
    if isinstance(values, dict):
        return {o["name"]: _answer(values[o["name"]], [o]) for o in outputs}
    if outputs[0]["objective"] != _CLASSIFY:
        return list(values)
    label, probability = values
    return label, probability


def _answer_bytes(outputs: list[dict[str, Any]]) -> int:
    """Most bytes of an answer as JSON; 0, not limited, for classes alone: older boards and hosts
    send as many samples as go into a frame."""
    if all(output["objective"] == _CLASSIFY for output in outputs):
        return 0
    values = (2 if o["objective"] == _CLASSIFY else o["values"] for o in outputs)
    return sum(len(o["name"]) + 8 + _VALUE_BYTES * n for o, n in zip(outputs, values))


def _check_session(learner: dict[str, Any], session: int | None) -> None:
    """A session is tested by an accuracy."""
    if session is not None and not learner["classes"]:
        raise InputError(
            f"expected a model that tells classes apart for the test of session {session}, got "
            f"{learner['model']}, which regresses; evaluate it without a session"
        )
