"""What stays in the replay store when an experience ends: a policy each file, chosen by name.

A policy is a function trim(learner) that deletes records until at most learner.budget are left. It
looks at

    store        labels and experiences a slot, delete(slot)
    rng          the same picks on every host
    experience   the number of the one that ends, which the newest records have as their byte
    brought      (classes) how many records of each class the stream had brought before
    features(slot)   float32 window of the head's inputs for a record, valid until the next call;
                 None where the record is damaged; feature_elems, how many they are
"""

from ...errors import DataError

# A name is a module of this package with a function trim.
NAMES = ("balanced", "ecbrs", "herding", "random", "reservoir")


def policy(name):
    """The function of a policy, which only now is loaded. Raises DataError on an unknown name."""
    if name not in NAMES:
        raise DataError("policy %s expected, %s came" % (" or ".join(NAMES), name))
    return __import__(__name__ + "." + name, None, None, ("trim",)).trim
