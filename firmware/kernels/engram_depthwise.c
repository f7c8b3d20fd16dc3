// Depthwise convolution, float32: every channel with its own window of weights.
#include "engram_check.h"
#include "engram_simd.h"
#include "engram_slide.h"
#include "engram_tile.h"

#include <string.h>

// The arguments out_arg, x_arg and w_arg are as large as out, x and w.
static bool sizes_ok(engram_fault_t *fault, const int32_t *g, int32_t B, int out_arg, size_t out,
    int x_arg, size_t x, int w_arg, size_t w) {
    // in the order of the arguments, as the definition checks them
    for (int arg = 0; arg < 4; arg++) {
        bool ok = true;
        if (arg == out_arg) {
            ok = engram_need(fault, arg, out, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_C]);
        } else if (arg == x_arg) {
            ok = engram_need(fault, arg, x, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C]);
        } else if (arg == w_arg) {
            ok = engram_need(fault, arg, w, g[ENGRAM_R], g[ENGRAM_S], g[ENGRAM_C], 1);
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

#ifdef ENGRAM_FPU
static const float zeros[12];
#endif

// Pairs that are multiplied and added: how many, and the steps from one to the next.
typedef struct { int32_t rows, columns; ptrdiff_t x_down, x_right, w_down, w_right; } window_t;

// out[0..3] = sum over the window of x[0..3] * w[0..3]
static void dot_x4(float *out, const float *x, const float *w, const window_t *t) {
    float sum0 = 0.0f, sum1 = 0.0f, sum2 = 0.0f, sum3 = 0.0f;
    for (int32_t r = t->rows; r > 0; r--, x += t->x_down, w += t->w_down) {
        const float *xp = x, *wp = w;
        for (int32_t s = t->columns; s > 0; s--, xp += t->x_right, wp += t->w_right) {
            sum0 += xp[0] * wp[0];
            sum1 += xp[1] * wp[1];
            sum2 += xp[2] * wp[2];
            sum3 += xp[3] * wp[3];
        }
    }
    out[0] = sum0;
    out[1] = sum1;
    out[2] = sum2;
    out[3] = sum3;
}

static void dot_x1(float *out, const float *x, const float *w, const window_t *t) {
    float sum = 0.0f;
    for (int32_t r = t->rows; r > 0; r--, x += t->x_down, w += t->w_down) {
        const float *xp = x, *wp = w;
        for (int32_t s = t->columns; s > 0; s--, xp += t->x_right, wp += t->w_right) {
            sum += *xp * *wp;
        }
    }
    *out = sum;
}

// The same for the channels of a pixel from c to C - 1, + b[c] where b is not NULL.
static void dots(float *out, const float *x, const float *w, const float *b, const window_t *t, ptrdiff_t c,
    ptrdiff_t C) {
    ptrdiff_t added = c;
    #ifdef ENGRAM_FPU
    const ptrdiff_t f = sizeof(float), x_skip = t->x_down - t->columns * t->x_right;
    const ptrdiff_t w_skip = t->w_down - t->columns * t->w_right;
    for (; c + 8 <= C && t->rows > 0 && t->columns > 0; c += 8) {
        float sum[8];
        engram_add_4(sum, zeros, zeros);
        engram_add_4(sum + 4, zeros, zeros);
        engram_lanes_8(sum, x + c, t->x_right * f, x_skip * f, w + c, t->w_right * f, w_skip * f, t->rows, t->columns);
        engram_add_4(out + c, sum, b != NULL ? b + c : zeros);
        engram_add_4(out + c + 4, sum + 4, b != NULL ? b + c + 4 : zeros);
    }
    added = c;
    #endif
    for (; c + 4 <= C; c += 4) {
        dot_x4(out + c, x + c, w + c, t);
    }
    for (; c < C; c++) {
        dot_x1(out + c, x + c, w + c, t);
    }
    for (c = added; c < C && b != NULL; c++) {
        out[c] += b[c];
    }
}

#ifdef ENGRAM_FPU

// One side of a layer that slides: where position (0, 0) lies, elements to the next row and column.
typedef struct { ptrdiff_t at, row, column; } side_t;

// Stride 1 and windows of 3 x 3: blocks of four channels, two or three windows side by side, from
// the top to the bottom; how many channels there are in such blocks. h and v: as if x were the
// input of a forward pass.
static ptrdiff_t windows_3x3(float *out, side_t o, const float *x, side_t i, const float *w, const float *b,
    const engram_axis_t *h, const engram_axis_t *v, ptrdiff_t C) {
    const ptrdiff_t f = sizeof(float), end = C - C % 4;
    for (ptrdiff_t c = 0; c < end; c += 4) {
        float taps[9 * 4];
        for (ptrdiff_t t = 0; t < 9; t++) {
            memcpy(taps + 4 * t, w + t * C + c, 4 * sizeof(float));
        }
        engram_windows_t t = {
            .x_right = i.column * f, .bias = b != NULL ? b + c : NULL, .out_right = o.column * f, .zeros = zeros,
        };
        for (int32_t ow = 0, n; ow < v->out; ow += n) {
            const int32_t left = ow - v->pad, rest = v->out - ow;
            n = rest == 2 || rest == 4 ? 2 : 3;
            const int32_t beyond = v->size - left - n;  // columns from the last window's middle on
            if (rest == 1 || left < -1 || beyond < 1) {
                n = 1;
            }
            const engram_range_t s = engram_clip(-left, v->size - left, 3);
            t.has_first = left >= 0, t.has_last = beyond > 1;
            t.x_skip = (i.row - (n + (left >= 0) + (beyond > 1)) * i.column) * f;
            t.out_down = (o.row - (n - 1) * o.column) * f;
            for (int32_t top = -h->pad, down; top < h->out - h->pad; top += down) {
                const engram_range_t r = engram_clip(-top, h->size - top, 3);
                const int32_t rows = r.to - r.from, left_over = h->out - h->pad - top;
                const int32_t whole = h->size - 2 - top;  // how many from here on see three rows
                down = rows < 3 ? 1 : whole < left_over ? whole : left_over;
                float *to = out + (o.at + (top + h->pad) * o.row + ow * o.column + c);
                const float *from = x + (i.at + (top + r.from) * i.row + (left + s.from) * i.column + c);
                if (n > 1 && rows > 0) {
                    t.w = taps + 12 * r.from, t.rows = (uint32_t)rows;
                    t.x_down = (1 - rows) * i.row * f;
                    (n == 3 ? engram_windows_3 : engram_windows_2)(&t, from, to, (uint32_t)down);
                    continue;
                }
                n = 1, down = 1;
                const window_t one = { rows, s.to - s.from, i.row, i.column, 12, 4 };
                dot_x4(to, from, taps + 12 * r.from + 4 * s.from, &one);
                if (b != NULL) {
                    engram_add_4(to, to, b + c);
                }
            }
        }
    }
    return end;
}

static bool is_3x3(const engram_axis_t *h, const engram_axis_t *v) {
    return h->taps == 3 && v->taps == 3 && h->stride == 1 && v->stride == 1 && h->dil == 1 && v->dil == 1;
}

#endif

int32_t engram_depthwise_fwd(engram_F_t out, engram_f_t x, engram_f_t w, engram_o_t b,
    engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 5, B, 0) && engram_geom(fault, 4, geom, true)
          && sizes_ok(fault, g, B, 0, out.n, 1, x.n, 2, w.n)
          && (b.p == NULL || engram_need(fault, 3, b.n, g[ENGRAM_C], 1, 1, 1)))) {
        return ENGRAM_FAULT;
    }
    ptrdiff_t c = 0;
    #ifdef ENGRAM_FPU
    const engram_axis_t h = engram_axis(g, 0), v = engram_axis(g, 1);
    const ptrdiff_t C = g[ENGRAM_C];
    if (is_3x3(&h, &v)) {
        side_t o = { 0, v.out * C, C }, i = { 0, v.size * C, C };
        for (int32_t image = 0; image < B; image++, o.at += h.out * o.row, i.at += h.size * i.row) {
            c = windows_3x3(out.p, o, x.p, i, w.p, b.p, &h, &v, C);
        }
        if (c == C) {
            return ENGRAM_OK;
        }
    }
    #endif
    for (engram_slide_t p = engram_slide(g, B); engram_slide_next(&p);) {
        const window_t t = { p.rows, p.columns, p.x_down, p.x_right, p.tap_down, p.C };
        dots(out.p + p.out, x.p + p.x, w.p + p.tap, b.p, &t, c, p.C);
    }
    return ENGRAM_OK;
}

