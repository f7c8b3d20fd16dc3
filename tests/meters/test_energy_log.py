"""A session with a meter, end to end: what the log says of its energy, and with which label."""

import json
from dataclasses import replace

import numpy as np
import pytest

from engram.link import phases
from engram_host import api
from engram_host.commands.energy_rows import energy_rows, figure
from engram_host.errors import InputError, MeterError
from engram_host.learning import log, measuring
from engram_host.meters.base import Accuracy, Block, Capabilities, empty
from engram_host.meters.simulated import Simulated
from engram_host.meters.timeline import DeviceClock, Recorder, Timeline


class MadeUpTime:
    """Microseconds that pass when asked for, and in sleeps: the same on every computer."""

    ASKED_US = 400

    def __init__(self):
        self.us = 0

    def ticks_us(self):
        self.us += self.ASKED_US
        return self.us

    def sleep(self, seconds):
        self.us += round(seconds * 1e6)


@pytest.fixture
def quick(monkeypatch, board):
    """A board whose time is made up: no phase is too short for a meter, no wait is one."""
    passing = MadeUpTime()
    board.facts.counter = passing.ticks_us
    monkeypatch.setattr(phases, "ticks_us", passing.ticks_us)
    monkeypatch.setattr(phases, "time", passing)
    monkeypatch.setattr(measuring, "_STARTING_S", 0)
    monkeypatch.setattr(measuring, "_AFTER_S", 0)


def kinds(path):
    return [record["kind"] for record in log.read(path)]


def test_a_simulated_meter_is_labelled_so_everywhere(device, model, some, tmp_path, quick):
    api.push_model(device, model, batch=8)
    path = tmp_path / "l.jsonl"
    result = api.learn(device, some([5], 16), epochs=2, log=path, meter="simulated,rate=200000")
    assert kinds(path)[-3:] == ["timeline", "energy", "summary"]
    energy = next(r for r in log.read(path) if r["kind"] == "energy")
    assert energy["source"] == "simulated" == result.summary["energy"]["source"]
    assert "device" not in json.dumps([energy, result.summary["energy"]])
    assert [row[0] for row in energy["steps"]] == [1, 2, 3, 4]
    assert energy["total"]["mj"] > 0 and energy["sample"]["n"] == 16
    step = energy["step"]
    assert step["s"] == pytest.approx(sum(s["total"] for s in result.steps) * 1e-6 / 4, rel=1e-3)
    assert 12 < step["mj"] / step["s"] < 22  # mW: what was made up for the phases
    assert all("energy" not in row for row in result.steps)
    rows = dict(energy_rows(result.summary, path))
    assert rows["energy, a step"].endswith("mJ (simulated, simulated)")
    paths = api.report(path, tmp_path / "report")
    page = paths["report"].read_text()
    assert "Energy of a simulated meter" in page and "Energy, measured" not in page


class Bench(Simulated):
    """The simulated meter in the guise of a real one, for a board that says it is real."""

    def __init__(self, abilities=None, **settings):
        super().__init__(**settings)
        mine = self.capabilities
        self.capabilities = abilities or Capabilities(
            "bench", mine.rate_hz, mine.lines, mine.accuracy
        )


def test_only_a_meter_on_a_real_board_makes_it_device(
    device, board, model, some, tmp_path, quick, machine
):
    api.push_model(device, model, batch=8)
    meter = Bench(rate=200_000)
    with pytest.raises(InputError, match="emulated"):
        api.learn(device, some([5], 8), log=tmp_path / "no.jsonl", meter=meter)
    board.facts.COUNTER_KIND = "device"
    del device.counter
    with pytest.raises(InputError, match="no phase pins are known of a board 'fake'.*board=rpi_p"):
        api.learn(device, some([5], 8), log=tmp_path / "no.jsonl", meter=meter)
    with pytest.raises(InputError, match="no phase pins are known of a board 'unix'"):
        abilities = replace(meter.capabilities, board="unix")
        api.learn(
            device, some([5], 8), log=tmp_path / "no.jsonl", meter=Bench(abilities=abilities)
        )
    meter.capabilities = replace(meter.capabilities, board="rpi_pico")
    path = tmp_path / "yes.jsonl"
    result = api.learn(device, some([5], 8), log=path, meter=meter)
    assert result.energy["source"] == "device" and result.energy["meter"] == "bench"
    assert [name for name, *_ in machine[1]] == [2, 3, 4]  # of boards/rpi_pico/board.toml
    page = api.report(path, tmp_path / "report")["report"].read_text()
    assert "Energy, measured" in page


def test_without_a_meter_it_is_the_models_or_nothing(device, board, model, some, tmp_path):
    api.push_model(device, model, batch=8)
    result = api.learn(device, some([5], 8), log=tmp_path / "a.jsonl")
    assert "energy" not in result.summary  # nothing is known of this board's power
    board.facts.NAME = "nucleo_l4r5zi"
    result = api.learn(device, some([5], 8), log=tmp_path / "b.jsonl")
    for record in (result.summary, *result.steps):
        assert record["energy"]["source"] == "model"
    step = result.steps[0]
    assert step["energy"]["mj"] == {
        "nucleo_l4r5zi": pytest.approx((step["total"] + step["link"]) * 1e-6 * 45.84, rel=1e-5)
    }


