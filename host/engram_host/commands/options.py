"""Options that several verbs have, each defined once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from engram_host.device import learner_options
from engram_host.errors import InputError
from engram_host.line.ports import ENVIRONMENT
from engram_host.meters import spec as meters
from engram_host.samples import names

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(dir_okay=False, path_type=Path)
DATA = click.Path(path_type=Path)  # samples: a file, or a folder with a sub-folder per class


def _remember(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.find_root().meta["debug"] = value


def debug(function: F) -> F:
    """--debug, kept for the place that shows errors."""
    return click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_remember,
        help="Show where an error was raised.",
    )(function)


def json(function: F) -> F:
    """--json"""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the result as JSON on stdout."
    )(function)


def port(function: F) -> F:
    """--port"""
    return click.option(
        "--port",
        "-p",
        envvar=ENVIRONMENT,
        metavar="PORT",
        help="A virtual board's name (qemu_m4f, unix; started if need be), a serial port, or "
        "any URL that pyserial opens (/dev/ttyACM0, socket://host:port).",
    )(function)


def model(function: F) -> F:
    """--model"""
    return click.option(
        "--model", metavar="NAME", help="A model file on the board; default: the one that is open."
    )(function)


def log(function: F) -> F:
    """--log"""
    return click.option(
        "--log", type=FILE, metavar="FILE", help="Default: out/log/TIME-BOARD.jsonl"
    )(function)


def labels(function: F) -> F:
    """--labels"""
    return click.option(
        "--labels",
        type=FILE,
        metavar="FILE.npy",
        help="Labels, or float targets, where DATA is an .npy of inputs.",
    )(function)


def class_names(function: F) -> F:
    """--class-names; --classes says the same, where that is not the number of classes"""
    return click.option(
        "--class-names",
        "--classes",
        type=FILE,
        metavar="FILE",
        help="Names of the classes: a text file with a line per class, in the order of labels. "
        "Default: the names in the model.",
    )(function)


class Classes(click.ParamType):
    """The number of classes, or a file with their names."""

    name = "classes"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | list[str]:
        if isinstance(value, str) and not value.isdigit():
            try:
                return names.read(value)
            except InputError as e:
                self.fail(str(e), param, ctx)
        return int(click.IntRange(2, names.MOST).convert(value, param, ctx))


def named(learner: dict[str, Any]) -> dict[str, Any]:
    """Options of a learner with "classes", their number, and "class_names" apart."""
    classes = learner.pop("classes", None)
    texts = learner.pop("class_names", None)
    if isinstance(classes, list):
        texts, classes = texts or classes, None
    return {**learner, "classes": classes, "class_names": texts}


class Checked(click.ParamType):
    """Text that a function takes; the InputError it raises is wrong usage."""

    def __init__(self, name: str, check: Callable[[str], Any]) -> None:
        self.name, self._check = name, check

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            self._check(value)
        except InputError as e:
            self.fail(str(e), param, ctx)
        return value


BUDGET = Checked("budget", learner_options.budget)
ASSIGNMENT = Checked("assignment", learner_options.assignment)
SHARES = Checked("shares", learner_options.shares)

METER = Checked("meter", meters.check)


def meter(function: F) -> F:
    """--meter"""
    return click.option(
        "--meter",
        type=METER,
        metavar="METER",
        help="Measure the energy: ppk2:PORT,volts=3.3, joulescope, ina:PORT, csv:FILE (read later "
        "by `engram measure`), or simulated. docs/energy.md shows the wiring.",
    )(function)


# The options of a board's learner. One that is not given stays as the board has it.
_LEARNER: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "strategy",
        {
            "type": click.Choice(learner_options.STRATEGIES),
            "help": "The method that learns without forgetting; finetune learns the new samples "
            "alone, and forgets.",
        },
    ),
    (
        "set",
        {
            "type": ASSIGNMENT,
            "multiple": True,
            "metavar": "NAME=VALUE",
            "help": "An option of the strategy. Several --set may be given.",
        },
    ),
    (
        "for",
        {
            "type": click.Choice(learner_options.GOALS),
            "help": "The purpose of the session, which sets --composition and --new-share: new "
            "classes; a new domain, in which known classes look or sound different; one user, "
            "whose samples count most. docs/defaults.md compares them. Default: classes.",
        },
    ),
    (
        "composition",
        {
            "type": click.Choice(learner_options.COMPOSITIONS),
            "help": "The way stored samples are drawn for a mini-batch: balanced, each class "
            "alike; as_stored, each sample alike; as_seen, each class as often as the board has "
            "seen it; ar1, as AR1* draws them. Default: --for decides.",
        },
    ),
    (
        "new-share",
        {
            "type": click.FloatRange(0, 1, min_open=True),
            "metavar": "SHARE",
            "help": "Share of new samples in a mini-batch, up to 1. Default: --for decides.",
        },
    ),
    (
        "scope",
        {
            "metavar": "SCOPE",
            "help": "The layers that learn: all (with weights), head (at the outputs), last:2 "
            "(the last two), or layers by their names in the model. With .b only their biases "
            "learn, as all.b; with .in:0-7, .out:3+5 or .in:norm:0.25 only those channels "
            "(docs/partial.md). Commas join several, as head,all.b. Default: the strategy "
            "decides, as a rule all.",
        },
    ),
    (
        "depth",
        {
            "type": click.IntRange(1),
            "metavar": "N",
            "help": "Only the last N layers with weights learn. Short for --scope last:N.",
        },
    ),
    (
        "classes",
        {
            "type": Classes(),
            "metavar": "N",
            "help": "Classes that the classifier has room for; a label that the model does not "
            "know makes it grow. Or a file of class names, as --class-names.",
        },
    ),
    (
        "known",
        {
            "type": click.IntRange(1, 254),
            "metavar": "N",
            "help": "Classes of the model that count as known; the others are new.",
        },
    ),
    (
        "bits",
        {
            "type": click.IntRange(*learner_options.BITS),
            "metavar": "N",
            "help": "Bits per element of a stored latent, 3 to 8: with fewer bits more samples "
            "fit into flash. Default: 4.",
        },
    ),
    (
        "budget",
        {
            "type": BUDGET,
            "metavar": "SIZE",
            "help": "Most latents (500) or bytes (200kB) that stay in flash when a session ends.",
        },
    ),
    (
        "policy",
        {
            "type": click.Choice(learner_options.POLICIES),
            "help": "The rule that chooses which samples stay in flash. Default: herding, which "
            "keeps the mean of each class.",
        },
    ),
    ("batch", {"type": click.IntRange(1), "help": "Samples in a mini-batch."}),
    (
        "micro",
        {
            "type": click.IntRange(1),
            "metavar": "N",
            "help": "Samples of a mini-batch that are in memory at a time, a divisor of --batch. "
            "Fewer samples take less RAM, and the steps stay the same. Default: as many as fit.",
        },
    ),
    (
        "recompute",
        {
            "metavar": "NAMES",
            "help": "Layers whose values a step computes twice instead of keeping them in RAM, by "
            "their names in the model, and latents, which are read twice; none. Steps stay the "
            "same and take longer (docs/recompute.md). Default: auto, as few as it takes where "
            "not even one sample fits.",
        },
    ),
    (
        "optimiser",
        {
            "type": click.Choice(learner_options.OPTIMISERS),
            "help": "The rule that makes a step from the gradient. adam keeps two more numbers "
            "in RAM per weight that learns; momentum keeps one more with --clip. Default: "
            "momentum.",
        },
    ),
    ("lr", {"type": float, "help": "Learning rate. Default: 0.05."}),
    (
        "lr-decay",
        {
            "type": click.FloatRange(0, 1),
            "help": "Share of the learning rate that is taken away in the course of a session. "
            "Default: 1, the rate falls to 0.",
        },
    ),
    ("momentum", {"type": float, "help": "Momentum of the optimiser momentum; 0 is sgd."}),
    ("weight-decay", {"type": float, "help": "Weight decay."}),
    (
        "clip",
        {
            "type": click.FloatRange(0, min_open=True),
            "metavar": "NORM",
            "help": "Largest norm of a step's gradient: a longer gradient is shortened to it.",
        },
    ),
    (
        "keep",
        {
            "type": SHARES,
            "metavar": "SHARE",
            "help": "Share of each layer's filters or rows that a sample's backward pass has, "
            "those with the largest errors; LEAST:MOST lets it fall with the sample's error. "
            "Less work per step, at some accuracy (docs/partial.md). Default: all of them.",
        },
    ),
    (
        "skip",
        {
            "type": click.FloatRange(0, 1, max_open=True),
            "metavar": "SHARE",
            "help": "Share of the samples that get no backward pass, those with the smallest "
            "errors. Default: 0.",
        },
    ),
    (
        "format",
        {
            "type": click.Choice(learner_options.FORMATS),
            "help": "Number format of what learns. q8 learns in 8-bit integers: a quarter of the "
            "RAM, and many times faster on a chip without an FPU. mixed: q8, and the head in "
            "float32. Default: f32.",
        },
    ),
    (
        "rounding",
        {
            "type": click.Choice(learner_options.ROUNDINGS),
            "help": "How q8 rounds a step of a weight: res8 keeps what is lost in a second byte "
            "per weight; sr is right on average in one byte; velocity has momentum in a second "
            "byte; nearest and floor lose steps, and are there to compare with. Default: res8.",
        },
    ),
    ("seed", {"type": int, "help": "Seed of the random picks. Default: 1."}),
)


LEARNER_OPTIONS = _LEARNER


PLANNED = (
    "strategy",
    "scope",
    "depth",
    "classes",
    "bits",
    "micro",
    "recompute",
    "optimiser",
    "momentum",
    "clip",
    "keep",
    "skip",
    "format",
    "rounding",
)


def planned(function: F) -> F:
    """The options PLANNED, on which the memory depends."""
    for name in reversed(PLANNED):
        function = click.option(f"--{name}", **dict(_LEARNER)[name])(function)
    return function


def place(function: F) -> F:
    """--place: where a model lies on a board."""
    return click.option(
        "--place",
        type=click.Choice(["file", "flash"]),
        default="file",
        show_default=True,
        help="A file, whose int8 weights are copied to RAM, or a slot in memory-mapped flash, "
        "where they are read in place. There are two slots: the old model serves until the new "
        "one is open.",
    )(function)


def number_format(function: F) -> F:
    """The number format of what learns."""
    for name in ("rounding", "format"):
        function = click.option(f"--{name}", **dict(_LEARNER)[name])(function)
    return function


# Options whose argument has another name in Python.
OTHER_NAMES = {"set": ["strategy_options"], "for": ["goal"]}
LEARNER = tuple(name for name, _ in _LEARNER)


def learner(function: F) -> F:
    """--strategy, --bits, --lr and so on: the options of the learner."""
    for name, settings in reversed(_LEARNER):
        names = OTHER_NAMES.get(name, [])
        function = click.option(f"--{name}", *names, **settings)(function)
    return panel("The learner", *(f"--{name}" for name, _ in _LEARNER))(function)


def panel(title: str, *names: str) -> Callable[[F], F]:
    """Options under a heading of their own in --help."""
    return click.option_panel(title, options=list(names))


def flags(names: Iterable[str]) -> list[str]:
    """["--per-class"] of ["per_class"]."""
    return [f"--{name.replace('_', '-')}" for name in names]
