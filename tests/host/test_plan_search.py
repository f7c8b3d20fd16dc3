"""The search of `engram plan --data`: what is refused, what is tried, what comes of it."""

import copy
import inspect
import json
import shlex
import sys
from types import SimpleNamespace

import click
import numpy as np
import pytest

from engram.nn.model import ModelSpec
from engram_host import api, boards, samples
from engram_host.cli import main
from engram_host.device import learner_options
from engram_host.errors import InputError
from engram_host.planning import kernel_costs, timing
from engram_host.planning.report import plan_report
from engram_host.search import feasible
from engram_host.search import study as study_module
from engram_host.search.contributions import analysed, layers
from engram_host.search.feasible import Costs, Limits, refusal
from engram_host.search.front import dominates, front, hypervolume
from engram_host.search.space import DIMENSIONS, FORMATS, Space, formats
from engram_host.search.study import Study
from engram_host.search.trial import Trials, parts
from host.command import run

BACKBONES = boards.home() / "examples" / "backbones" / "models"
POINT = {"scope": "head", "format": "f32", "bits": 4, "budget": 40, "batch": 4, "steps": 30}
SMALL = {"bits": 4, "budget": 50, "batch": 4}
GROUPS = [[0, 1, 2, 3, 4], [5, 6]]
ROOM = Limits(ram=96_000, flash=256 << 10, time=40.0)


@pytest.fixture
def spec(model):
    with open(model, "rb") as stream:
        yield ModelSpec(stream)


@pytest.fixture
def file(data, tmp_path):
    """Seven of the digits, as a user has them."""
    rows = data.y_train < 7
    path = tmp_path / "digits.npz"
    np.savez(path, x=data.x_train[rows], y=data.y_train[rows])
    return path


@pytest.fixture
def costs(model):
    return Costs(model, boards.load("qemu_m4f").facts, ROOM, 140)


# --- the front -----------------------------------------------------------------------------------


def test_what_no_other_dominates_is_the_front():
    points = [((3.0, 1.0), "a"), ((2.0, 2.0), "b"), ((2.0, 1.0), "c"), ((2.0, 2.0), "d")]
    assert [what for _, what in front(points)] == ["a", "b"]
    assert dominates((2.0, 2.0), (2.0, 1.0)) and not dominates((2.0, 2.0), (2.0, 2.0))


@pytest.mark.parametrize(
    ("points", "volume"),
    [
        ([], 0),
        ([(0.5, 0.0)], 0),
        ([(2.0, 1.0), (1.0, 2.0)], 3),
        ([(2.0, 1.0, 1.0), (1.0, 2.0, 1.0), (1.0, 1.0, 3.0)], 5),
        ([(1.0, 1.0, 1.0, 2.0), (2.0, 1.0, 1.0, 1.0)], 3),
        ([(1.0, 1.0), (-1.0, 5.0)], 1),
    ],
)
def test_the_hypervolume_of_boxes(points, volume):
    assert hypervolume(points) == pytest.approx(volume)


def test_the_hypervolume_is_that_of_sampled_points():
    rng = np.random.default_rng(1)
    points = rng.random((30, 4))
    at = rng.random((200_000, 4))
    inside = np.zeros(len(at), bool)
    for point in points:
        inside |= (at <= point).all(axis=1)
    assert hypervolume([tuple(p) for p in points]) == pytest.approx(inside.mean(), abs=0.004)


# --- the points and their costs ------------------------------------------------------------------


def test_a_space_has_the_scopes_of_the_model_and_keeps_what_is_given(spec):
    space = Space(spec, SMALL)
    assert space.choices["scope"] == ("all.b", "head", "last:2")  # two layers have weights
    assert len(space) == len(list(space)) == 3 * 3 * len(DIMENSIONS["steps"](spec))
    assert all({**point, **SMALL} == point for point in space)