def test_no_recording_makes_an_emulated_session_the_devices(device, model, some, tmp_path, quick):
    api.push_model(device, model, batch=8)
    path = tmp_path / "l.jsonl"
    api.learn(device, some([5], 8), log=path, meter="simulated,rate=200000")
    (tmp_path / "r.csv").write_text("time,power\n0,1\n1,1\n")
    with pytest.raises(InputError, match="ran on an emulated board .*kind host"):
        api.measure(path, f"csv:{tmp_path / 'r.csv'}")


def test_a_recording_is_matched_afterwards(device, board, model, some, tmp_path, quick, machine):
    """engram learn --meter csv:FILE, the bench meter's export, engram measure."""
    board.facts.COUNTER_KIND = "device"
    api.push_model(device, model, batch=8)
    path, file = tmp_path / "l.jsonl", tmp_path / "recording.csv"
    result = api.learn(device, some([5], 16), log=path, meter=f"csv:{file},board=rpi_pico")
    assert "energy" not in result.summary and "timeline" in kinds(path)
    assert "engram measure" in dict(energy_rows(result.summary, path))["energy"]
    with pytest.raises(InputError, match=r"recording\.csv"):
        api.measure(path, f"csv:{file}")
    timeline = Timeline.from_record(next(r for r in log.read(path) if r["kind"] == "timeline"))
    meter = Simulated(rate=50_000, lines=3, drift_ppm=80, noise_w=1e-4)
    meter.start()
    meter.told(timeline)
    block = meter.read()
    rows = zip(block.t * 1e3, block.power / 3e-6, block.bits)
    lines = [f"{t:.4f},{ua:.3f},{''.join(str(b >> i & 1) for i in range(8))}" for t, ua, b in rows]
    file.write_text("\n".join(["Timestamp(ms),Current(uA),D0-D7", *lines]))
    outcome = api.measure(path, f"csv:{file},volts=3.0")
    assert (
        outcome["source"] == "device" and outcome["marked"] == "pins" and outcome["meter"] == "csv"
    )
    assert outcome["clock_ppm"] == pytest.approx(80, abs=100)
    assert kinds(path)[-1] == "energy"
    api.report(path, tmp_path / "report")


def test_a_log_without_a_timeline_cannot_be_measured(device, model, some, tmp_path):
    api.push_model(device, model)
    api.learn(device, some([5], 5), log=tmp_path / "l.jsonl")
    with pytest.raises(InputError, match="expected a log with a timeline, got none"):
        api.measure(tmp_path / "l.jsonl", "csv:x.csv")


class Broken:
    """A meter that fails in the middle."""

    capabilities = Capabilities("broken", 1000, 0, Accuracy(0, 0, ""), simulated=True)

    def __init__(self):
        self.stopped = False
        self.reads = 0

    def start(self):
        pass

    def read(self):
        self.reads += 1
        if self.reads > 3:
            raise MeterError("the cable was pulled")
        return empty()

    def stop(self):
        self.stopped = True

    def close(self):
        pass

    def told(self, timeline):
        pass


def test_a_meter_that_fails_leaves_the_board_with_what_it_learned(
    device, model, some, tmp_path, quick
):
    api.push_model(device, model, batch=8)
    meter = Broken()
    with pytest.raises(MeterError, match="cable"):
        api.learn(device, some([5], 8), log=tmp_path / "l.jsonl", meter=meter)
    assert meter.stopped and device.info()["learner"]["session"] == 1
    assert kinds(tmp_path / "l.jsonl")[-1] == "summary"
    again = api.learn(device, some([5], 8), epochs=1, log=tmp_path / "m.jsonl")
    assert again.summary["steps"] == 2


def test_a_counter_that_turns_over_goes_on():
    clock = DeviceClock(1e-6)
    turn = 1 << 30
    ticks = [turn - 10, turn - 1, 5, 400_000_000, 399_999_000, 300_000_000, 100]
    seconds = [clock.seconds(t) for t in ticks]
    expected = [0, 9, 15, 400_000_010, 399_999_010, 300_000_010, turn + 110]
    assert np.allclose(np.array(seconds) * 1e6, expected)


def test_a_counter_that_stands_still_is_no_clock_for_a_meter():
    recorder = Recorder(1e-6)
    assert recorder.quiet(100, 600_100, 0.5) == pytest.approx(0.6)
    assert recorder.quiet(700_100, 700_200, 0.5) == pytest.approx(1e-4)
    idle, still = recorder.timeline.idles
    assert idle == pytest.approx((0.06, 0.54)) and still == pytest.approx((0.75, 1.15))
    recorder.sync([700_300, 800_300])  # 0.5 s of waiting lie between
    assert recorder.timeline.syncs[0][0] == pytest.approx(1.2001, abs=1e-3)


@pytest.mark.parametrize(
    "mj, u, text",
    [
        (1.23456, 0.0123, "1.235 ± 0.012 mJ"),
        (12.3, 3.4, "12.3 ± 3.4 mJ"),
        (900, 40, "900 ± 40 mJ"),
    ],
)
def test_figures_have_as_many_places_as_their_uncertainty(mj, u, text):
    assert figure({"mj": mj, "u_mj": u}) == text


def test_blocks_without_samples_are_blocks():
    assert len(empty()) == 0 and isinstance(empty(lines=True), Block)
    assert empty(lines=True).bits is not None
