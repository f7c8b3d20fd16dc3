"""Opening a learner: what it must leave, and what becomes of a heap that is too small."""

from types import SimpleNamespace

import pytest

from engram import opener
from engram.continual.defaults import SPARED
from engram.errors import FitError

BOARD = SimpleNamespace(store_device=lambda: None)
FIRST = SPARED[0]


@pytest.fixture
def asked(monkeypatch):
    """The shares of heap that attempts to open a learner leave free; those in .full find no room,
    those in .refused say so themselves. .pieces: of heap that an open learner needs beside it."""
    asked = SimpleNamespace(spared=[], full=(), refused=(), pieces=1)

    def before_load(path, board, heap_base, bits, beat, fresh, in_place, options, spared):
        asked.spared.append(spared)
        if spared in asked.full:
            raise MemoryError("memory allocation failed, allocating 1148 bytes")
        if spared in asked.refused:
            raise FitError("the layers,", 9, 7, "reduce the batch")
        learner = SimpleNamespace(load=lambda: None, spared=spared, is_open=False)
        return learner, asked.pieces

    monkeypatch.setattr(opener, "_before_load", before_load)
    return asked


def opened(**options):
    return opener.open_learner(__file__, BOARD, heap_base=0, **options)


def test_a_heap_without_room_for_the_plan_gets_a_smaller_one_then_the_smallest(asked):
    assert opened().spared == FIRST
    asked.full = (FIRST,)
    assert opened().spared == SPARED[1]
    asked.full = SPARED[:-1]
    assert opened().spared == 1
    assert asked.spared == [FIRST, *SPARED[:2], *SPARED]


def test_a_plan_that_leaves_no_room_to_bind_its_layers_gives_way_to_a_smaller_one(asked):
    asked.refused = (FIRST,)
    assert opened().spared == SPARED[1]
    asked.refused = SPARED
    with pytest.raises(FitError, match="the layers, needs 9 bytes, 7 are available; reduce"):
        opened()
    assert asked.spared == [*SPARED[:2], *SPARED]


def test_a_learner_without_room_is_refused(asked, monkeypatch):
    asked.full = SPARED
    monkeypatch.setattr(opener, "heap_free", lambda: 17_000)
    words = "in one piece, needs 4096 bytes, 17000 are available; .*reduce"
    with pytest.raises(FitError, match=words):
        opened()
    assert asked.spared == list(SPARED)


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_learner_that_leaves_no_room_to_work_in_counts_as_none(asked, monkeypatch, pieces):
    """Where code is in the heap, calls load some of it: more pieces have to be free at once."""
    found = []

    def almost_full(size):
        if len(found) == pieces - 1:
            found.clear()
            raise MemoryError(f"memory allocation failed, allocating {size} bytes")
        found.append(size)

    monkeypatch.setattr(opener, "bytearray", almost_full, raising=False)
    asked.pieces = pieces
    with pytest.raises(FitError, match="in one piece"):
        opened()
    assert asked.spared == list(SPARED)
