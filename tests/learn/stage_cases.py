"""A random model in memory as a learner has it: planned, laid out, bound; steps by hand."""

import io
from array import array

import numpy as np

from engram import ModelSpec
from engram.backend import kernels
from engram.continual.config import Config
from engram.continual.opening import stage_class
from engram.memory.arena import Arena
from engram.nn.names import LATENTS, NOISE
from learn import forward_reference as reference

_PLENTY = 1 << 40  # bytes
_SEED = 5  # of noise


class Assembled:
    """The stage of a case, and samples for it.

    options: of Config. known: classes in use at first, None for all. layout: function(plan) -> the
    Layout to use in the place of the plan's. recompute: names of what is computed twice, or
    function(plan without) -> these; None: in every third case that can, latents are read twice.

    .spec, .config, .plan, .arena, .stage
    .x (batch, latent), .labels (batch), .targets {output: (batch, elements)}
    """

    def __init__(self, case, known=None, layout=None, recompute=None, **options):
        self.case = case
        self.spec = ModelSpec(io.BytesIO(case.model_bytes()))
        if known:
            self.spec.limit(known)
        self.config = Config(
            self.spec, case.batch, case.micro, scope=options.pop("scope", case.scope), **options
        )
        if recompute is None:
            can = case.seed % 3 == 0 and not self.config.choice.single_backward
            recompute = [LATENTS] if can else ()
        elif callable(recompute):
            recompute = recompute(self.config.plan_of(case.micro))
        self.plan = self.config.plan_of(case.micro, recompute)
        self.layout = layout(self.plan) if layout else self.plan.layout
        self.arena = Arena(self.layout, _PLENTY)
        self.arena.lay_out(self.layout.offsets)
        if layout:
            self._soil()
        self.stage = stage_class(self.plan.program)(self.spec, self.plan, self.arena)
        self.stage.refill = self._refill
        rng, net = np.random.default_rng(case.seed + 1), self.spec.net
        self.x = rng.normal(0, 1, (case.batch, self.spec.latent_elems)).astype(np.float32)
        self.draw_labels()
        self.targets = {
            name: rng.normal(0, 1, (case.batch, n)).astype(np.float32)
            for name, (_, n) in self.plan.losses.parts.items()
        }
        self.nodes, self.outputs = net.adaptive, net.outputs

    def _soil(self):
        """Fills the arena with what is no number: whoever reads what nobody wrote spreads it."""
        for name, (kind, _, _) in self.layout.offsets.items():
            if kind == "f32":
                window = self.arena.window(name)
                window[:] = array("f", [float("nan")]) * len(window)

    def draw_labels(self):
        """Labels of the classes in use."""
        rng = np.random.default_rng(self.case.seed + 2)
        self.labels = rng.integers(0, self.stage.known or 1, self.case.batch).astype(np.uint8)

    # -- steps -------------------------------------------------------------------------------

    def fill(self, first):
        """The micro-batch from sample `first` on, as the reader puts it into the arena."""
        stage, some = self.stage, slice(first, first + self.stage.micro)
        self._filled = some
        stage.x[:] = array("f", self.x[some].ravel())
        stage.labels[:] = self.labels[some].tobytes()
        if self.targets:
            rows = np.concatenate([part[some] for part in self.targets.values()], 1)
            stage.targets[:] = array("f", rows.ravel())

    def _refill(self):
        """The latents of the micro-batch once more, as the reader reads them again."""
        self.stage.again[:] = array("f", self.x[self._filled].ravel())

    def accumulate(self):
        """The gradients of a mini-batch, from zero; returns the total loss."""
        self.stage.start()
        if self.stage.variational:
            self.stage.variational.begin(_SEED)
        self.stage.begin()
        for first in range(0, self.case.batch, self.stage.micro):
            self.fill(first)
            self.stage.forward_loss()
            self.stage.backward()
        return self.loss()

    def loss(self):
        """Sum over the outputs of weight times the mean loss, of what stats count."""
        return sum(
            output["weight"] * self.stage.stats[output["node"]][0] / self.case.batch
            for output in self.outputs
        )

    def gradients(self):
        """{tensor: float64 array} of those that learn, after accumulate()."""
        grads = np.array(self.stage.learned.grads, np.float64)
        return {
            tensor: grads[at : at + int(np.prod(shape))].reshape(shape)
            for _, _, tensor, shape, at in self.plan.program.learned
        }

    def parameters(self):
        """{tensor: float64 array} of all float32 ones."""
        params = np.array(self.stage.params, np.float64)
        return {
            tensor: params[at : at + int(np.prod(shape))].reshape(shape)
            for _, _, tensor, shape, at in self.plan.program.tensors
        }

    # -- the definition ----------------------------------------------------------------------

    def reference_values(self, tensors):
        """{name: (batch, *shape)} of all values, in float64."""
        shape = self.spec.net.latent_shape
        values = {":latent": self.x.astype(np.float64).reshape(-1, *shape)}
        for seed, node in enumerate([n for n in self.nodes if n["op"] == "sample"]):
            noise = array("f", [0]) * (self.case.batch * int(np.prod(node["out"])))
            kernels.gaussian_f32(noise, _SEED + seed, 0)
            values[NOISE + node["name"]] = np.array(noise, np.float64)
        reference.forward(self.nodes, values, self._in_use(tensors))
        return values

    def _in_use(self, tensors):
        """The same tensors, those of the head with the classes in use alone."""
        head = self.spec.net.head
        if not head:
            return tensors
        own = {head[key]: tensors[head[key]][: self.stage.known] for key in ("w", "b")}
        return {**tensors, **own}

    def reference_loss(self, values):
        losses = reference.losses(self.outputs, values, self.labels, self.targets)
        return sum(output["weight"] * losses[output["node"]] for output in self.outputs)

    def slopes(self, step=1e-6):
        """{tensor: central differences of the total loss by its elements}, in float64.

        Truncation and rounding leave some 1e-10 of the loss; a kink of a ReLU or of a maximum
        would have to lie within `step`.
        """
        tensors = self.parameters()
        base, slopes = self.reference_values(tensors), {}
        for node, _, name, shape, _ in self.plan.program.learned:
            above, gradient = self.nodes[self.nodes.index(node) :], np.zeros(shape)
            for at in np.ndindex(*shape):
                losses = []
                for sign in (1, -1):
                    tensor = tensors[name].copy()
                    tensor[at] += sign * step
                    values = dict(base)
                    reference.forward(above, values, self._in_use({**tensors, name: tensor}))
                    losses.append(self.reference_loss(values))
                gradient[at] = (losses[0] - losses[1]) / (2 * step)
            slopes[name] = gradient
        return slopes
