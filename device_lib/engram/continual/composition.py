"""The compositions of mini-batches, by name."""

from ..errors import DataError

# The records of a mini-batch:
# "balanced"    each class has the same share; where a class comes again, two thirds of it are new
# "as_stored"   any record is as likely as any other
# "as_seen"     classes as often as the stream has brought them, whatever is stored of each
# "ar1"         n // ((n + r) // batch) of n new records, old ones drawn from all r alike (AR1*,
#               Pellegrini et al., "Latent Replay for Real-Time Continual Learning", IROS 2020)
COMPOSITIONS = ("balanced", "as_stored", "as_seen", "ar1")
# What is learned for: the composition, and the share of a batch that is new (None: what the
# composition says). Measured in docs/defaults.md.
GOALS = {
    "classes": ("balanced", None),  # new classes come, and the old ones count as much
    "domain": ("balanced", 0.5),  # known classes look or sound different now
    "user": ("as_stored", 0.75),  # one user's samples count most, as often as they occur
}


def of_goal(goal, composition, new_share):
    """(composition, share of a batch that is new), with those of a goal where they are None.

    Raises DataError.
    """
    if goal is not None and goal not in GOALS:
        raise DataError("expected a goal of %s, got %s" % (", ".join(sorted(GOALS)), goal))
    if composition is not None and composition not in COMPOSITIONS:
        raise DataError(
            "expected a composition of %s, got %s" % (" or ".join(COMPOSITIONS), composition)
        )
    if new_share is not None and not 0 < new_share <= 1:
        raise DataError("expected a share of new samples above 0, up to 1, got %r" % new_share)
    preset = GOALS.get(goal, (None, None))
    return composition or preset[0], preset[1] if new_share is None else new_share
