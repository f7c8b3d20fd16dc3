// Depthwise convolution and pools of fully quantized training: channels one by one.
#include <string.h>

#include "engram_simd.h"
#include "engram_sums_q8.h"
#include "engram_window.h"

typedef struct {
    engram_axis_t h, w;
    ptrdiff_t C, row, image, out_row, out_image;
} planes_t;

enum { CHANNELS = 64 };  // at a time: as many biases are scaled on the stack

static planes_t planes(const int32_t *g) {
    planes_t p = { engram_axis(g, 0), engram_axis(g, 1), g[ENGRAM_C], 0, 0, 0, 0 };
    p.row = p.w.size * p.C;
    p.image = p.h.size * p.row;
    p.out_row = p.w.out * p.C;
    p.out_image = p.h.out * p.out_row;
    return p;
}

static bool wide_ok(engram_fault_t *fault, int arg, size_t n, const int32_t *g, int32_t B) {
    return engram_need(fault, arg, n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C]);
}

static bool narrow_ok(engram_fault_t *fault, int arg, size_t n, const int32_t *g, int32_t B) {
    return engram_need(fault, arg, n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_C]);
}

static bool weights_ok(engram_fault_t *fault, int arg, size_t n, const int32_t *g) {
    return engram_need(fault, arg, n, g[ENGRAM_R], g[ENGRAM_S], g[ENGRAM_C], 1);
}

// ---- errors of some channels ------------------------------------------------------------------

// Channels that are chosen one by one, and what each costs beside one of all of them, in sixteenths:
// as many times fewer there must be.
#if defined(ENGRAM_PAIRS)
enum { DX_WORTH = 6, STEP_WORTH = 6 };
#else
enum { DX_WORTH = 10, STEP_WORTH = 6 };
#endif

// The sum of products of one channel.
static __attribute__((noinline)) int32_t dot(const engram_sums_q8_t *t, const int8_t *a, const int8_t *b) {
    const ptrdiff_t a0 = t->a0, b0 = t->b0;
    int32_t sum = 0;
    for (size_t n1 = t->n1; n1 != 0; n1--, a += t->a1, b += t->b1) {
        const int8_t *at = a, *bt = b;
        size_t n0 = t->n0;
        #ifdef ENGRAM_PAIRS
        for (; n0 >= 3; n0 -= 3, at += 3 * a0, bt += 3 * b0) {
            sum += at[0] * bt[0] + at[a0] * bt[b0] + at[2 * a0] * bt[2 * b0];
        }
        #endif
        for (; n0 != 0; n0--, at += a0, bt += b0) {
            sum += *at * *bt;
        }
    }
    return sum;
}