int32_t engram_depthwise_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t w, engram_l_t geom,
    int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 4, B, 0) && engram_geom(fault, 3, geom, true)
          && sizes_ok(fault, g, B, 1, dout.n, 0, dx.n, 2, w.n))) {
        return ENGRAM_FAULT;
    }
    const engram_axis_t h = engram_axis(g, 0), v = engram_axis(g, 1);
    const ptrdiff_t C = g[ENGRAM_C], out_row = v.out * C, tap_row = v.taps * C;
    ptrdiff_t from = 0;
    #ifdef ENGRAM_FPU
    if (is_3x3(&h, &v)) {
        // Seen from the last pixel on, both ways reversed, it is a forward pass from dout to dx.
        const engram_axis_t mirrored_h = { h.out, h.size, 3, 1, h.pad + h.size - h.out, 1 };
        const engram_axis_t mirrored_v = { v.out, v.size, 3, 1, v.pad + v.size - v.out, 1 };
        side_t to = { -C, -v.size * C, -C }, d = { -C, -out_row, -C };
        for (int32_t i = 0; i < B; i++) {
            to.at += h.size * v.size * C, d.at += h.out * out_row;
            from = windows_3x3(dx.p, to, dout.p, d, w.p, NULL, &mirrored_h, &mirrored_v, C);
        }
        if (from == C) {
            return ENGRAM_OK;
        }
    }
    #endif
    float *o = dx.p;
    for (int32_t i = 0; i < B; i++) {
        for (int32_t ih = 0; ih < h.size; ih++) {
            const engram_reach_t r = engram_reach(&h, ih);
            for (int32_t iw = 0; iw < v.size; iw++, o += C) {
                const engram_reach_t s = engram_reach(&v, iw);
                const window_t t = {
                    r.n, s.n, -r.back * out_row, -s.back * C, r.step * tap_row, s.step * C,
                };
                dots(o, dout.p + ((i * h.out + r.at) * out_row + s.at * C),
                    w.p + (r.first * tap_row + s.first * C), NULL, &t, from, C);
            }
        }
    }
    return ENGRAM_OK;
}

