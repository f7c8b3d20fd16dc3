// Transposed convolution, int8: every output gathers what reaches it, so that no sum waits in memory.
// Its geometry is that of the convolution it transposes, from (H, W, C) to (OH, OW, K).
#include "engram_check_s8.h"
#include "engram_tile_s8.h"
#include "engram_window.h"

int32_t engram_conv2d_t_s8(engram_B_t out, engram_b_t x, engram_b_t w, engram_l_t bias, engram_l_t mult,
    engram_l_t shift, engram_l_t geom, engram_l_t q, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    bool quick;
    if (!(engram_dim(fault, 8, B, 0) && engram_geom(fault, 6, geom, false)
          && engram_need(fault, 0, out.n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C])
          && engram_need(fault, 1, x.n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_K])
          && engram_need(fault, 2, w.n, g[ENGRAM_C], g[ENGRAM_R], g[ENGRAM_S], g[ENGRAM_K])
          && engram_channels_ok(fault, bias, mult, shift, g[ENGRAM_C], &quick) && engram_q_ok(fault, 7, q))) {
        return ENGRAM_FAULT;
    }
    const engram_axis_t h = engram_axis(g, 0), v = engram_axis(g, 1);
    const ptrdiff_t C = g[ENGRAM_C], K = g[ENGRAM_K];
    const ptrdiff_t x_row = v.out * K, w_row = v.taps * K, filter = h.taps * w_row;
    #ifdef ENGRAM_WIDE
    // Widening is worth it for many channels, and for pieces without a rest.
    const bool wide = C >= 8 && K % 4 == 0;
    const engram_columns_s8_t all = engram_columns_s8_of(w.p, bias.p, mult.p, shift.p, q.p, (size_t)filter, (size_t)C,
        quick);
    uint32_t columns[ENGRAM_COLUMN_WORDS];
    engram_window_s8_t window = { .n0 = (size_t)K, .offset = -q.p[ENGRAM_IN_ZP] };
    #endif
    engram_run_s8_t t = {
        .positions = 1, .w_j = filter, .n0 = (size_t)K, .offset = -q.p[ENGRAM_IN_ZP],
        .range = { q.p[ENGRAM_OUT_ZP], q.p[ENGRAM_ACT_MIN], q.p[ENGRAM_ACT_MAX] }, .right = quick,
    };
    t.out = out.p;
    for (ptrdiff_t row = 0; row < (ptrdiff_t)B * h.size; row++) {
        const ptrdiff_t image = row / h.size;
        const engram_reach_t r = engram_reach(&h, (int32_t)(row - image * h.size));
        t.n2 = (size_t)r.n;
        t.x2 = -r.back * x_row;
        t.w2 = r.step * w_row;
        for (int32_t column = 0; column < v.size; column++) {
            const engram_reach_t s = engram_reach(&v, column);
            t.n1 = (size_t)s.n;
            t.x1 = -s.back * K;
            t.w1 = s.step * K;
            t.x = x.p + ((image * h.out + r.at) * x_row + s.at * K);
            #ifdef ENGRAM_WIDE
            if (wide) {
                window.x = t.x, window.w = r.first * w_row + s.first * K;
                window.n2 = t.n2, window.n1 = t.n1;
                window.x2 = t.x2, window.x1 = t.x1, window.w2 = t.w2, window.w1 = t.w1;
                engram_window_s8(&all, &window, columns, t.out);
                t.out += C;
                continue;
            }
            #endif
            for (ptrdiff_t c = 0, step; c < C; c += step, t.out += step) {
                step = C - c >= 4 ? 4 : 1;
                t.w = w.p + (c * filter + r.first * w_row + s.first * K);
                t.mult = mult.p + c, t.shift = shift.p + c;
                for (ptrdiff_t j = 0; j < step; j++) {
                    t.start[j] = (engram_acc_t)bias.p[c + j];
                }
                (step == 4 ? engram_run_s8_x4 : engram_run_s8_x1)(&t);
            }
        }
    }
    return ENGRAM_OK;
}
