"""The learned state: its parts, their order in flash, and how they come back."""

from array import array

from ..backend import kernels
from ..compat import forget
from ..errors import DivergedError
from .numbers import INTS, kind_of


class State:
    """The parts of a learner's saved state, by name.

    The order is that of every release: numbers, the policy's, parameters, the strategy's, and
    last, where a stream of sessions is under way, how far it has come.

    .brought   (classes) int32: records of each class that the stream brought
    """

    def __init__(self, learner, parts):
        self._learner = learner
        self._numbers = array("i", [0] * (INTS + learner.groups))
        self.brought = memoryview(self._numbers)[INTS:]
        names = ["numbers"] + ["policy%d" % i for i in range(len(learner.policy.saved))]
        names += ["params"]
        names += [name for name, _ in learner.stage.integers]
        own = (self._numbers,) + tuple(learner.policy.saved) + (learner.stage.params,)
        own += tuple([window for _, window in learner.stage.integers])
        self.names = tuple(names + [name for name, _ in parts])
        self.parts = own + tuple([window for _, window in parts])

    def save(self, checkpoints):
        """Saves atomically; returns the generation (int). Raises DivergedError."""
        learner, numbers = self._learner, self._numbers
        ruined = kernels.check_finite(learner.stage.params)
        if ruined:
            raise DivergedError(
                "expected finite weights to save, got %d that are not: the model is ruined, and "
                "the saved state stays as it was; load() goes back to it" % ruined
            )
        numbers[0], numbers[1] = learner.session, kind_of(learner)
        numbers[2] = learner.steps_done
        numbers[3], numbers[4], numbers[5] = learner.rng.state
        numbers[6], numbers[7] = learner.stage.known, learner.matched
        learner.policy.saving()
        stream = learner.stream
        extra = stream.pack(0 if learner.store is None else learner.store.next_sequence)
        parts = self.parts + ((extra,) if extra else ())
        # a matrix too large for the flash is no reason to lose what was learned
        stream.saved = bool(extra) and checkpoints.room_for(parts)
        return checkpoints.save(parts if stream.saved else self.parts)

    def load(self, checkpoints):
        """Loads the last saved state; returns its generation, None when there is none.

        A state of another strategy, policy or number of classes is loaded as far as it goes.
        """
        learner, sizes = self._learner, checkpoints.sizes()
        own = len(self.parts)
        if sizes and (sizes[:own] != self.sizes or len(sizes) > own + 1):
            from .moving import move

            generation = move(learner, self, checkpoints)
            learner.policy.loaded()
            forget(("engram.continual.moving",))
            return generation
        extra = bytearray(sizes[-1] if len(sizes) == len(self.parts) + 1 else 0)
        generation = checkpoints.load_into(self.parts + ((extra,) if extra else ()))
        if generation is not None:
            self.take(self._numbers)
            learner.stage.integers_loaded()
            learner.stream.unpack(bytes(extra), learner.session)
        learner.policy.loaded()
        return generation

    @property
    def sizes(self):
        """Bytes of each part."""
        return tuple([len(part) * len(bytes(part[:1])) for part in self.parts])

    def take(self, numbers):
        """Takes over the numbers of a saved state, which may have room for other classes."""
        learner = self._learner
        for i in range(min(len(self.brought), len(numbers) - INTS)):
            self.brought[i] = numbers[INTS + i]
        learner.session, learner.steps_done = numbers[0], numbers[2]
        learner.matched = numbers[7]
        for i in range(3):
            learner.rng.state[i] = numbers[3 + i]
        if numbers[6] != learner.stage.known:
            learner.stage.resize(numbers[6])
