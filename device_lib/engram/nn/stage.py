"""The layers of a model as tapes: rows of kernels over windows of an arena. It knows no op."""

from array import array

from ..backend import kernels
from ..compat import bytes_of
from ..errors import ModelError
from .names import AGAIN, FEATURES, INPUT, KNOWN, LABELS, LATENT, LATENTS, NEW_NOISE, NO_NOISE
from .names import PARAMS, TARGETS, VIEW
from .names import gradient
from .params import Learned


class Tape:
    """Rows, bound to memory: what they run on is parsed and checked once.

    rows: [(kernel, arguments, takes)] of a section. window: function(name, first element,
    elements) -> window. known: classes in use.
    """

    def __init__(self, rows, window, known):
        self._growing = []  # (row, kernel, arguments; a growing one is (window, per class))
        calls = []
        for at, (kernel, args, _) in enumerate(rows):
            kernel = _kernel(kernel)
            args = [_resolved(arg, window) for arg in args]
            if any([arg is KNOWN or isinstance(arg, tuple) for arg in args]):
                self._growing.append((at, kernel, args))
            calls.append(_row(kernel, args, known))
        self.rows = len(calls)
        self._tape = kernels.bind(calls)

    def run(self):
        kernels.run(self._tape)

    def run_rows(self, first, last):
        """Runs rows first .. last - 1."""
        kernels.run(self._tape, first, last)

    def resize(self, known):
        """Binds anew the rows that depend on the number of classes."""
        for at, kernel, args in self._growing:
            kernels.put(self._tape, at, _row(kernel, args, known))


def _kernel(name):
    """A kernel by its name. Raises ModelError where the board's native module lacks it."""
    try:
        return getattr(kernels, name)
    except AttributeError:
        raise ModelError(
            "expected the kernel %s, got native kernels without it; install more of them with "
            "`engram install --kernels %s`" % (name, "q8" if name.endswith("_q8") else "all")
        )


