import pytest

from link.fake_board import BoardFacts, FakeBoard


@pytest.fixture
def board(tmp_path):
    """The real agent in a thread of this process, an empty directory as its file system."""
    running = FakeBoard(BoardFacts(tmp_path))
    yield running
    running.close()
