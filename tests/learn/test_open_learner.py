"""Opening a learner: what it must leave, and what becomes of a heap that is too small."""

from types import SimpleNamespace

import pytest

from engram import session
from engram.errors import FitError

BOARD = SimpleNamespace(store_device=lambda: None)


@pytest.fixture
def asked(monkeypatch):
    """The micro-batches that learners were opened with; those in .full find no room."""
    asked = SimpleNamespace(micros=[], full=())

    def before_load(path, board, heap_base, bits, beat, options):
        asked.micros.append(options.get("micro"))
        if asked.micros[-1] in asked.full:
            raise MemoryError("memory allocation failed, allocating 1148 bytes")
        return SimpleNamespace(load=lambda: None, micro=asked.micros[-1])

    monkeypatch.setattr(session, "_before_load", before_load)
    return asked


def opened(**options):
    return session.open_learner("a model", BOARD, heap_base=0, **options)


def test_a_heap_without_room_for_the_plan_gets_the_smallest(asked):
    assert opened().micro is None
    asked.full = (None,)
    assert opened().micro == 1
    assert asked.micros == [None, None, 1]


@pytest.mark.parametrize("micro, tried", [(None, [None, 1]), (4, [4])])
def test_a_learner_without_room_is_refused(asked, monkeypatch, micro, tried):
    asked.full = (None, 1, 4)
    monkeypatch.setattr(session, "heap_free", lambda: 17_000)
    words = "in one piece, needs 4096 bytes, 17000 are available; .*reduce"
    with pytest.raises(FitError, match=words):
        opened(micro=micro)
    assert asked.micros == tried


def test_a_learner_that_leaves_no_room_to_work_in_counts_as_none(asked, monkeypatch):
    def full(size):
        raise MemoryError(f"memory allocation failed, allocating {size} bytes")

    monkeypatch.setattr(session, "bytearray", full, raising=False)
    with pytest.raises(FitError, match="in one piece"):
        opened()
    assert asked.micros == [None, 1]