int32_t engram_depthwise_fwd_q8(engram_B_t out, engram_L_t so, engram_b_t x, engram_l_t sx,
    engram_b_t w, engram_l_t sw, engram_l_t b, engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 8, B, 0) && engram_geom(fault, 7, geom, true)
          && engram_products_ok(fault, 7, g[ENGRAM_R], g[ENGRAM_S], 1)
          && narrow_ok(fault, 0, out.n, g, B) && engram_notes_ok(fault, 1, so.p, so.n)
          && wide_ok(fault, 2, x.n, g, B) && engram_record_ok(fault, 3, sx.p, sx.n)
          && weights_ok(fault, 4, w.n, g) && engram_record_ok(fault, 5, sw.p, sw.n)
          && engram_need(fault, 6, b.n, g[ENGRAM_C], 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    const planes_t p = planes(g);
    engram_store_q8_t s = engram_store_q8(out.p, p.C, so.p, sx.p[ENGRAM_EXPONENT] + sw.p[ENGRAM_EXPONENT]);
    s.bias = b.p;
    engram_sums_q8_t t = {
        .a_i = p.w.stride * p.C, .n2 = 1,
        .a1 = p.h.dil * p.row, .a0 = p.w.dil * p.C, .b1 = p.w.taps * p.C, .b0 = p.C,
    };
    const engram_range_t whole = engram_whole(&p.w);
    for (ptrdiff_t c = 0; c < p.C; c += CHANNELS) {
        int32_t start[CHANNELS];
        t.J = (size_t)(p.C - c < CHANNELS ? p.C - c : CHANNELS);
        for (size_t k = 0; k < t.J; k++) {
            start[k] = engram_start_q8(&s, (size_t)c + k);
        }
        ptrdiff_t at = c;
        for (int32_t i = 0; i < B; i++) {
            for (int32_t oh = 0; oh < p.h.out; oh++) {
                const engram_range_t r = engram_taps(&p.h, oh);
                for (int32_t ow = 0; ow < p.w.out; ow += (int32_t)t.I, at += (ptrdiff_t)t.I * p.C) {
                    const engram_run_t run = engram_run(&p.w, &whole, ow);
                    const engram_range_t q = run.taps;
                    t.a = x.p + i * p.image + (oh * p.h.stride - p.h.pad + r.from * p.h.dil) * p.row
                        + (ow * p.w.stride - p.w.pad + q.from * p.w.dil) * p.C + c;
                    t.b = w.p + (r.from * p.w.taps + q.from) * p.C + c;
                    t.I = (size_t)run.n, t.n1 = (size_t)(r.to - r.from), t.n0 = (size_t)(q.to - q.from);
                    engram_lanes_q8(&t, start, &s, at);
                }
            }
        }
    }
    engram_noted_q8(&s, so.p, out.n);
    return ENGRAM_OK;
}

int32_t engram_depthwise_bwd_dx_q8(engram_B_t dx, engram_L_t sdx, engram_b_t dout,
    engram_l_t sdout, engram_b_t w, engram_l_t sw, engram_l_t geom, int32_t B,
    engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 7, B, 0) && engram_geom(fault, 6, geom, true)
          && engram_products_ok(fault, 6, g[ENGRAM_R], g[ENGRAM_S], 1)
          && wide_ok(fault, 0, dx.n, g, B) && engram_notes_ok(fault, 1, sdx.p, sdx.n)
          && narrow_ok(fault, 2, dout.n, g, B) && engram_record_ok(fault, 3, sdout.p, sdout.n)
          && weights_ok(fault, 4, w.n, g) && engram_record_ok(fault, 5, sw.p, sw.n))) {
        return ENGRAM_FAULT;
    }
    const planes_t p = planes(g);
    engram_store_q8_t s = engram_store_q8(dx.p, p.C, sdx.p, sdout.p[ENGRAM_EXPONENT] + sw.p[ENGRAM_EXPONENT]);
    const int32_t zeros[CHANNELS] = { 0 };
    engram_sums_q8_t t = { .a_i = p.C, .n2 = 1 };
    // Pixels side by side that all taps reach, each from the output right of the one before.
    const int32_t span = (p.w.taps - 1) * p.w.dil - p.w.pad;
    engram_range_t reached = engram_clip(span, p.w.out - p.w.pad, p.w.size);
    if (p.w.stride != 1) {
        reached.to = reached.from;
    }
    const size_t positions = (size_t)(p.h.out * p.w.out);
    const bool few = p.C <= ENGRAM_Q8_CHANNELS && engram_few_q8(dout.p, dout.n, DX_WORTH);
    ptrdiff_t at = 0;
    for (int32_t i = 0; i < B; i++) {
        uint8_t list[ENGRAM_Q8_CHANNELS];
        const int8_t *errors = dout.p + i * p.out_image;
        const ptrdiff_t n = few ? (ptrdiff_t)engram_channels_q8(list, errors, positions, (size_t)p.C) : p.C;
        const bool some = few && n * 16 <= p.C * DX_WORTH;
        if (some) {
            memset(dx.p + at, 0, (size_t)p.image);
        }
        if (n == 0) {
            at += p.image;
            continue;
        }
        for (int32_t ih = 0; ih < p.h.size; ih++) {
            const engram_reach_t r = engram_reach(&p.h, ih);
            t.n1 = (size_t)r.n, t.a1 = -r.back * p.out_row, t.b1 = r.step * p.w.taps * p.C;
            for (int32_t iw = 0; iw < p.w.size; iw += (int32_t)t.I, at += (ptrdiff_t)t.I * p.C) {
                const engram_reach_t q = engram_reach(&p.w, iw);
                t.I = iw == reached.from && reached.to > iw && !some ? (size_t)(reached.to - iw) : 1;
                t.n0 = (size_t)q.n, t.a0 = -q.back * p.C, t.b0 = q.step * p.C;
                t.a = dout.p + i * p.out_image + r.at * p.out_row + q.at * p.C;
                t.b = w.p + (r.first * p.w.taps + q.first) * p.C;
                if (some) {
                    for (ptrdiff_t k = 0; k < n; k++) {
                        engram_put_q8(&s, s.out + at + list[k], dot(&t, t.a + list[k], t.b + list[k]));
                    }
                    continue;
                }
                for (ptrdiff_t c = 0; c < p.C; c += (ptrdiff_t)t.J, t.a += t.J, t.b += t.J) {
                    t.J = (size_t)(p.C - c < CHANNELS ? p.C - c : CHANNELS);
                    engram_lanes_q8(&t, zeros, &s, at + c);
                }
            }
        }
    }
    engram_noted_q8(&s, sdx.p, dx.n);
    return ENGRAM_OK;
}

