"""The parts of a learner, found once from its options, on the board and on the host."""

from array import array

from ..compat import bytes_of
from ..errors import DataError, FitError
from ..nn import formats
from ..nn.geometry import elems
from ..nn.graph import reform
from ..nn.names import GRADS, SAVED
from ..nn.optimisers import Optimiser
from ..nn.scope import PRESETS, heads, learning
from ..nn.sections import Choice
from .defaults import LR
from .strategies import options_of, strategy_class


_RECOMPUTE = {"auto": None, "none": ()}


class Sizes:
    """Sizes that a strategy may ask for before anything is allocated, in elements.

    .batch     rows of a micro-batch; .classes (room), .latent
    .params    of the whole adaptive stage; .learned: of those that learn
    .features  inputs of the head
    .head      parameters of the head
    """

    def __init__(self, spec, batch, learns):
        graph = spec.net
        tensors = spec.parameters()
        self.batch, self.classes, self.latent = batch, spec.classes, spec.latent_elems
        self.params = sum([n for _, n, _ in tensors])
        self.learned = sum([
            n for name, n, is_bias in tensors
            if learns.get(name) == "all" or (learns.get(name) == "bias" and is_bias)
        ])
        if ":" in "".join(learns.values()):
            from ..nn.channels import chosen_of  # few learners need it

            for name, chosen in chosen_of(graph, learns).items():
                node = graph.node(name)
                for key, _, shape in formats.load(node["format"]).tensors(node):
                    self.learned += elems(chosen.shape(key, shape))
        head = graph.head
        self.features = elems(head["shapes"][0]) if head else 0
        self.head = sum([n for name, n, _ in tensors if head and name == head["name"]])


