"""The layers of a model where nodes compute in q8: scales are found, latents become integers."""

from array import array
from struct import pack_into

from ..backend import kernels
from .names import BIASES, ERROR_RECORDS, LATENT, RECORDS, VELOCITY_RECORDS, WEIGHTS
from .quantizing import Origins, latent_exponent, table_of
from .scales import Scales
from .stage import Stage

VELOCITY = "velocity"  # the rounding of steps.py: its code has left a board's heap
_RECORD_BYTES = 24
# Of velocities when a run begins. One that is too large is clamped: the first steps are small.
_EXPONENT = 14


class IntegerStage(Stage):
    """A Stage with integer tensors: int8 weights, int32 biases, records of scales.

    .integers   [(buffer, window)], in the order of a saved state
    """

    def __init__(self, spec, plan, arena):
        super().__init__(spec, plan, arena)
        program = plan.program
        integers = program.integers
        self.integers = [(name, arena.window(name)) for name, _, _ in integers.sizes()]
        self._latent_record = self._latent_table = None
        if LATENT in integers.values:
            self._latent_record = arena.window(*integers.record(integers.values[LATENT])[:3])
        self.scales = Scales(
            arena.window(RECORDS), arena.window(ERROR_RECORDS), integers.followed, program.names()
        )
        self.rounding = plan.rounding
        self._velocities = None
        if plan.rounding == VELOCITY:
            self._velocities = arena.window(VELOCITY_RECORDS)
        self._passes = 2 * len(integers.values) + 4
        self._tensors = Origins(integers, arena.window, spec.file)
        self._features = _features(self.head, program, arena) if plan.features else None
        self.read_integers(spec.file.stream)

    def read_integers(self, stream):
        """The integers of q8 nodes are those of the model file; no range is known."""
        for _, window in self.integers:
            for i in range(len(window)):
                window[i] = 0
        self._tensors.read(stream)
        if self._latent_record is not None:
            self._set_latents()
        self.scales.loaded()

    def integers_loaded(self):
        """The integers of q8 nodes are those of a saved state."""
        self.scales.loaded()

    def _set_latents(self):
        """The table of latents: the integer that a q8 node takes for each int8 value."""
        scale, zero_point = self._qp
        pack_into("i", self._latent_record, 0, latent_exponent(self._qp))
        values = array("f", [scale * (v - zero_point) for v in range(-128, 128)])
        self._latent_table = table_of(values, self._latent_record)

    def codes(self, values):
        """The elements of x that stand for latents of these float32 values."""
        return values if self._latent_table is None else table_of(values, self._latent_record)

    def _take(self, x, latents):
        if self._latent_table is None:
            super()._take(x, latents)
        else:
            kernels.lookup_s8(x, latents, self._latent_table)

    def parameter_count(self):
        """The number of parameters, of all formats."""
        sizes = {name: len(window) for name, window in self.integers}
        return len(self.params) + sizes.get(WEIGHTS, 0) + sizes.get(BIASES, 0) // 4

    def settle(self, run):
        """Finds the exponents of q8 values and gradients, where it is time to, for what run()
        computes: forward and backward pass of a micro-batch, with rates of zero."""
        self.scales.settle(run, self._passes, all=True)

    def start(self):
        """Forgets gradients and velocities, and the scales of these."""
        super().start()
        for at in range(0, len(self._velocities or ()), _RECORD_BYTES):
            pack_into("6i", self._velocities, at, _EXPONENT, 0, 0, 0, 0, 1 + at)

    def forward(self):
        """outputs = the adaptive stage at x, for a micro-batch."""
        if not self.scales.settled:
            self.scales.settle(super().forward, self._passes)
        super().forward()

    def forward_single(self):
        """single = the adaptive stage at single_x."""
        if not self.scales.settled:
            self.scales.settle(super().forward_single, self._passes)
        super().forward_single()

    def features_single(self):
        """head.single_x: runs the layers below the head for one sample."""
        super().features_single()
        if self._features:
            self._features()


def _features(head, program, arena):
    """The function that brings the head's inputs of one sample into float32."""
    name = [row for row in program.upper(1) if row[1][0][0] == program.head]
    record = arena.window(*name[0][1][2][:3])
    source = head.x[: head.n]

    def dequantize():
        kernels.dequantize_q8(head.single_x, source, record)

    return dequantize