// J channels from c on take a step. samples: those that each has errors in, NULL for all.
static __attribute__((noinline)) void step_channels(const planes_t *p, engram_step_q8_t *u, const int8_t *dout,
    const int8_t *x, int32_t B, ptrdiff_t c, size_t J, const uint32_t *samples) {
    engram_sums_q8_t t = {
        .J = J, .n2 = (size_t)B, .a2 = p->out_image, .b2 = p->image,
        .a1 = p->out_row, .b1 = p->h.stride * p->row, .a0 = p->C, .b0 = p->w.stride * p->C,
    };
    for (int32_t r = 0; r < p->h.taps; r++) {
        const engram_range_t oh = engram_outputs(&p->h, r);
        for (int32_t q = 0; q < p->w.taps; q++) {
            const engram_range_t ow = engram_outputs(&p->w, q);
            const ptrdiff_t x_at = (oh.from * p->h.stride - p->h.pad + r * p->h.dil) * p->row
                + (ow.from * p->w.stride - p->w.pad + q * p->w.dil) * p->C;
            const size_t first = (size_t)((r * p->w.taps + q) * p->C + c);
            t.a = dout + oh.from * p->out_row + ow.from * p->C + c;
            t.b = x + x_at + c;
            t.n1 = (size_t)(oh.to - oh.from), t.n0 = (size_t)(ow.to - ow.from);
            if (samples == NULL) {
                engram_lanes_step_q8(&t, first, u);
                continue;
            }
            int32_t acc[CHANNELS];
            for (size_t k = 0; k < J; k++) {
                int32_t sum = 0;
                for (int32_t i = 0; i < B; i++) {
                    if (samples[k] >> i & 1) {
                        sum += dot(&t, t.a + i * t.a2 + k, t.b + i * t.b2 + k);
                    }
                }
                acc[k] = sum;
            }
            engram_take_q8(u, first, acc, 1, 0, J);
        }
    }
}