def test_a_point_costs_what_the_plan_says(model, costs):
    board = boards.load("qemu_m4f").facts
    ways = costs.verdict({**POINT, "steps": 100}).ways
    limited = {**board, "flash": {**board["flash"], "store_bytes": ROOM.flash},
               "room": {"heap_bytes": ROOM.ram, "fs_bytes": 122_880}}  # fmt: skip
    for way in ways:
        options = {"scope": "head", "bits": 4, "batch": 4, "micro": way.micro}
        row = plan_report(model, [limited], **options)["fit"][0]
        assert row["opening_bytes"] == way.ram
    assert [way.micro for way in ways] == [4, 2, 1]
    assert ways[0].time < ways[-1].time and ways[0].ram > ways[-1].ram
    longer = costs.verdict({**POINT, "steps": 200}).ways[0]
    assert 100 * 20_000 < (longer.time - ways[0].time) * board["chip"]["clock_hz"] < 100 * 2e6


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (ROOM._replace(ram=50_000), "bytes of RAM"),
        (ROOM._replace(flash=60 << 10), "bytes of flash"),
        (ROOM._replace(time=0.5), "seconds"),
    ],
)
def test_a_point_beyond_a_limit_is_refused_and_says_which(model, limits, words):
    verdict = Costs(model, boards.load("qemu_m4f").facts, limits, 140).verdict(POINT)
    assert not verdict.fits
    assert refusal(verdict).endswith(f"too many {words}")


def test_latents_are_read_twice_only_where_nothing_else_fits(model):
    """As a board does by itself: the command cannot ask for it."""
    board = boards.load("qemu_m4f").facts
    for ram in range(60_000, 100_000, 4_000):
        for point in (POINT, {**POINT, "scope": "last:2", "batch": 16}):
            ways = Costs(model, board, Limits(ram=ram), 140).verdict(point).ways
            assert len({bool(way.recompute) for way in ways}) <= 1


def test_a_board_without_a_known_speed_has_no_time(model):
    pico = boards.load("rpi_pico").facts
    assert Costs(model, pico, Limits(), 60).verdict(POINT).ways[0].time is None
    with pytest.raises(InputError, match="cycles_per_instruction"):
        Costs(model, pico, ROOM, 60)


def test_formats_that_make_no_difference_to_a_model_are_no_choice(spec):
    assert Space(spec).choices["format"] == ("f32", "q8", "mixed")
    with open(BACKBONES / "fashion_dense.safetensors", "rb") as stream:
        assert formats(ModelSpec(stream)) == ("f32", "q8")  # the head is the only layer
    output = SimpleNamespace(net=copy.deepcopy(spec.net))
    output.net.adaptive = output.net.adaptive[:1]  # not dense: as an output it stays float32
    output.net.outputs = [{"node": output.net.adaptive[0]["name"], "objective": "regress"}]
    assert formats(output) == ("f32",)


def test_in_q8_a_point_has_one_size_of_micro_batch_as_it_decides_what_is_learned(model, costs):
    point = {**POINT, "batch": 16, "scope": "last:2"}
    ways = {form: costs.verdict({**point, "format": form}).ways for form in ("f32", "q8")}
    assert len(ways["f32"]) > 1 == len(ways["q8"])
    assert costs.micro(point) is None
    assert costs.micro({**point, "format": "q8"}) == ways["q8"][0].micro == 16


# --- the short run -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "micro"), [("f32", None), ("q8", 4), ("q8", 2), ("q8", 1), ("mixed", 2)]
)
def test_a_run_here_is_the_session_of_a_board(device, model, data, file, tmp_path, form, micro):
    """The same records, picks and steps, so the same accuracy to the last digit."""
    rows = data.y_test < 7
    test = tmp_path / "test.npz"
    np.savez(test, x=data.x_test[rows], y=data.y_test[rows])
    both = samples.load(file), samples.load(test)
    trials = Trials(model, parts(model, *both, GROUPS, True, 5, 1), {}, 1)
    device.push_model(model)
    options = {name: POINT[name] for name in ("scope", "bits", "budget", "batch", "steps")}
    options |= FORMATS[form]
    if micro is not None:
        options["micro"] = micro
    point = {**POINT, "format": form}
    learned = api.learn_stream(
        device, file, test=test, sessions="0-4,5+6", known_first=True, known=5, fresh=True,
        seed=1, **options,
    )  # fmt: skip
    assert trials.accuracy(point, micro) == learned.summary["accuracy"]
    assert trials.before() < trials.accuracy(point, micro)


