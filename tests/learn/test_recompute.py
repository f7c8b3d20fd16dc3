"""Values that are computed twice: steps are the same to the last bit, and take less memory."""

import io
import random
from dataclasses import replace

import numpy as np
import pytest

import engram
from engram import ModelSpec
from engram.continual.config import Config
from engram.continual.opening import stage_class
from engram.errors import DataError, FitError
from engram.memory.arena import Arena
from engram.nn.names import LATENTS
from engram.nn.recompute import choosable
from engram.nn.sections import Sections
from engram_host.planning.work import computed_twice
from learn import networks
from learn.random_graphs import cases
from learn.stage_cases import Assembled
from learn.test_stage_memory import apart

CASES = [replace(case, frozen=False) for case in cases(60, seed=31)]
OPTIONS = (
    {},
    {"optimiser": "adam", "clip": 0.5},
    {"optimiser": "sgd", "weight_decay": 0.01},
    {"skip": 0.3},
)


def some(seed, share):
    """function(plan) -> a random share of what it can compute twice."""

    def names(plan):
        rng = random.Random(seed)
        return [name for name in choosable(plan) if rng.random() < share]

    return names


def stepped(run):
    """The bytes of what learns after two mini-batches, and the losses."""
    optimiser, losses = run.config.optimiser, []
    run.stage.start()
    for _ in range(2):
        optimiser.next_step()
        for group, hyper in run.plan.groups.items():
            optimiser.set_rate(hyper, 0.05, group)
        run.stage.begin()
        for first in range(0, run.case.batch, run.stage.micro):
            run.fill(first)
            run.stage.forward()
            run.stage.loss()
            run.stage.backward()
        run.stage.update()
        losses.append(run.loss())
    return bytes(run.stage.params), losses


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_steps_are_the_same_to_the_last_bit(options):
    twice = 0
    for seed, case in enumerate(CASES):
        if options.get("optimiser") == "sgd":
            case = replace(case, batch=1, micro=1)
        expected = stepped(Assembled(case, recompute=(), **options))
        for share in (0.4, 1):
            for layout in (None, apart):
                run = Assembled(case, recompute=some(seed, share), layout=layout, **options)
                assert stepped(run) == expected, (str(case), run.plan.recompute)
                twice += bool(computed_twice(run.plan))
    assert twice > len(CASES)


def test_a_copy_that_is_not_computed_is_seen(monkeypatch):
    """The comparison can fail: the backward pass reads what nobody computed again."""
    from engram.nn import recompute

    monkeypatch.setattr(recompute, "_of_again", lambda program, row: [])
    wrong = 0
    for seed, case in enumerate(CASES[:20]):
        expected = stepped(Assembled(case, recompute=()))
        run = Assembled(case, recompute=some(seed, 1), layout=apart)
        wrong += stepped(run)[0] != expected[0]
    assert wrong > 10


# -- q8 ----------------------------------------------------------------------------------------

NETWORKS = ("mobilenet", "resnet", "from_scratch", "every_op")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")

    def raw(name):
        path = folder / f"{name}.safetensors"
        if not path.exists():
            networks.NETWORKS[name]().convert(path)
        return path.read_bytes()

    return raw


def integers_after(raw, names, form, clip, steps=3):
    """Bytes of all that a q8 learner has after some steps: integers, records, parameters."""
    spec = ModelSpec(io.BytesIO(raw))
    config = Config(spec, 4, 2, scope="all", format=form, momentum=0, clip=clip)
    plan = config.plan_of(2, names)
    arena = Arena(plan.layout, 1 << 40)
    arena.lay_out(plan.layout.offsets)
    stage = stage_class(plan.program)(spec, plan, arena)
    rng = np.random.default_rng(1)
    n = spec.latent_elems
    latents = rng.integers(-128, 128, (4, n), dtype=np.int8)

    def batch():
        stage.begin()
        for first in (0, 2):
            own = bytearray(latents[first : first + 2].tobytes())
            stage.refill = lambda own=own: stage._take(stage.again, own)
            stage._take(stage.x, own)
            stage.labels[:] = bytes((first % spec.classes, 1))
            stage.forward_loss()
            stage.backward()

    stage.start()
    stage.settle(batch)
    for group in plan.rates.steps:
        plan.rates.set(group, 0.05)
    for group, hyper in plan.groups.items():
        config.optimiser.set_rate(hyper, 0.05, group)
    for _ in range(steps):
        batch()
        stage.update()
    windows = [window for _, window in stage.integers] + [stage.scales.errors, stage.params]
    return [bytes(window) for window in windows]