int32_t engram_depthwise_step_q8(engram_B_t w, engram_B_t rest, engram_L_t sw, engram_L_t b,
    engram_b_t dout, engram_l_t sdout, engram_b_t x, engram_l_t sx, engram_l_t rates,
    engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 10, B, 0) && engram_geom(fault, 9, geom, true)
          && engram_products_ok(fault, 9, g[ENGRAM_OH], g[ENGRAM_OW], B)
          && weights_ok(fault, 0, w.n, g) && engram_rest_ok(fault, 1, rest.n, w.n)
          && engram_notes_ok(fault, 2, sw.p, sw.n) && engram_need(fault, 3, b.n, g[ENGRAM_C], 1, 1, 1)
          && narrow_ok(fault, 4, dout.n, g, B) && engram_record_ok(fault, 5, sdout.p, sdout.n)
          && wide_ok(fault, 6, x.n, g, B) && engram_record_ok(fault, 7, sx.p, sx.n)
          && engram_rates_ok(fault, 8, rates))) {
        return ENGRAM_FAULT;
    }
    const planes_t p = planes(g);
    const int32_t e = sdout.p[ENGRAM_EXPONENT];
    const size_t products = dout.n / (size_t)p.C;
    engram_step_q8_t u = engram_step_q8(w, rest, p.C, sw.p, rates.p, e + sx.p[ENGRAM_EXPONENT], products);
    const size_t positions = (size_t)(p.h.out * p.w.out);
    if (B <= ENGRAM_Q8_SAMPLES && engram_few_q8(dout.p, dout.n, STEP_WORTH)) {
        for (ptrdiff_t c = 0; c < p.C; c += CHANNELS) {
            uint32_t samples[CHANNELS];
            const size_t J = (size_t)(p.C - c < CHANNELS ? p.C - c : CHANNELS);
            const size_t n = engram_samples_q8(samples, dout.p + c, positions, (size_t)p.C, J, (size_t)B);
            const bool some = n * 16 <= J * (size_t)B * STEP_WORTH;
            step_channels(&p, &u, dout.p, x.p, B, c, J, some ? samples : NULL);
        }
    } else {
        step_channels(&p, &u, dout.p, x.p, B, 0, (size_t)p.C, NULL);
    }
    engram_stepped_q8(&u, sw.p, w.n);
    engram_bias_step_q8(b.p, dout.p, products, (size_t)p.C, rates.p, e, sw.p);
    return ENGRAM_OK;
}

// ---- pools ---------------------------------------------------------------------------------

enum { RECIPROCAL_BITS = 20, FEW = 16 };

static int32_t reciprocal(int32_t n) {
    return ((1 << RECIPROCAL_BITS) + n / 2) / n;
}

int32_t engram_avgpool_fwd_q8(engram_B_t out, engram_L_t so, engram_b_t x, engram_l_t sx,
    engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 5, B, 0) && engram_geom(fault, 4, geom, true)
          && engram_products_ok(fault, 4, g[ENGRAM_R], g[ENGRAM_S], 1)
          && narrow_ok(fault, 0, out.n, g, B) && engram_notes_ok(fault, 1, so.p, so.n)
          && wide_ok(fault, 2, x.n, g, B) && engram_record_ok(fault, 3, sx.p, sx.n))) {
        return ENGRAM_FAULT;
    }
    const planes_t p = planes(g);
    engram_store_q8_t s = engram_store_q8(out.p, 0, so.p, sx.p[ENGRAM_EXPONENT] + RECIPROCAL_BITS);
    ptrdiff_t at = 0;
    for (int32_t i = 0; i < B; i++) {
        for (int32_t oh = 0; oh < p.h.out; oh++) {
            const engram_range_t r = engram_taps(&p.h, oh);
            for (int32_t ow = 0; ow < p.w.out; ow++) {
                const engram_range_t q = engram_taps(&p.w, ow);
                const int32_t count = (r.to - r.from) * (q.to - q.from), part = count > 0 ? reciprocal(count) : 0;
                const int8_t *x_row = x.p + i * p.image + (oh * p.h.stride - p.h.pad + r.from * p.h.dil) * p.row
                    + (ow * p.w.stride - p.w.pad + q.from * p.w.dil) * p.C;
                ptrdiff_t c = 0;
                #ifdef ENGRAM_PAIRS
                for (; count <= 255 && p.C - c >= 4; c += 4, at += 4) {
                    engram_columns_t sums = { 0, 0 };
                    const int8_t *x_at = x_row + c;
                    for (int32_t j = r.from; j < r.to; j++, x_at += p.h.dil * p.row) {
                        const int8_t *xp = x_at;
                        for (int32_t n = q.to - q.from; n > 0; n--, xp += p.w.dil * p.C) {
                            engram_add_row(&sums, xp);
                        }
                    }
                    int32_t acc[4];
                    engram_column_sums(acc, &sums);
                    for (int k = 0; k < 4; k++) {
                        engram_put_q8(&s, s.out + at + k, acc[k] * part);
                    }
                }
                #endif
                for (; c < p.C; c++, at++) {
                    int32_t acc = 0;
                    const int8_t *x_at = x_row + c;
                    for (int32_t j = r.from; j < r.to; j++, x_at += p.h.dil * p.row) {
                        const int8_t *xp = x_at;
                        for (int32_t n = q.to - q.from; n > 0; n--, xp += p.w.dil * p.C) {
                            acc += *xp;
                        }
                    }
                    engram_put_q8(&s, s.out + at, acc * part);
                }
            }
        }
    }
    engram_noted_q8(&s, so.p, out.n);
    return ENGRAM_OK;
}