def test_the_test_is_apart_from_what_is_learned(model, file):
    whole = samples.load(file)
    cut = parts(model, whole, None, GROUPS, True, 5, 1)
    assert len(cut.memory) + cut.most_new + len(cut.test) == len(whole)
    share = np.bincount(cut.test.y) / np.bincount(whole.labels)
    assert (abs(share - 0.25) < 0.02).all()


def test_nothing_to_learn_is_an_error(model, some):
    with pytest.raises(InputError, match="expected samples to learn and to test, got 0"):
        parts(model, some([1], 8), None, [[1]], True, 5, 1)


# --- the search ----------------------------------------------------------------------------------


class Runs:
    """Accuracy of a point without training, and which points were asked for."""

    def __init__(self, costs):
        self.points, self._costs = [], costs

    def __call__(self, point):
        assert self._costs.verdict(point).fits, "a refused point was trained"
        self.points.append(point)
        return 0.5 + point["steps"] / 2000 + (point["scope"] == "head") * 0.05


def test_a_small_search_tries_all_points_and_a_refused_one_never(spec, costs):
    runs = Runs(costs)
    space = Space(spec, {"scope": "last:2", "bits": 6, "budget": 50})
    outcome = Study(space, costs, runs).run(100)
    fitting = [point for point in space if costs.verdict(point).fits]
    assert 0 < len(fitting) < len(space)
    assert outcome.grid and outcome.fitting == outcome.trained == len(fitting)
    assert sorted(map(str, runs.points)) == sorted(map(str, fitting))


def test_a_large_search_trains_no_point_twice(spec, costs):
    runs = Runs(costs)
    outcome = Study(Space(spec), costs, runs, seed=3).run(25)
    assert not outcome.grid and outcome.trained == len(runs.points) == len(outcome.tried) == 25
    assert len(set(map(str, runs.points))) == 25
    assert outcome.refused == 0  # the guide knows what is beyond the limits


def test_a_space_too_large_to_be_counted_is_searched_too(monkeypatch, spec, costs):
    """Then points beyond the limits are proposed, and refused before they are trained."""
    monkeypatch.setattr(study_module, "_COUNTED", 100)
    runs = Runs(costs)
    outcome = Study(Space(spec), costs, runs, seed=3).run(25)
    assert outcome.fitting is None and outcome.trained == len(set(map(str, runs.points))) == 25
    assert outcome.refused > 0


def test_the_guide_finds_the_best_of_a_smooth_surface(spec, costs):
    """In a fifth of the trainings, where most random searches do not."""
    runs = Runs(costs)
    space = Space(spec, {"bits": 4, "format": "f32"})
    fitting = [point for point in space if costs.verdict(point).fits]
    outcome = Study(space, costs, runs, seed=1).run(len(fitting) // 5)
    best = max(map(Runs(costs), fitting))
    assert max(tried.accuracy for tried in outcome.tried) == best


def test_two_machines_share_a_journal(spec, costs, tmp_path):
    """The second goes on with what the first has left, and knows all of it at the end."""
    space, first, second = Space(spec, SMALL), Runs(costs), Runs(costs)
    study = tmp_path / "study.journal"
    whole = Study(space, costs, first, storage=study).run(1000)
    half = tmp_path / "half.journal"
    Study(space, costs, first, storage=half).run(len(whole.tried), minutes=1e-9)
    Study(space, costs, second, storage=study).run(1000)
    assert second.points == []
    Study(space, costs, second, storage=half).run(1000)
    assert len(second.points) == len(whole.tried)


def test_no_point_within_the_limits_names_the_nearest(model, spec):
    costs = Costs(model, boards.load("qemu_m4f").facts, Limits(ram=30_000), 140)
    outcome = Study(Space(spec), costs, Runs(costs)).run(5)
    point, verdict = outcome.nearest
    assert outcome.tried == [] and "too many bytes of RAM" in refusal(verdict)
    assert (point["format"], point["batch"]) == ("q8", 4)


def test_without_optuna_the_error_says_how_to_get_it(monkeypatch, spec, costs):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"pip install 'engram\[search\]'"):
        Study(Space(spec), costs, Runs(costs))


