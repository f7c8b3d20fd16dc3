"""A saved state of another strategy, policy or number of classes: keeps what can be kept of it.

Parameters, the classes known, the numbers of sessions and samples always stay. What a strategy
keeps beside them stays where it is the same strategy; another one begins from the parameters.
"""

from array import array

from ..compat import bytes_of
from ..errors import StoreError
from .numbers import INTS, kind_of


def move(learner, state, checkpoints):
    """Loads the last saved state into a learner of other options; returns its generation.

    state: the learner's State. Raises StoreError where it is of another model, or has more classes
    than the learner has room for; nothing has changed then.
    """
    sizes, groups = checkpoints.sizes(), len(state.brought)
    old = sizes[0] // 4 - INTS  # groups that it has room for
    beside = groups - (learner.classes or 1)  # that of records without a class
    classes = groups - beside
    growth = _Grown(learner.stage, classes, old - beside)
    at = _place_of_parameters(sizes, 4 * (len(learner.stage.params) - growth.in_head))
    numbers = array("i", range(INTS + old))
    checkpoints.read_part(0, bytes_of(numbers))
    if numbers[6] > classes:
        raise StoreError(
            "expected room for the %d classes that were learned, got %d; open the model with "
            "classes=%d" % (numbers[6], classes, numbers[6])
        )
    growth.read(checkpoints, at, learner.stage.params, growth.head_places)
    if at == 2 and learner.policy.saved:
        counts = [(1 + i * groups, groups, old) for i in range(3)]
        growth.read(checkpoints, 1, learner.policy.saved[0], counts)
    integers = learner.stage.integers
    growth.check_integers(integers, sizes[at + 1 :])
    state.take(numbers)
    growth.read_integers(checkpoints, at + 1, integers, sizes[at + 1 :])
    learner.stage.integers_loaded()
    at += len(integers)
    own = state.parts[2 + len(learner.policy.saved) + len(integers) :]
    rest = sizes[at + 1 :]
    same = numbers[1] in (0, kind_of(learner)) and len(rest) in (len(own), len(own) + 1)
    places = [growth.places_of(len(own[i]), rest[i] // 4) for i in range(len(own))] if same else []
    if same and None not in places:
        for i, window in enumerate(own):
            growth.read(checkpoints, at + 1 + i, window, places[i])
        if len(rest) > len(own):
            extra = bytearray(rest[-1])
            checkpoints.read_part(len(sizes) - 1, extra)
            learner.stream.unpack(bytes(extra), learner.session)
    else:
        for window in own:
            for i in range(len(window)):
                window[i] = 0
        learner.strategy.fresh()
    return checkpoints.info()["generation"]


def _place_of_parameters(sizes, expected):
    """The index of the parameters' part: 1, behind the numbers, or 2, behind the policy's part."""
    for at in (1, 2):
        if at < len(sizes) and sizes[at] == expected:
            return at
    raise StoreError(
        "expected a saved state with %d bytes of parameters, got parts of %r bytes: it was saved "
        "by another version of this model, or in another number format; open the model in that "
        "format, or begin anew with fresh=True" % (expected, sizes)
    )


class _Grown:
    """Where classes have come, or gone, between a saved state and a learner.

    A list of places is [(first element, elements, elements in the saved state)] of what has
    another size; all else is alike.
    """

    def __init__(self, stage, classes, old):
        head = stage.head if stage.head and stage.head.dtype == "f32" else None
        self._features = stage.head.n if stage.head else 0
        self.classes, self.old, self.n = classes, old, head.n if head else 0
        self.in_head = (classes - old) * (self.n + 1) if head else 0
        self.head_places = self._of_head(*head.places) if head else []
        self._learned = stage.learned

    def _of_head(self, w, b):
        n, classes, old = self.n, self.classes, self.old
        return sorted([(w, n * classes, n * old), (b, classes, old)])

    def places_of(self, elems, old):
        """The places in a buffer of a strategy; None where it does not say."""
        if elems == old:
            return []
        n, classes = self.n, self.classes
        if (elems, old) == (classes, self.old):
            return [(0, elems, old)]
        if elems == (n + 1) * classes and elems - old == self.in_head:
            return self._of_head(0, n * classes)
        if elems == self._learned.elems and elems - old == self.in_head:
            w, b = [self._learned.place(first) for first, _, _ in self.head_places]
            return None if w is None or b is None else self._of_head(w, b)
        return None

    def check_integers(self, integers, sizes):
        """Raises StoreError where parts of a saved state are not those of q8 nodes with another
        number of classes."""
        grown = self.classes - self.old
        for i, (name, window) in enumerate(integers):
            differs = len(window) - (sizes[i] if i < len(sizes) else 0)
            allowed = {"weights": self._features * grown, "biases": 4 * grown}.get(name, 0)
            if name != "rests" and differs not in (0, allowed):
                raise StoreError(
                    "expected a saved state with %d bytes of %s, got %r: it was saved in another "
                    "number format; open the model in that format, or begin anew with fresh=True"
                    % (len(window), name, sizes[i : i + 1])
                )

    def read_integers(self, checkpoints, part, integers, sizes):
        """Reads the parts of q8 nodes. New classes are at their ends."""
        for i, (name, window) in enumerate(integers):
            same = len(window) - sizes[i] in (0, self._features * (self.classes - self.old))
            if name != "rests" or same:
                checkpoints.read_part(part + i, window[: min(len(window), sizes[i])], 0)

    @staticmethod
    def read(checkpoints, part, window, places):
        """Reads a part of the saved state into a window of 4-byte items."""
        here = there = 0
        for first, elems, old in places + [(len(window), 0, 0)]:
            count = first - here + min(elems, old)
            if count:
                checkpoints.read_part(part, bytes_of(window[here : here + count]), 4 * there)
            there += first - here + old
            here = first + elems
