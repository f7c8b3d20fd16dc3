"""A PyTorch module as the nodes that onnx_network reads: the graph of torch.export, operator by
operator in the terms of ONNX, whose layout and arithmetic are PyTorch's.

PyTorch is an extra: pip install engram[torch]. An argument that a row does not read must have its
default.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.errors import ModelError

from .onnx_file import MOST_BYTES, Node, OnnxFile

MISSING = (
    "expected PyTorch, which exports modules, got no such package; pip install 'engram[torch]'"
)
# Operators that give on what they are given. Of one that makes several values the first is read.
_IDENTITIES = ("clone", "contiguous", "alias", "detach", "dropout", "lift_fresh_copy")
_MOST_ENTRIES = 10_000

UNKNOWN = "torch"  # of a node that has a reason in the place of a kernel


class Made(NamedTuple):
    """An operator in the terms of ONNX. inputs: names of values, "" for one that is left out."""

    op: str
    inputs: Sequence[str]
    attributes: Mapping[str, Any] = {}


def load(path: Path) -> OnnxFile:
    """Reads what torch.export.save() wrote. Raises ModelError."""
    torch = _torch()
    if not path.is_file():
        raise ModelError(f"expected a .pt2 file, got no file {path}")
    _check_archive(path)
    try:
        return read(torch.export.load(path))
    except ModelError:
        raise
    except Exception as error:  # PyTorch has no type of its own for a bad archive
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelError(
            f"{path}: expected a file of torch.export.save(), got one with a fault: {reason}"
        ) from error


def _check_archive(path: Path) -> None:
    """Raises ModelError unless the zip archive is one, and all of it fits in memory unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, RuntimeError) as error:
        raise ModelError(
            f"{path}: expected a file of torch.export.save(), got no zip archive: {error}"
        ) from error
    size = sum(entry.file_size for entry in entries)
    if size > MOST_BYTES or len(entries) > _MOST_ENTRIES:
        raise ModelError(
            f"{path}: expected at most {MOST_BYTES >> 20} MiB unpacked, got {size >> 20} in "
            f"{len(entries)} parts; no board of ours holds such a model"
        )


def export(module: Any, example: Any) -> OnnxFile:
    """Exports a module, in the mode that predicts. example: an input, (1, C, H, W) or (1, N).

    Raises ModelError where the module cannot be exported.
    """
    torch = _torch()
    was_training = module.training
    module.eval()
    try:
        inputs = example if isinstance(example, tuple) else (torch.as_tensor(example),)
        program = torch.export.export(module, inputs)
    except Exception as error:  # whatever the module's own code raises
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelError(
            "expected a module that torch.export takes with this example, got "
            f"{type(error).__name__}: {reason}"
        ) from error
    finally:
        module.train(was_training)
    return read(program)


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ModelError(MISSING) from error
    return torch


def read(program: Any) -> OnnxFile:
    """The nodes of an ExportedProgram. Raises ModelError."""
    program = program.run_decompositions({})  # nothing is left that changes a value in place
    reader = _Reader()
    for spec in program.graph_signature.input_specs:
        reader.names[spec.arg.name] = spec.arg.name
        if spec.target is not None:
            known = program.state_dict if spec.target in program.state_dict else program.constants
            if spec.target not in known:
                raise ModelError(f"expected a tensor {spec.target}, got none")
            tensor = known[spec.target].detach()
            if tensor.numel() * tensor.element_size() > MOST_BYTES:  # strides of 0 make it large
                raise ModelError(
                    f"expected tensors of at most {MOST_BYTES >> 20} MiB, got {spec.target} of "
                    f"{tuple(tensor.shape)}"
                )
            reader.constants[spec.arg.name] = tensor.cpu().numpy()
    inputs = tuple(
        node.name
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name not in reader.constants
    )
    for node in program.graph.nodes:
        if "val" in node.meta and hasattr(node.meta["val"], "shape"):
            reader.shapes[node.name] = tuple(int(n) for n in node.meta["val"].shape)
        if node.op == "call_function":
            reader.take(node)
    for name, array in reader.constants.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelError(f"constant {name}: expected finite values, got NaN or infinite ones")
    outputs = tuple(reader.names.get(n, n) for n in program.graph_signature.user_outputs)
    return OnnxFile(tuple(reader.nodes), reader.constants, reader.shapes, inputs, outputs)


