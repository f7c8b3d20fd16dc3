"""The parts of a learner that are made before its store is open.

A module of its own: the code that makes them goes from the heap while they stay.
"""

from ..memory.replay import index_bytes


class Prepared:
    """The parts of a learner beside its store.

    .stage, .arena   nn.stage.Stage; memory.arena.Arena, still open
    .planned_bytes   of arena and Python objects
    .outputs         {name: (objective, first value in a target or None, values)}
    .targets, .head  float32 values of a target; name of the head, or None
    .format          of the adaptive nodes with parameters: "f32", "q8" or "mixed"
    .optimiser, .hypers   optimisers.Optimiser, {group: array('f')}
    .scope, .saved   what learns; buffers of the strategy that belong to a saved state
    .saved_bytes     of parameters and these buffers
    """

    def plan_store(self, slots, bits):
        """Corrects planned_bytes, once the store is open."""
        self.planned_bytes += index_bytes(self._latent_elems, slots, bits) - self._planned_index