# --- the layers that are worth learning ----------------------------------------------------------


def contributed(point):
    """Gains that do not quite add up: a0 gains nothing beside a3."""
    scope = point["scope"]
    return 0.5 + (0.4 if "a3" in scope else 0.1 if "a0" in scope else 0) - 0.01 * ("norm" in scope)


def test_the_layers_that_gain_the_most_within_the_limits_are_chosen(spec, model):
    point = {**POINT, "batch": 16}
    board = boards.load("qemu_m4f").facts
    wide = analysed(layers(spec), Costs(model, board, Limits(), 140), contributed, point)
    assert wide.biases == 0.5 and layers(spec) == ["a0", "a3"]
    gains = {one.layer + one.part: round(one.gain, 3) for one in wide.contributions}
    assert gains["a0"] == 0.1 and gains["a3"] == 0.4 and gains["a3.in:norm:0.5"] == 0.39
    assert wide.choices[0].accuracy == 0.9 and max(one.sum for one in wide.choices) > 0.49
    most = 72_000
    costs = Costs(model, board, Limits(ram=most, flash=256 << 10), 140)
    tight = analysed(layers(spec), costs, contributed, point)
    assert all(one.way.ram <= most for one in tight.choices)
    assert {one.layer for one in tight.contributions if one.way is None} >= {"a0"}


def test_where_not_even_biases_fit_the_error_says_by_how_much(spec, model):
    costs = Costs(model, boards.load("qemu_m4f").facts, Limits(ram=30_000), 140)
    with pytest.raises(InputError, match="too many bytes of RAM"):
        analysed(layers(spec), costs, contributed, POINT)


# --- the command ---------------------------------------------------------------------------------


def command_of(name):
    return main.get_command(click.Context(main), name)


def searched(model, file, *words):
    limits = ["--ram", "96k", "--flash", "256KiB", "--time", "40s", "--known", "5"]
    return run("plan", model, "--board", "qemu_m4f", "--data", file, *limits, *words)


def test_the_command_shows_the_front_and_a_line_for_each_point(model, file, tmp_path):
    out = tmp_path / "plan"
    text = searched(model, file, "--batch", "4", "--bits", "4", "--trials", "8", "--out", out)
    report = json.loads((out / "front.json").read_text())
    assert (out / "front.png").stat().st_size > 10_000
    assert (out / "front.svg").read_text().startswith("<?xml")
    rows = report["front"]
    assert report["trained"] == 8 and report["objectives"] == ["accuracy", "ram", "flash", "time"]
    assert all(row["accuracy"] > report["before"] for row in rows)
    assert all(row["ram"] <= 96_000 and row["time"] <= 40 for row in rows)
    lines = [line.split(": ", 1)[1] for line in text.stdout.splitlines() if ": engram le" in line]
    assert lines == [rows[at]["command"] for at in report["shown"]]


def test_a_line_of_the_front_is_one_that_learn_takes(model, file, tmp_path):
    result = searched(
        model, file, "--scope", "head", "--strategy", "replay", "--bits", "3", "--trials", "3",
        "--out", tmp_path, "--json",
    )  # fmt: skip
    row = json.loads(result.stdout)["front"][0]
    engram, verb, *words = shlex.split(row["command"])
    taken = command_of(verb).make_context(verb, words).params
    assert engram == "engram" and taken["data"] == file and taken["sessions"] == "0-4,5-6"
    assert taken["known_first"] and taken["fresh"] and taken["known"] == 5
    for name in ("scope", "bits", "batch", "micro", "steps"):
        assert taken[name] == row[name]
    assert taken["budget"] == str(row["budget"]) and taken["strategy"] == "replay"


