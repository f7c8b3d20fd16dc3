// The frozen stage: int8 in, int8 out, int32 in between, one multiplier an output channel.
#include "engram_check.h"
#include "engram_tile_s8.h"
#include "engram_window.h"

enum { IN_ZP, OUT_ZP, ACT_MIN, ACT_MAX, Q_ENTRIES };

static bool q_ok(engram_fault_t *fault, int arg, engram_l_t q) {
    if (!engram_need(fault, arg, q.n, Q_ENTRIES, 1, 1, 1)) {
        return false;
    }
    for (int i = 0; i < Q_ENTRIES; i++) {
        int32_t low = i == ACT_MAX ? q.p[ACT_MIN] : -128;
        if (q.p[i] < low || q.p[i] > 127) {
            return engram_refuse_entry(fault, arg, i, low, 127, q.p[i]);
        }
    }
    return true;
}

// bias, mult and shift are arguments 3, 4, 5 of every kernel here that has them.
static bool channels_ok(engram_fault_t *fault, engram_l_t bias, engram_l_t mult, engram_l_t shift, int32_t K) {
    if (!(engram_need(fault, 3, bias.n, K, 1, 1, 1) && engram_need(fault, 4, mult.n, K, 1, 1, 1)
          && engram_need(fault, 5, shift.n, K, 1, 1, 1))) {
        return false;
    }
    for (int32_t k = 0; k < K; k++) {
        if (mult.p[k] < 0) {
            return engram_refuse_entry(fault, 4, k, 0, INT32_MAX, mult.p[k]);
        }
        if (shift.p[k] < -31 || shift.p[k] > 30) {
            return engram_refuse_entry(fault, 5, k, -31, 30, shift.p[k]);
        }
    }
    return true;
}

typedef struct { const int32_t *bias, *mult, *shift, *q; } requant_t;

static inline int8_t finish(const requant_t *rq, engram_acc_t acc, size_t k) {
    int32_t v = engram_requantize(acc, rq->mult[k], rq->shift[k]) + rq->q[OUT_ZP];
    return engram_clamp_s8(v, rq->q[ACT_MIN], rq->q[ACT_MAX]);
}

// Sum over every w of row j, for folding the zero point of x into the bias.
static engram_acc_t weight_sum(const int8_t *w, size_t n) {
    engram_acc_t sum = 0;
    for (; n != 0; n--) {
        sum += (uint32_t)*w++;
    }
    return sum;
}

int32_t engram_dense_s8(engram_B_t out, engram_b_t x, engram_b_t w, engram_l_t bias, engram_l_t mult,
    engram_l_t shift, engram_l_t q, int32_t B, int32_t N, int32_t M, engram_fault_t *fault) {
    if (!(engram_dim(fault, 7, B, 0) && engram_dim(fault, 8, N, 0) && engram_dim(fault, 9, M, 0)
          && engram_need(fault, 0, out.n, B, M, 1, 1) && engram_need(fault, 1, x.n, B, N, 1, 1)
          && engram_need(fault, 2, w.n, M, N, 1, 1) && channels_ok(fault, bias, mult, shift, M)
          && q_ok(fault, 6, q))) {
        return ENGRAM_FAULT;
    }
    const requant_t rq = { bias.p, mult.p, shift.p, q.p };
    size_t rows = (size_t)B, features = (size_t)M;
    engram_sum_s8_t t = { .w_j = N, .n2 = 1, .n1 = 1, .n0 = (size_t)N, .offset = -q.p[IN_ZP] };
    for (size_t i = 0; i < rows; i++) {
        for (size_t m = 0, step; m < features; m += step) {
            step = features - m >= 4 ? 4 : 1;
            engram_acc_t acc[4];
            t.x = x.p + i * t.n0;
            t.w = w.p + m * t.n0;
            for (size_t j = 0; j < step; j++) {
                acc[j] = (engram_acc_t)rq.bias[m + j];
            }
            (step == 4 ? engram_sum_s8_x4 : engram_sum_s8_x1)(acc, &t);
            for (size_t j = 0; j < step; j++) {
                out.p[i * features + m + j] = finish(&rq, acc[j], m + j);
            }
        }
    }
    return ENGRAM_OK;
}