// Where the pairs of dout and x lie that one tap multiplies.
typedef struct { int32_t images, rows, columns; ptrdiff_t d2, d1, d0, x2, x1, x0; } pairs_t;

// out[0..3] += sum of d[0..3] * x[0..3] over the pairs
static void correlate_x4(float *out, const float *d, const float *x, const pairs_t *t) {
    float sum0 = 0.0f, sum1 = 0.0f, sum2 = 0.0f, sum3 = 0.0f;
    for (int32_t i = 0; i < t->images; i++) {
        for (int32_t r = 0; r < t->rows; r++) {
            const float *dp = d + (i * t->d2 + r * t->d1), *xp = x + (i * t->x2 + r * t->x1);
            for (int32_t s = t->columns; s > 0; s--, dp += t->d0, xp += t->x0) {
                sum0 += dp[0] * xp[0];
                sum1 += dp[1] * xp[1];
                sum2 += dp[2] * xp[2];
                sum3 += dp[3] * xp[3];
            }
        }
    }
    out[0] += sum0;
    out[1] += sum1;
    out[2] += sum2;
    out[3] += sum3;
}

static void correlate_x1(float *out, const float *d, const float *x, const pairs_t *t) {
    float sum = 0.0f;
    for (int32_t i = 0; i < t->images; i++) {
        for (int32_t r = 0; r < t->rows; r++) {
            const float *dp = d + (i * t->d2 + r * t->d1), *xp = x + (i * t->x2 + r * t->x1);
            for (int32_t s = t->columns; s > 0; s--, dp += t->d0, xp += t->x0) {
                sum += *dp * *xp;
            }
        }
    }
    *out += sum;
}

