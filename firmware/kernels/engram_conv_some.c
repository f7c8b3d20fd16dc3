// Backward passes of a convolution for some of its filters, float32: each sample goes by a list of
// its own. The walk is that of engram_conv.c with a batch of one.
#include <string.h>

#include "engram_check.h"
#include "engram_tile_some.h"
#include "engram_window.h"

int32_t engram_conv2d_bwd_dx_some(engram_F_t dx, engram_f_t dout, engram_f_t w, engram_l_t kept,
    engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 5, B, 0) && engram_geom(fault, 4, geom, false)
          && engram_need(fault, 0, dx.n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C])
          && engram_need(fault, 1, dout.n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_K])
          && engram_need(fault, 2, w.n, g[ENGRAM_K], g[ENGRAM_R], g[ENGRAM_S], g[ENGRAM_C])
          && engram_need(fault, 3, kept.n, B, g[ENGRAM_K], 1, 1) && engram_kept(fault, 3, kept, B, g[ENGRAM_K]))) {
        return ENGRAM_FAULT;
    }
    const engram_axis_t h = engram_axis(g, 0), v = engram_axis(g, 1);
    const ptrdiff_t C = g[ENGRAM_C], K = g[ENGRAM_K], out_row = v.out * K, w_row = v.taps * C;
    // Rows of the product: the pixels to the right that all taps reach.
    const engram_range_t reached = engram_clip((v.taps - 1) * v.dil - v.pad, v.out - v.pad, v.size);
    engram_mm_t t = {
        .out = dx.p, .out_i = C, .a_i = K, .b_j = 1, .J = (size_t)C, .b0 = h.taps * w_row,
    };
    const float *image = dout.p;
    for (int32_t b = 0; b < B; b++, image += h.out * out_row) {
        const engram_some_t some = engram_some(kept, b, g[ENGRAM_K]);
        if (some.n == 0) {
            memset(t.out, 0, (size_t)(h.size * v.size * C) * sizeof(float));
            t.out += h.size * v.size * C;
            continue;
        }
        for (int32_t ih = 0; ih < h.size; ih++) {
            const engram_reach_t r = engram_reach(&h, ih);
            t.n2 = (size_t)r.n, t.a2 = -r.back * out_row, t.b2 = r.step * w_row;
            for (int32_t iw = 0, n; iw < v.size; iw += n, t.out += n * C) {
                const engram_reach_t s = engram_reach(&v, iw);
                n = v.stride == 1 && iw == reached.from && reached.to > iw ? reached.to - iw : 1;
                t.a = image + (r.at * out_row + s.at * K);
                t.b = w.p + (r.first * w_row + s.first * C);
                t.n1 = (size_t)s.n, t.a1 = -s.back * K, t.b1 = s.step * C;
                t.I = (size_t)n;
                engram_some_axpy(&t, some);
            }
        }
    }
    return ENGRAM_OK;
}

// Whether no window hangs over the input along an axis.
static bool is_inside(const engram_axis_t *axis) {
    return axis->pad == 0 && (axis->out - 1) * axis->stride + (axis->taps - 1) * axis->dil < axis->size;
}

int32_t engram_conv2d_bwd_dw_some(engram_F_t dw, engram_F_t db, engram_f_t dout, engram_f_t x,
    engram_l_t kept, engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 6, B, 0) && engram_geom(fault, 5, geom, false)
          && engram_need(fault, 0, dw.n, g[ENGRAM_K], g[ENGRAM_R], g[ENGRAM_S], g[ENGRAM_C])
          && engram_need(fault, 1, db.n, g[ENGRAM_K], 1, 1, 1)
          && engram_need(fault, 2, dout.n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_K])
          && engram_need(fault, 3, x.n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C])
          && engram_need(fault, 4, kept.n, B, g[ENGRAM_K], 1, 1) && engram_kept(fault, 4, kept, B, g[ENGRAM_K]))) {
        return ENGRAM_FAULT;
    }
    if (engram_all_kept(kept, B, g[ENGRAM_K])) {
        return engram_conv2d_bwd_dw(dw, db, dout, x, geom, B, fault);
    }
    const engram_axis_t h = engram_axis(g, 0), v = engram_axis(g, 1);
    const ptrdiff_t C = g[ENGRAM_C], K = g[ENGRAM_K], x_row = v.size * C, out_row = v.out * K;
    // Where all windows lie inside the input, taps have the same terms, a step apart.
    const bool inside = is_inside(&h) && is_inside(&v);
    const int32_t rows = inside ? 1 : h.taps, columns = inside ? 1 : v.taps;
    engram_grid_t grid = { 0, 0, out_row, K, h.stride * x_row, v.stride * C };
    engram_terms_t t;
    t.columns = (size_t)C, t.n = 0, t.down = inside ? h.taps : 1, t.right = inside ? v.taps : 1;
    t.x = x.p, t.x_down = h.dil * x_row, t.x_right = v.dil * C;
    for (int32_t first = 0; first < B; first += ENGRAM_SAMPLES) {
        for (engram_keepers_t k = engram_keepers(kept, B, g[ENGRAM_K], first); engram_keepers_next(&k);) {
            t.out = dw.p + k.m * h.taps * v.taps * C;
            for (int32_t r = 0; r < rows; r++) {
                const engram_range_t oh = engram_outputs(&h, r);
                for (int32_t s = 0; s < columns; s++, t.out += C) {
                    const engram_range_t ow = engram_outputs(&v, s);
                    const ptrdiff_t d = oh.from * out_row + ow.from * K + k.m;
                    const ptrdiff_t at = (oh.from * h.stride - h.pad + r * h.dil) * x_row
                        + (ow.from * v.stride - v.pad + s * v.dil) * C;
                    grid.rows = oh.to - oh.from, grid.columns = ow.to - ow.from;
                    for (size_t i = 0; i < k.n; i++) {
                        engram_terms(&t, dout.p + (d + k.b[i] * h.out * out_row), at + k.b[i] * h.size * x_row, &grid);
                    }
                    engram_terms_add(&t);
                }
            }
        }
    }
    for (int32_t b = 0; b < B; b++) {
        engram_some_add_rows(db.p, dout.p + b * h.out * out_row, (size_t)(h.out * v.out), (size_t)K,
            engram_listed(kept, b, g[ENGRAM_K]));
    }
    return ENGRAM_OK;
}
