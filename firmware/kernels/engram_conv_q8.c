// Convolution and transposed convolution of fully quantized training, NHWC and OHWI, without scratch
// memory: every output position (or tap) is one small product of matrices with only valid terms.
#include <string.h>

#include "engram_sums_q8.h"
#include "engram_window.h"

// The strides of a geometry between `wide` (B, H, W, C) and `narrow` (B, OH, OW, K), in elements.
typedef struct {
    engram_axis_t h, w;
    ptrdiff_t C, K, wide_row, wide_image, narrow_row, narrow_image, w_row, w_filter;
} conv_t;

static conv_t conv(const int32_t *g) {
    conv_t c = { engram_axis(g, 0), engram_axis(g, 1), g[ENGRAM_C], g[ENGRAM_K], 0, 0, 0, 0, 0, 0 };
    c.wide_row = c.w.size * c.C;
    c.wide_image = c.h.size * c.wide_row;
    c.narrow_row = c.w.out * c.K;
    c.narrow_image = c.h.out * c.narrow_row;
    c.w_row = c.w.taps * c.C;
    c.w_filter = c.h.taps * c.w_row;
    return c;
}

static bool taps_ok(engram_fault_t *fault, int arg, const int32_t *g) {
    const int32_t channels = g[ENGRAM_C] > g[ENGRAM_K] ? g[ENGRAM_C] : g[ENGRAM_K];
    return engram_products_ok(fault, arg, g[ENGRAM_R], g[ENGRAM_S], channels);
}

static bool wide_ok(engram_fault_t *fault, int arg, size_t n, const int32_t *g, int32_t B) {
    return engram_need(fault, arg, n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C]);
}

static bool narrow_ok(engram_fault_t *fault, int arg, size_t n, const int32_t *g, int32_t B) {
    return engram_need(fault, arg, n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_K]);
}

static bool weights_ok(engram_fault_t *fault, int arg, size_t n, const int32_t *g) {
    return engram_need(fault, arg, n, g[ENGRAM_K], g[ENGRAM_R], g[ENGRAM_S], g[ENGRAM_C]);
}

enum { WINDOWS = 512 };  // bytes of windows side by side

// A window of an image, with 0 where it hangs over.
static void window(int8_t *to, const conv_t *c, const int8_t *image, int32_t oh, int32_t ow) {
    const engram_range_t q = engram_taps(&c->w, ow);
    const ptrdiff_t before = q.from * c->C, n = (q.to - q.from) * c->C;
    int32_t ih = oh * c->h.stride - c->h.pad;
    const int8_t *from = image + ih * c->wide_row + (ow * c->w.stride - c->w.pad + q.from) * c->C;
    for (int32_t r = 0; r < c->h.taps; r++, ih += c->h.dil, from += c->h.dil * c->wide_row, to += c->w_row) {
        const bool inside = 0 <= ih && ih < c->h.size;
        if (inside && n == 4 && c->w_row == 4) {
            memcpy(to, from, 4);
            continue;
        }
        memset(to, 0, (size_t)c->w_row);
        for (ptrdiff_t i = 0; inside && i < n; i++) {
            to[before + i] = from[i];
        }
    }
}

