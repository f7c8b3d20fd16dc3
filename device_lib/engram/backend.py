"""Picks the kernels, once, at import. Nothing else in engram asks which ones they are.

    from .backend import kernels        the fastest backend that works here
    load(("engram.kernels.python",))        one by name, for tests and comparison
"""

# Fastest first. A backend is a module with the kernel functions; it raises ImportError where
# it cannot work. All take the same flat buffers and give the same results.
BACKENDS = ("_engram", "_engram_core", "_engram_small")
BACKENDS += ("engram.kernels.numpy", "engram.kernels.python")

# A native module may be joined by others beside it. _engram holds all but q8; _engram_small is
# core and int8 in one, compiled for size.
PARTS = ("_engram_int8", "_engram_q8", "_engram_layers", "_engram_audio")


def load(names=BACKENDS):
    """The first of `names` that imports. Raises ImportError when none does."""
    for name in names:
        try:
            module = __import__(name, None, None, ("*",))
        except ImportError:
            continue
        if "." not in name:
            _join(module)
        return module
    raise ImportError("no kernel backend among %r" % (names,))


def _join(base):
    """Gives a native module the kernels of the parts that are installed."""
    for name in PARTS:
        try:
            part = __import__(name, None, None, ("*",))
        except ImportError:
            continue
        for kernel in dir(part):
            if kernel[0] != "_" and not hasattr(base, kernel):
                setattr(base, kernel, getattr(part, kernel))


kernels = load()


def spent():
    """Counter units spent inside C kernels so far, modulo 2**30; 0 for the other backends."""
    return kernels.spent()