def _resolved(arg, window):
    if not isinstance(arg, tuple):
        return arg
    name, first, elems, per_class = arg
    whole = window(name, first, elems)
    # int32 windows are of bytes
    return (whole, per_class * (len(whole) // elems)) if per_class else whole


def _row(kernel, args, known):
    row = [kernel]
    for arg in args:
        if isinstance(arg, tuple):
            arg = arg[0][: arg[1] * known]
        row.append(known if arg is KNOWN else arg)
    return tuple(row)


class Head:
    """The node that tells classes apart, with room for classes that are to come.

    .w, .b    weights (classes, n) and biases (classes): float32, or the integers of q8
    .x        its inputs in a micro-batch (rows, n); .single_x: in one sample, as float32
    .dout     (rows, classes): gradients by its outputs between forward and backward
    .n, .rows
    .dtype    of the weights: "f32", or "i8" in q8
    .places   first elements of w and b in the parameters
    """

    def __init__(self, w, b, x, dout, rows, places, features=None, dtype="f32"):
        self.places, self.dtype = places, dtype
        self.w, self.b, self.x, self.dout, self.rows = w, b, x, dout, rows
        self.n = len(x) // rows
        self.single_x = x[: self.n] if features is None else features


class Stage:
    """All layers of a model over one arena, for micro-batches of plan.micro samples.

    spec: ModelSpec, whose tensors are read here. plan: nn.sections.Sections. arena:
    memory.arena.Arena.

    .x          (micro, latent): the latents of a micro-batch, float32 or as a q8 node reads them;
                .single_x: its first row
    .recompute  names of what the backward pass computes again
    .again      the same as x, for latents that the backward pass reads a second time; None without
    .refill     function that reads them; who feeds the stage sets it
    .latents    (micro, latent) int8: what infer() makes is the first row, .latent; the others are
                for samples that wait
    .outputs    {name: float32 window} of a micro-batch; .single: of one sample
    .labels     (micro) uint8; .targets: (micro, values) float32, None without
    .params     all parameters in one float32 window; .learned: params.Learned
    .known      classes in use; .head: Head, or None
    .origins    array('I') of (first element in params, offset in the model file, elements) per
                tensor of params
    .integers   [(buffer, window)] of q8 nodes, in the order of a saved state
    .scales     scales.Scales of q8 nodes, None without; .rounding of their steps; an
                integer_stage.IntegerStage has them
    .stats      {name of an output: array('f')}, as losses.Losses has it
    .variational   variational.Variational, or None
    .tapes      {section of the plan: Tape}

    A step calls, without arguments:
    .begin          a mini-batch begins: stats are zero
    .forward_loss   forward() and loss()
    .backward       adds the gradients by what learns, from those by the outputs
    .update         what learns takes a step; gradients are zero then
    """

    def __init__(self, spec, plan, arena):
        program = plan.program
        self._states = [arena.window(name) for name in plan.states]
        self.micro, self.known, self.recompute = plan.micro, spec.known, plan.recompute
        self.params = arena.window(PARAMS)
        buffer = plan.choice.gradients
        self.learned = Learned(self.params, arena.window(buffer) if buffer else None, plan.runs)
        self.stats = plan.losses.stats
        self.labels = arena.window(LABELS)
        self.targets = arena.window(TARGETS) if plan.losses.targets else None
        self.x = arena.window(LATENT)
        self.single_x = self.x[: spec.latent_elems]
        self.again = arena.window(AGAIN + LATENT) if "again" in plan.sections else None
        self.refill = None
        self.latents = arena.window(LATENTS)
        self.latent = self.latents[: spec.latent_elems]
        self._input = arena.window(INPUT) if spec.net.frozen else self.latent
        self._quantize = _QUANTIZE[spec.graph["input"]["dtype"]](spec)
        self.origins = _read(spec, program, arena)
        self._set_tapes(plan, arena)
        self.variational = _variational(plan, spec.net.outputs, self.tapes)
        self._qp = spec.quantization("latent")
        self.integers, self.scales, self.rounding = (), None, None
        self._rooms = [
            (name, arena.window(name), program.values[name][1], name == program.head)
            for name in self.stats
        ]
        self.head = None
        if program.head:
            features = arena.window(FEATURES) if plan.features else None
            self.head = _head(spec, program, arena, self.micro, features)
        self._set_outputs()

    def read_integers(self, stream):
        """The integers of q8 nodes are those of the model file; no range is known."""

    def integers_loaded(self):
        """The integers of q8 nodes are those of a saved state."""

    def settle(self, run):
        """Finds the exponents of q8 values and gradients for what run() computes."""

    def codes(self, values):
        """The elements of x that stand for latents of these float32 values."""
        return values

    def take_latents(self):
        """x = the latents of a micro-batch."""
        self._take(self.x, self.latents)

    def take_latent(self):
        """single_x = the latent of one sample."""
        self._take(self.single_x, self.latent)

    def _take(self, x, latents):
        kernels.dequantize_s8(x, latents, self._qp)

    def _set_tapes(self, plan, arena):
        windows = {}  # one object per window, whatever the number of rows that have it

        def window(*key):
            if key not in windows:
                windows[key] = arena.window(*key)
            return windows[key]

        self.tapes = {}
        for name in plan.sections:
            rows = _computing(plan.section(name))
            if rows:
                self.tapes[name] = Tape(rows, window, self.known)
        self._forward = self.tapes["forward"]
        self.begin, self.forward_loss = self.tapes["begin"].run, self._forward.run
        self.backward, self.update = self._run_of("backward"), self._run_of("update")
        self._start = self._run_of("start")
        if "again" in self.tapes:
            self._before, self._after = self.backward, self._run_of("again")
            self.backward = self._backward_in_two
        forward = plan.section("forward")
        # rows of forward, and of single, where what learns begins, the head, the loss
        self.upper_at = len(_computing(forward[: plan.upper_at]))
        self.loss_at = len(_computing(forward[: plan.loss_at]))
        self.head_at = 0
        for at, row in enumerate(forward[: plan.loss_at]):
            if row[1][0][0] == plan.program.head:
                self.head_at = len(_computing(forward[:at]))

    def _set_outputs(self):
        self.outputs, self.single = {}, {}
        for name, room, n, by_class in self._rooms:
            n = self.known if by_class else n
            self.outputs[name] = room[: self.micro * n]
            self.single[name] = room[:n]

    def parameter_count(self):
        """The number of parameters, of all formats."""
        return len(self.params)

    def resize(self, classes):
        """Lets the head tell `classes` classes apart. New ones start with weights of zero."""
        self.known = classes
        for tape in self.tapes.values():
            tape.resize(classes)
        self._set_outputs()

    def infer(self, x):
        """latent = the frozen stage at x: input_elems of the model's input dtype."""
        self._quantize(self._input, x)
        if "frozen" in self.tapes:
            self.tapes["frozen"].run()

    def infer_row(self, x, row):
        """Row `row` of latents = the frozen stage at x. Rows are filled from the last one on, as
        the frozen stage writes the first."""
        self.infer(x)
        n = len(self.latent)
        if row:
            self.latents[row * n : row * n + n] = self.latent

    def forward(self):
        """outputs = the adaptive stage at x, for a micro-batch; without noise."""
        if self.variational:
            self.variational.draw(NO_NOISE)
        self._forward.run_rows(0, self.loss_at)
        if self.variational:
            self.variational.draw(NEW_NOISE)

    def loss(self):
        """Adds the losses of a micro-batch to stats; makes the gradients by the outputs."""
        self._forward.run_rows(self.loss_at, self._forward.rows)

    def forward_single(self):
        """single = the adaptive stage at single_x; without noise."""
        if self.variational:
            self.variational.draw(NO_NOISE)
        self.tapes["single"].run()
        if self.variational:
            self.variational.draw(NEW_NOISE)

    def answer(self):
        """single, as predict() answers it: probabilities of classes."""
        if "answer" in self.tapes:
            self.tapes["answer"].run()

    def features(self):
        """head.x, for a micro-batch: runs the layers below the head."""
        self._forward.run_rows(0, self.head_at)

    def features_single(self):
        """head.single_x: runs the layers below the head for one sample."""
        self.tapes["single"].run_rows(0, self.head_at)

    def backward_single(self):
        """Adds the gradients of the loss of one sample, after forward_single()."""
        self.tapes["single_backward"].run()

    def _run_of(self, section):
        return self.tapes[section].run if section in self.tapes else _nothing

    def _backward_in_two(self):
        self._before()
        self.refill()
        self._after()

    def start(self):
        """Forgets gradients and what the optimiser keeps from step to step."""
        self.learned.clear()
        for state in self._states:
            kernels.zero_f32(state)
        self._start()


def _variational(plan, outputs, tapes):
    """variational.Variational, or None: few learners need its code."""
    if not plan.losses.alone and not plan.program.streams:
        return None
    from .variational import variational_of

    return variational_of(plan, outputs, tapes)


def _nothing():
    """A section without rows."""


def _computing(rows):
    return [row for row in rows if row[0] != VIEW]


def _read(spec, program, arena):
    """The tensors of the model file; parameters one behind the other. Returns Stage.origins."""
    params, origins = arena.window(PARAMS), array("I", ())
    for _, _, tensor, _, at in program.tensors:
        n = spec.file.elems(tensor)
        spec.file.read_into(tensor, bytes_of(params[at : at + n]))
        origins.extend(array("I", (at, spec.file.entries[tensor][2], n)))
    for tensor in program.persistent:
        if spec.net.in_place:
            arena.adopt(tensor, spec.file.window(tensor))
        else:
            spec.file.read_into(tensor, arena.window(tensor))
    return origins


def _head(spec, program, arena, rows, features):
    """The head's windows, with room for all classes."""
    node = spec.net.head
    places = [program.place(node[key]) for key in ("w", "b")]
    w, b = [arena.window(*place) for place in places]
    x, dout = arena.window(node["in"][0]), arena.window(gradient(node["name"]))
    return Head(w, b, x, dout, rows, tuple([place[1] for place in places]), features,
                "f32" if node["format"] == "f32" else "i8")


def _from_uint8(spec):
    return kernels.u8_to_s8


def _from_float32(spec):
    qp = spec.quantization("input")

    def quantize(out, x):
        kernels.quantize_s8(out, x, qp)

    return quantize


_QUANTIZE = {"uint8": _from_uint8, "float32": _from_float32}