// The same for few channels: windows are copied, so that all taps of one lie along the inner loop.
static __attribute__((noinline)) void to_narrow_of_few(const conv_t *c, engram_store_q8_t *s, const int8_t *wide,
    const int8_t *w, int32_t B) {
    int8_t windows[WINDOWS], *out = s->out;
    const ptrdiff_t size = c->w_filter;
    // Rows of the product: the longer of batch and outputs of a row.
    const bool by_output = B < c->w.out;
    const int32_t rows = by_output ? c->w.out : B, others = by_output ? B : c->w.out;
    const ptrdiff_t image = by_output ? 0 : c->wide_image, other_image = by_output ? c->wide_image : 0;
    const ptrdiff_t other_out = by_output ? c->narrow_image : c->K;
    engram_sums_q8_t t = {
        .a = windows, .a_i = size, .b = w, .b_j = size, .J = (size_t)c->K, .n2 = 1, .n1 = 1, .n0 = (size_t)size,
        .a0 = 1, .b0 = 1,
    };
    s->out_i = by_output ? c->K : c->narrow_image;
    for (int32_t oh = 0; oh < c->h.out; oh++) {
        for (int32_t other = 0; other < others; other++) {
            for (int32_t i = 0, n; i < rows; i += n) {
                n = rows - i < (int32_t)(WINDOWS / size) ? rows - i : (int32_t)(WINDOWS / size);
                for (int32_t at = 0; at < n; at++) {
                    window(windows + at * size, c, wide + (i + at) * image + other * other_image, oh,
                        by_output ? i + at : other);
                }
                t.I = (size_t)n;
                s->out = out + oh * c->narrow_row + other * other_out + i * s->out_i;
                engram_windows_q8(&t, s);
            }
        }
    }
}

// narrow = wide conv w
static void to_narrow(const conv_t *c, engram_store_q8_t *s, const int8_t *wide, const int8_t *w, int32_t B) {
    if (c->C < 4 && c->w.dil == 1 && c->w_filter <= WINDOWS / 4) {
        to_narrow_of_few(c, s, wide, w, B);
        return;
    }
    int8_t *out = s->out;
    engram_sums_q8_t t = { .b_j = c->w_filter, .J = (size_t)c->K, .a0 = 1, .b0 = 1 };
    t.a2 = c->h.dil * c->wide_row, t.b2 = c->w_row;
    t.a1 = c->w.dil * c->C, t.b1 = c->C;
    const engram_range_t whole_row = engram_whole(&c->w), none = { 0, 0 };
    for (int32_t oh = 0; oh < c->h.out; oh++) {
        const engram_range_t r = engram_taps(&c->h, oh);
        for (int32_t ow = 0, n; ow < c->w.out; ow += n) {
            // Rows of the product: the batch, or where that is short the positions to the right that
            // see the same taps.
            const engram_run_t run = engram_run(&c->w, B < 4 ? &whole_row : &none, ow);
            n = run.n;
            const int32_t ih = oh * c->h.stride - c->h.pad + r.from * c->h.dil;
            const int32_t iw = ow * c->w.stride - c->w.pad + run.taps.from * c->w.dil;
            t.a = wide + ih * c->wide_row + iw * c->C;
            t.b = w + r.from * c->w_row + run.taps.from * c->C;
            t.n2 = (size_t)(r.to - r.from);
            t.n1 = (size_t)(run.taps.to - run.taps.from), t.n0 = (size_t)c->C;
            if (c->w.dil == 1) {  // taps of a row are neighbours: one longer inner loop
                t.n0 *= t.n1, t.n1 = 1;
            }
            s->out = out + oh * c->narrow_row + ow * c->K;
            if (B >= 4) {
                s->out_i = c->narrow_image, t.a_i = c->wide_image, t.I = (size_t)B;
                engram_dot_q8(&t, s);
                continue;
            }
            s->out_i = c->K, t.a_i = c->w.stride * c->C, t.I = (size_t)n;
            for (int32_t i = 0; i < B; i++, t.a += c->wide_image, s->out += c->narrow_image) {
                engram_dot_q8(&t, s);
            }
        }
    }
}

