"""What `engram repl` shows does not depend on how the bytes of an answer come in."""

import io
import itertools

import pytest

from engram_host.line import console


class Slow:
    """A board that answers one statement, in pieces cut where the test says."""

    name = "slow"

    def __init__(self, answer, cuts):
        bounds = [0, *cuts, len(answer)]
        self.pieces = [answer[a:b] for a, b in itertools.pairwise(bounds)]
        self.sent = b""

    def write(self, data):
        self.sent += data

    def read(self, timeout_s):
        return self.pieces.pop(0) if self.pieces else b""


ANSWER = b'print("a > b", end="")\r\na > b>>> '


@pytest.mark.parametrize("cuts", list(itertools.combinations(range(20, len(ANSWER)), 2)))
def test_a_prompt_that_comes_in_pieces_is_not_shown(cuts):
    output = io.StringIO()
    board = Slow(ANSWER, cuts)
    console._type(board, 'print("a > b", end="")', output)
    assert board.sent == b'print("a > b", end="")\r'
    assert output.getvalue() == '>>> print("a > b", end="")\na > b\n'
