"""What a user's options cannot do to a board, on virtual ones."""

import pytest

from engram_host import api
from engram_host.errors import DeviceError

pytestmark = pytest.mark.board


def test_a_run_that_diverges_leaves_what_the_board_knew(name, model, some, tmp_path):
    """Its model file, where nothing was saved; then the last saved state."""
    with api.connect(name) as board:
        api.push_model(board, model, batch=8, budget=100)
        api.push_data(board, some(range(10), 3))
        knew = api.eval(board)
        for generation, where in enumerate(("model file", "last saved state, generation 1")):
            words = f"learning diverges .* back at its {where}"
            with pytest.raises(DeviceError, match=words) as error:
                api.learn(board, some([5, 6], 8), lr=1e10, log=tmp_path / "bad.jsonl")
            assert error.value.kind == "DivergedError"
            assert board.store_info()["checkpoints"]["generation"] == generation
            assert api.eval(board) == knew
            api.learn(board, some([0, 5], 8), lr=0.03, log=tmp_path / "good.jsonl")
            knew = api.eval(board)
