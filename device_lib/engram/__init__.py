"""Engram: models that keep learning on a microcontroller.

    import engram
    learner = engram.open("digits.safetensors")
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
    "open",
    "progress",
    "samples",
)

# Loaded when first used: a program that only speaks the wire needs no kernels.
_LAZY = {
    "Learner": ("engram.continual.learner", "Learner"),
    "ModelSpec": ("engram.nn.model", "ModelSpec"),
    "Samples": ("engram.npy", "Samples"),
    "open": ("engram.session", "open_learner"),
    "progress": ("engram.progress", "show"),
    "samples": ("engram.npy", "open_samples"),
}


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(name)
    module, attribute = _LAZY[name]
    return getattr(__import__(module, None, None, (attribute,)), attribute)
