"""The memory plan: nothing that is alive at the same time overlaps, and nothing is missing."""

import io
import itertools

import pytest
import tiny_model

from engram import Learner, ModelSpec
from engram.continual.config import Config
from engram.errors import DataError, FitError
from engram.memory.arena import Arena
from engram_host.learning.latent_store import LatentStore
from learn.random_graphs import Case
from learn.stage_cases import Assembled


def spec_of(data):
    return ModelSpec(io.BytesIO(data))


def plan(spec, batch, slots=0, **options):
    """The layout of a learner of whole batches."""
    return Config(spec, batch, options.pop("micro", batch), **options).plan(slots).layout


@pytest.fixture
def spec():
    return spec_of(tiny_model.model_bytes())


@pytest.mark.parametrize("depth", [None, 1, 2])
@pytest.mark.parametrize("batch", [1, 2, 7, 16])
def test_buffers_alive_together_do_not_overlap(spec, batch, depth):
    rows = [row for row in plan(spec, batch, depth=depth).rows if row[1] != "heap"]
    for a, b in itertools.combinations(rows, 2):
        alive_together = a[4] <= b[5] and b[4] <= a[5]
        apart = a[3] + a[2] <= b[3] or b[3] + b[2] <= a[3]
        assert apart or not alive_together, (a, b)


def test_wide_buffers_are_aligned(spec):
    assert all(row[3] % 4 == 0 for row in plan(spec, 3).rows if row[1] in ("f32", "i32"))


def test_sharing_saves_memory(spec):
    rows = [row for row in plan(spec, 16).rows if row[1] != "heap"]
    assert plan(spec, 16).block_bytes < sum(row[2] for row in rows)


def test_memory_grows_with_batch_and_store(spec):
    totals = [plan(spec, batch).total_bytes for batch in (1, 2, 4, 8)]
    assert totals == sorted(set(totals))
    assert plan(spec, 4, slots=100).total_bytes > plan(spec, 4).total_bytes


def test_fewer_trained_layers_need_less(spec):
    deep, head = plan(spec, 4), plan(spec, 4, depth=1)
    sizes = {row[0]: row[2] for row in head.rows}
    assert head.total_bytes < deep.total_bytes
    assert sizes["velocity"] == 4 * (4 * 8 + 4) < sizes["params"]


@pytest.mark.parametrize("depth", [1, 2])
def test_a_step_leaves_the_layers_below_alone(depth):
    spec = spec_of(tiny_model.model_bytes())
    learner = Learner(spec, LatentStore(40, spec.latent_elems), batch=4, depth=depth, lr=0.1)
    for i in range(12):
        learner.observe(tiny_model.sample(i % 3, i), i % 3)
    stage, before = learner.stage, learner.stage.params[:].tolist()
    learner.learn()
    still = len(stage.params) - stage.learned.elems
    after = stage.params.tolist()
    assert still > 0 and after[:still] == before[:still] and after[still:] != before[still:]


def test_macs_and_parameters_are_those_of_the_layers(spec):
    layers = {(row[0], i): row for i, row in enumerate(plan(spec, 1).layers)}
    assert layers["frozen", 0][4] == 6 * 6 * 4 * 3 * 3 * 2
    assert layers["frozen", 1][4] == 6 * 6 * 4 * 3 * 3
    assert layers["adaptive", 4][3] == 6 * 3 * 3 * 5 + 6
    assert layers["adaptive", 9][4] == 8 * 4


def test_micro_batches_share_what_a_whole_batch_needs(spec):
    totals = [plan(spec, 16, micro=micro).block_bytes for micro in (1, 2, 4, 8, 16)]
    assert totals == sorted(set(totals))


def test_the_largest_micro_batch_that_fits_is_taken(spec):
    config = Config(spec, 16)
    four = Config(spec, 16, 4).plan().layout.total_bytes
    assert config.plan(available=four).micro == 4
    assert config.plan(available=four - 1).micro == 2
    with pytest.raises(FitError, match="micro-batch 1"):
        config.plan(available=100)


def test_the_smallest_is_taken_where_none_leaves_enough(spec):
    config = Config(spec, 16)
    kept = [plan.layout.total_bytes for plan in config.plans() if not plan.recompute]
    plan = config.plan(available=10**6, spare=10**6)
    assert plan.layout.total_bytes == min(kept) < kept[0]
    assert config.plan(available=kept[0] + 100, spare=100).micro == 16


def test_values_are_computed_twice_where_nothing_else_fits_and_not_to_leave_room(spec):
    config = Config(spec, 16)
    totals = [plan.layout.total_bytes for plan in config.plans()]
    kept = [plan.layout.total_bytes for plan in config.plans() if not plan.recompute]
    assert min(totals) < min(kept)
    assert not config.plan(available=min(kept), spare=min(kept)).recompute
    assert config.plan(available=min(kept) - 1).recompute


def test_a_micro_batch_divides_the_batch(spec):
    with pytest.raises(DataError, match=r"\(1, 2, 3, 4, 6, 12\), got 5"):
        Config(spec, 12, 5)


def test_only_what_learns_has_gradients_and_velocities(spec):
    sizes = {row[0]: row[2] for row in plan(spec, 4, scope="all.b", clip=1).rows}
    assert sizes["grads"] == sizes["velocity"] == 4 * (6 + 8 + 4)


def test_a_scale_is_no_bias():
    run = Assembled(Case(seed=1, ops=("scale_shift", "dense"), scope="all.b"))
    learned = run.plan.program.learned
    assert {key for _, key, _, _, _ in learned} == {"shift", "b"}
    assert run.config.sizes(1).learned == run.plan.program.learned_elems


@pytest.mark.parametrize("weight", [0.5, 1, 2])
def test_the_loss_of_one_sample_needs_no_buffer_that_a_micro_batch_does_without(weight):
    case = Case(seed=1, ops=("relu",), batch=4, micro=2, weight=weight)
    run = Assembled(case, strategy="ewc")
    run.fill(0)
    run.stage.forward_single()
    run.stage.backward_single()
    assert any(run.stage.learned.grads)


@pytest.mark.parametrize(
    "options, buffers",
    [
        ({}, {"velocity"}),
        ({"clip": 1}, {"grads", "velocity"}),
        ({"strategy": "ewc"}, {"grads", "velocity"}),
        ({"momentum": 0}, {"grads"}),
        ({"optimiser": "adam"}, {"grads", "mean", "square"}),
    ],
)
def test_an_optimiser_has_no_buffer_that_it_does_not_need(spec, options, buffers):
    names = {row[0] for row in plan(spec, 4, **options).rows}
    assert names & {"grads", "velocity", "mean", "square"} == buffers


def test_no_gradient_is_kept_where_it_is_applied_at_once(spec):
    names = {row[0] for row in plan(spec, 1, optimiser="sgd").rows}
    assert not names & {"grads", "velocity"}


def test_what_does_not_fit_is_refused_before_allocating(spec):
    layout = plan(spec, 16)
    with pytest.raises(FitError) as error:
        Arena(layout, available=layout.total_bytes - 1)
    assert error.value.needed == layout.total_bytes
    assert error.value.available == layout.total_bytes - 1
    assert "reduce the batch" in str(error.value)
    arena = Arena(layout, available=layout.total_bytes)
    arena.lay_out(layout.offsets)
    assert len(arena.window("params")) == sum(row[3] for row in layout.layers[4:])