// wide = narrow conv w turned round. listed: by lists of what is not 0; channels: n of narrow that are not
// all 0, or NULL.
static __attribute__((noinline)) void to_wide_of(const conv_t *c, engram_store_q8_t *s, const int8_t *narrow,
    const int8_t *w, int32_t B, bool listed, const uint8_t *channels, size_t n) {
    int8_t *out = s->out;
    engram_sums_q8_t t = { .b_j = 1, .J = (size_t)c->C, .n0 = (size_t)c->K, .a0 = 1, .b0 = c->w_filter };
    t.listed = listed, t.channels = n < t.n0 ? channels : NULL, t.listed_channels = n;
    // Rows of the product: the batch, or where that is short the pixels to the right that all taps
    // reach, each from the output right of the one before.
    const int32_t span = (c->w.taps - 1) * c->w.dil - c->w.pad;
    const engram_range_t reached = engram_clip(span, c->w.out - c->w.pad, c->w.size);
    const bool by_pixel = B < 4 && c->w.stride == 1;
    for (int32_t ih = 0; ih < c->h.size; ih++) {
        const engram_reach_t r = engram_reach(&c->h, ih);
        for (int32_t iw = 0, n; iw < c->w.size; iw += n) {
            const engram_reach_t q = engram_reach(&c->w, iw);
            n = by_pixel && iw == reached.from && reached.to > iw ? reached.to - iw : 1;
            t.a = narrow + r.at * c->narrow_row + q.at * c->K;
            t.b = w + r.first * c->w_row + q.first * c->C;
            t.n2 = (size_t)r.n, t.a2 = -r.back * c->narrow_row, t.b2 = r.step * c->w_row;
            t.n1 = (size_t)q.n, t.a1 = -q.back * c->K, t.b1 = q.step * c->C;
            s->out = out + ih * c->wide_row + iw * c->C;
            if (n == 1) {
                s->out_i = c->wide_image, t.a_i = c->narrow_image, t.I = (size_t)B;
                engram_axpy_q8(&t, s);
                continue;
            }
            s->out_i = c->C, t.a_i = c->K, t.I = (size_t)n;
            for (int32_t i = 0; i < B; i++, t.a += c->narrow_image, s->out += c->wide_image) {
                engram_axpy_q8(&t, s);
            }
        }
    }
}

// How many pixels, a stride apart from iw on, see the same taps, each from the output right of the one
// before.
static int32_t alike(const engram_axis_t *axis, int32_t iw, const engram_reach_t *q) {
    int32_t n = 1;
    for (iw += axis->stride; iw < axis->size; iw += axis->stride, n++) {
        const engram_reach_t next = engram_reach(axis, iw);
        if (next.first != q->first || next.n != q->n || next.at != q->at + n) {
            break;
        }
    }
    return n;
}

enum { TURNED = 512 };  // bytes of weights

// The weights of the taps that reach a pixel, a channel's side by side as its numbers in narrow.
static void turn(int8_t *to, const conv_t *c, const int8_t *w, const engram_reach_t *r, const engram_reach_t *q) {
    for (ptrdiff_t channel = 0; channel < c->C; channel++) {
        for (int32_t y = 0; y < r->n; y++) {
            for (int32_t x = q->n; x-- > 0;) {
                const int8_t *from = w + (r->first + y * r->step) * c->w_row
                    + (q->first + x * q->step) * c->C + channel;
                for (ptrdiff_t k = c->K; k != 0; k--, from += c->w_filter) {
                    *to++ = *from;
                }
            }
        }
    }
}

