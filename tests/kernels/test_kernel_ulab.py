"""kernels.numpy where only ulab's part of numpy is there: imitated by a numpy with those names.

What ulab itself does is for a board that has it to say; this holds the file to the names, and to
not working where ulab's float is a double.
"""

import importlib.util
import sys
import types

import kernels_check as cases
import numpy as np
import pytest

from engram.kernels import numpy as over_numpy
from engram.kernels import python as definition

# ulab.numpy as those kernels may use it.
NAMES = ("zeros", "ones", "frombuffer", "dot", "where", "int8")


def imitation(monkeypatch, dtype):
    """kernels.numpy imported anew with an `ulab` in the way of numpy."""
    numpy = types.ModuleType("ulab.numpy")
    for name in NAMES:
        setattr(numpy, name, getattr(np, name))
    numpy.float = dtype
    ulab = types.ModuleType("ulab")
    ulab.numpy = numpy
    monkeypatch.setitem(sys.modules, "ulab", ulab)
    monkeypatch.setitem(sys.modules, "ulab.numpy", numpy)
    spec = importlib.util.spec_from_file_location("engram.kernels._over_ulab", over_numpy.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_ulab_can_gives_the_same_bytes(monkeypatch):
    kernels = imitation(monkeypatch, np.float32)
    own = {name for name in vars(kernels) if vars(kernels)[name] is not vars(definition).get(name)}
    assert {"dense_fwd", "dense_bwd_dx", "dense_bwd_dw", "relu_fwd", "sgd_step"} <= own
    assert {"conv2d_fwd", "conv2d_bwd_dx", "conv2d_bwd_dw", "conv2d_s8", "dense_s8"} <= own
    assert kernels.depthwise_s8 is definition.depthwise_s8
    for builder, written, exact, shapes in cases.CASES:
        for shape in shapes if exact else ():
            assert cases.run(kernels, builder, written, shape, True) == cases.run(
                definition, builder, written, shape, True
            )


def test_ulab_with_doubles_disqualifies_itself(monkeypatch):
    with pytest.raises(ImportError, match="no float32"):
        imitation(monkeypatch, np.float64)
