"""How often two int8 results differ, by how much, and whether the roundings account for it."""

from dataclasses import dataclass

import numpy as np

FLOAT32 = 2.0**-21  # relative error of a handful of float32 operations


@dataclass
class Rates:
    """Counts over the outputs that are not clamped, and the largest difference of all."""

    outputs: int = 0
    inside: int = 0  # outputs strictly between the clamps
    differ: int = 0  # of those: the kernel from onnxruntime
    kernel_off: int = 0  # the kernel from the real number, rounded half to even
    ort_off: int = 0  # onnxruntime from the same
    largest: int = 0
    unexplained: int = 0

    def compare(self, kernel, ort, real, zero_point, clamps, reach):
        """Counts one layer.

        kernel, ort: int8 arrays; real: what they round, in steps of the output, before the zero
        point. A difference is explained where real lies no further from the middle between two
        steps than ``reach`` and the errors of float32 together.
        """
        low, high = clamps
        ort, kernel = (np.clip(a.astype(int), low, high) for a in (ort, kernel.reshape(ort.shape)))
        exact = np.clip(np.rint(real) + zero_point, low, high)
        inside = (exact > low) & (exact < high)
        apart = np.abs(kernel - ort)
        middle = np.abs(np.abs(real - np.floor(real)) - 0.5)
        near = middle <= reach + FLOAT32 * (np.abs(real) + 256)
        self.outputs += apart.size
        self.inside += int(inside.sum())
        self.differ += int((inside & (apart > 0)).sum())
        self.kernel_off += int((inside & (kernel != exact)).sum())
        self.ort_off += int((inside & (ort != exact)).sum())
        self.largest = max(self.largest, int(apart.max(initial=0)))
        self.unexplained += int(((apart > 0) & ~near).sum())

    def share(self, count):
        return f"{100 * count / self.inside:.3f} %" if self.inside else "-"


RATES = {}  # (kernel, operator) -> Rates, in the order of the tests
BY_SHIFT = {}  # right shift -> Rates

HEAD = (
    "| kernel | onnxruntime's operator | outputs | differ | by at most "
    "| kernel off | onnxruntime off |"
)
HEAD_SHIFT = "| right shift | factor | outputs | differ | to be expected |"


def table():
    """The shares of each kernel, as Markdown."""
    lines = [HEAD, "|---|---|---:|---:|---:|---:|---:|"]
    for (kernel, operator), r in RATES.items():
        shares = r.share(r.differ), str(r.largest), r.share(r.kernel_off), r.share(r.ort_off)
        lines.append(f"| `{kernel}` | {operator} | {r.inside:,} | {' | '.join(shares)} |")
    return "\n".join(lines) + "\n"


def table_by_shift():
    """The shares by the right shift of the multiplier, as Markdown."""
    lines = [HEAD_SHIFT, "|---:|---|---:|---:|---:|"]
    for shift, r in BY_SHIFT.items():
        percent = f"{100 * double_rounding(shift):.3f} %"
        span = f"1/{2 ** (shift + 1)} to {f'1/{2**shift}' if shift else 1}"
        lines.append(f"| {shift} | {span} | {r.inside:,} | {r.share(r.differ)} | {percent} |")
    return "\n".join(lines) + "\n"


def double_rounding(right):
    """Share of real numbers that rounding first to 2**-right and then to whole steps, halves away
    from zero, takes to another step than rounding once. They lie within that of a middle: the
    first rounding takes those to the middle itself that lie up to half its step below.
    """
    return 2.0 ** -(right + 1) if right else 0.0
