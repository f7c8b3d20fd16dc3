"""Every gradient kernel against PyTorch's autograd on the same numbers, in float64 there.

PyTorch is an extra, and nowhere but here: `make test-torch` brings it and runs this folder.
"""

from array import array

import kernels_check as cases
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra: make test-torch")
F = torch.nn.functional

from torch_layers import avg_pool, conv, conv_transposed, max_pool  # noqa: E402

from kernels.common import C, rows  # noqa: E402

# float32 sums of up to some 100 terms of at most 1 in size, against float64
RTOL, ATOL = 1e-5, 1e-5
GEOMETRIES = [(B, *geom) for geom in cases.GEOM for B in (1, 3)]
SEED = np.random.default_rng(7)
checked = set()


def numbers(*shape, low=-1.0, high=1.0):
    return SEED.uniform(low, high, shape).astype(np.float32)


def leaf(x):
    """A float64 tensor whose gradient is wanted."""
    return torch.tensor(np.asarray(x, np.float64), requires_grad=True)


def close(values, tensor):
    np.testing.assert_allclose(values, tensor.detach().numpy(), rtol=RTOL, atol=ATOL)


def gradient(kernels, name, written, *args):
    """Calls the kernel; weight gradients start from what is there, which is then taken off."""
    checked.add(name)
    start = [np.array(w) for w in written]
    getattr(kernels, name)(*written, *args)
    return [w - s if name.endswith("_dw") else w for w, s in zip(written, start, strict=True)]


ON = pytest.mark.parametrize("kernels", [C])


@ON
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 4), (8, 17, 9)], ids=str)
def test_dense(kernels, shape):
    B, N, M = shape
    x, w, b, dout = numbers(B, N), numbers(M, N), numbers(M), numbers(B, M)
    X, W, bias = leaf(x), leaf(w), leaf(b)
    F.linear(X, W, bias).backward(torch.tensor(dout, dtype=torch.float64))
    close(gradient(kernels, "dense_bwd_dx", [numbers(B, N)], dout, w, B, N, M)[0], X.grad)
    dw, db = gradient(kernels, "dense_bwd_dw", [numbers(M, N), numbers(M)], dout, x, B, N, M)
    close(dw, W.grad)
    close(db, bias.grad)


@ON
@pytest.mark.parametrize("shape", GEOMETRIES, ids=str)
def test_conv2d(kernels, shape):
    B, *geom = shape
    H, W, ch, K, R, S = geom[:6]
    g, out = array("i", geom), (B, *geom[12:], K)
    x, w, b = numbers(B, H, W, ch), numbers(K, R, S, ch), numbers(K)
    dout = numbers(*out)
    X, weights, bias = leaf(x), leaf(w), leaf(b)
    conv(X, weights, bias, geom).backward(torch.tensor(dout, dtype=torch.float64))
    close(gradient(kernels, "conv2d_bwd_dx", [numbers(*x.shape)], dout, w, g, B)[0], X.grad)
    dw, db = gradient(kernels, "conv2d_bwd_dw", [numbers(*w.shape), numbers(K)], dout, x, g, B)
    close(dw, weights.grad)
    close(db, bias.grad)


@ON
@pytest.mark.parametrize("shape", GEOMETRIES, ids=str)
def test_depthwise(kernels, shape):
    B, *geom = shape[:4] + shape[3:4] + shape[5:]
    H, W, ch, _, R, S = geom[:6]
    g = array("i", geom)
    x, w, b = numbers(B, H, W, ch), numbers(R, S, ch), numbers(ch)
    dout = numbers(B, *geom[12:], ch)
    X, weights, bias = leaf(x), leaf(w), leaf(b)
    filters = weights.permute(2, 0, 1).unsqueeze(3)  # one input channel each
    conv(X, filters, bias, geom, ch).backward(torch.tensor(dout, dtype=torch.float64))
    close(gradient(kernels, "depthwise_bwd_dx", [numbers(*x.shape)], dout, w, g, B)[0], X.grad)
    start = [numbers(*w.shape), numbers(ch)]
    dw, db = gradient(kernels, "depthwise_bwd_dw", start, dout, x, g, B)
    close(dw, weights.grad)
    close(db, bias.grad)


@ON
@pytest.mark.parametrize("shape", GEOMETRIES, ids=str)
def test_conv2d_transposed(kernels, shape):
    B, *geom = shape
    H, W, ch, K, R, S = geom[:6]
    OH, OW = geom[12:]
    g = array("i", geom)
    x, w, b = numbers(B, OH, OW, K), numbers(K, R, S, ch), numbers(ch)
    dout = numbers(B, H, W, ch)
    X, weights, bias = leaf(x), leaf(w), leaf(b)
    y = conv_transposed(X, weights, bias, geom)
    out = numbers(B, H, W, ch)
    kernels.conv2d_t_fwd(out, x, w, b, g, B)
    close(out, y)
    y.backward(torch.tensor(dout, dtype=torch.float64))
    close(gradient(kernels, "conv2d_t_bwd_dx", [numbers(*x.shape)], dout, w, g, B)[0], X.grad)
    start = [numbers(*w.shape), numbers(ch)]
    dw, db = gradient(kernels, "conv2d_t_bwd_dw", start, dout, x, g, B)
    close(dw, weights.grad)
    close(db, bias.grad)


