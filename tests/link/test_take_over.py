"""One learner per board: a program's learner and the agent, in turns."""

import gc

import pytest

from engram.errors import StoreError
from engram.opener import open_learner
from engram.store import RamFlash
from engram_host import api
from engram_host.device import Device
from engram_host.errors import LinkError
from engram_host.line.link import Link
from host.conftest import QUICK, data, model, some  # noqa: F401
from link.fake_board import BoardFacts, FakeBoard

RELEASED = "expected an open learner, got one that was released.*engram.open"


@pytest.fixture
def facts(tmp_path, model):  # noqa: F811
    """A board whose program is about to open its model, and no agent yet."""
    root = tmp_path / "flash"
    root.mkdir()
    (root / "model.safetensors").write_bytes(model.read_bytes())
    return BoardFacts(root, RamFlash(96, 4096, 256))


@pytest.fixture
def connect(facts, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    fake = FakeBoard(facts)
    yield lambda: Device(Link(fake.transport, timing=QUICK))
    fake.close()


def opened(facts, **options):
    return open_learner(facts.FS_ROOT + "/model.safetensors", facts, **options)


def test_a_second_open_releases_the_first_learner(facts, data):  # noqa: F811
    first = opened(facts)
    second = opened(facts)
    second.observe(data.x_train[0].tobytes(), 3)
    for use in (
        lambda: first.predict(data.x_train[0].tobytes()),
        lambda: first.observe(data.x_train[0].tobytes(), 3),
        first.learn,
        first.save,
        first.info,
        first.end_session,
        first.metrics,
        lambda: first.evaluate([]),
    ):
        with pytest.raises(StoreError, match=RELEASED):
            use()
    assert second.learn()["steps"] > 0


def test_learners_of_two_boards_are_open_at_once(facts, tmp_path):
    other = BoardFacts(tmp_path / "flash", RamFlash(96, 4096, 256))
    learners = [opened(facts), opened(other)]
    assert [learner.info()["session"] for learner in learners] == [0, 0]


def test_a_learner_that_is_let_go_is_not_kept(facts):
    learner = opened(facts)
    del learner
    gc.collect()
    from engram import holder

    assert holder.held(facts) is None


def test_the_agent_goes_on_with_the_learner_of_a_program(facts, connect, data, some):  # noqa: F811
    learner = opened(facts, batch=8, bits=4)
    for i in range(20):
        learner.observe(data.x_train[i].tobytes(), int(data.y_train[i]))
    device = connect()
    state = device.info()
    assert state["model"] == "model.safetensors" and state["options"] == {"batch": 8, "bits": 4}
    assert state["learner"]["batch"] == 8
    api.learn(device, some([5], 20))
    assert learner.session == 1 and len(learner.store) == 40  # it is one learner
    device.link.leave_to_repl()
    device.link.enter_repl()
    assert learner.predict(data.x_train[0].tobytes())[1] > 0  # the program has it again


def test_other_options_from_the_host_release_the_learner_of_a_program(
    facts, connect, data, some  # noqa: F811
):
    learner = opened(facts, batch=8)
    device = connect()
    api.learn(device, some([5], 20), batch=4)
    assert device.info()["learner"]["batch"] == 4
    with pytest.raises(StoreError, match=RELEASED):
        learner.predict(data.x_train[0].tobytes())


def test_a_learner_that_was_closed_is_not_taken_over(facts, connect):
    opened(facts).close()
    assert connect().info()["learner"] is None


def test_a_model_from_elsewhere_is_released(facts, connect, tmp_path, model):  # noqa: F811
    elsewhere = tmp_path / "other.safetensors"
    elsewhere.write_bytes(model.read_bytes())
    learner = open_learner(str(elsewhere), facts)
    assert connect().info()["learner"] is None
    with pytest.raises(StoreError, match=RELEASED):
        learner.info()


def test_the_board_remembers_model_and_options(facts, connect, model, some):  # noqa: F811
    device = connect()
    api.push_model(device, model, batch=8, lr=0.03)
    api.learn(device, some([5], 20))
    assert "model.safetensors" in device.files() and len(device.files()) == 1
    device.link.leave_to_repl()  # the agent ends, as at a reset
    device.link.open()
    state = device.info()
    assert state["learner"] is None
    assert (state["model"], state["options"]) == ("model.safetensors", {"batch": 8, "lr": 0.03})
    learned = api.learn(device, some([5], 20))
    assert device.info()["learner"]["batch"] == 8 and learned.summary["session"] == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"model": 1}', b"\xff\xfe"])
def test_a_damaged_memory_of_options_is_none(facts, connect, content):
    with open(facts.FS_ROOT + "/.engram.json", "wb") as file:
        file.write(content)
    state = connect().info()
    assert (state["model"], state["options"]) == (None, {})


def test_a_program_that_leaves_no_memory_for_the_agent_gives_way(facts):
    """Then the board starts again without its main.py."""
    fake = FakeBoard(facts)
    try:
        fake.full = True
        assert Device(Link(fake.transport, timing=QUICK)).info()["board"] == "fake"
        assert (fake.resets, fake.starts) == (1, 1)
    finally:
        fake.close()


def test_a_soft_reset_empties_the_heap_and_starts_the_agent(facts):
    fake = FakeBoard(facts)
    try:
        device = Device(Link(fake.transport, timing=QUICK))
        device.link.soft_reset()
        assert device.info()["board"] == "fake"
        assert (fake.resets, fake.starts) == (1, 2)
    finally:
        fake.close()


def test_a_board_that_cannot_reset_says_so(connect):
    with pytest.raises(LinkError, match="expected fake board to reset, got .*SyntaxError"):
        connect().link.reboot()
