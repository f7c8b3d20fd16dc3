// int8 pools, sums and changes of scale, with TensorFlow Lite's integer semantics.
#include "engram_check_s8.h"
#include "engram_slide.h"
#include "engram_tile_s8.h"

int32_t engram_maxpool_s8(engram_B_t out, engram_b_t x, engram_l_t geom, engram_l_t q, int32_t B,
    engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 4, B, 0) && engram_geom(fault, 2, geom, true)
          && engram_need(fault, 0, out.n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_C])
          && engram_need(fault, 1, x.n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C])
          && engram_q_ok(fault, 3, q))) {
        return ENGRAM_FAULT;
    }
    const int32_t low = q.p[ENGRAM_ACT_MIN], high = q.p[ENGRAM_ACT_MAX];
    for (engram_slide_t p = engram_slide(g, B); engram_slide_next(&p);) {
        for (ptrdiff_t c = 0; c < p.C; c++) {
            int32_t best = low;  // the clamp from below
            for (int32_t r = 0; r < p.rows; r++) {
                const int8_t *at = x.p + (p.x + c + r * p.x_down);
                for (int32_t s = p.columns; s > 0; s--, at += p.x_right) {
                    best = *at > best ? *at : best;
                }
            }
            out.p[p.out + c] = (int8_t)(best > high ? high : best);
        }
    }
    return ENGRAM_OK;
}

enum {
    A_ZP, B_ZP, OUT_ZP, ACT_MIN, ACT_MAX, LEFT_SHIFT, A_MULT, A_SHIFT, B_MULT, B_SHIFT, OUT_MULT,
    OUT_SHIFT, ADD_ENTRIES
};

static bool add_ok(engram_fault_t *fault, int arg, engram_l_t q) {
    if (!engram_need(fault, arg, q.n, ADD_ENTRIES, 1, 1, 1)) {
        return false;
    }
    for (int i = 0; i < ADD_ENTRIES; i++) {
        int32_t low = -128, high = 127;
        if (i == ACT_MAX) {
            low = q.p[ACT_MIN];
        } else if (i == LEFT_SHIFT) {  // 255 shifted by 20 leaves room for the sum of two
            low = 0, high = 20;
        } else if (i >= A_MULT && (i - A_MULT) % 2 == 0) {
            low = 0, high = INT32_MAX;
        } else if (i > A_MULT) {
            low = -31, high = 0;
        }
        if (q.p[i] < low || q.p[i] > high) {
            return engram_refuse_entry(fault, arg, i, low, high, q.p[i]);
        }
    }
    return true;
}

// A byte at the common scale, which is 2**left_shift finer.
static inline engram_acc_t scaled(int8_t v, int32_t zero_point, int32_t left, int32_t mult, int32_t shift) {
    return (engram_acc_t)engram_requantize((engram_acc_t)(v - zero_point) << left, mult, shift);
}

int32_t engram_add_s8(engram_B_t out, engram_b_t a, engram_b_t b, engram_l_t q, engram_fault_t *fault) {
    if (!(engram_same(fault, 1, a.n, out.n) && engram_same(fault, 2, b.n, out.n) && add_ok(fault, 3, q))) {
        return ENGRAM_FAULT;
    }
    const int32_t *e = q.p, left = e[LEFT_SHIFT];
    for (size_t i = 0; i < out.n; i++) {
        engram_acc_t sum = scaled(a.p[i], e[A_ZP], left, e[A_MULT], e[A_SHIFT])
            + scaled(b.p[i], e[B_ZP], left, e[B_MULT], e[B_SHIFT]);
        int32_t v = engram_requantize(sum, e[OUT_MULT], e[OUT_SHIFT]) + e[OUT_ZP];
        out.p[i] = engram_clamp_s8(v, e[ACT_MIN], e[ACT_MAX]);
    }
    return ENGRAM_OK;
}

int32_t engram_requantize_s8(engram_B_t out, engram_b_t x, engram_l_t mult, engram_l_t shift, engram_l_t q,
    engram_fault_t *fault) {
    if (!(engram_same(fault, 1, x.n, out.n) && engram_need(fault, 2, mult.n, 1, 1, 1, 1)
          && engram_need(fault, 3, shift.n, 1, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    const int32_t m = mult.p[0], s = shift.p[0];
    if (m < 0) {
        engram_refuse_entry(fault, 2, 0, 0, INT32_MAX, m);
        return ENGRAM_FAULT;
    }
    if (s < -31 || s > 30) {
        engram_refuse_entry(fault, 3, 0, -31, 30, s);
        return ENGRAM_FAULT;
    }
    if (!engram_q_ok(fault, 4, q)) {
        return ENGRAM_FAULT;
    }
    for (size_t i = 0; i < out.n; i++) {
        int32_t v = engram_requantize((engram_acc_t)(x.p[i] - q.p[ENGRAM_IN_ZP]), m, s);
        out.p[i] = engram_shift_s8(v, q.p[ENGRAM_OUT_ZP], q.p[ENGRAM_ACT_MIN], q.p[ENGRAM_ACT_MAX]);
    }
    return ENGRAM_OK;
}

int32_t engram_lookup_s8(engram_B_t out, engram_b_t x, engram_b_t table, engram_fault_t *fault) {
    if (!(engram_same(fault, 1, x.n, out.n) && engram_need(fault, 2, table.n, 256, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    for (size_t i = 0; i < out.n; i++) {
        out.p[i] = table.p[x.p[i] + 128];
    }
    return ENGRAM_OK;
}
