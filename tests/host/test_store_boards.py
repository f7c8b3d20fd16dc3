"""The store verbs and rollback on virtual boards, as a user gives them."""

import json

import numpy as np
import pytest

from engram_host import api, samples, virtual
from host.command import run

pytestmark = [pytest.mark.board, pytest.mark.usefixtures("own_boards")]


def told(*args):
    result = run(*args, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_board_is_looked_into_goes_back_and_is_emptied(name, model, some, data, tmp_path):
    blank = run("store-info", "--port", name)
    assert blank.exit_code == 1 and "got blank flash" in " ".join(blank.stderr.split())
    test = samples.make(data.x_test[:120], data.y_test[:120])
    with api.connect(name) as board:
        api.push_model(board, model, lr=0.03)
        right = [api.eval(board, test)]
        for label in (5, 6):
            api.learn(board, some([label], 40), epochs=2, log=tmp_path / "l.jsonl")
            right.append(api.eval(board))
        device_says = board.store_info()

    facts = told("store-info", "--port", name)
    assert facts["labels"] == {"5": 40, "6": 40} and facts["damaged"] == 0
    assert facts["capacity"] == device_says["store"]["capacity"]
    assert facts["index_ram_bytes"] == device_says["store"]["ram_bytes"]
    assert [state["generation"] for state in facts["checkpoints"]] == [2, 1]
    assert told("store-check", "--port", name)["live"] == 80
    assert told("store-dump", tmp_path / "s.npy", "--port", name)["samples"] == 80
    assert np.load(tmp_path / "s.npy").shape == (80, facts["latent_bytes"])

    result = run("rollback", "--to", "previous", "--port", name, input="n\n")
    assert result.exit_code == 1 and "last saved state is erased" in result.stderr
    assert told("rollback", "--to", "previous", "--yes", "--port", name)["generation"] == 1
    virtual.kill(name)
    with api.connect(name) as board:
        assert api.push_model(board, model)["session"] == 1
        assert api.eval(board) == right[1]
    assert told("rollback", "--to", "factory", "--yes", "--port", name)["generation"] is None
    assert told("eval", "--port", name)["right"] == right[0]["right"]
    virtual.kill(name)
    with api.connect(name) as board:
        assert api.push_model(board, model)["session"] == 0

    assert told("store-format", "--keep-wear", "--yes", "--port", name)["formatted"]
    facts = told("store-info", "--port", name)
    assert (facts["live"], facts["wear_min"]) == (0, 1) and facts["checkpoints"] == []
    assert told("store-format", "--yes", "--port", name)["formatted"]
    assert told("store-info", "--port", name)["wear_max"] == 1  # the model's own new store


def test_a_learner_opens_beside_a_full_store(model, data):
    """What a mount of many units leaves on the heap is not in the way of the arena."""
    virtual.stop("qemu_m4f")
    api.start("qemu_m4f", fresh=True)
    with api.connect("qemu_m4f") as board:
        api.push_model(board, model)
        board.observe(samples.make(data.x_train[:1400], data.y_train[:1400]))
        board.link.soft_reset()
        assert board.open()["ram_measured_bytes"] > 0
        assert board.store_info()["store"]["live"] == 1400