@ON
@pytest.mark.parametrize("shape", GEOMETRIES, ids=str)
def test_pools(kernels, shape):
    B, *geom = shape[:4] + shape[3:4] + shape[5:]
    H, W, ch = geom[:3]
    g = array("i", geom)
    x, dout = numbers(B, H, W, ch), numbers(B, *geom[12:], ch)
    upstream = torch.tensor(dout, dtype=torch.float64)

    X = leaf(x)
    y = max_pool(X, geom)
    assert torch.isfinite(y).all()
    out = numbers(*dout.shape)
    kernels.maxpool_fwd(out, x, g, B)
    close(out, y)
    y.backward(upstream)
    close(gradient(kernels, "maxpool_bwd_dx", [numbers(*x.shape)], dout, x, g, B)[0], X.grad)

    X = leaf(x)
    y = avg_pool(X, geom)
    y.backward(upstream)
    close(gradient(kernels, "avgpool_bwd_dx", [numbers(*x.shape)], dout, g, B)[0], X.grad)


@ON
def test_global_average_pool(kernels):
    B, P, ch = 3, 7, 5
    x, dout = numbers(B, P, ch), numbers(B, ch)
    X = leaf(x)
    X.mean(1).backward(torch.tensor(dout, dtype=torch.float64))
    dx = gradient(kernels, "global_avgpool_bwd_dx", [numbers(B, P, ch)], dout, B, P, ch)[0]
    close(dx, X.grad)


SLOPE = np.float32([0.125])
ACTIVATIONS = {
    "relu": (torch.relu, ()),
    "relu6": (F.relu6, ()),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.125), (SLOPE,)),
    "sigmoid": (torch.sigmoid, ()),
    "tanh": (torch.tanh, ()),
}


@ON
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(kernels, name):
    function, more = ACTIVATIONS[name]
    x, dout, out = numbers(500, low=-9, high=9), numbers(500), numbers(500)
    X = leaf(x)
    y = function(X)
    y.backward(torch.tensor(dout, dtype=torch.float64))
    getattr(kernels, f"{name}_fwd")(out, x, *more)
    close(out, y)
    close(gradient(kernels, f"{name}_bwd_dx", [numbers(500)], dout, out, *more)[0], X.grad)


@ON
def test_hard_swish(kernels):
    """Its gradient reads the input, not the output."""
    x, dout = numbers(500, low=-5, high=5), numbers(500)
    X = leaf(x)
    F.hardswish(X).backward(torch.tensor(dout, dtype=torch.float64))
    close(gradient(kernels, "hard_swish_bwd_dx", [numbers(500)], dout, x)[0], X.grad)


@ON
def test_softmax(kernels):
    B, K = 6, 10
    x, dout, out = numbers(B, K, low=-5, high=5), numbers(B, K), numbers(B, K)
    X = leaf(x)
    y = torch.softmax(X, 1)
    y.backward(torch.tensor(dout, dtype=torch.float64))
    kernels.softmax_fwd(out, x, B, K)
    close(out, y)
    close(gradient(kernels, "softmax_bwd_dx", [numbers(B, K)], dout, out, B, K)[0], X.grad)


@ON
def test_scale_shift(kernels):
    P, ch = 9, 6
    x, scale, shift, dout = numbers(P, ch), numbers(ch), numbers(ch), numbers(P, ch)
    X, S, shifted = leaf(x), leaf(scale), leaf(shift)
    (X * S + shifted).backward(torch.tensor(dout, dtype=torch.float64))
    dx = gradient(kernels, "scale_shift_bwd_dx", [numbers(P, ch)], dout, scale, P, ch)[0]
    close(dx, X.grad)
    start = [numbers(ch), numbers(ch)]
    dscale, dshift = gradient(kernels, "scale_shift_bwd_dw", start, dout, x, P, ch)
    close(dscale, S.grad)
    close(dshift, shifted.grad)


@ON
def test_padding(kernels):
    B, H, W, ch, OH, OW, top, left = 2, 5, 3, 4, 8, 6, 1, 2
    x, dout, out = numbers(B, H, W, ch), numbers(B, OH, OW, ch), numbers(B, OH, OW, ch)
    X = leaf(x)
    y = F.pad(X, (0, 0, left, OW - left - W, top, OH - top - H))
    y.backward(torch.tensor(dout, dtype=torch.float64))
    ints = B, H, W, ch, OH, OW, top, left
    kernels.pad_fwd(out, x, *ints)
    close(out, y)
    close(gradient(kernels, "pad_bwd_dx", [numbers(*x.shape)], dout, *ints)[0], X.grad)


