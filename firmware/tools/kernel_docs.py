"""Write the table of kernels: docs/kernels.md, or the file that is named.

    kernel_docs.py [<file>]

Names, types and what may be in place come from engram_kernels.def, the rest from the shape lines
of the definitions in device_lib/engram/kernels. A test fails when docs/kernels.md is not what this
writes.
"""

import ast
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = ROOT / "firmware" / "kernels" / "engram_kernels.def"
LIBRARY = ROOT / "device_lib" / "engram" / "kernels"
# Of definitions.
FAMILIES = ("python", "layers", "train", "vae", "some", "int8", "q8", "replay", "audio")
ROW = re.compile(r'ENGRAM_KERNEL\((\w+), \w+, "(\w+)", "([^"]*)",')

TYPES = {
    "F": "float32",
    "f": "float32",
    "o": "float32 or None",
    "B": "int8",
    "b": "int8",
    "H": "uint16",
    "h": "uint16",
    "L": "int32",
    "l": "int32",
    "i": "int",
}

HEAD = """# Kernels

*Written by `python firmware/tools/kernel_docs.py` from the list of kernels and their definitions:
change those, and run it again.*

`engram.backend.kernels` is the fastest of three modules that works: `_engram` (C, from
`firmware/kernels`), `engram.kernels.numpy` (numpy or ulab), `engram.kernels.python` (plain Python,
the definition). All have the functions below and give the same results, float32 sums to within the
errors told here.

* Buffers are flat: anything with the buffer protocol. float32 is `array('f')`; int8 is `bytes`,
  `bytearray`, `array('b')` or `array('B')`, read as two's complement; int32 is `array('i')`,
  uint16 is `array('H')`. Bytes are a buffer of any of these types where they are aligned to its
  elements and make up whole ones: windows of one `bytearray`. The kernels in Python take them for
  int32 only. An argument in **bold** is written.
* `_fwd` and `_dx` (gradient of the input) overwrite; `_dw` (gradients of weights) adds to what is
  there, so that gradients accumulate; each is called on its own.
* Everything is checked first. `ValueError` and `TypeError` name the kernel, the argument, what was
  expected and what it got, and then nothing has been written. No product of dimensions overflows.
* Aliasing: a written buffer shares memory with no other argument, except where "in place" says
  that it may be the very buffer of another. The C kernels refuse every other overlap.
* No kernel allocates, and none keeps anything: a table or scratch memory is the caller's, and a
  function tells its size.
* Floats never cross by value: a float that is a parameter is in an `array('f')`.

Dimensions: `B` batch, `C` channels in, `K` channels out or classes, `H W` height and width, `OH
OW` of the output, `R S` of the kernel, `N` features in or samples, `M` features out or bands, `P`
positions (batch times pixels). Images are NHWC, weights KRSC. A 1-D convolution is one with `H`,
`R` and `OH` of 1, a pointwise one is `dense_fwd` with `B * H * W` rows, a global pool is a window
over everything, and flattening is nothing at all.

`geom` (14) is `H W C K R S stride_h stride_w pad_top pad_left dil_h dil_w OH OW`; `q` (4) is
`in_zp out_zp act_min act_max`; `qp` (2) is `scale, zero_point`. `mult` and `shift` are TensorFlow
Lite's quantized multipliers; int8 results are those of its integer arithmetic, bit for bit, and at
most one step from onnxruntime's ([how often](int8-reference.md)).

Errors: what is int8, copied or `uniform_f32` is exact. A float32 sum of n terms runs in index
order and is within n 2^-24 times the sum of their sizes of the true one (`sum_squares`: 64 + n /
64 instead of n). `ulp` is a unit in the last place of the true value; where a bound stands below,
a test sweeps it. The C kernels give the same bits on every processor.

## Tapes

Calls that are made again and again, as those of a training step, are bound once and run from C:

* `bind(rows)` checks a list or tuple of rows `(kernel, argument, ...)` as calls are checked
  (types, ranges, alignment, overlap) and returns a tape, which keeps their buffers alive.
* `run(tape)`, `run(tape, first, last)` runs rows first to last - 1, by default all. Dimensions and
  values are checked as in a call; an error is raised with the kernel's text, and the rows before
  it have run. It returns what the last kernel returns, and allocates nothing. `spent()` counts a
  run as one span.
* `put(tape, at, row)` replaces row `at` by another of its kernel.

A buffer of a tape must not grow: CPython forbids it, elsewhere `run` raises ValueError when it has
moved. On a 32-bit board a row takes 4 bytes and 8 an argument, and a tape 20 bytes, 4 for each
memoryview and 8 for each array in its rows. What a row costs: [benchmarks](benchmarks.md). Ctrl-C
ends a run between two rows, but not in a native `.mpy`, which MicroPython gives no look at it.

The kernels in Python have the same three functions: there a row is checked each time it runs, and
its calls allocate.
"""


def definitions():
    """{kernel: its shape line}"""
    return {
        node.name: " ".join((ast.get_docstring(node) or "").split())
        for path in sorted(LIBRARY.glob("*.py"))
        if path.stem in FAMILIES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def cell(text):
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


def row(name, letters, args, summary):
    names = [arg.split("=")[0] for arg in args]
    types = ", ".join(
        (f"**{arg}** " if letter.isupper() else f"{arg} ").replace("_", "\\_") + TYPES[letter]
        for arg, letter in zip(names, letters, strict=True)
    )
    place = ", ".join("`{}` = `{}`".format(*arg.split("=")) for arg in args if "=" in arg)
    summary = re.sub(r"; \w+ may be \w+$", "", summary)
    return f"| `{name}` | {types} | {cell(summary)} | {place or '-'} |"


def page():
    """The whole document."""
    summaries = definitions()
    lines = [HEAD]
    comment = []
    for line in LIST.read_text().splitlines():
        match = ROW.match(line)
        if line.startswith("//"):
            comment.append(line.removeprefix("//").strip())
        elif not line.strip():
            comment = []
        if match:
            name, letters, args = match.groups()
            if comment:
                title = " ".join(comment).rstrip(".")
                lines += [f"\n## {title}\n", "| kernel | arguments | result | in place |"]
                lines += ["|---|---|---|---|"]
                comment = []
            lines.append(row(name, letters, args.split(), summaries[name]))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs" / "kernels.md"
    target.write_text(page())
