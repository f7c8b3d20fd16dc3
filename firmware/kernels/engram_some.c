// Backward passes of some structures of a layer: each sample goes by a list of its own.
#include "engram_check.h"
#include "engram_math.h"
#include "engram_select.h"
#include "engram_tile_some.h"
#include "engram_window.h"

#include <string.h>

// ---- the choice ------------------------------------------------------------------------------

int32_t engram_sum_errors(engram_F_t sums, engram_f_t dout, int32_t B, int32_t P, int32_t M,
    engram_fault_t *fault) {
    if (!(engram_dim(fault, 2, B, 0) && engram_dim(fault, 3, P, 0) && engram_dim(fault, 4, M, 0)
          && engram_need(fault, 0, sums.n, B, M, 1, 1) && engram_need(fault, 1, dout.n, B, P, M, 1))) {
        return ENGRAM_FAULT;
    }
    for (int32_t b = 0; b < B; b++) {
        const float *from = dout.p + (ptrdiff_t)b * P * M;
        float *to = sums.p + (ptrdiff_t)b * M;
        int32_t m = 0;
        for (; M - m >= 4; m += 4) {
            const float *at = from + m;
            float s0 = 0.0f, s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;
            for (int32_t p = P; p > 0; p--, at += M) {
                s0 += engram_fabsf(at[0]);
                s1 += engram_fabsf(at[1]);
                s2 += engram_fabsf(at[2]);
                s3 += engram_fabsf(at[3]);
            }
            to[m] = s0, to[m + 1] = s1, to[m + 2] = s2, to[m + 3] = s3;
        }
        for (; m < M; m++) {
            const float *at = from + m;
            float sum = 0.0f;
            for (int32_t p = P; p > 0; p--, at += M) {
                sum += engram_fabsf(*at);
            }
            to[m] = sum;
        }
    }
    return ENGRAM_OK;
}

// Numbers that are not negative have the order of their bits.
static int32_t order_of(float v) {
    return (int32_t)(engram_to_bits(v) & 0x7fffffffu);
}

// The list of the k structures with the largest sums, those with a sum of 0 left out; how many.
static int32_t list_largest(int32_t *kept, const float *sums, int32_t M, int32_t k) {
    int32_t least = 0, equals = k, n = 0;
    if (k < M) {
        for (int32_t m = 0; m < M; m++) {
            kept[m] = order_of(sums[m]);
        }
        least = engram_kth_largest(kept, M, k);
        for (int32_t m = 0; m < k; m++) {
            equals -= kept[m] > least;  // what is larger comes before it
        }
    }
    for (int32_t m = 0; m < M; m++) {
        const int32_t own = order_of(sums[m]);
        if (own > least || (own == least && own != 0 && equals-- > 0)) {
            kept[n++] = m;
        }
    }
    return n;
}

enum { LARGEST, MEAN, KEPT_STATE };

