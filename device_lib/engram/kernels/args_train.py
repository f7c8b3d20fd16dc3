"""What the kernels of train demand of their arguments."""

from .need import buffer, expect, finite, ints, same


def mse(dpred, stats, pred, target, B, N):
    ints("mse", ("B", B, 0), ("N", N, 1))
    buffer("mse", "F", "dpred", dpred, B * N)
    buffer("mse", "F", "stats", stats, 1)
    buffer("mse", "f", "pred", pred, B * N)
    buffer("mse", "f", "target", target, B * N)


def adam_step(p, m, v, g, hyper):
    n = same("adam_step", ("F", "p", p), ("F", "m", m), ("F", "v", v), ("f", "g", g))
    buffer("adam_step", "f", "hyper", hyper, 7)
    lr, beta1, beta2, epsilon, decay, c1, c2 = values = tuple(hyper)
    right = all([finite(h) for h in values]) and lr >= 0 and decay >= 0 and epsilon > 0
    right = right and 0 <= beta1 < 1 and 0 <= beta2 < 1 and 0 < c1 <= 1 and 0 < c2 <= 1
    words = "lr and weight_decay >= 0, 0 <= beta < 1, epsilon > 0, 0 < c <= 1, all finite"
    expect("adam_step", "hyper", right, words)
    return n, values


def axpy_f32(y, x, a):
    n = same("axpy_f32", ("F", "y", y), ("f", "x", x))
    buffer("axpy_f32", "f", "a", a, 1)
    return n


def scale_f32(out, x, a):
    n = same("scale_f32", ("F", "out", out), ("f", "x", x))
    buffer("scale_f32", "f", "a", a, 1)
    return n


def sum_squares(total, x):
    buffer("sum_squares", "F", "total", total, 1)
    return buffer("sum_squares", "f", "x", x)


def clip_norm(g, total, limit):
    n = buffer("clip_norm", "F", "g", g)
    buffer("clip_norm", "f", "total", total, 1)
    buffer("clip_norm", "f", "limit", limit, 1)
    right = limit[0] > 0 and finite(limit[0])
    expect("clip_norm", "limit", right, "a finite number above 0")
    return n


def exp_f32(out, x):
    return same("exp_f32", ("F", "out", out), ("f", "x", x))


def log_f32(out, x):
    return same("log_f32", ("F", "out", out), ("f", "x", x))


def sqrt_f32(out, x):
    return same("sqrt_f32", ("F", "out", out), ("f", "x", x))


def uniform_f32(out, seed, at):
    ints("uniform_f32", ("seed", seed, 0), ("at", at, 0))
    return buffer("uniform_f32", "F", "out", out)


def gaussian_f32(out, seed, at):
    ints("gaussian_f32", ("seed", seed, 0), ("at", at, 0))
    return buffer("gaussian_f32", "F", "out", out)
