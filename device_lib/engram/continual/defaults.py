"""The defaults of a learner; docs/defaults.md measures them."""

POLICY = "herding"
BITS = 4  # of a latent element in a store that is made
STEPS = 800  # of a learning run, or one pass over the new records where that is more
LR = 0.05
LR_DECAY = 1.0  # the rate falls to 0
# The share of the heap that a plan leaves free, attempt by attempt: no plan knows the holes in it.
SPARED = (1 / 16, 1 / 4, 1)
