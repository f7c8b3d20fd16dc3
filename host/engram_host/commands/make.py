"""engram make"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from engram_host import api
from engram_host.commands import options, output
from engram_host.make import features as images
from engram_host.make.vae import LIKELIHOODS, Recipe

_DEFAULTS = Recipe([1])
_IMAGES = images.Recipe(1)


class Numbers(click.ParamType):
    """Integers of at least 1 between separators."""

    def __init__(self, name: str, separator: str) -> None:
        self.name, self._separator = name, separator

    def convert(self, value: Any, param: Any, ctx: Any) -> list[int]:
        if isinstance(value, (list, tuple)):
            return list(value)
        parts = value.split(self._separator)
        if not all(part.isdigit() and int(part) > 0 for part in parts):
            self.fail(
                f"expected integers of at least 1 with {self._separator!r} between them "
                f"({self.name}), got {value!r}",
                param, ctx,
            )  # fmt: skip
        return [int(part) for part in parts]


@click.group(epilog="Example: engram make vae --input 28x28x1 --code 10 -o vae.safetensors")
@options.debug
def command() -> None:
    """Make a model that was never trained; a board trains it from the start."""


@command.command(
    epilog="Example: engram make vae --input 28x28x1 --code 10 -o vae.safetensors",
)
@click.option(
    "--input",
    "shape",
    type=Numbers("28x28x1", "x"),
    required=True,
    metavar="SIZES",
    help="The shape of a sample: height x width x channels of an image (28x28x1), length x "
    "channels of a window of signals (64x3), or a number of values (40).",
)
@click.option(
    "--code", default=_DEFAULTS.code, show_default=True, type=click.IntRange(1),
    metavar="N", help="Units of the code.",
)  # fmt: skip
@click.option(
    "--filters", default=list(_DEFAULTS.filters), type=Numbers("8,64", ","), metavar="N,N",
    help="Filters of the encoder's convolutions; the decoder has them the other way round.  "
    "[default: 8,64]",
)  # fmt: skip
@click.option(
    "--strides", default=list(_DEFAULTS.strides), type=Numbers("2,3", ","), metavar="N,N",
    help="Their strides; kernels have 4 elements along an axis.  [default: 2,3]",
)  # fmt: skip
@click.option(
    "--hidden", default=list(_DEFAULTS.hidden), type=Numbers("32", ","), metavar="N,N",
    help="Units of the dense layers before the code.  [default: 32]",
)  # fmt: skip
@click.option(
    "--plain", is_flag=True,
    help="A plain auto-encoder: its code is no distribution, and there is no divergence.",
)  # fmt: skip
@click.option(
    "--likelihood", type=click.Choice(list(LIKELIHOODS)),
    help="Of the reconstruction: bernoulli for values from 0 to 1 (default for bytes), gaussian "
    "for any.",
)  # fmt: skip
@click.option(
    "--beta", default=_DEFAULTS.beta, show_default=True, type=click.FloatRange(0),
    help="Weight of the code's divergence from standard normal.",
)  # fmt: skip
@click.option(
    "--warm-up", default=_DEFAULTS.warm_up, show_default=True, type=click.IntRange(0),
    metavar="STEPS", help="Steps in which that weight grows from 0.",
)  # fmt: skip
@click.option(
    "--classes", default=0, type=click.IntRange(0, 254), metavar="N",
    help="Add a classifier of N classes that learns from the code, and leaves it as it is.",
)  # fmt: skip
@click.option(
    "--data", type=options.DATA, metavar="DATA",
    help="Samples of float32 values, for their range and size. Default: a sample is of bytes, "
    "which stand for 0 to 1.",
)  # fmt: skip
@click.option(
    "--front-end", type=click.Choice(["vibration"]),
    help="The model learns features of a window of vibration (spread, differences, correlations) "
    "in the place of its samples: --input is samples x axes, and data are raw signals.",
)  # fmt: skip
@click.option(
    "--floor", type=click.FloatRange(1e-6, 1e6), metavar="SIZE",
    help="Noise of the sensor of vibration, in the unit of the samples.  [default: 0.001, 1 mg]",
)  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Of the weights.")
@click.option("--out", "-o", type=options.FILE, required=True, help="The model file to write.")
@options.json
@options.debug
def vae(out: Path, as_json: bool, plain: bool, likelihood: str | None, **choices: Any) -> None:
    """A variational auto-encoder: it learns from samples without labels.

    An encoder (two convolutions and a dense layer for images and signals, dense layers for values)
    gives mean and spread of a code; a decoder makes the sample again from a code that is drawn.
    """
    data, floor = choices.pop("data"), choices.pop("floor")
    front_end = choices["front_end"]
    if floor is not None:
        if front_end is None:
            raise click.UsageError("--floor belongs to --front-end vibration: give both")
        choices["floor"] = floor
    if likelihood is None:
        likelihood = "bernoulli" if data is None and front_end is None else "gaussian"
    report = api.make_vae(out, data, variational=not plain, likelihood=likelihood, **choices)
    if as_json:
        output.show_json(report)
        return
    output.show(
        f"[green]✓[/] {report['out']}, {output.size(report['bytes'])}: {report['parameters']} "
        f"parameters, {report['encoder']} of them in the encoder"
    )
    output.show(f"Learn with it:  engram learn DATA --model {report['out']} --unlabelled")


@command.command(
    epilog="Example: engram make features --data images.npz --classes 10 -o features.safetensors",
)
@click.option(
    "--data", type=options.DATA, required=True, metavar="DATA",
    help="Images, a few thousand, as the board will see them: an .npy, an .npz with an array x, "
    "or a folder. No labels are needed.",
)  # fmt: skip
@click.option(
    "--classes", type=click.IntRange(1, 254), required=True, metavar="N",
    help="Classes that the head has room for.",
)  # fmt: skip
@click.option(
    "--filters", default=_IMAGES.filters, show_default=True, type=click.IntRange(1),
    metavar="N", help="Filters to learn from the images.",
)  # fmt: skip
@click.option(
    "--kernel", default=_IMAGES.kernel, show_default=True, type=click.IntRange(1),
    metavar="N", help="Their size along an axis, odd.",
)  # fmt: skip
@click.option(
    "--grid", default=_IMAGES.grid, show_default=True, type=click.IntRange(1),
    metavar="N", help="Cells along an axis, at most, in each of which the mean is taken.",
)  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Of the patches that are drawn.")
@click.option("--out", "-o", type=options.FILE, required=True, help="The model file to write.")
@options.json
@options.debug
def features(data: Path, out: Path, as_json: bool, classes: int, **choices: Any) -> None:
    """Filters learned here from images without labels, and a head for few labels.

    The filters stay as they are, in 8-bit integers; a board teaches the head, one dense layer.
    """
    report = api.make_features(out, data, classes, **choices)
    if as_json:
        output.show_json(report)
        return
    output.show(
        f"[green]✓[/] {report['out']}, {output.size(report['bytes'])}: {report['features']} "
        f"features, a head of {report['parameters']} parameters"
    )
    output.show(f"Learn with it:  engram learn DATA --model {report['out']}")


@command.command(
    epilog="Example: engram make head --data latents.npz --classes 5 -o head.safetensors",
)
@click.option(
    "--data", type=options.DATA,
    help="Values as the function on the board makes them, float32, for their number and range.",
)  # fmt: skip
@click.option("--inputs", type=click.IntRange(1), metavar="N", help="Values of a sample.")
@click.option("--low", type=float, help="The least of them.")
@click.option("--high", type=float, help="The largest of them.")
@click.option(
    "--classes", required=True, type=click.IntRange(2, 254), metavar="N",
    help="Room in the classifier.",
)  # fmt: skip
@click.option(
    "--hidden", default=[], type=Numbers("32", ","), metavar="N,N",
    help="Units of dense layers before it.  [default: none]",
)  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Of the weights.")
@click.option("--out", "-o", type=options.FILE, required=True, help="The model file to write.")
@options.json
@options.debug
def head(out: Path, as_json: bool, data: Path | None, **choices: Any) -> None:
    """A classifier for the values that another runtime's frozen network makes on the board.

    At the REPL engram.open("head.safetensors", features=function) calls that network.
    """
    report = api.make_head(out, data, **choices)
    if as_json:
        output.show_json(report)
        return
    output.show(
        f"[green]✓[/] {report['out']}, {output.size(report['bytes'])}: {report['inputs']} values "
        f"from {report['low']:.3g} to {report['high']:.3g}"
    )
    output.show(f'On the board:  engram.open("{Path(report["out"]).name}", features=function)')