// The same for few channels: the weights are turned, and numbers of narrow lie along the inner loop.
static __attribute__((noinline)) void to_wide_of_few(const conv_t *c, engram_store_q8_t *s, const int8_t *narrow,
    const int8_t *w, int32_t B) {
    int8_t turned[TURNED], *out = s->out;
    for (int32_t first = 0; first < c->w.stride && first < c->w.size; first++) {
        for (int32_t iw = first, n; iw < c->w.size; iw += n * c->w.stride) {
            const engram_reach_t q = engram_reach(&c->w, iw);
            n = alike(&c->w, iw, &q);
            for (int32_t ih = 0; ih < c->h.size; ih++) {
                const engram_reach_t r = engram_reach(&c->h, ih);
                const ptrdiff_t left = q.n != 0 ? q.at - (q.n - 1) * q.back : 0;
                engram_sums_q8_t t = { .b = turned, .J = (size_t)c->C, .a0 = 1, .b0 = 1 };
                t.n2 = (size_t)(q.n != 0 ? r.n : 0), t.a2 = -r.back * c->narrow_row, t.b2 = q.n * c->K;
                t.n1 = (size_t)q.n, t.a1 = q.back * c->K, t.b1 = c->K, t.n0 = (size_t)c->K;
                if (q.n == 1 || q.back == 1) {  // outputs of a row are neighbours: one longer inner loop
                    t.n0 *= t.n1, t.n1 = 1;
                }
                t.b_j = r.n * t.b2;
                turn(turned, c, w, &r, &q);
                // Rows of the product: the longer of batch and pixels.
                const bool by_pixel = B < n;
                t.I = (size_t)(by_pixel ? n : B);
                t.a_i = by_pixel ? c->K : c->narrow_image;
                s->out_i = by_pixel ? c->w.stride * c->C : c->wide_image;
                const ptrdiff_t a_next = by_pixel ? c->narrow_image : c->K;
                const ptrdiff_t out_next = by_pixel ? c->wide_image : c->w.stride * c->C;
                t.a = narrow + r.at * c->narrow_row + left * c->K;
                s->out = out + ih * c->wide_row + iw * c->C;
                for (int32_t i = by_pixel ? B : n; i != 0; i--, t.a += a_next, s->out += out_next) {
                    engram_few_columns_q8(&t, s);
                }
            }
        }
    }
}

static void to_wide(const conv_t *c, engram_store_q8_t *s, const int8_t *narrow, const int8_t *w, int32_t B) {
    uint8_t list[ENGRAM_Q8_CHANNELS];
    const size_t K = (size_t)c->K, P = (size_t)(c->h.out * c->w.out);
    const bool listed = engram_listed_q8(narrow, P * K * (size_t)B, (size_t)c->C, P);
    if (!listed && c->C < 4 && c->K * c->w_filter <= TURNED) {
        to_wide_of_few(c, s, narrow, w, B);
        return;
    }
    if (!listed || P < ENGRAM_Q8_POSITIONS || K > ENGRAM_Q8_CHANNELS) {
        to_wide_of(c, s, narrow, w, B, listed, NULL, 0);
        return;
    }
    int8_t *out = s->out;
    for (int32_t i = 0; i < B; i++, narrow += c->narrow_image, out += c->wide_image) {
        s->out = out;
        to_wide_of(c, s, narrow, w, 1, true, list, engram_channels_q8(list, narrow, P, K));
    }
}

// Some filters of w, from `first` on, take a step by narrow corr wide. listed: by lists of what is not 0;
// samples: those in which each filter has any, or NULL.
static __attribute__((noinline)) void step_rows(const conv_t *c, engram_step_q8_t *u, const int8_t *wide,
    const int8_t *narrow, int32_t B, size_t first, size_t filters, bool listed, const uint32_t *samples) {
    engram_sums_q8_t t = { .a_i = 1, .b_j = 1, .I = filters, .J = (size_t)c->C };
    t.listed = listed, t.samples = samples;
    for (int32_t r = 0; r < c->h.taps; r++) {
        const engram_range_t oh = engram_outputs(&c->h, r);
        for (int32_t q = 0; q < c->w.taps; q++) {
            const engram_range_t ow = engram_outputs(&c->w, q);
            const int32_t ih = oh.from * c->h.stride - c->h.pad + r * c->h.dil;
            const int32_t iw = ow.from * c->w.stride - c->w.pad + q * c->w.dil;
            t.a = narrow + oh.from * c->narrow_row + ow.from * c->K + first;
            t.b = wide + ih * c->wide_row + iw * c->C;
            // The longer of batch and row inside.
            const size_t rows = (size_t)(oh.to - oh.from), columns = (size_t)(ow.to - ow.from);
            const ptrdiff_t b_row = c->h.stride * c->wide_row, b_column = c->w.stride * c->C;
            if ((size_t)B < columns || samples != NULL) {
                t.n2 = (size_t)B, t.a2 = c->narrow_image, t.b2 = c->wide_image;
                t.n1 = rows, t.a1 = c->narrow_row, t.b1 = b_row;
                t.n0 = columns, t.a0 = c->K, t.b0 = b_column;
            } else {
                t.n2 = rows, t.a2 = c->narrow_row, t.b2 = b_row;
                t.n1 = columns, t.a1 = c->K, t.b1 = b_column;
                t.n0 = (size_t)B, t.a0 = c->narrow_image, t.b0 = c->wide_image;
            }
            engram_outer_q8(&t, first * (size_t)c->w_filter + (size_t)(r * c->w_row + q * c->C), u);
        }
    }
}

