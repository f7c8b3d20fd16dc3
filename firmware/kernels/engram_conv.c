// Convolution, float32, NHWC and OHWI, without scratch memory: every output position (or tap)
// is one small matrix product whose sum has only valid terms.
#include "engram_check.h"
#include "engram_tile.h"
#include "engram_window.h"

// The strides of a geometry, in elements.
typedef struct {
    engram_axis_t h, w;
    ptrdiff_t C, K;
    ptrdiff_t x_row, x_image, out_row, out_image;  // of x (H, W, C) and out (OH, OW, K)
    ptrdiff_t w_row, w_filter;                     // of w (R, S, C)
} conv_t;

static conv_t conv(const int32_t *g) {
    conv_t c = { engram_axis(g, 0), engram_axis(g, 1), g[ENGRAM_C], g[ENGRAM_K], 0, 0, 0, 0, 0, 0 };
    c.x_row = c.w.size * c.C;
    c.x_image = c.h.size * c.x_row;
    c.out_row = c.w.out * c.K;
    c.out_image = c.h.out * c.out_row;
    c.w_row = c.w.taps * c.C;
    c.w_filter = c.h.taps * c.w_row;
    return c;
}

// A 1x1 window on every pixel: positions are rows of a dense layer.
static bool pointwise(const conv_t *c) {
    return c->h.taps == 1 && c->w.taps == 1 && c->h.stride == 1 && c->w.stride == 1
        && c->h.out == c->h.size && c->w.out == c->w.size;
}

// One dense call for a whole pointwise batch; its rows fit, the buffers were checked.
#define ROWS(c, B) ((size_t)(B) * (size_t)(c).h.size * (size_t)(c).w.size)

int32_t engram_conv2d_fwd(engram_F_t out, engram_f_t x, engram_f_t w, engram_o_t b,
    engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 5, B, 0) && engram_geom(fault, 4, geom, false)
          && engram_need(fault, 0, out.n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_K])
          && engram_need(fault, 1, x.n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C])
          && engram_need(fault, 2, w.n, g[ENGRAM_K], g[ENGRAM_R], g[ENGRAM_S], g[ENGRAM_C])
          && (b.p == NULL || engram_need(fault, 3, b.n, g[ENGRAM_K], 1, 1, 1)))) {
        return ENGRAM_FAULT;
    }
    const conv_t c = conv(g);
    engram_mm_t t = {
        .bias = b.p, .b_j = c.w_filter, .J = (size_t)c.K, .a0 = 1, .b0 = 1,
    };
    if (pointwise(&c)) {
        t.out = out.p, t.out_i = c.K, t.a = x.p, t.a_i = c.C, t.b = w.p;
        t.I = ROWS(c, B), t.n2 = 1, t.n1 = 1, t.n0 = (size_t)c.C;
        engram_mm_dot(&t);
        return ENGRAM_OK;
    }
    t.a2 = c.h.dil * c.x_row, t.b2 = c.w_row;
    t.a1 = c.w.dil * c.C, t.b1 = c.C;
    const engram_range_t whole_row = engram_whole(&c.w), none = { 0, 0 };
    for (int32_t oh = 0; oh < c.h.out; oh++) {
        const engram_range_t r = engram_taps(&c.h, oh);
        for (int32_t ow = 0, n; ow < c.w.out; ow += n) {
            // Rows of the product: the batch, or where that is short the positions to the
            // right that see the same taps.
            const engram_run_t run = engram_run(&c.w, B < 4 ? &whole_row : &none, ow);
            const engram_range_t s = run.taps;
            n = run.n;
            int32_t ih = oh * c.h.stride - c.h.pad + r.from * c.h.dil;
            int32_t iw = ow * c.w.stride - c.w.pad + s.from * c.w.dil;
            const float *a = x.p + ih * c.x_row + iw * c.C;
            float *o = out.p + oh * c.out_row + ow * c.K;
            t.b = w.p + r.from * c.w_row + s.from * c.C;
            t.n2 = (size_t)(r.to - r.from);
            if (c.w.dil == 1) {  // taps of a row are neighbours: one longer inner loop
                t.n1 = 1, t.n0 = (size_t)((s.to - s.from) * c.C);
            } else {
                t.n1 = (size_t)(s.to - s.from), t.n0 = (size_t)c.C;
            }
            if (B < 4) {
                t.out_i = c.K, t.a_i = c.w.stride * c.C, t.I = (size_t)n;
                for (int32_t i = 0; i < B; i++) {
                    t.a = a + i * c.x_image, t.out = o + i * c.out_image;
                    engram_mm_dot(&t);
                }
            } else {
                t.out_i = c.out_image, t.a_i = c.x_image, t.I = (size_t)B;
                t.a = a, t.out = o;
                engram_mm_dot(&t);
            }
        }
    }
    return ENGRAM_OK;
}