@pytest.mark.parametrize("words", [[], ["--format", "q8"]], ids=["f32", "q8"])
def test_the_command_names_the_layers_that_are_worth_learning(model, file, words):
    text = searched(model, file, "--choose", "--steps", "40", "--ram", "90k", *words).stdout
    assert "the biases alone" in text and "a3.in:norm:0.5" in text
    lines = [line for line in text.splitlines() if line.startswith("engram learn ")]
    assert len(lines) == 3 and all("--scope all.b" in line for line in lines)
    assert all((" --format q8 " in line) == bool(words) for line in lines)


def test_a_format_that_is_given_is_the_only_one(model, file, tmp_path):
    words = ["--format", "q8", "--scope", "head", "--trials", "4", "--out", tmp_path, "--json"]
    report = json.loads(searched(model, file, *words).stdout)
    assert report["choices"]["format"] == ["q8"] and report["trained"] == 4
    assert all(" --format q8 " in row["command"] for row in report["front"])
    assert report["not_counted"] == [] == report["left_out"]


def test_a_kernel_without_a_count_is_named(monkeypatch, model, file, tmp_path):
    counts = dict(timing.core_costs(boards.load("qemu_m4f").facts).counts)
    del counts["conv2d_step_q8"]
    costs = kernel_costs.CoreCosts("qemu_m4f", None, counts)
    monkeypatch.setattr(feasible, "counted", lambda board: costs)
    words = ["--format", "q8", "--scope", "last:2", "--bits", "4", "--batch", "4", "--trials", "2"]
    text = searched(model, file, *words, "--steps", "50", "--out", tmp_path).stdout
    assert "no measured cost of conv2d_step_q8" in " ".join(text.split())


def test_a_format_that_no_such_learner_has_is_left_out_with_the_cause(model, file, tmp_path):
    words = ["--strategy", "lwf", "--trials", "2", "--bits", "4", "--out", tmp_path]
    text = " ".join(searched(model, file, *words).stdout.split())
    for form in ("q8", "mixed"):
        assert f"not searched: {form}: strategy lwf: expected number formats among f32" in text


def test_without_an_fpu_the_front_is_of_q8(model, file, tmp_path):
    limits = ["--ram", "64k", "--flash", "256KiB", "--time", "40s", "--known", "5"]
    run("plan", model, "--board", "qemu_m0p", "--data", file, *limits, "--trials", "12",
        "--bits", "4", "--out", tmp_path)  # fmt: skip
    report = json.loads((tmp_path / "front.json").read_text())
    assert report["choices"]["format"] == ["f32", "q8", "mixed"]
    assert {row["format"] for row in report["front"]} == {"q8"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ram", "64k"], "--ram is a limit of a search: give --data too"),
        (["--data", "x.npz", "--ram", "64q"], "expected a size as 64k"),
        (["--data", "x.npz", "--time", "2 weeks"], "expected a time as 2s"),
        (["--data", "x.npz"], "name one with --board or --port"),
    ],
)
def test_what_cannot_be_searched_is_told(model, words, message):
    result = run("plan", model, *words)
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_sizes_and_times_are_read():
    assert learner_options.size("64k") == learner_options.size("64kB") == 64_000
    assert learner_options.size("64KiB") == 65_536 and learner_options.size("1.5M") == 1_500_000
    assert learner_options.seconds("500ms") == 0.5 and learner_options.seconds("2min") == 120


def test_the_options_of_a_search_are_those_of_the_api():
    """Each goes through by its name."""
    names = {param.name for param in command_of("plan").params}
    wanted = set(inspect.signature(api.plan_search).parameters)
    wanted -= {"model", "board", "port", "reporter", "learner"}
    assert wanted <= names
