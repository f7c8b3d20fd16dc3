"""Opening a learner: what it must leave, and what becomes of a heap that is too small."""

from types import SimpleNamespace

import pytest

from engram import session
from engram.errors import FitError


def test_a_learner_that_leaves_no_room_to_work_in_is_refused(monkeypatch):
    def full(size):
        raise MemoryError(f"memory allocation failed, allocating {size} bytes")

    session._need_piece(SimpleNamespace(batch=16))
    monkeypatch.setattr(session, "bytearray", full, raising=False)
    monkeypatch.setattr(session, "heap_free", lambda: 17_000)
    words = r"\(batch 16\).* in one piece, needs 4096 bytes, 17000 are available; .*reduce"
    with pytest.raises(FitError, match=words):
        session._need_piece(SimpleNamespace(batch=16))
