"""From a meter's samples to millijoules: what is told is true, within what is told with it."""

import numpy as np
import pytest

from engram_host.errors import MeterError
from engram_host.meters.base import Block
from engram_host.meters.result import analyse
from engram_host.meters.simulated import POWER_W, Simulated
from meters.course import QUIET_S, measured, timeline, truth_mj

CASES = 200
SECURE = 0.95  # of them: the coverage that the uncertainties promise


def figures(result):
    """{phase, "step", "sample", "total": (mj, u_mj)}"""
    records = dict(result["phases"])
    records.update({key: result[key] for key in ("step", "sample", "total") if key in result})
    return {key: (value["mj"], value["u_mj"]) for key, value in records.items()}


def random_case(seed):
    """(figures told, true ones) of a session and a meter that nothing is known of before."""
    random = np.random.default_rng(seed)
    course = timeline(
        random, steps=int(random.integers(3, 16)), samples=int(random.integers(2, 10))
    )
    power = {phase: float(random.uniform(0.002, 0.06)) for phase in POWER_W}
    meter = Simulated(
        rate=float(10 ** random.uniform(3.3, 4.9)),
        lines=int(random.choice([0, 3])),
        noise_w=float(random.uniform(0, 2e-3)),
        drift_ppm=float(random.uniform(-500, 500)),
        seed=seed + 10_000,
        drop=float(random.choice([0, 0.01, 0.05])),
        gain=float(random.uniform(-0.01, 0.01)),
        offset_w=float(random.uniform(-50e-6, 50e-6)),
        power=power,
        late_s=float(random.uniform(-0.2, 0.25)),
        lamp_w=float(random.uniform(0.005, 0.02)),
        averages=bool(random.integers(2)),
    )
    block = measured(course, meter)
    return figures(analyse(course, block, meter.capabilities)), truth_mj(course, power)


@pytest.mark.slow
def test_truth_lies_within_the_stated_uncertainty():
    """Late start, drift, noise, lost samples, gain and offset, with and without digital inputs."""
    flags = {}
    for seed in range(CASES):
        values, true = random_case(seed)
        for key, (mj, u_mj) in values.items():
            flags.setdefault(key, []).append(abs(mj - true[key]) <= u_mj)
    assert len(flags["total"]) == CASES
    shares = {key: float(np.mean(hits)) for key, hits in flags.items()}
    assert min(shares.values()) >= SECURE, shares


def test_the_stated_uncertainty_is_not_merely_large():
    """A clean stream of a fast meter: what remains is the meter's own gain and offset."""
    course = timeline(np.random.default_rng(5))
    meter = Simulated(rate=100_000, noise_w=0.1e-3)
    values = figures(analyse(course, measured(course, meter), meter.capabilities))
    for key, true in truth_mj(course).items():
        mj, u_mj = values[key]
        assert abs(mj - true) < 0.01 * true, key
        assert 2 / np.sqrt(3) * 0.01 * true < u_mj < 0.04 * true, key


def case(lines=3, **settings):
    course = timeline(np.random.default_rng(7))
    meter = Simulated(rate=20_000, lines=lines, **settings)
    return course, meter, measured(course, meter)


def changed(block, rows=slice(None), **parts):
    bits = None if block.bits is None else block.bits[rows]
    fields = {"t": block.t[rows], "power": block.power[rows], "bits": bits}
    return Block(**{**fields, "overrange": block.overrange[rows], **parts})


@pytest.mark.parametrize("lines", [3, 0])
def test_the_clocks_are_told_apart(lines):
    course, meter, block = case(lines, drift_ppm=400, noise_w=0.2e-3)
    result = analyse(course, block, meter.capabilities)
    assert result["clock_ppm"] == pytest.approx(400, abs=60)
    assert result["marked"] == ("pins" if lines else "clock")


@pytest.mark.parametrize("lines", [3, 0])
@pytest.mark.parametrize("which", ["first", "last"])
def test_missing_sync_pulses_are_named(lines, which):
    course, meter, block = case(lines)
    edge = course.syncs[0][-1] if which == "first" else course.syncs[1][0]
    at = edge - course.syncs[0][0] + 0.3  # the meter begins 0.3 s before the first pulse
    mask = block.t > at if which == "first" else block.t < at
    with pytest.raises(MeterError, match="sync pulses"):
        analyse(course, changed(block, mask), meter.capabilities)


def test_a_missing_lamp_is_named():
    course, meter, block = case(lines=0, lamp_w=0.0, noise_w=2e-3)
    with pytest.raises(MeterError, match="cannot be made out"):
        analyse(course, block, meter.capabilities)