class _Reader:
    """The nodes so far. names: {name of the graph: that of the value}."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.names: dict[str, str] = {}

    def take(self, node: Any) -> None:
        """A node of the graph: another name of a value, or a node of ONNX."""
        target = node.target
        schema = getattr(target, "_schema", None)
        if schema is None:  # operator.getitem: one of several values
            whole, i = node.args
            if i:
                raise ModelError(f"expected the first value of {whole.name}, got number {i}")
            self.names[node.name] = self.names[whole.name]
            self.shapes[whole.name] = self.shapes[node.name]
            return
        op = schema.name.removeprefix("aten::")
        args = Args(self, node, schema)
        if op in _IDENTITIES:
            self.names[node.name] = args.value(next(iter(args)))
            return
        try:
            if op not in ROWS:
                raise ModelError(f"no kernel for {op}")
            made = ROWS[op](args)
            args.check_rest()
        except ModelError as error:
            made = Made(UNKNOWN, args.samples(), {"reason": str(error), "op": op})
        self.names[node.name] = node.name
        self.nodes.append(
            Node(made.op, _source(node), tuple(made.inputs), (node.name,), made.attributes)
        )


def _source(node: Any) -> str:
    """The path of the module that a node comes from, else its own name."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return (stack[-1][0] if stack else "") or node.name


