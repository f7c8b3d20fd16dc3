"""The backends under test, and the definition in float64 as their reference."""

import contextlib
import re
from array import array
from pathlib import Path

import pytest

from engram.backend import load
from engram.kernels import need, python

ROOT = Path(__file__).resolve().parents[2]
KERNELS = ROOT / "firmware" / "kernels"


def _backend(name, key):
    try:
        module = load((name,))
    except ImportError:
        mark = pytest.mark.skip(reason=f"{name} cannot be imported here")
        return pytest.param(None, id=key, marks=mark)
    return pytest.param(module, id=key)


C = _backend("_engram", "c")
NUMPY = _backend("engram.kernels.numpy", "numpy")
PYTHON = _backend("engram.kernels.python", "python")
BACKENDS = [C, NUMPY, PYTHON]


def rows():
    """Every row of engram_kernels.def: {name: (letters, argument names, call)}."""
    text = (KERNELS / "engram_kernels.def").read_text()
    rows_of_list = re.findall(
        r'^ENGRAM_KERNEL\((\w+), MP_QSTR_(\w+), "(\w+)", "([^"]+)",\s*\(([^()]*)\)\)$', text, re.M
    )
    assert len(rows_of_list) == len(re.findall(r"^ENGRAM_KERNEL\(", text, re.M))
    assert all(name == qstr for name, qstr, *_ in rows_of_list)
    return {name: (letters, names.split(), call) for name, _, letters, names, call in rows_of_list}


@contextlib.contextmanager
def _float64():
    """The definition takes array('d') in the place of array('f')."""
    types = dict(need.TYPES)
    try:
        for letter in "Ffo":
            need.TYPES[letter] = ("a float64 buffer", "d", 8)
        yield
    finally:
        need.TYPES.update(types)


def wide(args):
    """The arguments with every buffer copied, those of floats as float64."""
    copies = []
    for a in args:
        if isinstance(a, array):
            a = array("d" if a.typecode in "fd" else a.typecode, a)
        copies.append(bytearray(a) if isinstance(a, bytearray) else a)
    return copies


def reference(name, args):
    """Calls the definition in float64; the arguments after it."""
    args = wide(args)
    with _float64():
        getattr(python, name)(*args)
    return args
