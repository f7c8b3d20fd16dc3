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
        try:
            from .neighbours import Neighbours as found
        except ImportError:
            from . import NOT_FROZEN

            raise DataError(NOT_FROZEN % "has the engine neighbours")
    elif name == "loss":
        from .loss import Loss as found
    else:
        raise DataError("expected an engine of %s, got %r" % (", ".join(NAMES), name))
    return found