// The columns of a row of taps that outputs ow, ow + 1, ... see: in wide from `x` on, of which the first
// `from` are of no use, and n that go to column `to` of the row of weights.
typedef struct { int32_t outputs; ptrdiff_t x; size_t columns, from, n, to; } few_t;

static few_t few(const conv_t *c, const engram_range_t *whole, int32_t ow) {
    enum { LEAST = 4 };  // columns that a tile has
    const engram_run_t run = engram_run(&c->w, whole, ow);
    const ptrdiff_t step = c->w.stride * c->C, x = (ow * c->w.stride - c->w.pad + run.taps.from) * c->C;
    const size_t n = (size_t)((run.taps.to - run.taps.from) * c->C);
    few_t f = { run.n, x, n, 0, n, (size_t)(run.taps.from * c->C) };
    if (n != 0 && n < LEAST && c->wide_row >= LEAST) {  // neighbours in the row fill the tile
        f.columns = LEAST;
        if (x + LEAST > c->wide_row) {
            f.outputs = 1, f.x = c->wide_row - LEAST, f.from = (size_t)(x - f.x);
        } else if ((f.outputs - 1) * step > c->wide_row - LEAST - x) {
            f.outputs = (int32_t)((c->wide_row - LEAST - x) / step) + 1;
        }
    }
    return f;
}

// The same for few channels: the taps of a row are columns, neighbours in wide as they are in w.
static __attribute__((noinline)) void step_few(const conv_t *c, engram_step_q8_t *u, const int8_t *wide,
    const int8_t *narrow, int32_t B) {
    const engram_range_t whole = engram_whole(&c->w);
    for (int32_t r = 0; r < c->h.taps; r++) {
        const engram_range_t oh = engram_outputs(&c->h, r);
        const ptrdiff_t ih = oh.from * c->h.stride - c->h.pad + r * c->h.dil;
        for (ptrdiff_t k = 0; k < c->K; k += ENGRAM_Q8_BLOCK) {
            int32_t acc[ENGRAM_Q8_BLOCK * ENGRAM_Q8_BLOCK] = { 0 };
            const ptrdiff_t filters = c->K - k < ENGRAM_Q8_BLOCK ? c->K - k : ENGRAM_Q8_BLOCK;
            engram_sums_q8_t t = { .a_i = 1, .b_j = 1, .I = (size_t)filters };
            t.n2 = (size_t)(oh.to - oh.from), t.a2 = c->narrow_row, t.b2 = c->h.stride * c->wide_row;
            for (int32_t ow = 0, n; ow < c->w.out; ow += n) {
                const few_t f = few(c, &whole, ow);
                n = f.outputs;
                t.a = narrow + oh.from * c->narrow_row + ow * c->K + k;
                t.b = wide + ih * c->wide_row + f.x;
                t.J = f.columns;
                t.n1 = (size_t)n, t.a1 = c->K, t.b1 = c->w.stride * c->C;
                t.n0 = (size_t)B, t.a0 = c->narrow_image, t.b0 = c->wide_image;
                if (B < n) {  // the longer of both inside
                    t.n1 = t.n0, t.a1 = t.a0, t.b1 = t.b0;
                    t.n0 = (size_t)n, t.a0 = c->K, t.b0 = c->w.stride * c->C;
                }
                if (f.n != 0 && t.n2 != 0) {
                    engram_outer_add_q8(&t, f.from, f.n, acc + f.to);
                }
            }
            engram_take_q8(u, (size_t)(k * c->w_filter + r * c->w_row), acc, (size_t)filters, ENGRAM_Q8_BLOCK,
                (size_t)c->w_row);
        }
    }
}