int32_t engram_conv2d_s8(engram_B_t out, engram_b_t x, engram_b_t w, engram_l_t bias, engram_l_t mult,
    engram_l_t shift, engram_l_t geom, engram_l_t q, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 8, B, 0) && engram_geom(fault, 6, geom, false)
          && engram_need(fault, 0, out.n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_K])
          && engram_need(fault, 1, x.n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C])
          && engram_need(fault, 2, w.n, g[ENGRAM_K], g[ENGRAM_R], g[ENGRAM_S], g[ENGRAM_C])
          && channels_ok(fault, bias, mult, shift, g[ENGRAM_K]) && q_ok(fault, 7, q))) {
        return ENGRAM_FAULT;
    }
    const requant_t rq = { bias.p, mult.p, shift.p, q.p };
    const engram_axis_t h = engram_axis(g, 0), v = engram_axis(g, 1);
    const ptrdiff_t C = g[ENGRAM_C], K = g[ENGRAM_K];
    const ptrdiff_t x_row = v.size * C, w_row = v.taps * C, w_filter = h.taps * w_row;
    engram_sum_s8_t t = { .w_j = w_filter, .x2 = h.dil * x_row, .w2 = w_row, .x1 = v.dil * C, .w1 = C };
    for (ptrdiff_t k = 0, step; k < K; k += step) {
        step = K - k >= 4 ? 4 : 1;
        // Where the whole window lies inside, the zero point of x is a constant a channel.
        engram_acc_t whole[4];
        for (ptrdiff_t j = 0; j < step; j++) {
            whole[j] = (engram_acc_t)rq.bias[k + j]
                - (engram_acc_t)q.p[IN_ZP] * weight_sum(w.p + (k + j) * w_filter, (size_t)w_filter);
        }
        int8_t *o = out.p + k;
        for (int32_t i = 0; i < B; i++) {
            const int8_t *image = x.p + i * h.size * x_row;
            for (int32_t oh = 0; oh < h.out; oh++) {
                engram_range_t r = engram_taps(&h, oh);
                for (int32_t ow = 0; ow < v.out; ow++, o += K) {
                    engram_range_t s = engram_taps(&v, ow);
                    bool inside = r.to - r.from == h.taps && s.to - s.from == v.taps;
                    engram_acc_t acc[4];
                    for (ptrdiff_t j = 0; j < step; j++) {
                        acc[j] = inside ? whole[j] : (engram_acc_t)rq.bias[k + j];
                    }
                    t.offset = inside ? 0 : -q.p[IN_ZP];
                    t.x = image + (oh * h.stride - h.pad + r.from * h.dil) * x_row
                        + (ow * v.stride - v.pad + s.from * v.dil) * C;
                    t.w = w.p + k * w_filter + r.from * w_row + s.from * C;
                    t.n2 = (size_t)(r.to - r.from);
                    t.n1 = v.dil == 1 ? 1 : (size_t)(s.to - s.from);
                    t.n0 = v.dil == 1 ? (size_t)((s.to - s.from) * C) : (size_t)C;
                    (step == 4 ? engram_sum_s8_x4 : engram_sum_s8_x1)(acc, &t);
                    for (ptrdiff_t j = 0; j < step; j++) {
                        o[j] = finish(&rq, acc[j], (size_t)(k + j));
                    }
                }
            }
        }
    }
    return ENGRAM_OK;
}

