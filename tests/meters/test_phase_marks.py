"""The device's end: phases on pins and in the log, and nothing of it unless somebody measures."""

import numpy as np
import pytest

from engram.continual.trainer import PHASES
from engram.link.phases import CODES, OBSERVE, STEP, PhaseMarker
from engram_host import api
from engram_host.errors import DeviceError
from meters.pins import Pins


def named(codes):
    names = {code: name for name, code in CODES.items()}
    return [names[code] for code in codes]


def test_in_a_step_one_pin_changes_at_a_time():
    codes = [CODES[name] for name in ("idle", *STEP[:-1])]
    assert [bin(a ^ b).count("1") for a, b in zip(codes, codes[1:])] == [1] * 4
    assert len(set(CODES.values())) == len(CODES) and max(CODES.values()) < 8
    assert STEP[:-1] == PHASES


def test_a_marker_shows_the_phases_in_turn_and_counts():
    pins, ticks = Pins(), iter(range(100))
    marker = PhaseMarker(pins.lines(), lambda: next(ticks))
    assert [marker.count() for _ in range(7)] == list(range(7))
    assert named(pins.codes()) == ["idle", *STEP, *STEP[:2]]
    marker.expect(OBSERVE)
    marker.count()
    assert named(pins.codes())[-1] == "flash_write"


def test_a_lamp_lights_for_the_sync_pulses_only():
    pins, ticks = Pins(), iter(range(100))
    marker = PhaseMarker(pins.lines(), lambda: next(ticks), lamp=True)
    for _ in range(5):
        marker.count()
    marker.receiving()
    assert pins.shown == []
    marker.sync([1, 1])
    assert named(pins.codes()) == ["sync", "idle", "idle"]


def test_sync_pulses_last_as_long_as_they_should():
    from engram.compat import ticks_us

    pins = Pins()
    marker = PhaseMarker(pins.lines(), ticks_us)
    edges = marker.sync([5, 5, 10])
    assert named(pins.codes()) == ["idle", "sync", "idle", "sync", "idle"]
    spans = np.diff(edges)
    assert len(edges) == 4 and np.all(spans >= (5000, 5000, 10000))


def test_a_session_shows_its_phases_on_the_boards_pins(device, model, some, machine):
    pins, calls = machine
    api.push_model(device, model, batch=8)
    device.phases_begin(["GP2", "GP3", 4])
    assert calls == [("GP2", 1, 0), ("GP3", 1, 0), (4, 1, 0)]
    answer = device.observe_quietly(some([5], 10))
    list(device.learning(1))
    device.end_session()
    device.save()
    device.phases_end()
    seen = named(pins.codes())
    runs = [name for i, name in enumerate(seen) if i == 0 or seen[i - 1] != name]
    text = " ".join(runs)
    assert text.count("forward flash_write receive") == 10 == len(answer["marks"])
    assert text.count("replay_read forward backward update idle") == 2
    assert runs[-1] == "idle" and "receive flash_write idle" in text  # the learned state
    before = len(pins.shown)
    device.save()
    assert len(pins.shown) == before  # nobody measures any more


def test_without_pins_the_device_still_tells_when(device, model, some):
    api.push_model(device, model, batch=8)
    device.phases_begin([])
    answer = device.observe_quietly(some([5], 9))
    assert answer["n"] == 9 == len(answer["marks"])
    for arrival, at, forward, write in answer["marks"]:
        assert arrival <= at and forward > 0 and write > 0
    units = sum(forward + write for _, _, forward, write in answer["marks"])
    assert units == answer["units"]
    assert (
        sum(mark[3] for mark in answer["marks"]) == answer["flash_write"] and answer["receive"] > 0
    )
    rows = list(device.learning(2))
    ends = [row["at"] + sum(row["phases"].values()) for row in rows]
    assert all(end <= row["at"] for end, row in zip(ends, rows[1:]))
    edges = device.phases_sync([3, 3])
    assert len(edges) == 3 and ends[-1] <= edges[0]


def test_nothing_is_marked_unless_asked(device, board, model, some):
    api.push_model(device, model)
    assert device.observe_quietly(some([5], 3))["marks"] == []
    with pytest.raises(DeviceError, match="phases_begin"):
        device.phases_sync([1])


def test_a_board_takes_three_pins_or_none_and_needs_a_model(device, model):
    with pytest.raises(DeviceError, match="expected an open model"):
        device.phases_begin([])
    api.push_model(device, model)
    with pytest.raises(DeviceError, match="expected 3 pins"):
        device.phases_begin([1, 2])


def test_another_model_ends_the_marking(device, model):
    api.push_model(device, model)
    device.phases_begin([])
    device.open(batch=4)
    with pytest.raises(DeviceError, match="phases_begin"):
        device.phases_sync([1])