// w takes a step by narrow corr wide
static void step(const conv_t *c, engram_step_q8_t *u, const int8_t *wide, const int8_t *narrow, int32_t B) {
    enum { FILTERS = 64 };
    const size_t K = (size_t)c->K, P = (size_t)(c->h.out * c->w.out);
    const bool listed = engram_listed_q8(narrow, P * K * (size_t)B, (size_t)c->C, P);
    if (!listed && c->C < 4 && c->w.dil == 1 && c->w_row <= ENGRAM_Q8_BLOCK) {
        step_few(c, u, wide, narrow, B);
        return;
    }
    if (!listed || P < ENGRAM_Q8_POSITIONS || B > ENGRAM_Q8_SAMPLES) {
        step_rows(c, u, wide, narrow, B, 0, K, listed, NULL);
        return;
    }
    for (size_t k = 0, n; k < K; k += n) {
        uint32_t samples[FILTERS];
        n = K - k < FILTERS ? K - k : FILTERS;
        engram_samples_q8(samples, narrow + k, P, K, n, (size_t)B);
        step_rows(c, u, wide, narrow, B, k, n, true, samples);
    }
}

typedef struct {
    engram_B_t out;
    engram_L_t so;
    engram_b_t x;
    engram_l_t sx;
    engram_b_t w;
    engram_l_t sw;
} values_t;

// The arguments that a forward kernel and one of input gradients begin with; geom is argument `at`.
static bool values_ok(engram_fault_t *fault, const values_t *v, int at, engram_l_t geom, int32_t B, bool narrow) {
    const int32_t *g = geom.p;
    return engram_dim(fault, at + 1, B, 0) && engram_geom(fault, at, geom, false) && taps_ok(fault, at, g)
        && (narrow ? narrow_ok : wide_ok)(fault, 0, v->out.n, g, B) && engram_notes_ok(fault, 1, v->so.p, v->so.n)
        && (narrow ? wide_ok : narrow_ok)(fault, 2, v->x.n, g, B) && engram_record_ok(fault, 3, v->sx.p, v->sx.n)
        && weights_ok(fault, 4, v->w.n, g) && engram_record_ok(fault, 5, v->sw.p, v->sw.n);
}

static void compute(const values_t *v, const int32_t *bias, const int32_t *g, int32_t B, bool narrow) {
    const conv_t c = conv(g);
    engram_store_q8_t s = engram_store_q8(v->out.p, 0, v->so.p, v->sx.p[ENGRAM_EXPONENT] + v->sw.p[ENGRAM_EXPONENT]);
    s.bias = bias;
    (narrow ? to_narrow : to_wide)(&c, &s, v->x.p, v->w.p, B);
    engram_noted_q8(&s, v->so.p, v->out.n);
}

