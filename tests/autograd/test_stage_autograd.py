"""The assembled stage against PyTorch: the same random models there, in float64, and autograd.

PyTorch is an extra, and nowhere but here: `make test-torch` brings it and runs this folder.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra: make test-torch")
F = torch.nn.functional

from torch_layers import avg_pool, conv, conv_transposed, max_pool  # noqa: E402

from engram.nn.geometry import geom  # noqa: E402
from engram.nn.names import NOISE  # noqa: E402
from learn.random_graphs import WITH_GRADIENTS, cases  # noqa: E402
from learn.stage_cases import Assembled  # noqa: E402

CASES = cases(200, seed=21)
# float32 sums of up to some 100 terms, against float64; the values of a model are of about 1
RTOL, ATOL = 1e-4, 1e-5

LAYERS = {
    "dense": lambda node, x, w, b: F.linear(x.flatten(1), w, b),
    "conv2d": lambda node, x, w, b: conv(x, w, b, geom(node)),
    "pointwise": lambda node, x, w, b: F.linear(x, w[:, 0, 0], b),
    "depthwise": lambda node, x, w, b: conv(
        x, w.permute(2, 0, 1).unsqueeze(3), b, geom(node), x.shape[-1]
    ),
    "conv2d_t": lambda node, x, w, b: conv_transposed(x, w, b, geom(node)),
    "maxpool": lambda node, x: max_pool(x, geom(node)),
    "avgpool": lambda node, x: avg_pool(x, geom(node)),
    "global_avgpool": lambda node, x: x.mean((1, 2), keepdim=True),
    "relu": lambda node, x: torch.relu(x),
    "relu6": lambda node, x: F.relu6(x),
    "leaky_relu": lambda node, x: F.leaky_relu(x, float(np.float32(node["slope"]))),
    "hard_swish": lambda node, x: F.hardswish(x),
    "sigmoid": lambda node, x: torch.sigmoid(x),
    "tanh": lambda node, x: torch.tanh(x),
    "softmax": lambda node, x: torch.softmax(x, -1),
    "add": lambda node, a, b: a + b,
    "concat": lambda node, a, b: torch.cat([a, b], -1),
    "scale_shift": lambda node, x, scale, shift: x * scale + shift,
    "pad": lambda node, x: F.pad(
        x, (0, 0, node["pad"][1], node["pad"][3], node["pad"][0], node["pad"][2])
    ),
    "flatten": lambda node, x: x.flatten(1),
    "reshape": lambda node, x: x.reshape(-1, *node["out"]),
    "sample": lambda node, mean, spread, noise: mean + torch.exp(spread / 2) * noise,
}
LOSSES = {
    "reconstruct": lambda value, latent: F.mse_loss(value, latent),
    "bernoulli": lambda value, latent: F.binary_cross_entropy_with_logits(value, latent),
    "kl_mean": lambda value, _: torch.distributions.kl_divergence(
        normal(value, torch.ones_like(value)), normal(0, torch.ones_like(value))
    ).sum(1).mean(),
    "kl_spread": lambda value, _: torch.distributions.kl_divergence(
        normal(0, torch.exp(value / 2)), normal(0, torch.ones_like(value))
    ).sum(1).mean(),
}  # fmt: skip


def normal(mean, deviation):
    return torch.distributions.Normal(mean + torch.zeros_like(deviation), deviation)


def total_loss(run, tensors):
    """The loss of a case, of its outputs with their weights, as PyTorch has it."""
    x = torch.tensor(run.x, dtype=torch.float64)
    noise = run.reference_values(run.parameters())  # has the numbers that kernels draw
    values, loss = {":latent": x.reshape(-1, *run.spec.net.latent_shape)}, 0
    for node in run.nodes:
        own = {key: tensors[node[key]] for key in ("w", "b", "scale", "shift") if key in node}
        inputs = [values[name] for name in node["in"]]
        if node["op"] == "sample":
            drawn = noise[NOISE + node["name"]]
            inputs.append(torch.tensor(drawn).reshape(inputs[0].shape))
        values[node["name"]] = LAYERS[node["op"]](node, *inputs, **own)
    for output in run.outputs:
        value = values[output["node"]].flatten(1)
        if output["objective"] == "classify":
            part = F.cross_entropy(value, torch.tensor(run.labels.tolist()))
        elif output["objective"] in LOSSES:
            part = LOSSES[output["objective"]](value, values[":latent"].flatten(1))
        else:
            target = torch.tensor(run.targets[output["node"]], dtype=torch.float64)
            part = F.mse_loss(value, target)
        loss = loss + output["weight"] * part
    return loss


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_are_those_of_autograd(case):
    run = Assembled(case)
    tensors = {
        name: torch.tensor(values, requires_grad=True) for name, values in run.parameters().items()
    }
    loss = total_loss(run, tensors)
    loss.backward()
    assert run.accumulate() == pytest.approx(loss.item(), rel=1e-5)
    for name, gradient in run.gradients().items():
        target = tensors[name].grad.numpy()
        np.testing.assert_allclose(gradient, target, rtol=RTOL, atol=ATOL, err_msg=name)


def test_every_op_is_there():
    assert set(LAYERS) == set(WITH_GRADIENTS)


def test_a_bound_of_each_likelihood_is_there_with_a_drawn_code():
    """Else no gradient through the reparametrization would have been compared."""
    drawn = [case for case in CASES if case.objective == "elbo" and "sample" in case.ops]
    assert len(drawn) >= 4
    of = {output["objective"] for case in drawn for output in Assembled(case).outputs}
    assert of == set(LOSSES)