@ON
def test_losses(kernels):
    B, K = 6, 10
    logits, labels = numbers(B, K, low=-5, high=5), bytes(i * 3 % K for i in range(B))
    X, stats, d = leaf(logits), np.zeros(2, np.float32), numbers(B, K)
    loss = F.cross_entropy(X, torch.tensor(list(labels)))
    loss.backward()
    kernels.softmax_xent(d, stats, logits, labels, B, K)
    close(stats[0] / B, loss)
    close(d, X.grad)

    target, stats = numbers(B, K), np.zeros(1, np.float32)
    X = leaf(logits)
    loss = F.mse_loss(X, torch.tensor(target, dtype=torch.float64))
    loss.backward()
    kernels.mse(d, stats, logits, target, B, K)
    close(stats[0] / B, loss)
    close(d, X.grad)


@ON
@pytest.mark.parametrize("shape", [(1, 1), (4, 6)], ids=str)
def test_a_bound_through_a_drawn_code(kernels, shape):
    """Kingma and Welling (ICLR 2014): the reparametrized code, and its divergence from standard
    normal as PyTorch has it."""
    B, Z = shape
    mean, spread, dout = numbers(B, Z), numbers(B, Z), numbers(B, Z)
    out, noise = numbers(B, Z), numbers(B, Z)
    kernels.sample_code(out, noise, array("i", (5, 0, 1)), mean, spread)
    means, spreads = leaf(mean), leaf(spread)
    code = means + torch.exp(spreads / 2) * torch.tensor(noise, dtype=torch.float64)
    close(out, code)
    code.backward(torch.tensor(dout, dtype=torch.float64))
    close(dout, means.grad)  # the gradient by the mean is that by the code
    d = gradient(kernels, "sample_code_bwd_dx", [numbers(B, Z)], dout, spread, noise)[0]
    close(d, spreads.grad)

    normal = torch.distributions.Normal
    for name, x in (("kl_mean", mean), ("kl_spread", spread)):
        X, one = leaf(x), torch.ones(B, Z, dtype=torch.float64)
        own = normal(X, one) if name == "kl_mean" else normal(0 * one, torch.exp(X / 2))
        loss = torch.distributions.kl_divergence(own, normal(0 * one, one)).sum() / B
        loss.backward()
        d, stats = numbers(B, Z), np.zeros(1 + Z, np.float32)
        getattr(kernels, name)(d, stats, x, B, Z)
        close(stats[0] / B, loss)
        close(d, X.grad)


@ON
def test_cross_entropy_of_values(kernels):
    B, N = 3, 7
    logits, target = numbers(B, N, low=-4, high=4), numbers(B, N, low=0)
    X = leaf(logits)
    loss = F.binary_cross_entropy_with_logits(X, torch.tensor(target, dtype=torch.float64))
    loss.backward()
    d, stats = numbers(B, N), np.zeros(1, np.float32)
    kernels.logistic_xent(d, stats, logits, target, B, N)
    close(stats[0] / B, loss)
    close(d, X.grad)


@ON
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_optimisers_take_the_same_path(kernels, decay):
    start, gradients = numbers(40), numbers(10, 40)

    def path(optimiser, **settings):
        p = leaf(start)
        steps = optimiser([p], weight_decay=decay, **settings)
        for g in gradients:
            p.grad = torch.tensor(g, dtype=torch.float64)
            steps.step()
        return p

    p, v = start.copy(), np.zeros_like(start)
    for g in gradients:
        kernels.sgd_step(p, v, g, np.float32([0.05, 0.9, decay]))
    close(p, path(torch.optim.SGD, lr=0.05, momentum=0.9))

    p = start.copy()
    for g in gradients:
        kernels.sgd_plain(p, g, np.float32([0.05, decay]))
    close(p, path(torch.optim.SGD, lr=0.05))

    p, m, v = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for t, g in enumerate(gradients, 1):
        hyper = [0.01, 0.9, 0.999, 1e-8, decay, 1 - 0.9**t, 1 - 0.999**t]
        kernels.adam_step(p, m, v, g, np.float32(hyper))
    close(p, path(torch.optim.Adam, lr=0.01))


@ON
@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_clipping(kernels, limit):
    tensors = [numbers(30), numbers(7)]
    leaves = [leaf(t) for t in tensors]
    for one, g in zip(leaves, tensors, strict=True):
        one.grad = torch.tensor(g, dtype=torch.float64)
    torch.nn.utils.clip_grad_norm_(leaves, limit)
    total = np.zeros(1, np.float32)
    for g in tensors:
        kernels.sum_squares(total, g)
    for g, one in zip(tensors, leaves, strict=True):
        kernels.clip_norm(g, total, np.float32([limit]))
        close(g, one.grad)


def test_no_gradient_kernel_was_left_out():
    """Runs last in this file: a new *_bwd_* kernel of float32 needs its check here. Those of
    integers, and of lists of structures, are held to their definition."""
    named = {name for name in rows() if "_bwd_" in name and not name.endswith(("_q8", "_some"))}
    assert named == checked