int32_t engram_conv2d_fwd_q8(engram_B_t out, engram_L_t so, engram_b_t x, engram_l_t sx,
    engram_b_t w, engram_l_t sw, engram_l_t b, engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const values_t v = { out, so, x, sx, w, sw };
    if (!(values_ok(fault, &v, 7, geom, B, true) && engram_need(fault, 6, b.n, geom.p[ENGRAM_K], 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    compute(&v, b.p, geom.p, B, true);
    return ENGRAM_OK;
}

int32_t engram_conv2d_bwd_dx_q8(engram_B_t dx, engram_L_t sdx, engram_b_t dout, engram_l_t sdout,
    engram_b_t w, engram_l_t sw, engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const values_t v = { dx, sdx, dout, sdout, w, sw };
    if (!values_ok(fault, &v, 6, geom, B, false)) {
        return ENGRAM_FAULT;
    }
    compute(&v, NULL, geom.p, B, false);
    return ENGRAM_OK;
}

int32_t engram_conv2d_t_fwd_q8(engram_B_t out, engram_L_t so, engram_b_t x, engram_l_t sx,
    engram_b_t w, engram_l_t sw, engram_l_t b, engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const values_t v = { out, so, x, sx, w, sw };
    if (!(values_ok(fault, &v, 7, geom, B, false) && engram_need(fault, 6, b.n, geom.p[ENGRAM_C], 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    compute(&v, b.p, geom.p, B, false);
    return ENGRAM_OK;
}

int32_t engram_conv2d_t_bwd_dx_q8(engram_B_t dx, engram_L_t sdx, engram_b_t dout,
    engram_l_t sdout, engram_b_t w, engram_l_t sw, engram_l_t geom, int32_t B,
    engram_fault_t *fault) {
    const values_t v = { dx, sdx, dout, sdout, w, sw };
    if (!values_ok(fault, &v, 6, geom, B, true)) {
        return ENGRAM_FAULT;
    }
    compute(&v, NULL, geom.p, B, true);
    return ENGRAM_OK;
}

// Both steps; narrow: whether dout is.
static int32_t take_step(engram_B_t w, engram_B_t rest, engram_L_t sw, engram_L_t b, engram_b_t dout,
    engram_l_t sdout, engram_b_t x, engram_l_t sx, engram_l_t rates, engram_l_t geom, int32_t B,
    bool narrow, engram_fault_t *fault) {
    const int32_t *g = geom.p, channels = narrow ? ENGRAM_K : ENGRAM_C;
    if (!(engram_dim(fault, 10, B, 0) && engram_geom(fault, 9, geom, false)
          && engram_products_ok(fault, 9, g[ENGRAM_OH], g[ENGRAM_OW], B)
          && weights_ok(fault, 0, w.n, g) && engram_rest_ok(fault, 1, rest.n, w.n)
          && engram_notes_ok(fault, 2, sw.p, sw.n) && engram_need(fault, 3, b.n, g[channels], 1, 1, 1)
          && (narrow ? narrow_ok : wide_ok)(fault, 4, dout.n, g, B) && engram_record_ok(fault, 5, sdout.p, sdout.n)
          && (narrow ? wide_ok : narrow_ok)(fault, 6, x.n, g, B) && engram_record_ok(fault, 7, sx.p, sx.n)
          && engram_rates_ok(fault, 8, rates))) {
        return ENGRAM_FAULT;
    }
    const conv_t c = conv(g);
    const int32_t e = sdout.p[ENGRAM_EXPONENT];
    const size_t products = (size_t)(c.h.out * c.w.out) * (size_t)B;
    engram_step_q8_t u = engram_step_q8(w, rest, c.w_filter, sw.p, rates.p, e + sx.p[ENGRAM_EXPONENT], products);
    step(&c, &u, narrow ? x.p : dout.p, narrow ? dout.p : x.p, B);
    engram_stepped_q8(&u, sw.p, w.n);
    engram_bias_step_q8(b.p, dout.p, dout.n / (size_t)g[channels], (size_t)g[channels], rates.p, e, sw.p);
    return ENGRAM_OK;
}

int32_t engram_conv2d_step_q8(engram_B_t w, engram_B_t rest, engram_L_t sw, engram_L_t b,
    engram_b_t dout, engram_l_t sdout, engram_b_t x, engram_l_t sx, engram_l_t rates,
    engram_l_t geom, int32_t B, engram_fault_t *fault) {
    return take_step(w, rest, sw, b, dout, sdout, x, sx, rates, geom, B, true, fault);
}

int32_t engram_conv2d_t_step_q8(engram_B_t w, engram_B_t rest, engram_L_t sw, engram_L_t b,
    engram_b_t dout, engram_l_t sdout, engram_b_t x, engram_l_t sx, engram_l_t rates,
    engram_l_t geom, int32_t B, engram_fault_t *fault) {
    return take_step(w, rest, sw, b, dout, sdout, x, sx, rates, geom, B, false, fault);
}
