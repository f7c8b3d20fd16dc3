"""The plan's verdict equals the board's, for several models and batches."""

import pytest

from engram.errors import EngramError
from engram_host import api, boards, virtual
from engram_host.planning.room import room_of
from learn import networks

pytestmark = [pytest.mark.board, pytest.mark.usefixtures("own_boards")]

# Not within the few kB in which a plan cannot know how a heap falls into pieces.
OPTIONS = ({"batch": 16}, {"batch": 128, "micro": 128}, {"batch": 16, "scope": "head"})


def verdicts(board, path, options):
    """Whether a model fits: by the plan of the board that is asked, by name, and as it is."""
    fits = [
        api.plan(path, port=board, **options)["fit"][0]["fits"],
        api.plan(path, boards=[board.link.board], **options)["fit"][0]["fits"],
    ]
    board.link.soft_reset()
    board.link.call("store_format")
    try:
        learner = board.push_model(path, **options)
    except EngramError:
        return [*fits, False]
    # `plan` and README.md say so
    off = {"qemu_m4f": 0.03, "unix": 0.05}[board.link.board]
    assert learner["ram_measured_bytes"] == pytest.approx(learner["ram_planned_bytes"], rel=off)
    return [*fits, True]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A small model, one of 50 kB that needs it, and one whose file is larger than the files."""
    folder = tmp_path_factory.mktemp("nets")
    paths = {}
    for name in ("two_heads", "resnet", "autoencoder"):
        paths[name] = folder / f"{name}.safetensors"
        getattr(networks, name)().convert(paths[name])
    return paths


@pytest.mark.parametrize("board_name", ["unix", "qemu_m4f"])
def test_the_verdict_of_the_plan_is_the_verdict_of_the_board(board_name, models):
    virtual.stop(board_name)
    api.start(board_name, fresh=True)
    seen = {}
    with api.connect(board_name) as board:
        for name, path in models.items():
            for number, options in enumerate(OPTIONS):
                seen[name, number] = verdicts(board, path, options)
            for file in board.files():
                board.remove(file)
    assert {key: row for key, row in seen.items() if len(set(row)) > 1} == {}
    assert {row[0] for row in seen.values()} == {True, False}


def test_the_measured_room_of_a_board_is_the_room_it_has(name):
    """[room] of board.toml, to 2 %; tests/bench/board_room.py measures it again."""
    room = room_of(boards.load(name).facts)
    with api.connect(name) as board:
        heap, files = board.room()["heap_bytes"], board.info()["fs"]["free_bytes"]
    assert room.source == "measured" and room.files == files
    assert heap == pytest.approx(room.heap, rel=0.02)
