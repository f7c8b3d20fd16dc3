import pytest
from hypothesis import settings

from link.fake_board import BoardFacts, FakeBoard


@pytest.fixture
def board(tmp_path):
    """The real agent in a thread of this process, an empty directory as its file system."""
    fake = FakeBoard(BoardFacts(tmp_path))
    yield fake
    fake.close()

# A busy computer is no failure of the code under test.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
