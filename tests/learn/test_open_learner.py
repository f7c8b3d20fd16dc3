"""Opening a learner: what it must leave, and what becomes of a heap that is too small."""

from types import SimpleNamespace

import pytest

from engram import opener
from engram.errors import FitError

BOARD = SimpleNamespace(store_device=lambda: None)


@pytest.fixture
def asked(monkeypatch):
    """Whether learners were opened with as little memory as they can; those in .full find no room,
    those in .refused say so themselves."""
    asked = SimpleNamespace(least=[], full=(), refused=())

    def before_load(path, board, heap_base, bits, beat, fresh, options, least):
        asked.least.append(least)
        if least in asked.full:
            raise MemoryError("memory allocation failed, allocating 1148 bytes")
        if least in asked.refused:
            raise FitError("the layers,", 9, 7, "reduce the batch")
        return SimpleNamespace(load=lambda: None, least=least, is_open=False)

    monkeypatch.setattr(opener, "_before_load", before_load)
    return asked


def opened(**options):
    return opener.open_learner(__file__, BOARD, heap_base=0, **options)


def test_a_heap_without_room_for_the_plan_gets_the_smallest(asked):
    assert opened().least is False
    asked.full = (False,)
    assert opened().least is True
    assert asked.least == [False, False, True]


def test_a_plan_that_leaves_no_room_to_bind_its_layers_gives_way_to_the_smallest(asked):
    asked.refused = (False,)
    assert opened().least is True
    asked.refused = (False, True)
    with pytest.raises(FitError, match="the layers, needs 9 bytes, 7 are available; reduce"):
        opened()
    assert asked.least == [False, True, False, True]


def test_a_learner_without_room_is_refused(asked, monkeypatch):
    asked.full = (False, True)
    monkeypatch.setattr(opener, "heap_free", lambda: 17_000)
    words = "in one piece, needs 4096 bytes, 17000 are available; .*reduce"
    with pytest.raises(FitError, match=words):
        opened()
    assert asked.least == [False, True]


def test_a_learner_that_leaves_no_room_to_work_in_counts_as_none(asked, monkeypatch):
    def full(size):
        raise MemoryError(f"memory allocation failed, allocating {size} bytes")

    monkeypatch.setattr(opener, "bytearray", full, raising=False)
    with pytest.raises(FitError, match="in one piece"):
        opened()
    assert asked.least == [False, True]