// Whether one window covers every pixel: a global pool.
static bool covers_all(const planes_t *p) {
    return p->h.out == 1 && p->h.dil == 1 && p->h.size + p->h.pad <= p->h.taps
        && p->w.out == 1 && p->w.dil == 1 && p->w.size + p->w.pad <= p->w.taps;
}

// Its gradient: all pixels of an image have the same.
static void spread_all(const planes_t *p, engram_store_q8_t *s, const int8_t *dout, int32_t B) {
    const size_t C = (size_t)p->C;
    const int32_t pixels = p->h.size * p->w.size, part = reciprocal(pixels);
    int8_t *to = s->out;
    for (; B > 0; B--) {
        const int8_t *first = to;
        for (size_t c = C; c != 0; c--) {
            engram_put_q8(s, to++, part * *dout++);
        }
        for (int32_t n = pixels - 1; n > 0; n--, to += C) {
            memcpy(to, first, C);
        }
    }
    s->saturated *= pixels;
}

int32_t engram_avgpool_bwd_dx_q8(engram_B_t dx, engram_L_t sdx, engram_b_t dout, engram_l_t sdout,
    engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 5, B, 0) && engram_geom(fault, 4, geom, true)
          && engram_products_ok(fault, 4, g[ENGRAM_R], g[ENGRAM_S], 1)
          && wide_ok(fault, 0, dx.n, g, B) && engram_notes_ok(fault, 1, sdx.p, sdx.n)
          && narrow_ok(fault, 2, dout.n, g, B) && engram_record_ok(fault, 3, sdout.p, sdout.n))) {
        return ENGRAM_FAULT;
    }
    const planes_t p = planes(g);
    engram_store_q8_t s = engram_store_q8(dx.p, 0, sdx.p, sdout.p[ENGRAM_EXPONENT] + RECIPROCAL_BITS);
    if (covers_all(&p)) {
        spread_all(&p, &s, dout.p, B);
        engram_noted_q8(&s, sdx.p, dx.n);
        return ENGRAM_OK;
    }
    ptrdiff_t at = 0;
    for (int32_t i = 0; i < B; i++) {
        for (int32_t ih = 0; ih < p.h.size; ih++) {
            const engram_reach_t r = engram_reach(&p.h, ih);
            for (int32_t iw = 0; iw < p.w.size; iw++) {
                const engram_reach_t q = engram_reach(&p.w, iw);
                const int8_t *d = dout.p + i * p.out_image;
                for (ptrdiff_t c = 0, few; c < p.C; c += few, d += few) {
                    few = p.C - c < FEW ? p.C - c : FEW;
                    int64_t acc[FEW] = { 0 };  // many windows that each have one pixel are more than int32
                    for (int32_t j = 0; j < r.n; j++) {
                        const int32_t oh = r.at - j * r.back;
                        const engram_range_t rows = engram_taps(&p.h, oh);
                        for (int32_t n = 0; n < q.n; n++) {
                            const int32_t ow = q.at - n * q.back;
                            const engram_range_t columns = engram_taps(&p.w, ow);
                            const int32_t part = reciprocal((rows.to - rows.from) * (columns.to - columns.from));
                            const int8_t *at_window = d + oh * p.out_row + ow * p.C;
                            for (ptrdiff_t k = 0; k < few; k++) {
                                acc[k] += part * at_window[k];
                            }
                        }
                    }
                    for (ptrdiff_t k = 0; k < few; k++, at++) {
                        const int64_t most = INT32_MAX, v = acc[k];
                        engram_put_q8(&s, s.out + at, (int32_t)(v > most ? most : v < -most ? -most : v));
                    }
                }
            }
        }
    }
    engram_noted_q8(&s, sdx.p, dx.n);
    return ENGRAM_OK;
}

