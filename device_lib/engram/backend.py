"""Picks the kernels, once, at import. Nothing else in engram asks which ones they are.

    from .backend import kernels        the fastest backend that works here
    load(("engram.kernels_py",))        one by name, for tests and comparison
"""

# Fastest first. A backend is a module with the kernel functions; it raises ImportError where
# it cannot work. All take the same flat buffers and give the same results.
BACKENDS = ("_engram", "engram.kernels_np", "engram.kernels_py")


def load(names=BACKENDS):
    """The first of `names` that imports. Raises ImportError when none does."""
    for name in names:
        try:
            return __import__(name, None, None, ("*",))
        except ImportError:
            pass
    raise ImportError("no kernel backend among %r" % (names,))


kernels = load()


def spent():
    """Counter units spent inside C kernels so far, modulo 2**30; 0 for the other backends."""
    return kernels.spent()