int32_t engram_conv2d_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t w,
    engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 4, B, 0) && engram_geom(fault, 3, geom, false)
          && engram_need(fault, 0, dx.n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C])
          && engram_need(fault, 1, dout.n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_K])
          && engram_need(fault, 2, w.n, g[ENGRAM_K], g[ENGRAM_R], g[ENGRAM_S], g[ENGRAM_C]))) {
        return ENGRAM_FAULT;
    }
    const conv_t c = conv(g);
    engram_mm_t t = {
        .b_j = 1, .J = (size_t)c.C, .n0 = (size_t)c.K, .a0 = 1, .b0 = c.w_filter,
    };
    if (pointwise(&c)) {
        t.out = dx.p, t.out_i = c.C, t.a = dout.p, t.a_i = c.K, t.b = w.p;
        t.I = ROWS(c, B), t.n2 = 1, t.n1 = 1;
        engram_mm_axpy(&t);
        return ENGRAM_OK;
    }
    // Rows of the product: the batch, or where that is short the pixels to the right that all taps
    // reach, each from the output right of the one before.
    const int32_t span = (c.w.taps - 1) * c.w.dil - c.w.pad;
    const engram_range_t reached = engram_clip(span, c.w.out - c.w.pad, c.w.size);
    const bool by_pixel = B < 4 && c.w.stride == 1;
    for (int32_t ih = 0; ih < c.h.size; ih++) {
        const engram_reach_t r = engram_reach(&c.h, ih);
        for (int32_t iw = 0, n; iw < c.w.size; iw += n) {
            const engram_reach_t s = engram_reach(&c.w, iw);
            n = by_pixel && iw == reached.from && reached.to > iw ? reached.to - iw : 1;
            float *o = dx.p + ih * c.x_row + iw * c.C;
            const float *a = dout.p + r.at * c.out_row + s.at * c.K;
            t.b = w.p + r.first * c.w_row + s.first * c.C;
            t.n2 = (size_t)r.n, t.a2 = -r.back * c.out_row, t.b2 = r.step * c.w_row;
            t.n1 = (size_t)s.n, t.a1 = -s.back * c.K, t.b1 = s.step * c.C;
            if (n > 1) {
                t.out_i = c.C, t.a_i = c.K, t.I = (size_t)n;
                for (int32_t i = 0; i < B; i++) {
                    t.a = a + i * c.out_image, t.out = o + i * c.x_image;
                    engram_mm_axpy(&t);
                }
            } else {
                t.out_i = c.x_image, t.a_i = c.out_image, t.I = (size_t)B;
                t.a = a, t.out = o;
                engram_mm_axpy(&t);
            }
        }
    }
    return ENGRAM_OK;
}

int32_t engram_conv2d_bwd_dw(engram_F_t dw, engram_F_t db, engram_f_t dout, engram_f_t x,
    engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 5, B, 0) && engram_geom(fault, 4, geom, false)
          && engram_need(fault, 0, dw.n, g[ENGRAM_K], g[ENGRAM_R], g[ENGRAM_S], g[ENGRAM_C])
          && engram_need(fault, 1, db.n, g[ENGRAM_K], 1, 1, 1)
          && engram_need(fault, 2, dout.n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_K])
          && engram_need(fault, 3, x.n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C]))) {
        return ENGRAM_FAULT;
    }
    const conv_t c = conv(g);
    engram_mm_t t = {
        .out_i = c.w_filter, .a_i = 1, .b_j = 1, .I = (size_t)c.K, .J = (size_t)c.C,
    };
    if (pointwise(&c)) {
        t.out = dw.p, t.a = dout.p, t.b = x.p;
        t.n2 = 1, t.n1 = 1, t.n0 = ROWS(c, B), t.a0 = c.K, t.b0 = c.C;
        engram_mm_outer(&t);
    } else {
        for (int32_t r = 0; r < c.h.taps; r++) {
            engram_range_t oh = engram_outputs(&c.h, r);
            for (int32_t s = 0; s < c.w.taps; s++) {
                engram_range_t ow = engram_outputs(&c.w, s);
                int32_t ih = oh.from * c.h.stride - c.h.pad + r * c.h.dil;
                int32_t iw = ow.from * c.w.stride - c.w.pad + s * c.w.dil;
                if (oh.from == oh.to || ow.from == ow.to) {
                    continue;
                }
                t.out = dw.p + r * c.w_row + s * c.C;
                t.a = dout.p + oh.from * c.out_row + ow.from * c.K;
                t.b = x.p + ih * c.x_row + iw * c.C;
                // The longer of batch and row inside.
                const size_t rows = (size_t)(oh.to - oh.from), columns = (size_t)(ow.to - ow.from);
                const ptrdiff_t b_row = c.h.stride * c.x_row, b_column = c.w.stride * c.C;
                if ((size_t)B < columns) {
                    t.n2 = (size_t)B, t.a2 = c.out_image, t.b2 = c.x_image;
                    t.n1 = rows, t.a1 = c.out_row, t.b1 = b_row;
                    t.n0 = columns, t.a0 = c.K, t.b0 = b_column;
                } else {
                    t.n2 = rows, t.a2 = c.out_row, t.b2 = b_row;
                    t.n1 = columns, t.a1 = c.K, t.b1 = b_column;
                    t.n0 = (size_t)B, t.a0 = c.out_image, t.b0 = c.x_image;
                }
                engram_mm_outer(&t);
            }
        }
    }
    engram_add_rows(db.p, dout.p, (size_t)B * (size_t)(c.h.out * c.w.out), (size_t)c.K);
    return ENGRAM_OK;
}
