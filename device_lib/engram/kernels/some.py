"""The definition of backward passes of some structures of a layer, and of their choice; float32.

A structure is a filter of a convolution, a channel of a depthwise one, a row of a dense layer.
Each sample has a list of its own: a row of kept (B, M) that names structures in rising order, and
is -1 from there to its end. What is not in it costs nothing and changes nothing.
"""

# not "from . import": MicroPython would ask the package's __getattr__, and no further
import engram.kernels.demands as check

from .parts import windows

ROUNDED = 0.001  # of a structure: 0.7 of 10 is 7 in float32 too
NEW = 0.015625  # weight of a new sample in a running mean


# ---- the choice -----------------------------------------------------------------------------


def sum_errors(sums, dout, B, P, M):
    """sums (B, M) = sum over P of abs(dout (B, P, M))"""
    check.sum_errors(sums, dout, B, P, M)
    for b in range(B):
        for m in range(M):
            acc = 0.0
            for p in range(P):
                acc += abs(dout[(b * P + p) * M + m])
            sums[b * M + m] = acc


def keep_largest(kept, state, sums, shares, B, M):
    """kept (B, M) = the largest of sums (B, M), sample by sample: max(floor((least + e / e_max
    (most - least)) M), 1) of them, fewer where the rest is 0; e = the sample's total, e_max =
    state[0], the largest so far; shares (2) = least, most; state (2): its second is the running
    mean of the share that is kept
    """
    lists = check.keep_largest(kept, state, sums, shares, B, M)
    least, most = shares[0], shares[1]
    for b in range(B if M else 0):
        own = [abs(sums[b * M + m]) for m in range(M)]
        total, k = sum(sums[b * M : b * M + M]), M
        if total - total == 0 and total > 0:
            if total > state[0]:
                state[0] = total
            share = least + min(total / state[0], 1.0) * (most - least)
            k = max(min(int(share * M + ROUNDED), M), 1)
        order = sorted(range(M), key=lambda m: (-own[m], m))[:k] if total else []
        names = sorted([m for m in order if own[m]])
        state[1] += (len(names) / M - state[1]) * NEW
        for m in range(M):
            lists[b * M + m] = names[m] if m < len(names) else -1


def skip_smallest(dout, state, sums, hyper, B, N):
    """dout (B, N) = 0 in the rows whose sums (B) lie below q m, a running quantile; state (3) = q,
    running means m of sums and of the share that is skipped; per row q = max(q + rate (share -
    skipped), 0), m += rate (sums - m); hyper (2) = share, rate
    """
    check.skip_smallest(dout, state, sums, hyper, B, N)
    share, rate = hyper[0], hyper[1]
    for b in range(B):
        error, skipped = sums[b], 0.0
        if error - error != 0:
            continue
        if error < state[0] * state[1]:
            skipped = 1.0
            for i in range(b * N, b * N + N):
                dout[i] = 0.0
        state[1] += (error - state[1]) * (rate if state[1] else 1.0)
        state[0] = max(state[0] + rate * (share - skipped), 0.0)
        state[2] += (skipped - state[2]) * rate


# ---- dense ----------------------------------------------------------------------------------


def _listed(kept, b, M):
    """The structures of sample b."""
    return [m for m in kept[b * M : b * M + M] if m >= 0]


def dense_bwd_dx_some(dx, dout, w, kept, B, P, N, M):
    """dx (B, P, N) = dout (B, P, M) @ w (M, N), of the rows of w in kept (B, M) alone"""
    kept = check.dense_bwd_dx_some(dx, dout, w, kept, B, P, N, M)
    for b in range(B):
        listed = _listed(kept, b, M)
        for p in range(b * P, b * P + P):
            for n in range(N):
                acc = 0.0
                for m in listed:
                    acc += dout[p * M + m] * w[m * N + n]
                dx[p * N + n] = acc