int32_t engram_depthwise_s8(engram_B_t out, engram_b_t x, engram_b_t w, engram_l_t bias, engram_l_t mult,
    engram_l_t shift, engram_l_t geom, engram_l_t q, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 8, B, 0) && engram_geom(fault, 6, geom, true)
          && engram_need(fault, 0, out.n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_C])
          && engram_need(fault, 1, x.n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C])
          && engram_need(fault, 2, w.n, g[ENGRAM_R], g[ENGRAM_S], g[ENGRAM_C], 1)
          && channels_ok(fault, bias, mult, shift, g[ENGRAM_C]) && q_ok(fault, 7, q))) {
        return ENGRAM_FAULT;
    }
    const requant_t rq = { bias.p, mult.p, shift.p, q.p };
    const engram_axis_t h = engram_axis(g, 0), v = engram_axis(g, 1);
    const ptrdiff_t C = g[ENGRAM_C], x_row = v.size * C;
    const int32_t offset = -q.p[IN_ZP];
    int8_t *o = out.p;
    for (int32_t i = 0; i < B; i++) {
        for (int32_t oh = 0; oh < h.out; oh++) {
            engram_range_t r = engram_taps(&h, oh);
            for (int32_t ow = 0; ow < v.out; ow++, o += C) {
                engram_range_t s = engram_taps(&v, ow);
                const int8_t *at = x.p + (i * h.size + oh * h.stride - h.pad) * x_row + (ow * v.stride - v.pad) * C;
                for (ptrdiff_t c = 0; c < C; c++) {
                    engram_acc_t acc = (engram_acc_t)rq.bias[c];
                    for (int32_t tr = r.from; tr < r.to; tr++) {
                        const int8_t *xp = at + tr * h.dil * x_row + s.from * v.dil * C + c;
                        const int8_t *wp = w.p + (tr * v.taps + s.from) * C + c;
                        for (int32_t ts = s.to - s.from; ts != 0; ts--, xp += v.dil * C, wp += C) {
                            acc += (uint32_t)((*xp + offset) * *wp);
                        }
                    }
                    o[c] = finish(&rq, acc, (size_t)c);
                }
            }
        }
    }
    return ENGRAM_OK;
}

int32_t engram_avgpool_s8(engram_B_t out, engram_b_t x, engram_l_t geom, engram_l_t q,
    int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 4, B, 0) && engram_geom(fault, 2, geom, true)
          && engram_need(fault, 0, out.n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_C])
          && engram_need(fault, 1, x.n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C])
          && q_ok(fault, 3, q))) {
        return ENGRAM_FAULT;
    }
    const engram_axis_t h = engram_axis(g, 0), v = engram_axis(g, 1);
    const ptrdiff_t C = g[ENGRAM_C], x_row = v.size * C;
    int8_t *o = out.p;
    for (int32_t i = 0; i < B; i++) {
        for (int32_t oh = 0; oh < h.out; oh++) {
            engram_range_t r = engram_taps(&h, oh);
            for (int32_t ow = 0; ow < v.out; ow++, o += C) {
                engram_range_t s = engram_taps(&v, ow);
                int32_t count = (r.to - r.from) * (s.to - s.from);
                const int8_t *at = x.p + (i * h.size + oh * h.stride - h.pad) * x_row + (ow * v.stride - v.pad) * C;
                for (ptrdiff_t c = 0; c < C; c++) {
                    int32_t sum = 0;
                    for (int32_t tr = r.from; tr < r.to; tr++) {
                        const int8_t *xp = at + tr * h.dil * x_row + s.from * v.dil * C + c;
                        for (int32_t ts = s.to - s.from; ts != 0; ts--, xp += v.dil * C) {
                            sum += *xp;
                        }
                    }
                    // A dilated window can step over a tiny input: no pixel, 0.
                    int32_t half = sum > 0 ? count / 2 : -(count / 2);
                    o[c] = engram_clamp_s8(count == 0 ? 0 : (sum + half) / count, q.p[ACT_MIN], q.p[ACT_MAX]);
                }
            }
        }
    }
    return ENGRAM_OK;
}
