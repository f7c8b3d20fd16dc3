"""Reference networks: converted, planned, and learning, whole batches as micro-batches."""

import io
from array import array

import networks
import networks_check
import numpy as np
import pytest
import rich

from engram import Learner, ModelSpec
from engram.continual.config import Config
from engram.errors import FitError
from engram_host import boards
from engram_host.convert import DeviceModel
from engram_host.learning.latent_store import LatentStore
from engram_host.planning.report import plan_report, plan_table

NAMES = sorted(networks.NETWORKS)
EACH = pytest.mark.parametrize("name", NAMES)


class Made:
    """A network, its device model and the report of its conversion."""

    def __init__(self, name, path):
        self.net, self.path = networks.NETWORKS[name](), path
        self.report = self.net.convert(path)

    def spec(self):
        return ModelSpec(io.BytesIO(self.path.read_bytes()))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """function(name) -> Made, each once."""
    folder, rows = tmp_path_factory.mktemp("networks"), {}

    def get(name):
        if name not in rows:
            rows[name] = Made(name, folder / f"{name}.safetensors")
        return rows[name]

    return get


@EACH
def test_a_network_survives_its_conversion(made, name):
    report = made(name).report
    assert all(row["snr_db"] > 28 for row in report["layers"])
    for output in report["outputs"]:
        assert output["snr_db"] > 30
        assert output["agreement"] is None or output["agreement"] > 0.9


@EACH
def test_the_kernels_compute_the_references_int8(made, name):
    """The numpy reference and the kernels were written apart; every bit must agree."""
    learner, device = Learner(made(name).spec()), DeviceModel(made(name).path)
    x, _ = made(name).net.samples(6, seed=5)
    for row, target in zip(x, device.latents(x)):
        assert learner.latent(array("f", row.ravel().tolist())) == target.tobytes()


@EACH
def test_the_kernels_compute_the_references_outputs(made, name):
    learner, device = Learner(made(name).spec(), batch=3, micro=3), DeviceModel(made(name).path)
    x, _ = made(name).net.samples(3, seed=6)
    latents = device.latents(x)
    learner.stage.x[:] = array("f", device.latent_scale.dequantize(latents).ravel().tolist())
    learner.stage.forward()
    for output, target in device.outputs(latents).items():
        out = np.array(learner.stage.outputs[output]).reshape(target.shape)
        assert out == pytest.approx(target, rel=2e-5, abs=2e-5)


@EACH
def test_a_network_learns_whole_batches_as_micro_batches(made, name):
    whole, parts = (
        networks_check.losses(str(made(name).path), micro=micro)
        for micro in (networks_check.BATCH, 1)
    )
    assert whole == pytest.approx(parts, rel=1e-5)
    assert whole[-1] < 0.995 * whole[0]


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"every_op"}))  # its softmax hides the rest
def test_a_learner_learns_what_its_store_holds(made, name):
    net, spec = made(name).net, made(name).spec()
    store = LatentStore(4 * net.classes, spec.latent_elems, targets=spec.targets)
    learner = Learner(spec, store, batch=8, micro=2, lr=0.01, budget=store.capacity)
    x, labels = net.samples(4 * net.classes)
    aims = np.random.default_rng(4).uniform(0, 1, (net.classes, spec.targets)).tolist()
    for row, label in zip(x, labels.tolist()):
        answer = aims[label] if not spec.classes else (label, aims[label])
        learner.observe(array("f", row.ravel().tolist()), answer if spec.targets else label)
    losses = [record["loss"] for record in learner.steps(epochs=10)]
    count = len(losses) // 10
    assert sum(losses[-count:]) < 0.7 * sum(losses[:count])


# ---- memory: arena and Python objects, without a store ----------------------------------------


@EACH
def test_a_network_is_planned(made, name):
    """The plan that a user sees is the one that a learner opens with."""
    spec, board = made(name).spec(), boards.load("teensy41").facts
    report = plan_report(made(name).path, [board], batch=16, micro=1, scope="head")
    plan = Config(spec, 16, 1, scope="head").plan()
    assert report["ram_peak_bytes"] == plan.layout.total_bytes
    assert [row["name"] for row in report["layers"] if row["learns"]] == list(plan.program.learns)
    assert report["macs_predict"] == sum(layer[4] for layer in plan.layout.layers) > 0
    rich.print(plan_table(report), file=io.StringIO())


def planned(made, name, **options):
    """Bytes of a learner, mini-batches of 16, one sample at a time."""
    spec = made(name).spec()
    layout = Config(spec, 16, 1, **options).plan().layout
    print(f"{name} {options}: {layout.total_bytes} bytes, of these arena {layout.block_bytes}")
    return layout.total_bytes


@pytest.mark.parametrize(
    ("options", "limit"),
    [({}, 140_000), ({"optimiser": "sgd"}, 140_000), ({"scope": "head"}, 130_000)],
)
def test_a_keyword_spotter_learns_in_140_kb(made, options, limit):
    """Two float32 maps of 25 x 5 x 64 are alive at once while its last convolution learns, 64 kB,
    as the latents are read twice. What learns takes 40 kB with its velocity, int8 weights 23 kB.
    """
    config = Config(made("ds_cnn").spec(), 16, **{"scope": "last:2", **options})
    plan = config.plan(available=limit)
    print(f"{options}: {plan.layout.total_bytes} bytes, micro-batches of {plan.micro}")


def test_what_fits_no_other_way_is_recomputed(made):
    config = Config(made("ds_cnn").spec(), 4, scope="last:2")
    whole, again = [config.plan_of(1, names).layout.total_bytes for names in ([], ["latents"])]
    assert whole - again == 4 * 25 * 5 * 64  # a map
    assert "again" not in config.plan(available=whole).sections
    least = config.plan(available=whole - 1)
    assert "again" in least.sections and least.layout.total_bytes == again
    with pytest.raises(FitError, match=f"needs {again} bytes"):
        config.plan(available=again - 1)


def test_a_small_network_learns_from_scratch_in_90_kb(made):
    assert 8_000 < made("from_scratch").spec().parameter_bytes < 12_000
    assert planned(made, "from_scratch") <= 90_000
