"""Options that a board refused: they are forgotten, and the board is as it was."""

import pytest

from engram_host import api
from engram_host.errors import DeviceError


def test_refused_options_do_not_stick(device, model, some, data):
    api.push_model(device, model, lr=0.03, batch=8)
    api.learn(device, some([5], 20))
    before = api.eval(device, some([5], 20))
    with pytest.raises(DeviceError, match="got 9"):
        api.learn(device, some([5], 20), micro=9)
    facts = device.info()
    assert facts["options"] == {"lr": 0.03, "batch": 8}
    assert api.eval(device) == before  # by the options that the board had


def test_refused_options_of_a_push_do_not_stick(device, model, some):
    api.push_model(device, model, batch=8)
    with pytest.raises(DeviceError, match="got 9"):
        api.push_model(device, model, bits=None, micro=9)
    assert device.info()["options"] == {"batch": 8}
    assert api.learn(device, some([5], 20)).summary["generation"] == 1


def test_a_refused_first_push_leaves_no_options(device, model, some):
    with pytest.raises(DeviceError, match="got 9"):
        api.push_model(device, model, micro=9)
    facts = device.info()
    assert (facts["model"], facts["options"], facts["learner"]) == (None, {}, None)
    assert api.learn(device, some([5], 20)).summary["generation"] == 1


def test_options_refused_by_a_reset_do_not_stick(device, model, some):
    api.push_model(device, model, batch=8)
    with pytest.raises(DeviceError, match="got 9"):
        device.reset(micro=9)
    assert device.info()["options"] == {"batch": 8}
    assert api.learn(device, some([5], 20)).summary["generation"] == 1


def test_a_board_restarted_for_a_large_learner_opens_the_former_one_again(device, model, some):
    """Where the heap was in pieces the host restarts the board, which forgets its options."""
    api.push_model(device, model, batch=8)
    call, restarts = device.link.call, []

    def in_pieces(function, **arguments):
        if function == "open" and arguments.get("batch") == 64:
            raise DeviceError("FitError", "this learner, in one piece, needs more")
        return call(function, **arguments)

    def restart():
        restarts.append(1)
        device.link.leave_to_repl()
        return device.link.open()

    device.link.call, device.link.soft_reset = in_pieces, restart
    with pytest.raises(DeviceError, match="in one piece"):
        api.learn(device, some([5], 20), batch=64)
    assert restarts == [1] and device.info()["options"] == {"batch": 8}
    assert api.learn(device, some([5], 20)).summary["generation"] == 1