int32_t engram_keep_largest(engram_L_t kept, engram_F_t state, engram_f_t sums, engram_f_t shares,
    int32_t B, int32_t M, engram_fault_t *fault) {
    if (!(engram_dim(fault, 4, B, 0) && engram_dim(fault, 5, M, 0)
          && engram_need(fault, 0, kept.n, B, M, 1, 1) && engram_need(fault, 1, state.n, KEPT_STATE, 1, 1, 1)
          && engram_need(fault, 2, sums.n, B, M, 1, 1) && engram_need(fault, 3, shares.n, 2, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    const float low = shares.p[0], high = shares.p[1];
    if (!(low >= 0.0f && low <= high && high <= 1.0f)) {
        engram_refuse_value(fault, 3, "two shares from 0 to 1, the first not above the second");
        return ENGRAM_FAULT;
    }
    for (int32_t b = 0; b < B && M > 0; b++) {
        const float *own = sums.p + (ptrdiff_t)b * M;
        int32_t *list = kept.p + (ptrdiff_t)b * M, k = M, n = 0;
        float total = 0.0f;
        for (int32_t m = 0; m < M; m++) {
            total += own[m];
        }
        if (engram_is_finite(total) && total > 0.0f) {
            if (total > state.p[LARGEST]) {
                state.p[LARGEST] = total;
            }
            k = engram_kept_of(low + engram_divide(total, state.p[LARGEST]) * (high - low), M);
        }
        if (total != 0.0f) {
            n = list_largest(list, own, M, k);
        }
        state.p[MEAN] += (engram_divide((float)n, (float)M) - state.p[MEAN]) * 0.015625f;
        for (; n < M; n++) {
            list[n] = -1;
        }
    }
    return ENGRAM_OK;
}

enum { BELOW, USUAL, SKIPPED, SKIP_STATE };

int32_t engram_skip_smallest(engram_F_t dout, engram_F_t state, engram_f_t sums, engram_f_t hyper,
    int32_t B, int32_t N, engram_fault_t *fault) {
    if (!(engram_dim(fault, 4, B, 0) && engram_dim(fault, 5, N, 0)
          && engram_need(fault, 0, dout.n, B, N, 1, 1) && engram_need(fault, 1, state.n, SKIP_STATE, 1, 1, 1)
          && engram_need(fault, 2, sums.n, B, 1, 1, 1) && engram_need(fault, 3, hyper.n, 2, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    const float share = hyper.p[0], rate = hyper.p[1];
    if (!(share >= 0.0f && share <= 1.0f && rate >= 0.0f && rate <= 1.0f)) {
        engram_refuse_value(fault, 3, "a share and a rate, both from 0 to 1");
        return ENGRAM_FAULT;
    }
    for (int32_t b = 0; b < B; b++) {
        const float error = sums.p[b];
        if (!engram_is_finite(error)) {
            continue;  // that a run diverges must be seen
        }
        float skipped = 0.0f;
        if (error < state.p[BELOW] * state.p[USUAL]) {
            skipped = 1.0f;
            memset(dout.p + (ptrdiff_t)b * N, 0, (size_t)N * sizeof(float));
        }
        state.p[USUAL] += (error - state.p[USUAL]) * (state.p[USUAL] == 0.0f ? 1.0f : rate);
        const float below = state.p[BELOW] + rate * (share - skipped);
        state.p[BELOW] = below > 0.0f ? below : 0.0f;
        state.p[SKIPPED] += (skipped - state.p[SKIPPED]) * rate;
    }
    return ENGRAM_OK;
}

// ---- dense -----------------------------------------------------------------------------------

int32_t engram_dense_bwd_dx_some(engram_F_t dx, engram_f_t dout, engram_f_t w, engram_l_t kept,
    int32_t B, int32_t P, int32_t N, int32_t M, engram_fault_t *fault) {
    if (!(engram_dim(fault, 4, B, 0) && engram_dim(fault, 5, P, 0) && engram_dim(fault, 6, N, 0)
          && engram_dim(fault, 7, M, 0)
          && engram_need(fault, 0, dx.n, B, P, N, 1) && engram_need(fault, 1, dout.n, B, P, M, 1)
          && engram_need(fault, 2, w.n, M, N, 1, 1) && engram_need(fault, 3, kept.n, B, M, 1, 1)
          && engram_kept(fault, 3, kept, B, M))) {
        return ENGRAM_FAULT;
    }
    engram_mm_t t = {
        .out = dx.p, .out_i = N, .a = dout.p, .a_i = M, .b = w.p, .b_j = 1,
        .I = (size_t)P, .J = (size_t)N, .n2 = 1, .n1 = 1, .b0 = N,
    };
    for (int32_t b = 0; b < B; b++, t.out += (ptrdiff_t)P * N, t.a += (ptrdiff_t)P * M) {
        const engram_some_t some = engram_some(kept, b, M);
        if (some.n == 0) {
            memset(t.out, 0, (size_t)P * (size_t)N * sizeof(float));
        } else {
            engram_some_axpy(&t, some);
        }
    }
    return ENGRAM_OK;
}

int32_t engram_dense_bwd_dw_some(engram_F_t dw, engram_F_t db, engram_f_t dout, engram_f_t x,
    engram_l_t kept, int32_t B, int32_t P, int32_t N, int32_t M, engram_fault_t *fault) {
    if (!(engram_dim(fault, 5, B, 0) && engram_dim(fault, 6, P, 0) && engram_dim(fault, 7, N, 0)
          && engram_dim(fault, 8, M, 0)
          && engram_need(fault, 0, dw.n, M, N, 1, 1) && engram_need(fault, 1, db.n, M, 1, 1, 1)
          && engram_need(fault, 2, dout.n, B, P, M, 1) && engram_need(fault, 3, x.n, B, P, N, 1)
          && engram_need(fault, 4, kept.n, B, M, 1, 1) && engram_kept(fault, 4, kept, B, M))) {
        return ENGRAM_FAULT;
    }
    if (engram_all_kept(kept, B, M) && (int64_t)B * P <= INT32_MAX) {
        return engram_dense_bwd_dw(dw, db, dout, x, B * P, N, M, fault);
    }
    const engram_grid_t grid = { P, 1, M, 0, N, 0 };
    engram_terms_t t;
    t.x = x.p, t.columns = (size_t)N, t.n = 0, t.down = 1, t.right = 1, t.x_down = 0, t.x_right = 0;
    for (int32_t first = 0; first < B; first += ENGRAM_SAMPLES) {
        for (engram_keepers_t k = engram_keepers(kept, B, M, first); engram_keepers_next(&k);) {
            t.out = dw.p + (ptrdiff_t)k.m * N;
            for (size_t i = 0; i < k.n; i++) {
                const ptrdiff_t row = (ptrdiff_t)k.b[i] * P;
                engram_terms(&t, dout.p + (row * M + k.m), row * N, &grid);
            }
            engram_terms_add(&t);
        }
    }
    for (int32_t b = 0; b < B; b++) {
        const float *errors = dout.p + (ptrdiff_t)b * P * M;
        engram_some_add_rows(db.p, errors, (size_t)P, (size_t)M, engram_listed(kept, b, M));
    }
    return ENGRAM_OK;
}

// ---- depthwise -------------------------------------------------------------------------------

// Pairs that are multiplied and added: how many, and the steps from one to the next.
typedef struct { int32_t rows, columns; ptrdiff_t a_down, a_right, b_down, b_right; } walk_t;

// sum[i] = sum over the walk of a[c[i]] * b[c[i]], for four channels
static void dots_4(float *sum, const float *a, const float *b, const int32_t *c, const walk_t *t) {
    float s0 = 0.0f, s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;
    for (int32_t i = t->rows; i > 0; i--, a += t->a_down, b += t->b_down) {
        const float *a0 = a + c[0], *a1 = a + c[1], *a2 = a + c[2], *a3 = a + c[3];
        const float *b0 = b + c[0], *b1 = b + c[1], *b2 = b + c[2], *b3 = b + c[3];
        for (int32_t j = t->columns; j > 0; j--) {
            s0 += *a0 * *b0;
            s1 += *a1 * *b1;
            s2 += *a2 * *b2;
            s3 += *a3 * *b3;
            a0 += t->a_right, a1 += t->a_right, a2 += t->a_right, a3 += t->a_right;
            b0 += t->b_right, b1 += t->b_right, b2 += t->b_right, b3 += t->b_right;
        }
    }
    sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3;
}

static float dot(const float *a, const float *b, const walk_t *t) {
    float sum = 0.0f;
    for (int32_t i = t->rows; i > 0; i--, a += t->a_down, b += t->b_down) {
        const float *ap = a, *bp = b;
        for (int32_t j = t->columns; j > 0; j--, ap += t->a_right, bp += t->b_right) {
            sum += *ap * *bp;
        }
    }
    return sum;
}

// out[c] += the sums of a walk, for the listed channels
static void add_dots(float *out, const float *a, const float *b, engram_some_t some, const walk_t *t) {
    size_t k = 0;
    for (; some.n - k >= 4; k += 4) {
        float sum[4];
        const int32_t *c = some.at + k;
        dots_4(sum, a, b, c, t);
        out[c[0]] += sum[0], out[c[1]] += sum[1], out[c[2]] += sum[2], out[c[3]] += sum[3];
    }
    for (; k < some.n; k++) {
        const int32_t c = some.at[k];
        out[c] += dot(a + c, b + c, t);
    }
}

// The arguments are as large as an image, a window of weights, ... of so many channels.
static bool channels_ok(engram_fault_t *fault, int arg, size_t n, const int32_t *g, int32_t B, int height, int width) {
    return engram_need(fault, arg, n, B, g[height], g[width], g[ENGRAM_C]);
}

static bool taps_ok(engram_fault_t *fault, int arg, size_t n, const int32_t *g) {
    return engram_need(fault, arg, n, g[ENGRAM_R], g[ENGRAM_S], g[ENGRAM_C], 1);
}

int32_t engram_depthwise_bwd_dx_some(engram_F_t dx, engram_f_t dout, engram_f_t w, engram_l_t kept,
    engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 5, B, 0) && engram_geom(fault, 4, geom, true)
          && channels_ok(fault, 0, dx.n, g, B, ENGRAM_H, ENGRAM_W)
          && channels_ok(fault, 1, dout.n, g, B, ENGRAM_OH, ENGRAM_OW) && taps_ok(fault, 2, w.n, g)
          && engram_need(fault, 3, kept.n, B, g[ENGRAM_C], 1, 1) && engram_kept(fault, 3, kept, B, g[ENGRAM_C]))) {
        return ENGRAM_FAULT;
    }
    const engram_axis_t h = engram_axis(g, 0), v = engram_axis(g, 1);
    const ptrdiff_t C = g[ENGRAM_C], row = v.out * C, pixels = h.size * v.size * C, errors = h.out * row;
    for (int32_t b = 0; b < B; b++) {
        const engram_some_t some = engram_some(kept, b, g[ENGRAM_C]);
        float *to = dx.p + b * pixels;
        const float *from = dout.p + b * errors;
        if (some.at == NULL) {
            engram_depthwise_bwd_dx((engram_F_t) { to, (size_t)pixels }, (engram_f_t) { from, (size_t)errors }, w,
                geom, 1, fault);
            continue;
        }
        memset(to, 0, (size_t)pixels * sizeof(float));
        for (int32_t ih = 0; ih < h.size && some.n != 0; ih++) {
            const engram_reach_t r = engram_reach(&h, ih);
            for (int32_t iw = 0; iw < v.size; iw++, to += C) {
                const engram_reach_t s = engram_reach(&v, iw);
                const walk_t t = { r.n, s.n, -r.back * row, -s.back * C, r.step * v.taps * C, s.step * C };
                add_dots(to, from + (r.at * row + s.at * C), w.p + (r.first * v.taps + s.first) * C, some, &t);
            }
        }
    }
    return ENGRAM_OK;
}

int32_t engram_depthwise_bwd_dw_some(engram_F_t dw, engram_F_t db, engram_f_t dout, engram_f_t x,
    engram_l_t kept, engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 6, B, 0) && engram_geom(fault, 5, geom, true) && taps_ok(fault, 0, dw.n, g)
          && engram_need(fault, 1, db.n, g[ENGRAM_C], 1, 1, 1)
          && channels_ok(fault, 2, dout.n, g, B, ENGRAM_OH, ENGRAM_OW)
          && channels_ok(fault, 3, x.n, g, B, ENGRAM_H, ENGRAM_W)
          && engram_need(fault, 4, kept.n, B, g[ENGRAM_C], 1, 1) && engram_kept(fault, 4, kept, B, g[ENGRAM_C]))) {
        return ENGRAM_FAULT;
    }
    const engram_axis_t h = engram_axis(g, 0), v = engram_axis(g, 1);
    const ptrdiff_t C = g[ENGRAM_C], x_row = v.size * C, out_row = v.out * C;
    const ptrdiff_t pixels = h.size * x_row, errors = h.out * out_row;
    for (int32_t b = 0; b < B; b++) {
        const engram_some_t some = engram_some(kept, b, g[ENGRAM_C]);
        const float *d = dout.p + b * errors, *image = x.p + b * pixels;
        if (some.at == NULL) {
            engram_depthwise_bwd_dw(dw, db, (engram_f_t) { d, (size_t)errors }, (engram_f_t) { image, (size_t)pixels },
                geom, 1, fault);
            continue;
        }
        for (int32_t tap = 0; tap < h.taps * v.taps && some.n != 0; tap++) {
            const int32_t r = tap / v.taps, s = tap % v.taps;
            const engram_range_t oh = engram_outputs(&h, r), ow = engram_outputs(&v, s);
            const walk_t t = {
                oh.to - oh.from, ow.to - ow.from, out_row, C, h.stride * x_row, v.stride * C,
            };
            add_dots(dw.p + tap * C, d + (oh.from * out_row + ow.from * C),
                image + ((oh.from * h.stride - h.pad + r * h.dil) * x_row
                    + (ow.from * v.stride - v.pad + s * v.dil) * C), some, &t);
        }
        engram_some_add_rows(db.p, d, (size_t)(h.out * v.out), (size_t)C, some);
    }
    return ENGRAM_OK;
}