// out[0..C-1] += sum of d * x over the pairs, channel by channel
static void correlate(float *out, const float *d, const float *x, const pairs_t *t, ptrdiff_t C) {
    ptrdiff_t c = 0;
    #ifdef ENGRAM_FPU
    const ptrdiff_t f = sizeof(float), d_skip = t->d1 - t->columns * t->d0, x_skip = t->x1 - t->columns * t->x0;
    for (; c + 8 <= C; c += 8) {
        float sum[8];
        engram_add_4(sum, zeros, zeros);
        engram_add_4(sum + 4, zeros, zeros);
        for (int32_t i = 0; i < t->images; i++) {
            engram_lanes_8(sum, d + i * t->d2 + c, t->d0 * f, d_skip * f, x + i * t->x2 + c, t->x0 * f, x_skip * f,
                t->rows, t->columns);
        }
        engram_add_4(out + c, out + c, sum);
        engram_add_4(out + c + 4, out + c + 4, sum + 4);
    }
    #endif
    for (; c + 4 <= C; c += 4) {
        correlate_x4(out + c, d + c, x + c, t);
    }
    for (; c < C; c++) {
        correlate_x1(out + c, d + c, x + c, t);
    }
}

int32_t engram_depthwise_bwd_dw(engram_F_t dw, engram_F_t db, engram_f_t dout, engram_f_t x,
    engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 5, B, 0) && engram_geom(fault, 4, geom, true)
          && engram_need(fault, 1, db.n, g[ENGRAM_C], 1, 1, 1)
          && sizes_ok(fault, g, B, 2, dout.n, 3, x.n, 0, dw.n))) {
        return ENGRAM_FAULT;
    }
    const engram_axis_t h = engram_axis(g, 0), v = engram_axis(g, 1);
    const ptrdiff_t C = g[ENGRAM_C], x_row = v.size * C, out_row = v.out * C;
    pairs_t t = { .images = B, .d2 = h.out * out_row, .d1 = out_row, .d0 = C };
    t.x2 = h.size * x_row, t.x1 = h.stride * x_row, t.x0 = v.stride * C;
    for (int32_t r = 0; r < h.taps; r++) {
        const engram_range_t oh = engram_outputs(&h, r);
        for (int32_t s = 0; s < v.taps; s++) {
            const engram_range_t ow = engram_outputs(&v, s);
            t.rows = oh.to - oh.from, t.columns = ow.to - ow.from;
            if (t.rows == 0 || t.columns == 0 || B == 0) {
                continue;
            }
            float *o = dw.p + (r * v.taps + s) * C;
            const float *d = dout.p + (oh.from * out_row + ow.from * C);
            const float *xp = x.p + ((oh.from * h.stride - h.pad + r * h.dil) * x_row
                + (ow.from * v.stride - v.pad + s * v.dil) * C);
            correlate(o, d, xp, &t, C);
        }
    }
    engram_add_rows(db.p, dout.p, (size_t)B * (size_t)(h.out * v.out), (size_t)C);
    return ENGRAM_OK;
}