def test_samples_lost_without_a_trace_are_noticed():
    """A meter that numbers what arrives, and not what it took: its clock seems to run slow."""
    course, meter, block = case()
    gap = np.random.default_rng(1).uniform(size=len(block)) < 0.05
    shorter = changed(block, ~gap)
    packed = changed(shorter, t=np.arange(len(shorter)) / 20_000)
    with pytest.raises(MeterError, match="ppm|sync pulses"):
        analyse(course, packed, meter.capabilities)


def test_a_long_gap_in_a_phase_gives_no_figure_for_it():
    course, meter, block = case()
    save = course.intervals[-1]
    zero = course.syncs[0][0] - 0.3
    inside = (block.t > save.start - zero + 0.005) & (block.t < save.end - zero - 0.005)
    only = timeline(np.random.default_rng(7))
    only.intervals[:] = [i for i in only.intervals if i.phase == "flash_write"]
    with pytest.raises(MeterError, match="lost"):
        analyse(only, changed(block, ~inside), meter.capabilities)


def test_a_few_lost_samples_widen_the_uncertainty():
    course, meter, block = case(noise_w=0.0)
    whole = figures(analyse(course, block, meter.capabilities))
    gap = np.random.default_rng(2).uniform(size=len(block)) < 0.1
    part = figures(analyse(course, changed(block, ~gap), meter.capabilities))
    assert part["replay_read"][1] > whole["replay_read"][1]


def test_overrange_in_a_phase_is_refused_and_elsewhere_not():
    course, meter, block = case()
    power = POWER_W["backward"] + 0.010
    made_, small, clipped = case(limit_w=power - 0.004)
    with pytest.raises(MeterError, match="beyond the meter's range"):
        analyse(made_, clipped, small.capabilities)
    over = np.zeros(len(block), bool)
    over[:100] = True  # before anything happened
    analyse(course, changed(block, overrange=over), meter.capabilities)


def test_pins_in_another_order_are_noticed():
    course, meter, block = case()
    bits = block.bits & 4 | (block.bits & 1) << 1 | block.bits >> 1 & 1
    with pytest.raises(MeterError, match="sync pulses|order"):
        analyse(course, changed(block, bits=bits), meter.capabilities)


def test_pins_that_change_one_after_the_other_show_no_other_phase():
    course, meter, block = case(noise_w=0.0)
    before = analyse(course, block, meter.capabilities)
    bits = block.bits.copy()
    edges = np.flatnonzero(np.diff(bits.astype(int))) + 1
    bits[edges] = bits[edges - 1] & bits[edges]  # a sample between two codes
    after = analyse(course, changed(block, bits=bits), meter.capabilities)
    for key, (mj, u_mj) in figures(after).items():
        assert abs(mj - figures(before)[key][0]) < u_mj, key


def test_a_phase_too_short_for_the_meter_has_no_figure_and_the_session_has():
    course = timeline(np.random.default_rng(3), scale=0.2)
    meter = Simulated(rate=2_000, lines=0, averages=True, noise_w=0.1e-3)
    result = analyse(course, measured(course, meter), meter.capabilities)
    assert set(result["left_out"]) >= {"forward", "backward", "update"}
    assert not set(result["left_out"]) & set(result["phases"])
    mj, u_mj = figures(result)["total"]
    assert abs(mj - truth_mj(course)["total"]) < u_mj


def test_a_meter_without_samples_or_without_idle_time_is_named():
    course, meter, block = case()
    with pytest.raises(MeterError, match="no sample"):
        analyse(course, changed(block, slice(0, 0)), meter.capabilities)
    zero = course.syncs[0][0] - 0.3
    mask = np.ones(len(block), bool)
    for start, end in course.idles:
        mask &= (block.t < start - zero - 1e-3) | (block.t > end - zero + 1e-3)
    with pytest.raises(MeterError, match="idle"):
        analyse(course, changed(block, mask), meter.capabilities)
    assert QUIET_S > 0


def test_a_step_and_a_sample_are_means_and_every_step_is_told():
    course, meter, block = case(noise_w=0.0)
    result = analyse(course, block, meter.capabilities)
    true = truth_mj(course)
    assert [row[0] for row in result["steps"]] == list(range(1, 13))
    assert sum(row[1] for row in result["steps"]) == pytest.approx(12 * result["step"]["mj"])
    assert result["step"]["n"] == 12 and result["sample"]["n"] == 8
    assert result["step"]["mj"] == pytest.approx(true["step"], rel=0.01)
    assert result["source"] == "simulated"