def dense_bwd_dw_some(dw, db, dout, x, kept, B, P, N, M):
    """dw (M, N) += sum over B of dout (B, P, M).T @ x (B, P, N), in the rows in kept (B, M) alone;
    db (M) += dout.sum(0, 1) there
    """
    kept = check.dense_bwd_dw_some(dw, db, dout, x, kept, B, P, N, M)
    for b in range(B):
        for m in _listed(kept, b, M):
            for n in range(N):
                acc = 0.0
                for p in range(b * P, b * P + P):
                    acc += dout[p * M + m] * x[p * N + n]
                dw[m * N + n] += acc
            _add_column(db, dout, m, b * P, P, M)


def _add_column(db, dout, m, first, rows, columns):
    acc = 0.0
    for p in range(first, first + rows):
        acc += dout[p * columns + m]
    db[m] += acc


# ---- convolutions ---------------------------------------------------------------------------


def _samples(kept, geom, B, K):
    """For every output position its index, its window and the structures of its sample."""
    lists = [_listed(kept, b, K) for b in range(B)]
    for at, window in windows(geom, B):
        yield at, window, lists[at // (geom[12] * geom[13])]


def conv2d_bwd_dx_some(dx, dout, w, kept, geom, B):
    """dx (B, H, W, C) = gradient of conv2d_fwd at dout (B, OH, OW, K), w (K, R, S, C), of the
    filters in kept (B, K) alone; geom (14)
    """
    kept, geom = check.conv2d_bwd_dx_some(dx, dout, w, kept, geom, B)
    _, _, C, K, R, S = geom[:6]
    _zero(dx)
    for at, window, listed in _samples(kept, geom, B, K):
        for k in listed:
            d = dout[at * K + k]
            for pixel, tap in window:
                for c in range(C):
                    dx[pixel * C + c] += d * w[(k * R * S + tap) * C + c]


def conv2d_bwd_dw_some(dw, db, dout, x, kept, geom, B):
    """dw (K, R, S, C) += dout (B, OH, OW, K) corr x (B, H, W, C), of the filters in kept (B, K)
    alone; db (K) += dout.sum(0, 1, 2) there; geom (14)
    """
    kept, geom = check.conv2d_bwd_dw_some(dw, db, dout, x, kept, geom, B)
    _, _, C, K, R, S = geom[:6]
    for at, window, listed in _samples(kept, geom, B, K):
        for k in listed:
            d = dout[at * K + k]
            for pixel, tap in window:
                for c in range(C):
                    dw[(k * R * S + tap) * C + c] += d * x[pixel * C + c]
    _add_columns(db, dout, kept, geom, B, K)


def depthwise_bwd_dx_some(dx, dout, w, kept, geom, B):
    """dx (B, H, W, C) = gradient of depthwise_fwd at dout (B, OH, OW, C), w (R, S, C), of the
    channels in kept (B, C) alone, 0 in the others; geom (14) with K = C
    """
    kept, geom = check.depthwise_bwd_dx_some(dx, dout, w, kept, geom, B)
    C = geom[2]
    _zero(dx)
    for at, window, listed in _samples(kept, geom, B, C):
        for pixel, tap in window:
            for c in listed:
                dx[pixel * C + c] += dout[at * C + c] * w[tap * C + c]


def depthwise_bwd_dw_some(dw, db, dout, x, kept, geom, B):
    """dw (R, S, C) += dout (B, OH, OW, C) corr x (B, H, W, C) channel by channel, of those in kept
    (B, C) alone; db (C) += dout.sum(0, 1, 2) there; geom (14) with K = C
    """
    kept, geom = check.depthwise_bwd_dw_some(dw, db, dout, x, kept, geom, B)
    C = geom[2]
    for at, window, listed in _samples(kept, geom, B, C):
        for pixel, tap in window:
            for c in listed:
                dw[tap * C + c] += dout[at * C + c] * x[pixel * C + c]
    _add_columns(db, dout, kept, geom, B, C)


def _add_columns(db, dout, kept, geom, B, K):
    positions = geom[12] * geom[13]
    for b in range(B):
        for k in _listed(kept, b, K):
            _add_column(db, dout, k, b * positions, positions, K)


def _zero(buf):
    for i in range(len(buf)):
        buf[i] = 0.0