@pytest.mark.parametrize("form, clip", [("q8", None), ("mixed", None), ("q8", 0.5)])
@pytest.mark.parametrize("name", NETWORKS)
def test_steps_of_q8_are_the_same_and_note_nothing_twice(made, name, form, clip):
    raw = made(name)
    spec = ModelSpec(io.BytesIO(raw))
    config = Config(spec, 4, 2, scope="all", format=form, clip=clip)
    known = choosable(Sections(spec.net, config.choice, 2))
    expected = integers_after(raw, [], form, clip)
    assert expected != integers_after(raw, [], form, clip, steps=2)
    for names in ([LATENTS], known[1:], known, known[::2]):
        assert integers_after(raw, names, form, clip) == expected, names


# -- the choice --------------------------------------------------------------------------------


def ways(raw, **options):
    config = Config(ModelSpec(io.BytesIO(raw)), 16, **options)
    return config, [(plan.micro, plan.recompute, plan.layout.total_bytes) for plan in
                    config.plans()]  # fmt: skip


@pytest.mark.parametrize("name", ["mobilenet", "from_scratch", "every_op"])
def test_less_and_less_memory_is_needed(made, name):
    config, found = ways(made(name), scope="all")
    whole = [total for _, names, total in found if not names]
    assert [micro for micro, names, _ in found if not names] == [16, 8, 4, 2, 1]
    least = min(found, key=lambda way: way[2])
    assert least[1] and least[2] < 0.95 * min(whole)
    assert config.plan(available=min(whole)).recompute == []
    plan = config.plan(available=least[2])
    assert (plan.micro, plan.recompute) == least[:2]
    first = next(way for way in found if way[2] < min(whole))
    assert config.plan(available=min(whole) - 1).recompute == first[1]
    with pytest.raises(FitError, match=f"needs {least[2]} bytes"):
        config.plan(available=least[2] - 1)


def test_what_is_asked_for_is_computed_twice(made):
    raw = made("from_scratch")
    config, found = ways(raw, scope="all", recompute="latents,relu1")
    assert {tuple(names) for _, names, _ in found} == {("latents", "relu1")}
    assert len(found) == 5
    for nothing in ("none", []):
        assert not any(names for _, names, _ in ways(raw, scope="all", recompute=nothing)[1])
    assert ways(raw, scope="all", recompute="auto")[1] == ways(raw, scope="all")[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"recompute": "relu1,relu99"}, "among latents, .*relu1.*, got relu99"),
        ({"recompute": ["relu1"], "strategy": "ewc"}, "gradients of single samples, got relu1"),
    ],
)
def test_what_cannot_be_computed_twice_is_refused(made, options, words):
    with pytest.raises(DataError, match=words):
        Config(ModelSpec(io.BytesIO(made("from_scratch"))), 16, scope="all", **options)




def first(path, folder, **options):
    """(the answer of a new q8 learner, the losses of its first two steps)"""
    learner = engram.load(str(path), folder=str(folder), batch=4, micro=1, format="q8", **options)
    rng = np.random.default_rng(3)
    samples = rng.normal(0, 1, (8, learner.input_elems)).astype(np.float32)
    answer = learner.predict(samples[0])
    for label, x in enumerate(samples):
        learner.observe(x, label % 4)
    losses = [record["loss"] for record in learner.steps(steps=2)]
    learner.close()
    return answer, losses


def test_scales_are_found_on_latents_that_are_there(tmp_path):
    """The search for scales runs forward and backward passes several times, and the values of the
    first may lie where the latents were."""
    path = tmp_path / "ds_cnn.safetensors"
    networks.ds_cnn(2).convert(path)
    expected = first(path, tmp_path / "all", scope="all")
    for number, names in enumerate(("latents", "relu18", "latents,relu18,relu20")):
        assert first(path, tmp_path / str(number), scope="all", recompute=names) == expected
    for scope in ("all.b,head", "head"):  # steps change other weights
        assert first(path, tmp_path / scope, scope=scope)[0] == expected[0]