class Config:
    """The options of a learner, checked, and the settings that follow from them.

    spec: nn.model.ModelSpec, with room for all classes. The options are Learner's.

    .strategy, .options   class and {name: number}
    .scope, .learns   as nn.scope has them; .heads: names of the nodes of group "head"
    .optimiser        nn.optimisers.Optimiser
    .micro            rows of a micro-batch, None: as many as fit
    .recompute        names of what is computed twice, None: as few as fit
    .choice           nn.sections.Choice
    .integers         nn.integers.Integers, None without
    """

    def __init__(self, spec, batch=16, micro=None, strategy="replay", strategy_options=None,
                 scope=None, depth=None, optimiser="momentum", lr=LR, momentum=0.9,
                 weight_decay=0.0, clip=None, keep=None, skip=None, format=None, rounding=None,
                 recompute=None):
        if not isinstance(batch, int) or batch < 1:
            raise DataError("expected a batch of at least 1, got %r" % (batch,))
        if micro is not None and (not isinstance(micro, int) or micro < 1 or batch % micro):
            raise DataError(
                "expected a micro-batch that divides the batch (%s), got %r"
                % (", ".join([str(n) for n in _divisors(batch)]), micro)
            )
        if format is not None:
            reform(spec.net, format)
        self.spec, self.batch, self.micro = spec, batch, micro
        self.strategy_name = strategy
        self.strategy = strategy_class(strategy)
        self.options = options_of(self.strategy, strategy_options)
        self.scope = _scope(self.strategy, scope, depth)
        self.learns = learning(spec.net, self.scope, self._weights)
        self.heads = heads(spec.net)
        self.optimiser = Optimiser(optimiser, lr, momentum, weight_decay, clip)
        self._suits(spec.net)
        gradients = self.optimiser.gradients(batch, self.strategy.GRADIENTS)
        if gradients is None and self._chosen("f32"):
            gradients = GRADS  # what is chosen lies in pieces: it cannot be updated where it is
        self.choice = Choice(
            self.optimiser, batch, self.learns, self.heads, gradients,
            self.strategy.TEACHER, self.strategy.SINGLE_BACKWARD,
            self._partial(keep, skip), rounding,
        )
        self.recompute = self._twice(recompute)
        self.integers = None
        if rounding or spec.net.has_integers():
            from ..nn.integers import Integers  # few learners need them
            from ..nn.steps import rounding_of

            self.integers = Integers(spec.net, self.learns, rounding_of(rounding)[1])

    def _twice(self, recompute):
        """recompute as a list of names, or None. Raises DataError."""
        names = _RECOMPUTE.get(recompute, recompute) if isinstance(recompute, str) else recompute
        if not names:
            return names
        names = names.split(",") if isinstance(names, str) else list(names)
        if self.choice.single_backward:
            raise DataError(
                "strategy %s: expected values that stay in memory, as it needs the gradients of "
                "single samples, got %s to compute twice (recompute); leave recompute out"
                % (self.strategy_name, ", ".join(names))
            )
        from ..nn.recompute import choosable  # few learners need it
        from ..nn.sections import Sections

        known = choosable(Sections(self.spec.net, self.choice, 1))
        for name in names:
            if name not in known:
                raise DataError(
                    "expected values to compute twice (recompute) among %s, got %s"
                    % (", ".join(known), name)
                )
        return names

    def _chosen(self, format=None):
        """Names of the nodes of a format, None: any, of which chosen channels learn."""
        names, node = sorted(self.learns), self.spec.net.node
        names = [name for name in names if ":" in self.learns[name]]
        return [name for name in names if format in (None, node(name)["format"])]

    def _weights(self, node):
        """The weights of a node, from the model file."""
        name = node[formats.load(node["format"]).tensors(node)[0][0]]
        out = array("f", range(self.spec.file.elems(name)))
        self.spec.file.read_into(name, bytes_of(out))
        return out

    def _partial(self, keep, skip):
        """Facts of nn.partial.Partial, None where each backward pass is whole."""
        if keep is None and not skip:
            return None
        from ..nn.partial import choosable, shares, skipped  # few learners need it

        if keep is not None and not choosable(self.spec.net, self.learns, self.heads):
            raise DataError(
                "expected layers with structures to keep (keep) below the last one, got none in "
                "the backward pass of scope %s; leave keep out" % self.scope
            )
        return [shares(keep), skipped(skip)]

    def _suits(self, graph):
        """Raises DataError where the strategy cannot work with this model."""
        if self.strategy.TEACHER and self._chosen():
            raise DataError(
                "strategy %s: expected whole nodes or biases to learn, as it has a second model "
                "of them, got channels of %s; choose another strategy"
                % (self.strategy_name, ", ".join(self._chosen()))
            )
        objectives = [output["objective"] for output in graph.outputs]
        formats = set([node["format"] for node in graph.adaptive if node["name"] in self.learns])
        for what, parts, choice in (
            ("objectives", set(objectives), self.strategy.OBJECTIVES),
            ("number formats", formats, self.strategy.FORMATS),
        ):
            if not parts <= set(choice):
                raise DataError(
                    "strategy %s: expected %s among %s, got %s; choose another strategy"
                    % (self.strategy_name, what, ", ".join(choice), ", ".join(sorted(parts)))
                )

    def sizes(self, micro):
        return Sizes(self.spec, micro, self.learns)

    def plan(self, slots=0, bits=8, available=None, spare=0):
        """The first of plans() whose layout leaves `spare` of `available` bytes; where none does,
        that of the smallest. Values are computed twice only where nothing else fits.

        slots, bits: of the replay store. available: None for any. Raises FitError.
        """
        least = None
        for plans in (self._in_micro_batches, self._computing_twice):
            for plan in plans(slots, bits):
                size = plan.layout.total_bytes
                if available is None or size + spare <= available:
                    return plan
                if least is None or size < least[0]:
                    least = size, (plan.micro, plan.recompute)
                plan = None  # a board has no room for two
            if least[0] <= available:
                return self.plan_of(*least[1], slots, bits)
        raise FitError(
            "the model (batch %d, micro-batch %d)" % (self.batch, least[1][0]),
            least[0],
            available,
            "reduce the batch, the replay budget, or what learns (scope)",
        )

    def plan_of(self, micro, recompute=(), slots=0, bits=8):
        """The Plan with such a micro-batch, and values of these names computed twice."""
        from ..nn.plan import Plan  # a board does without it when the arena is there

        extras = self.strategy.buffers(self.sizes(micro))
        return Plan(self.spec, self.choice, micro, extras, slots, bits, recompute)

    def plans(self, slots=0, bits=8):
        """Generates the Plans that it may have, from the fastest on: with smaller and smaller
        micro-batches, then with more and more that is computed twice."""
        for plans in (self._in_micro_batches, self._computing_twice):
            for plan in plans(slots, bits):
                yield plan

    def _micros(self):
        return [self.micro] if self.micro else list(reversed(_divisors(self.batch)))

    def _in_micro_batches(self, slots, bits):
        plan = None
        for micro in self._micros():
            plan = None  # a board has no room for two
            plan = self.plan_of(micro, self.recompute or (), slots, bits)
            yield plan

    def _computing_twice(self, slots, bits):
        # Gradients of single samples read the values that their forward pass has left.
        if self.recompute is not None or self.choice.single_backward:
            return
        from ..nn.recompute import more_of  # few learners need it

        plan = self.plan_of(self._micros()[-1], (), slots, bits)
        while True:
            more, names, micro = more_of(plan), plan.recompute, plan.micro
            if not more:
                return
            plan = None
            plan = self.plan_of(micro, names + more, slots, bits)
            yield plan

    @property
    def saved_bytes(self):
        """Bytes of a saved state: parameters, and what the strategy keeps beside them."""
        sizes = self.sizes(1)
        own = [n for _, n, kind in self.strategy.buffers(sizes) if kind == SAVED]
        sizes_of_integers = self.integers.sizes() if self.integers else ()
        integers = sum([nbytes for _, _, nbytes in sizes_of_integers])
        return 4 * (sizes.params + sum(own)) + integers

    @property
    def saved_names(self):
        """Buffers of the strategy that belong to a saved state."""
        return [name for name, _, kind in self.strategy.buffers(self.sizes(1)) if kind == SAVED]


def saved_bytes(spec, strategy="replay", scope=None, depth=None, format=None, rounding=None):
    """Bytes of a saved state: the parameters of the adaptive stage and what a strategy, chosen by
    name, keeps beside them."""
    config = Config(
        spec, 1, None, strategy, None, scope, depth, format=format, rounding=rounding
    )
    return config.saved_bytes


def _divisors(n):
    return [d for d in range(1, n + 1) if n % d == 0]


def _scope(strategy, scope, depth):
    """A scope from the options: a scope or preset, or the last layers by their number."""
    if scope is not None and depth is not None:
        raise DataError("expected a scope or a depth, got both")
    if strategy.SCOPE and scope is None and depth is None:
        return PRESETS.get(strategy.SCOPE, strategy.SCOPE)
    if depth is not None:
        if not isinstance(depth, int) or depth < 1:
            raise DataError("expected a depth of at least 1, got %r" % (depth,))
        return "last:%d" % depth + (".b" if strategy.SCOPE == "bias" else "")
    return PRESETS.get(scope, scope) or "all"
