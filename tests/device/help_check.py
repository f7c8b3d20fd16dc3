"""help() of the packages whose modules come and go, after a learner was opened."""

import sys

from engram.compat import forget, forget_below
from engram.store import RamFlash
from learner_check import open_learner


def show(what):
    """help(), where the Python that runs has it: CPython's pages are for people at a terminal."""
    if sys.implementation.name == "micropython":
        try:
            help(what)
        except NameError:  # a firmware without
            pass


def main():
    import engram.link.agent
    import engram.npy
    import engram.progress
    import engram.opener

    learner = open_learner(RamFlash(32, 1024, 16))
    names = ("engram.opener", "engram.npy", "engram.progress", "engram.link.agent")
    forget(names)
    forget_below(("engram.link",), ())
    import engram.link  # what was dropped comes back

    for package in (engram, engram.link, engram.nn, engram.store, engram.continual):
        show(package)
    show(learner)
    from engram.link import agent

    assert agent.serve and engram.samples and engram.progress and engram.open
    assert engram.__version__ and learner.info()["session"] == 0
    print("ok")
