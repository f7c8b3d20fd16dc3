"""Engram: models that keep learning on a microcontroller.

    import engram
    learner = engram.load("digits.safetensors")
    learner.observe(x, 7)
    learner.learn(epochs=2)
    label, probability = learner.predict(x)
    learner.save()
"""

from .errors import (
    CommandError,
    DataError,
    DivergedError,
    EngramError,
    FitError,
    ModelError,
    StoreError,
    WireError,
)

__version__ = "0.1.0"
__all__ = (
    "CommandError",
    "DataError",
    "DivergedError",
    "EngramError",
    "FitError",
    "Learner",
    "ModelError",
    "ModelSpec",
    "Samples",
    "StoreError",
    "WireError",
    "load",
    "progress",
    "samples",
)



def __getattr__(name):
    """Loads a public name when it is first used: a program that only speaks the wire needs no
    kernels. `open` is `load`, left out of __all__ so that a star import keeps Python's own."""
    place = {
        "Learner": ("engram.continual.learner", "Learner"),
        "ModelSpec": ("engram.nn.model", "ModelSpec"),
        "Samples": ("engram.npy", "Samples"),
        "load": ("engram.opener", "open_learner"),
        "open": ("engram.opener", "open_learner"),
        "progress": ("engram.progress", "show"),
        "samples": ("engram.npy", "open_samples"),
    }.get(name)
    if place is None:
        raise AttributeError(name)
    return getattr(__import__(place[0], None, None, place[1:]), place[1])


def __dir__():
    return list(__all__) + ["open", "__version__", "__doc__", "__name__"]
