"""The engines of a watch, by name."""

from ..errors import DataError

NAMES = ("clusters", "neighbours", "classes", "loss")


def engine_class(name):
    """The class of an engine; only its own code is loaded. Raises DataError."""
    if name == "clusters":
        from .clusters import Clusters as found
    elif name == "classes":
        from .clusters import Classes as found
    elif name == "neighbours":
        from .parts import part

        found = part("neighbours", "has the engine neighbours").Neighbours
    elif name == "loss":
        from .loss import Loss as found
    else:
        raise DataError("expected an engine of %s, got %r" % (", ".join(NAMES), name))
    return found