class Args(dict[str, Any]):
    """The arguments of an operator by their names, to a row; remembers which it has read."""

    def __init__(self, reader: _Reader, node: Any, schema: Any) -> None:
        names = [argument.name for argument in schema.arguments]
        super().__init__({a.name: a.default_value for a in schema.arguments})
        self.update(zip(names, node.args))
        self.update(node.kwargs)
        self.name = node.name
        self._reader = reader
        self._defaults = {a.name: a.default_value for a in schema.arguments}
        self._read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self._read.add(key)
        return super().__getitem__(key)

    def ignore(self, *keys: str) -> None:
        """Takes arguments as read: they change no result, or it is known otherwise."""
        self._read.update(keys)

    def check_rest(self) -> None:
        """Raises ModelError on arguments that nobody read and that are not their defaults."""
        rest = {
            key: value
            for key, value in self.items()
            if key not in self._read and value != self._defaults[key]
        }
        if rest:
            raise ModelError(f"expected no argument that is unknown here, got {rest}")

    def value(self, key: str) -> str:
        """The name of an argument that is a tensor; "" for None; a number as a constant."""
        return self._named(self[key], key)

    def get(self, key: str, default: Any = None) -> Any:
        """As of a dict."""
        self._read.add(key)
        return super().get(key, default)

    def tensors(self, key: str) -> list[str]:
        """Names of the tensors of a list."""
        return [self._named(value, key) for value in self[key]]

    def samples(self) -> list[str]:
        """Names of all tensors among the arguments."""
        flat: list[Any] = []
        for value in self.values():
            flat += value if isinstance(value, (list, tuple)) else [value]
        return [self._named(value, "") for value in flat if hasattr(value, "meta")]

    def _named(self, value: Any, key: str) -> str:
        if value is None:
            return ""
        if hasattr(value, "meta"):
            return self._reader.names[value.name]
        return self.constant(key, np.float32(value))

    def constant(self, key: str, array: Any) -> str:
        """The name of a new constant."""
        name = f"{self.name}.{key}"
        self._reader.constants[name] = np.asarray(array)
        return name

    def array(self, key: str) -> NDArray[Any] | None:
        """An argument that is a constant tensor; None where it is left out."""
        name = self.value(key)
        return self._reader.constants[name] if name else None

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of a tensor, the batch first."""
        return self._reader.shapes[self.value(key)]

    @property
    def out(self) -> tuple[int, ...]:
        """The shape of the output, the batch first."""
        return self._reader.shapes[self.name]

    def pair(self, key: str, dimensions: int) -> list[int]:
        """A list of as many numbers as there are dimensions of a window."""
        value = self[key]
        numbers = list(value) if isinstance(value, (list, tuple)) else [value]
        return numbers * dimensions if len(numbers) == 1 else numbers


# ---- rows -------------------------------------------------------------------------------------


def _convolution(args: Args) -> Made:
    dimensions = len(args.shape("input")) - 2
    padding = args["padding"]
    window: dict[str, Any] = {
        "strides": args.pair("stride", dimensions),
        "dilations": args.pair("dilation", dimensions),
        "group": args["groups"],
    }
    if padding == "same":
        window["auto_pad"] = b"SAME_UPPER"
    elif padding != "valid":
        window["pads"] = args.pair("padding", dimensions) * 2
    inputs = [args.value("input"), args.value("weight"), args.value("bias")]
    # conv_transpose2d has no argument that says so
    if args.get("transposed", "output_padding" in args):
        window["output_padding"] = args.pair("output_padding", dimensions)
        return Made("ConvTranspose", inputs, window)
    return Made("Conv", inputs, window)


def _pool(op: str, dimensions: int) -> Callable[[Args], Made]:
    def row(args: Args) -> Made:
        kernel = args.pair("kernel_size", dimensions)
        stride = args["stride"]
        attributes = {
            "kernel_shape": kernel,
            "strides": args.pair("stride", dimensions) if stride else kernel,
            "pads": args.pair("padding", dimensions) * 2,
            "ceil_mode": args["ceil_mode"],
        }
        name = next(key for key in ("self", "input") if key in args)
        if op == "AveragePool":
            attributes["count_include_pad"] = args["count_include_pad"]
        else:
            attributes["dilations"] = args.pair("dilation", dimensions)
        return Made(op, [args.value(name)], attributes)

    return row


def _adaptive(args: Args) -> Made:
    shape, out = args.shape("self")[2:], list(args["output_size"])
    if all(n == 1 for n in out):
        return Made("GlobalAveragePool", [args.value("self")])
    if any(n % m for n, m in zip(shape, out)):
        raise ModelError(f"expected windows of one size, got {shape} to {out}")
    kernel = [n // m for n, m in zip(shape, out)]
    return Made("AveragePool", [args.value("self")], {"kernel_shape": kernel, "strides": kernel})


def _linear(args: Args) -> Made:
    names = [args.value(key) for key in ("input", "weight", "bias")]
    return Made("Gemm", names, {"transB": 1})


def _addmm(args: Args) -> Made:
    names = [args.value(key) for key in ("mat1", "mat2", "self")]
    return Made("Gemm", names, {"alpha": float(args["alpha"]), "beta": float(args["beta"])})


def _matmul(args: Args) -> Made:
    return Made("MatMul", [args.value("self"), args.value(_second(args))])


def _second(args: Args) -> str:
    return next(key for key in ("other", "mat2") if key in args)


def _normalise(args: Args) -> Made:
    if args.get("training"):
        raise ModelError("expected a module in eval() mode, got batch normalization in training")
    args.ignore("momentum", "cudnn_enabled")
    mean = args.array("running_mean")
    if mean is None:
        raise ModelError("expected batch normalization with running means, got none")
    names = [args.value("input")]
    for key, usual in (("weight", 1.0), ("bias", 0.0)):
        given = args.value(key)
        names.append(given or args.constant(key, np.full(mean.shape, usual, np.float32)))
    names += [args.value("running_mean"), args.value("running_var")]
    return Made("BatchNormalization", names, {"epsilon": float(args["eps"])})


def _function(op: str) -> Callable[[Args], Made]:
    return lambda args: Made(op, [args.value("self")])


def _clip(low: str, high: str) -> Callable[[Args], Made]:
    def row(args: Args) -> Made:
        ends = [args[low], args[high]]
        names = [
            "" if end is None or abs(end) == inf else args.constant(f"end{i}", np.float32(end))
            for i, end in enumerate(ends)
        ]
        return Made("Clip", [args.value("self"), *names])

    return row


def _relu6(args: Args) -> Made:
    ends = [args.constant(key, np.float32(end)) for key, end in (("low", 0), ("high", 6))]
    return Made("Clip", [args.value("self"), *ends])


def _leaky(args: Args) -> Made:
    return Made("LeakyRelu", [args.value("self")], {"alpha": float(args["negative_slope"])})


def _softmax(op: str) -> Callable[[Args], Made]:
    def row(args: Args) -> Made:
        if len(args.shape("self")) != 2 or args["dim"] not in (-1, 1):
            raise ModelError(f"expected a softmax over classes, got {args.shape('self')}")
        return Made(op, [args.value("self")])

    return row


def _mean(args: Args) -> Made:
    attributes = {"axes": list(args["dim"] or ()), "keepdims": int(args["keepdim"])}
    return Made("ReduceMean", [args.value("self")], attributes)


def _arithmetic(op: str) -> Callable[[Args], Made]:
    def row(args: Args) -> Made:
        if "alpha" in args and args["alpha"] != 1:
            raise ModelError(f"expected alpha 1, got {args['alpha']}")
        return Made(op, [args.value("self"), args.value("other")])

    return row


def _cat(args: Args) -> Made:
    return Made("Concat", args.tensors("tensors"), {"axis": args["dim"]})


def _view(args: Args) -> Made:
    before, after = args.shape("self"), args.out
    if before[0] != after[0]:
        raise ModelError(f"expected the batch to stay, got {before} as {after}")
    args.ignore(*args)  # the shapes say it all
    return Made("Reshape", [args.value("self")])


def _pad(args: Args) -> Made:
    dimensions = len(args.shape("self"))
    mode = args.get("mode", "constant")
    if mode != "constant" or args["value"]:
        raise ModelError(f"expected a padding with zeros, got {mode} of {args['value']}")
    ends = np.zeros((2, dimensions), np.int64)  # PyTorch has the last dimension first
    pairs = np.reshape(args["pad"], (-1, 2))
    for i, (before, after) in enumerate(pairs):
        ends[:, dimensions - 1 - i] = before, after
    return Made("Pad", [args.value("self"), args.constant("pads", ends.ravel())])


def _enlarge(args: Args) -> Made:
    args.ignore(*args)  # the shapes say it all
    modes = {"coordinate_transformation_mode": b"asymmetric", "nearest_mode": b"floor"}
    name = next(key for key in ("input", "self") if key in args)
    sizes = args.constant("sizes", np.array(args.out, np.int64))
    return Made("Resize", [args.value(name), "", "", sizes], modes)


ROWS: Mapping[str, Callable[[Args], Made]] = {
    "conv1d": _convolution,
    "conv2d": _convolution,
    "convolution": _convolution,
    "conv_transpose1d": _convolution,
    "conv_transpose2d": _convolution,
    "linear": _linear,
    "addmm": _addmm,
    "matmul": _matmul,
    "mm": _matmul,
    "batch_norm": _normalise,
    "_native_batch_norm_legit_no_training": _normalise,
    "max_pool1d": _pool("MaxPool", 1),
    "max_pool2d": _pool("MaxPool", 2),
    "max_pool2d_with_indices": _pool("MaxPool", 2),
    "avg_pool1d": _pool("AveragePool", 1),
    "avg_pool2d": _pool("AveragePool", 2),
    "adaptive_avg_pool1d": _adaptive,
    "adaptive_avg_pool2d": _adaptive,
    "_adaptive_avg_pool2d": _adaptive,
    "mean": _mean,
    "relu": _function("Relu"),
    "relu6": _relu6,
    "hardtanh": _clip("min_val", "max_val"),
    "clamp": _clip("min", "max"),
    "clamp_min": lambda args: Made(
        "Clip", [args.value("self"), args.constant("low", np.float32(args["min"]))]
    ),
    "hardswish": _function("HardSwish"),
    "leaky_relu": _leaky,
    "sigmoid": _function("Sigmoid"),
    "tanh": _function("Tanh"),
    "softmax": _softmax("Softmax"),
    "_softmax": _softmax("Softmax"),
    "log_softmax": _softmax("LogSoftmax"),
    "_log_softmax": _softmax("LogSoftmax"),
    "add": _arithmetic("Add"),
    "sub": _arithmetic("Sub"),
    "mul": _arithmetic("Mul"),
    "div": _arithmetic("Div"),
    "cat": _cat,
    "flatten": _view,
    "view": _view,
    "_unsafe_view": _view,
    "reshape": _view,
    "squeeze": _view,
    "pad": _pad,
    "constant_pad_nd": _pad,
    "upsample_nearest2d": _enlarge,
}
