"""PyTorch modules become the networks that they are, by torch.export.

`make test-torch` runs it.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra: make test-torch")
for name in ("tflite", "safetensors"):
    pytest.importorskip(name)
from torch import nn  # noqa: E402

import engram  # noqa: E402
from engram.errors import ModelError  # noqa: E402
from engram_host import api  # noqa: E402
from engram_host.convert import float_ops  # noqa: E402
from engram_host.convert.graph import load  # noqa: E402
from engram_host.imports import floats, onnx_network, pipeline, torch_graph  # noqa: E402
from engram_host.samples import Samples  # noqa: E402
from importer import fuzz  # noqa: E402
from importer.mobile import Mobile  # noqa: E402


class Wide(nn.Module):
    """The layers that a MobileNet has not."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding="same", dilation=2)
        self.up = nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1)
        self.norm = nn.BatchNorm2d(4, affine=False)
        self.enlarge = nn.Upsample(scale_factor=2)
        self.out = nn.Linear(8 * 2 * 2, 5)

    def forward(self, x):
        x = nn.functional.leaky_relu(self.first(x) * 0.5 - 1, 0.2)
        x = nn.functional.avg_pool2d(self.norm(self.up(x)).sigmoid(), 2)
        x = torch.cat([nn.functional.hardswish(x), torch.tanh(x)], 1)
        x = nn.functional.max_pool2d(nn.functional.pad(x, (1, 0, 2, 0)), 3, 2)
        x = nn.functional.adaptive_avg_pool2d(self.enlarge(x.clamp(min=0)), 2)
        return nn.functional.log_softmax(self.out(x.view(-1, 32)), -1)


class Signal(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(3, 6, 5, 2, 2), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(48, 3)
        )

    def forward(self, x):
        return self.body(x)


MODELS = {
    "mobile": (Mobile, (1, 28, 28)),
    "wide": (Wide, (3, 10, 12)),
    "signal": (Signal, (3, 32)),
}


def soiled(build, seed=0):
    """A module that predicts, with running means that are not those of a new one."""
    torch.manual_seed(seed)
    module = build()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 2)
    return module.eval()


@pytest.mark.parametrize("name", MODELS)
def test_it_is_the_network_of_pytorch(name, tmp_path):
    build, shape = MODELS[name]
    module = soiled(build)
    net = onnx_network.network(torch_graph.export(module, torch.zeros(1, *shape)), name)
    x = np.random.default_rng(9).normal(size=(20, *shape)).astype(np.float32)
    floats.write(tmp_path / "float", net, "input", None)
    model = load(tmp_path / "float")
    values = {"input": np.moveaxis(x, 1, -1).reshape(len(x), *net.input_shape)}
    float_ops.run((*model.frozen, *model.adaptive), values)
    out = values[model.outputs[0]["node"]]
    with torch.no_grad():
        expected = module(torch.as_tensor(x)).numpy()
    if name == "wide":  # the logarithm of probabilities is the objective's
        out = out - np.log(np.exp(out).sum(1, keepdims=True))
    np.testing.assert_allclose(out, expected, rtol=2e-4, atol=2e-4)


def test_a_file_of_torch_export_is_the_same(tmp_path):
    module = soiled(Signal)
    torch.export.save(torch.export.export(module, (torch.zeros(1, 3, 32),)), tmp_path / "net.pt2")
    net = pipeline.read(tmp_path / "net.pt2")
    other = onnx_network.network(torch_graph.export(module, torch.zeros(1, 3, 32)), "net")
    assert [(layer.op, layer.out) for layer in net.layers] == [
        (layer.op, layer.out) for layer in other.layers
    ]
    (tmp_path / "bad.pt2").write_bytes(b"PK\x03\x04" + bytes(200))
    with pytest.raises(ModelError, match="expected a file of torch.export.save"):
        pipeline.read(tmp_path / "bad.pt2")


def test_hostile_files_are_told():
    """A few seconds of `make fuzz`."""
    fine, words = fuzz.run("pt2", seed=1, budget=3)
    assert fine, words


def test_a_device_model_is_made_of_it(tmp_path):
    net = onnx_network.network(
        torch_graph.export(soiled(Mobile), torch.zeros(1, 1, 28, 28)), "mobile"
    )
    assert [layer.reason for layer in net.layers if layer.reason] == []
    x = np.random.default_rng(1).normal(size=(60, 28, 28, 1)).astype(np.float32)
    cut = next(layer.name for layer in net.layers if layer.op == "global_avgpool")
    report = pipeline.import_model(net, tmp_path / "out", cut=cut, samples=Samples(x, None))
    assert report["made"]["snr_db"] > 15


class TwoHeads(nn.Module):
    """Colour pictures to classes and a place."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
        )
        self.kind, self.place = nn.Linear(8 * 3 * 4, 6), nn.Linear(8 * 3 * 4, 2)

    def forward(self, x):
        x = self.body(x)
        return self.kind(x), torch.tanh(self.place(x))


def test_colours_and_both_outputs_go_the_whole_way(tmp_path):
    """From channels first to last, flattened below the heads: a learner answers as PyTorch."""
    module, out = soiled(TwoHeads), tmp_path / "out.safetensors"
    x = np.random.default_rng(1).random((100, 3, 12, 16)).astype(np.float32)
    pictures = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    report = api.import_torch(
        module, torch.zeros(1, 3, 12, 16), out, cut="maxpool_2", data=Samples(pictures, None)
    )
    assert [row["objective"] for row in report["outputs"]] == ["classify", "regress"]
    alone = api.import_torch(module, torch.zeros(1, 3, 12, 16), output=["kind"])
    assert [row["layer"] for row in alone["outputs"]] == ["dense_4"]
    with torch.no_grad():
        kind, place = (part.numpy() for part in module(torch.as_tensor(x)))
    learner = engram.open(str(out))
    answers = [learner.predict(picture) for picture in pictures]
    classes, places = (list(part) for part in zip(*(answer.values() for answer in answers)))
    assert np.mean([label for label, _ in classes] == kind.argmax(1)) >= 0.95
    assert np.abs(np.array(places) - place).max() < 0.05


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (nn.GELU(), "no kernel for gelu"),
        (nn.Conv2d(4, 4, 3, groups=2), "expected one group or one filter per channel"),
        (nn.AvgPool2d(2, ceil_mode=True), "expected sizes rounded down"),
        (nn.Upsample(scale_factor=1.5), "expected whole factors"),
        (lambda x: x.clamp(0, 4), "expected a clip from 0 to 6"),
        (lambda x: torch.sub(x, x.tanh(), alpha=2), "expected alpha 1"),
        (lambda x: nn.functional.pad(x, (1, 1, 1, 1), mode="reflect"), "padding with zeros"),
    ],
)
def test_what_boards_do_not_run_is_a_reason(call, words):
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.call = call

        def forward(self, x):
            return self.call(x)

    net = onnx_network.network(torch_graph.export(One(), torch.zeros(1, 4, 8, 8)), "one")
    assert any(words in layer.reason for layer in net.layers)


def test_a_module_that_cannot_be_exported_is_told():
    class Bad(nn.Module):
        def forward(self, x):
            raise ValueError("three channels, please")

    with pytest.raises(ModelError, match="torch.export takes with this example, got .*three"):
        torch_graph.export(Bad(), torch.zeros(1, 4))
