"""The tables of calls: which module has a call, and that only this one is loaded for it."""

import pytest

from engram.errors import CommandError
from engram.link import calls, rare, states


def test_a_call_is_in_one_table():
    names = [*calls.CALLS, *rare.CALLS, *states.CALLS]
    assert len(names) == len(set(names))


def test_the_names_of_calls_on_states_are_all_there():
    """The board looks a rare call up by these names: one that is missing would be unknown."""
    assert set(calls.STATES) == set(states.CALLS)


@pytest.mark.parametrize("module", [calls, rare, states])
def test_each_call_is_found(module):
    device = type("Device", (), {})()
    for name, function in module.CALLS.items():
        assert calls.call_of(device, name) is function


def test_an_unknown_call_is_told_all_names():
    with pytest.raises(CommandError) as error:
        calls.call_of(type("Device", (), {})(), "fly")
    for name in (*calls.CALLS, *rare.CALLS, *states.CALLS):
        assert name in str(error.value)
    assert "got 'fly'; update" in str(error.value)