// The pixel of the first largest x in the window of one output and channel.
static ptrdiff_t largest_at(const planes_t *p, const int8_t *x, int32_t oh, int32_t ow) {
    const engram_range_t r = engram_taps(&p->h, oh), q = engram_taps(&p->w, ow);
    ptrdiff_t best = -1;
    for (int32_t j = r.from; j < r.to; j++) {
        for (int32_t n = q.from; n < q.to; n++) {
            const ptrdiff_t at = (oh * p->h.stride - p->h.pad + j * p->h.dil) * p->row
                + (ow * p->w.stride - p->w.pad + n * p->w.dil) * p->C;
            if (best < 0 || x[at] > x[best]) {
                best = at;
            }
        }
    }
    return best;
}

int32_t engram_maxpool_bwd_dx_q8(engram_B_t dx, engram_L_t sdx, engram_b_t dout, engram_l_t sdout,
    engram_b_t x, engram_l_t geom, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 6, B, 0) && engram_geom(fault, 5, geom, true)
          && engram_products_ok(fault, 5, g[ENGRAM_R], g[ENGRAM_S], 1)
          && wide_ok(fault, 0, dx.n, g, B) && engram_notes_ok(fault, 1, sdx.p, sdx.n)
          && narrow_ok(fault, 2, dout.n, g, B) && engram_record_ok(fault, 3, sdout.p, sdout.n)
          && wide_ok(fault, 4, x.n, g, B))) {
        return ENGRAM_FAULT;
    }
    const planes_t p = planes(g);
    engram_store_q8_t s = engram_store_q8(dx.p, 0, sdx.p, sdout.p[ENGRAM_EXPONENT]);
    ptrdiff_t at = 0;
    // A pixel's sum is over the windows that it is the largest of: no memory for sums is needed.
    for (int32_t i = 0; i < B; i++) {
        for (int32_t ih = 0; ih < p.h.size; ih++) {
            const engram_reach_t r = engram_reach(&p.h, ih);
            for (int32_t iw = 0; iw < p.w.size; iw++) {
                const engram_reach_t q = engram_reach(&p.w, iw);
                const ptrdiff_t pixel = ih * p.row + iw * p.C;
                for (ptrdiff_t c = 0; c < p.C; c++, at++) {
                    const int8_t *image = x.p + i * p.image + c, *d = dout.p + i * p.out_image + c;
                    int32_t acc = 0;
                    for (int32_t j = 0; j < r.n; j++) {
                        for (int32_t n = 0; n < q.n; n++) {
                            const int32_t oh = r.at - j * r.back, ow = q.at - n * q.back;
                            if (largest_at(&p, image, oh, ow) == pixel) {
                                acc += d[oh * p.out_row + ow * p.C];
                            }
                        }
                    }
                    engram_put_q8(&s, s.out + at, acc);
                }
            }
        }
    }
    engram_noted_q8(&s, sdx.p, dx.n);
    return ENGRAM_OK;
}
