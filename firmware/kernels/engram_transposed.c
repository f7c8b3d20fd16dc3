// Transposed convolution, float32: the convolution's gradients with their roles exchanged. Its
// geometry is that of the convolution it transposes, from (H, W, C) to (OH, OW, K).
#include "engram_check.h"
#include "engram_tile.h"
#include "engram_window.h"

static bool whole_ok(engram_fault_t *fault, int arg, size_t n, const int32_t *g, int32_t B) {
    return engram_need(fault, arg, n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C]);
}

static bool small_ok(engram_fault_t *fault, int arg, size_t n, const int32_t *g, int32_t B) {
    return engram_need(fault, arg, n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_K]);
}

static bool weights_ok(engram_fault_t *fault, int arg, size_t n, const int32_t *g) {
    return engram_need(fault, arg, n, g[ENGRAM_K], g[ENGRAM_R], g[ENGRAM_S], g[ENGRAM_C]);
}

int32_t engram_conv2d_t_fwd(engram_F_t out, engram_f_t x, engram_f_t w, engram_o_t b,
    engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 5, B, 0) && engram_geom(fault, 4, geom, false)
          && whole_ok(fault, 0, out.n, g, B) && small_ok(fault, 1, x.n, g, B)
          && weights_ok(fault, 2, w.n, g)
          && (b.p == NULL || engram_need(fault, 3, b.n, g[ENGRAM_C], 1, 1, 1)))) {
        return ENGRAM_FAULT;
    }
    engram_conv2d_bwd_dx(out, x, w, geom, B, fault);  // all of it was checked
    if (b.p != NULL) {
        const size_t C = (size_t)g[ENGRAM_C];
        for (size_t at = 0; at < out.n; at += C) {
            for (size_t c = 0; c < C; c++) {
                out.p[at + c] += b.p[c];
            }
        }
    }
    return ENGRAM_OK;
}

int32_t engram_conv2d_t_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t w, engram_l_t geom,
    int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 4, B, 0) && engram_geom(fault, 3, geom, false)
          && small_ok(fault, 0, dx.n, g, B) && whole_ok(fault, 1, dout.n, g, B)
          && weights_ok(fault, 2, w.n, g))) {
        return ENGRAM_FAULT;
    }
    const engram_o_t no_bias = { NULL, 0 };
    return engram_conv2d_fwd(dx, dout, w, no_bias, geom, B, fault);
}

int32_t engram_conv2d_t_bwd_dw(engram_F_t dw, engram_F_t db, engram_f_t dout, engram_f_t x,
    engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 5, B, 0) && engram_geom(fault, 4, geom, false)
          && weights_ok(fault, 0, dw.n, g) && engram_need(fault, 1, db.n, g[ENGRAM_C], 1, 1, 1)
          && whole_ok(fault, 2, dout.n, g, B) && small_ok(fault, 3, x.n, g, B))) {
        return ENGRAM_FAULT;
    }
    const engram_axis_t h = engram_axis(g, 0), v = engram_axis(g, 1);
    const ptrdiff_t C = g[ENGRAM_C], K = g[ENGRAM_K];
    const ptrdiff_t whole_row = v.size * C, small_row = v.out * K, w_row = v.taps * C;
    engram_mm_t t = {
        .out_i = h.taps * w_row, .a_i = 1, .b_j = 1, .I = (size_t)K, .J = (size_t)C,
        .n0 = (size_t)B, .a0 = h.out * small_row, .b0 = h.size * whole_row,
        .a2 = small_row, .b2 = h.stride * whole_row, .a1 = K, .b1 = v.stride * C,
    };
    for (int32_t r = 0; r < h.taps; r++) {
        const engram_range_t oh = engram_outputs(&h, r);
        for (int32_t s = 0; s < v.taps; s++) {
            const engram_range_t ow = engram_outputs(&v, s);
            if (oh.from == oh.to || ow.from == ow.to || B == 0) {
                continue;
            }
            t.out = dw.p + (r * w_row + s * C);
            t.a = x.p + (oh.from * small_row + ow.from * K);
            t.b = dout.p + ((oh.from * h.stride - h.pad + r * h.dil) * whole_row
                + (ow.from * v.stride - v.pad + s * v.dil) * C);
            t.n2 = (size_t)(oh.to - oh.from);
            t.n1 = (size_t)(ow.to - ow.from);
            engram_mm_outer(&t);
        }
    }
    engram_add_rows(db.p, dout.p, (size_t)B * (size_t)(h.size * v.size), (size_t)C);
    return ENGRAM_OK;
}
