// The frozen stage: int8 in, int8 out, int32 in between, one multiplier an output channel.
#include "engram_check_s8.h"
#include "engram_simd.h"
#include "engram_tile_s8.h"
#include "engram_window.h"

#include <string.h>

bool engram_channels_ok(engram_fault_t *fault, engram_l_t bias, engram_l_t mult, engram_l_t shift, int32_t K,
    bool *quick) {
    if (!(engram_need(fault, 3, bias.n, K, 1, 1, 1) && engram_need(fault, 4, mult.n, K, 1, 1, 1)
          && engram_need(fault, 5, shift.n, K, 1, 1, 1))) {
        return false;
    }
    // What all have in common first: a shift of -1 to -16 is 0 to 15 with every bit turned.
    const int32_t *b = bias.p, *m = mult.p, *s = shift.p;
    int32_t mults = 0, turned = 0, biases = 0, n = K;
    #ifdef ENGRAM_WIDE
    if (K >= 4) {
        const engram_common_t most = engram_common_4(m, s, b, (size_t)K / 4);
        mults = most.mults, turned = most.turned, biases = most.biases;
        n = K % 4;
        b += K - n, m += K - n, s += K - n;
    }
    #endif
    for (; n != 0; n--) {
        const int32_t v = *b++;
        biases |= v ^ (v >> 31);
        mults |= *m++;
        turned |= ~*s++;
    }
    *quick = mults >= 0 && (uint32_t)turned < 16 && biases < 1 << 28;
    if (*quick) {
        return true;
    }
    int32_t below = -1;
    for (int32_t k = 0; k < K; k++) {
        if (mult.p[k] < 0) {
            return engram_refuse_entry(fault, 4, k, 0, INT32_MAX, mult.p[k]);
        }
        if (shift.p[k] < -31 || shift.p[k] > 30) {
            return engram_refuse_entry(fault, 5, k, -31, 30, shift.p[k]);
        }
        below &= shift.p[k];
    }
    *quick = below < 0 && biases < 1 << 28;
    return true;
}

static engram_run_s8_t run_of(const int32_t *q, bool right) {
    const engram_run_s8_t t = {
        .n2 = 1, .n1 = 1, .range = { q[ENGRAM_OUT_ZP], q[ENGRAM_ACT_MIN], q[ENGRAM_ACT_MAX] }, .right = right,
    };
    return t;
}

#ifdef ENGRAM_PAIRS

#ifdef ENGRAM_WIDE

// One window that lies in one piece: a row of a dense layer, or a pixel.
static void row_alone(const engram_columns_s8_t *t, uint32_t *columns, const int8_t *x, int32_t offset,
    int8_t *out) {
    const engram_window_s8_t window = { .x = x, .n2 = 1, .n1 = 1, .n0 = t->n, .offset = offset };
    engram_window_s8(t, &window, columns, out);
}

#endif

// Windows that lie in one piece, n bytes apart: pixels of a pointwise layer.
static bool rows_as_columns(const engram_columns_s8_t *t, int8_t *out, const int8_t *x, size_t rows,
    int32_t offset) {
    if (!engram_columns_s8_suit(t, rows)) {
        return false;
    }
    uint32_t columns[ENGRAM_COLUMN_WORDS];
    for (size_t row = 0, n; row < rows; row += n, x += n * t->n, out += n * t->K) {
        const size_t positions = engram_columns_s8_positions(t->n, rows - row);
        n = rows - row < positions ? rows - row : positions;
        #ifdef ENGRAM_WIDE
        if (positions == 1) {
            row_alone(t, columns, x, offset, out);
            continue;
        }
        #endif
        for (size_t p = 0; p < n; p++) {
            engram_column_s8(columns, positions, p, x + p * t->n, t->n, offset);
        }
        engram_columns_s8(t, columns, n, out);
    }
    return true;
}

// The taps of output position o that meet the input, as engram_taps; quick where all of them do.
static inline engram_range_t taps_of(const engram_axis_t *axis, int32_t o) {
    const int32_t start = o * axis->stride - axis->pad;
    if (start >= 0 && start + (axis->taps - 1) * axis->dil < axis->size) {
        const engram_range_t whole = { 0, axis->taps };
        return whole;
    }
    return engram_taps(axis, o);
}

static inline void copy(int8_t *to, const int8_t *x, size_t n) {
    for (; n >= 4; n -= 4, x += 4, to += 4) {
        const uint32_t v = engram_load4(x);
        memcpy(to, &v, 4);
    }
    if (n & 2) {
        memcpy(to, x, 2);
        to += 2, x += 2;
    }
    if (n & 1) {
        *to = *x;
    }
}

// Copies a window (R, S, C) whose rows r meet the input to `to`, with zero_point where it hangs over.
static void gather(int8_t *to, const int8_t *image, const engram_axis_t *h, const engram_axis_t *w, ptrdiff_t C,
    int32_t oh, engram_range_t r, int32_t ow, int32_t zero_point) {
    const engram_range_t s = taps_of(w, ow);
    if (r.to - r.from != h->taps || s.to - s.from != w->taps) {
        memset(to, zero_point, (size_t)(h->taps * w->taps * C));
    }
    const bool merge = w->dil == 1;
    const size_t pieces = merge ? 1 : (size_t)(s.to - s.from);
    const size_t piece = (size_t)(merge ? (s.to - s.from) * C : C);
    const ptrdiff_t row = h->dil * w->size * C, to_row = w->taps * C, right = w->dil * C;
    const int8_t *x = image + ((ptrdiff_t)(oh * h->stride - h->pad + r.from * h->dil) * w->size
        + (ow * w->stride - w->pad + s.from * w->dil)) * C;
    to += r.from * to_row + s.from * C;
    for (int32_t i = r.from; i < r.to; i++, x += row, to += to_row) {
        for (size_t j = 0; j < pieces; j++) {
            copy(to + (ptrdiff_t)j * C, x + (ptrdiff_t)j * right, piece);
        }
    }
}

#ifdef ENGRAM_WIDE

// One window (R, S, C): the pieces of it that meet the input.
static void window_alone(const engram_columns_s8_t *t, uint32_t *columns, const int8_t *image,
    const engram_axis_t *h, const engram_axis_t *w, ptrdiff_t C, int32_t oh, engram_range_t r, int32_t ow,
    int32_t offset, int8_t *out) {
    const engram_range_t s = taps_of(w, ow);
    const size_t taps = (size_t)(s.to - s.from), merge = w->dil == 1;
    const engram_window_s8_t window = {
        .x = image + ((ptrdiff_t)(oh * h->stride - h->pad + r.from * h->dil) * w->size
            + (ow * w->stride - w->pad + s.from * w->dil)) * C,
        .w = (r.from * w->taps + s.from) * C,
        .n2 = (size_t)(r.to - r.from), .n1 = merge ? 1 : taps, .n0 = (size_t)C * (merge ? taps : 1),
        .x2 = h->dil * w->size * C, .x1 = w->dil * C, .w2 = w->taps * C, .w1 = C, .offset = offset,
    };
    engram_window_s8(t, &window, columns, out);
}

#endif

static bool windows_as_columns(const engram_columns_s8_t *t, int8_t *out, const int8_t *x, const int32_t *g,
    int32_t B, int32_t zero_point) {
    const engram_axis_t h = engram_axis(g, 0), w = engram_axis(g, 1);
    const ptrdiff_t C = g[ENGRAM_C], image = (ptrdiff_t)h.size * w.size * C;
    if (h.taps == 1 && w.taps == 1 && h.stride == 1 && w.stride == 1 && h.out == h.size && w.out == w.size) {
        return rows_as_columns(t, out, x, (size_t)B * (size_t)h.size * (size_t)w.size, -zero_point);
    }
    const size_t all = (size_t)B * (size_t)h.out * (size_t)w.out;
    if (!engram_columns_s8_suit(t, all)) {
        return false;
    }
    uint32_t columns[ENGRAM_COLUMN_WORDS];
    int8_t window[ENGRAM_COLUMN_WORDS];
    int32_t oh = 0, ow = 0;
    engram_range_t r = engram_taps(&h, 0);
    for (size_t at = 0, n; at < all; at += n) {
        const size_t positions = engram_columns_s8_positions(t->n, all - at);
        n = all - at < positions ? all - at : positions;
        for (size_t p = 0; p < n; p++) {
            #ifdef ENGRAM_WIDE
            if (positions == 1) {
                window_alone(t, columns, x, &h, &w, C, oh, r, ow, -zero_point, out + at * t->K);
            } else
            #endif
            {
                gather(window, x, &h, &w, C, oh, r, ow, zero_point);
                engram_column_s8(columns, positions, p, window, t->n, -zero_point);
            }
            if (++ow == w.out) {
                ow = 0;
                if (++oh == h.out) {
                    oh = 0;
                    x += image;
                }
                r = taps_of(&h, oh);
            }
        }
        if (positions != 1) {
            engram_columns_s8(t, columns, n, out + at * t->K);
        }
    }
    return true;
}

#endif

int32_t engram_dense_s8(engram_B_t out, engram_b_t x, engram_b_t w, engram_l_t bias, engram_l_t mult,
    engram_l_t shift, engram_l_t q, int32_t B, int32_t N, int32_t M, engram_fault_t *fault) {
    bool quick;
    if (!(engram_dim(fault, 7, B, 0) && engram_dim(fault, 8, N, 0) && engram_dim(fault, 9, M, 0)
          && engram_need(fault, 0, out.n, B, M, 1, 1) && engram_need(fault, 1, x.n, B, N, 1, 1)
          && engram_need(fault, 2, w.n, M, N, 1, 1) && engram_channels_ok(fault, bias, mult, shift, M, &quick)
          && engram_q_ok(fault, 6, q))) {
        return ENGRAM_FAULT;
    }
    #ifdef ENGRAM_WIDE
    engram_columns_s8_t t = engram_columns_s8_of(w.p, bias.p, mult.p, shift.p, q.p, (size_t)N, (size_t)M, quick);
    t.once = true;
    uint32_t columns[ENGRAM_COLUMN_WORDS];
    for (ptrdiff_t i = 0; i < B; i++) {
        row_alone(&t, columns, x.p + i * N, -q.p[ENGRAM_IN_ZP], out.p + i * M);
    }
    #else
    engram_acc_t sums[4];
    engram_run_s8_t t = run_of(q.p, quick);
    t.positions = 1, t.w_j = N, t.n0 = (size_t)N, t.offset = -q.p[ENGRAM_IN_ZP], t.sums = sums;
    for (ptrdiff_t m = 0, step; m < M; m += step) {
        step = M - m >= 4 ? 4 : 1;
        t.w = w.p + m * N;
        for (ptrdiff_t j = 0; j < step; j++) {
            t.start[j] = (engram_acc_t)bias.p[m + j];
        }
        int8_t *o = out.p + m;
        t.x = x.p;
        for (int32_t i = 0; i < B; i++, t.x += N, o += M) {
            (step == 4 ? engram_run_s8_x4 : engram_run_s8_x1)(&t);
            for (ptrdiff_t j = 0; j < step; j++) {
                o[j] = engram_shift_s8(engram_requantize_once(sums[j], mult.p[m + j], shift.p[m + j]),
                    t.range[0], t.range[1], t.range[2]);
            }
        }
    }
    #endif
    return ENGRAM_OK;
}

// What conv2d and depthwise have in common: blocks of four channels (or one), for each the rows
// of the output, cut into runs of positions that see the same taps.
typedef struct {
    engram_axis_t h, w;
    ptrdiff_t C, K;
    ptrdiff_t w_tap, w_filter, weights;  // between taps of a row, between channels, weights a channel
    ptrdiff_t x_channel;                 // from one output channel's input to the next's
    void (*run_x4)(const engram_run_s8_t *t);
    void (*run_x1)(const engram_run_s8_t *t);
    const int32_t *bias, *mult, *shift, *q;
    bool quick;
} layer_t;

// The channels from `k` on.
static void slide(const layer_t *l, int8_t *out, const int8_t *x, const int8_t *w, int32_t B, ptrdiff_t k) {
    const ptrdiff_t x_row = l->w.size * l->C, w_row = l->w.taps * l->w_tap;
    engram_run_s8_t t = run_of(l->q, l->quick);
    t.x_p = l->w.stride * l->C, t.out_p = l->K, t.w_j = l->w_filter;
    t.x2 = l->h.dil * x_row, t.w2 = w_row, t.x1 = l->w.dil * l->C, t.w1 = l->w_tap;
    // Taps of a row whose inputs and weights are neighbours make one longer inner loop.
    const bool merge = l->w.dil == 1 && l->x_channel == 0;
    const engram_range_t whole_row = engram_whole(&l->w);
    for (ptrdiff_t step; k < l->K; k += step) {
        step = l->K - k >= 4 ? 4 : 1;
        t.mult = l->mult + k, t.shift = l->shift + k;
        // Where a whole window lies inside the input, the zero point of x is a constant a channel.
        engram_acc_t whole[4];
        for (ptrdiff_t j = 0; j < step; j++) {
            const int8_t *filter = w + (k + j) * l->w_filter;
            engram_acc_t sum = 0;
            if (l->x_channel == 0) {
                sum = engram_sum_s8(filter, (size_t)l->weights);
            } else {
                for (ptrdiff_t i = 0; i < l->weights; i++) {
                    sum += (uint32_t)filter[i * l->w_tap];
                }
            }
            whole[j] = (engram_acc_t)l->bias[k + j] - (engram_acc_t)l->q[ENGRAM_IN_ZP] * sum;
        }
        int32_t oh = 0;
        ptrdiff_t image = 0;
        for (ptrdiff_t row = 0; row < (ptrdiff_t)B * l->h.out; row++, oh++) {
            if (oh == l->h.out) {
                oh = 0, image += l->h.size;
            }
            engram_range_t r = engram_taps(&l->h, oh);
            ptrdiff_t x_at = (image + oh * l->h.stride - l->h.pad + r.from * l->h.dil) * x_row + k * l->x_channel;
            t.n2 = (size_t)(r.to - r.from);
            for (int32_t ow = 0, n; ow < l->w.out; ow += n) {
                const engram_run_t run = engram_run(&l->w, &whole_row, ow);
                const engram_range_t s = run.taps;
                n = run.n;
                bool inside = r.to - r.from == l->h.taps && s.to - s.from == l->w.taps;
                for (ptrdiff_t j = 0; j < step; j++) {
                    t.start[j] = inside ? whole[j] : (engram_acc_t)l->bias[k + j];
                }
                t.offset = inside ? 0 : -l->q[ENGRAM_IN_ZP];
                t.positions = (size_t)n;
                t.out = out + (row * l->w.out + ow) * l->K + k;
                t.x = x + (x_at + (ow * l->w.stride - l->w.pad + s.from * l->w.dil) * l->C);
                t.w = w + (k * l->w_filter + r.from * w_row + s.from * l->w_tap);
                t.n1 = merge ? 1 : (size_t)(s.to - s.from);
                t.n0 = merge ? (size_t)((s.to - s.from) * l->C) : (size_t)l->C;
                (step == 4 ? l->run_x4 : l->run_x1)(&t);
            }
        }
    }
}

#ifdef ENGRAM_WIDE

// Depthwise with windows of 3 x 3: tiles of a row of the output, with a stride of 1 of two rows, of four
// channels, whose columns are stacked in pairs once for all the windows that they lie in. Padding is
// stacked too, as the zero point that it means.
static __attribute__((noinline)) void depthwise_3x3(const layer_t *l, int8_t *out, const int8_t *x, const int8_t *w,
    int32_t B) {
    const ptrdiff_t x_row = l->w.size * l->C, end = l->K - l->K % 4, w_row = 3 * l->w_tap;
    const int32_t columns = ENGRAM_WIDE_WORDS / ENGRAM_STACKED_WORDS, stride = l->w.stride;
    const int32_t most = (columns - 3) / stride + 1, in_zp = l->q[ENGRAM_IN_ZP];
    const bool by_1 = stride == 1 && l->h.stride == 1;
    uint32_t stacked[ENGRAM_WIDE_WORDS];
    engram_stacked_t upper[4], lower[4];
    const int8_t padding[4] = { (int8_t)in_zp, (int8_t)in_zp, (int8_t)in_zp, (int8_t)in_zp };
    for (ptrdiff_t k = 0; k < end; k += 4) {
        for (ptrdiff_t j = 0; j < 4; j++) {
            const int8_t *wp = w + k + j;
            engram_acc_t sum = 0;
            for (ptrdiff_t i = 0; i < 9; i++) {
                sum += (engram_acc_t)wp[i * l->w_tap];
            }
            upper[j].start = 2 * ((engram_acc_t)l->bias[k + j] - (engram_acc_t)in_zp * sum);
            upper[j].mult = l->mult[k + j];
            upper[j].right = -l->shift[k + j];
            engram_stack_weights_s8(&upper[j], wp, wp + 2 * w_row, w_row, l->w_tap);
            upper[j].single[1] |= (uint32_t)l->q[ENGRAM_OUT_ZP] << 16;
            if (by_1) {
                lower[j] = upper[j];
                engram_stack_weights_s8(&lower[j], wp + w_row, wp, w_row, l->w_tap);
                lower[j].single[1] |= (uint32_t)l->q[ENGRAM_OUT_ZP] << 16;
            }
        }
        for (int32_t i = 0; i < B; i++) {
            int8_t *o = out + (ptrdiff_t)i * l->h.out * l->w.out * l->K + k;
            for (int32_t oh = 0, rows; oh < l->h.out; oh += rows, o += (rows - 1) * l->w.out * l->K) {
                rows = by_1 && oh + 1 < l->h.out ? 2 : 1;
                const int32_t top = oh * l->h.stride - l->h.pad;
                for (int32_t ow = 0, n; ow < l->w.out; ow += n, o += n * l->K) {
                    n = l->w.out - ow < most ? l->w.out - ow : most;
                    const int32_t left = ow * stride - l->w.pad;
                    const int32_t all = (n - 1) * stride + 3;
                    const engram_range_t inside = engram_clip(-left < all ? -left : all, l->w.size - left, all);
                    const int8_t *row[4];
                    ptrdiff_t step[4];
                    for (int32_t r = 0; r < 4; r++) {
                        const bool there = (uint32_t)(top + r) < (uint32_t)l->h.size;
                        row[r] = there ? x + ((i * (ptrdiff_t)l->h.size + top + r) * x_row
                            + (left + inside.from) * l->C + k) : padding;
                        step[r] = there ? l->C : 0;
                    }
                    if (rows == 1) {
                        row[3] = NULL;
                    }
                    const int8_t *const none[4] = { padding, padding, padding, rows == 1 ? NULL : padding };
                    static const ptrdiff_t stay[4] = { 0, 0, 0, 0 };
                    uint32_t *at = stacked;
                    engram_stack_s8_4x4(at, none, stay, (size_t)inside.from);
                    at += inside.from * ENGRAM_STACKED_WORDS;
                    engram_stack_s8_4x4(at, row, step, (size_t)(inside.to - inside.from));
                    at += (inside.to - inside.from) * ENGRAM_STACKED_WORDS;
                    engram_stack_s8_4x4(at, none, stay, (size_t)(all - inside.to));
                    for (ptrdiff_t j = 0; j < 4; j++) {
                        (stride == 1 ? engram_stacked_by_1 : engram_stacked_by_2)(&upper[j], stacked + 2 * j, o + j,
                            l->K, (size_t)n);
                        if (rows == 2) {
                            engram_stacked_lower(&lower[j], stacked + 2 * j, o + l->w.out * l->K + j, l->K,
                                (size_t)n);
                        }
                    }
                }
            }
        }
    }
}

// Depthwise by blocks of four channels with their weights widened; the channel reached.
static __attribute__((noinline)) ptrdiff_t depthwise_wide(const layer_t *l, int8_t *out, const int8_t *x,
    const int8_t *w, int32_t B) {
    const ptrdiff_t words = 2 * l->weights, x_row = l->w.size * l->C, end = l->K - l->K % 4;
    if (words > ENGRAM_WIDE_WORDS) {
        return 0;
    }
    const bool fast = l->q[ENGRAM_ACT_MIN] == -128 && l->q[ENGRAM_ACT_MAX] == 127 && l->quick;
    if (fast && l->h.taps == 3 && l->w.taps == 3 && l->h.dil == 1 && l->w.dil == 1 && l->w.stride <= 2) {
        depthwise_3x3(l, out, x, w, B);
        return end;
    }
    ptrdiff_t most = ENGRAM_WIDE_WORDS / words * 4;
    most = most < ENGRAM_WIDE_CHANNELS ? most : ENGRAM_WIDE_CHANNELS;
    uint32_t wide[ENGRAM_WIDE_WORDS];
    engram_acc_t whole[ENGRAM_WIDE_CHANNELS];
    engram_run_s8_t t = run_of(l->q, l->quick);
    t.x_p = l->w.stride * l->C, t.out_p = l->K;
    t.x2 = l->h.dil * x_row, t.x1 = l->w.dil * l->C;
    const engram_range_t whole_row = engram_whole(&l->w);
    for (ptrdiff_t from = 0, n_k; from < end; from += n_k) {
        n_k = end - from < most ? end - from : most;
        for (ptrdiff_t k = 0; k < n_k; k += 4) {
            engram_widen_s8_x4(wide + k / 4 * words, w + from + k, (size_t)l->weights, l->w_tap);
        }
        for (ptrdiff_t k = 0; k < n_k; k++) {
            engram_acc_t sum = 0;
            const int8_t *wp = w + from + k;
            for (ptrdiff_t i = l->weights; i != 0; i--, wp += l->w_tap) {
                sum += (engram_acc_t)*wp;
            }
            whole[k] = (engram_acc_t)l->bias[from + k] - (engram_acc_t)l->q[ENGRAM_IN_ZP] * sum;
        }
        int32_t oh = 0;
        ptrdiff_t image = 0;
        for (ptrdiff_t row = 0; row < (ptrdiff_t)B * l->h.out; row++, oh++) {
            if (oh == l->h.out) {
                oh = 0, image += l->h.size;
            }
            const engram_range_t r = engram_taps(&l->h, oh);
            const ptrdiff_t x_at = (image + oh * l->h.stride - l->h.pad + r.from * l->h.dil) * x_row + from;
            t.n2 = (size_t)(r.to - r.from);
            for (int32_t ow = 0; ow < l->w.out; ow += (int32_t)t.positions) {
                const engram_run_t run = engram_run(&l->w, &whole_row, ow);
                const engram_range_t s = run.taps;
                const bool inside = r.to - r.from == l->h.taps && s.to - s.from == l->w.taps;
                const uint32_t *first = wide + 2 * (r.from * l->w.taps + s.from);
                const engram_acc_t *start = inside ? whole : (const engram_acc_t *)(l->bias + from);
                t.offset = inside ? 0 : -l->q[ENGRAM_IN_ZP];
                t.positions = (size_t)run.n;
                t.n1 = (size_t)(s.to - s.from);
                t.out = out + (row * l->w.out + ow) * l->K + from;
                t.x = x + (x_at + (ow * l->w.stride - l->w.pad + s.from * l->w.dil) * l->C);
                t.mult = l->mult + from, t.shift = l->shift + from;
                engram_run_depthwise_s8_wide(&t, first, 2 * l->w.taps, words, start, (size_t)n_k / 4, fast);
            }
        }
    }
    return end;
}

#endif

int32_t engram_conv2d_s8(engram_B_t out, engram_b_t x, engram_b_t w, engram_l_t bias, engram_l_t mult,
    engram_l_t shift, engram_l_t geom, engram_l_t q, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    bool quick;
    if (!(engram_dim(fault, 8, B, 0) && engram_geom(fault, 6, geom, false)
          && engram_need(fault, 0, out.n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_K])
          && engram_need(fault, 1, x.n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C])
          && engram_need(fault, 2, w.n, g[ENGRAM_K], g[ENGRAM_R], g[ENGRAM_S], g[ENGRAM_C])
          && engram_channels_ok(fault, bias, mult, shift, g[ENGRAM_K], &quick) && engram_q_ok(fault, 7, q))) {
        return ENGRAM_FAULT;
    }
    const ptrdiff_t filter = (ptrdiff_t)g[ENGRAM_R] * g[ENGRAM_S] * g[ENGRAM_C];
    #ifdef ENGRAM_PAIRS
    const engram_columns_s8_t columns = engram_columns_s8_of(w.p, bias.p, mult.p, shift.p, q.p,
        (size_t)filter, (size_t)g[ENGRAM_K], quick);
    if (windows_as_columns(&columns, out.p, x.p, g, B, q.p[ENGRAM_IN_ZP])) {
        return ENGRAM_OK;
    }
    #endif
    #ifndef ENGRAM_WIDE
    const layer_t layer = {
        .h = engram_axis(g, 0), .w = engram_axis(g, 1), .C = g[ENGRAM_C], .K = g[ENGRAM_K],
        .w_tap = g[ENGRAM_C], .w_filter = filter, .weights = filter, .x_channel = 0,
        .run_x4 = engram_run_s8_x4, .run_x1 = engram_run_s8_x1,
        .bias = bias.p, .mult = mult.p, .shift = shift.p, .q = q.p, .quick = quick,
    };
    slide(&layer, out.p, x.p, w.p, B, 0);
    #endif
    return ENGRAM_OK;
}

int32_t engram_depthwise_s8(engram_B_t out, engram_b_t x, engram_b_t w, engram_l_t bias, engram_l_t mult,
    engram_l_t shift, engram_l_t geom, engram_l_t q, int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    bool quick;
    if (!(engram_dim(fault, 8, B, 0) && engram_geom(fault, 6, geom, true)
          && engram_need(fault, 0, out.n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_C])
          && engram_need(fault, 1, x.n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C])
          && engram_need(fault, 2, w.n, g[ENGRAM_R], g[ENGRAM_S], g[ENGRAM_C], 1)
          && engram_channels_ok(fault, bias, mult, shift, g[ENGRAM_C], &quick) && engram_q_ok(fault, 7, q))) {
        return ENGRAM_FAULT;
    }
    const layer_t layer = {
        .h = engram_axis(g, 0), .w = engram_axis(g, 1), .C = g[ENGRAM_C], .K = g[ENGRAM_C],
        .w_tap = g[ENGRAM_C], .w_filter = 1, .weights = (ptrdiff_t)g[ENGRAM_R] * g[ENGRAM_S], .x_channel = 1,
        .run_x4 = engram_run_depthwise_s8_x4, .run_x1 = engram_run_depthwise_s8_x1,
        .bias = bias.p, .mult = mult.p, .shift = shift.p, .q = q.p, .quick = quick,
    };
    ptrdiff_t k = 0;
    #ifdef ENGRAM_WIDE
    k = depthwise_wide(&layer, out.p, x.p, w.p, B);
    #endif
    slide(&layer, out.p, x.p, w.p, B, k);
    return ENGRAM_OK;
}

int32_t engram_avgpool_s8(engram_B_t out, engram_b_t x, engram_l_t geom, engram_l_t q,
    int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 4, B, 0) && engram_geom(fault, 2, geom, true)
          && engram_need(fault, 0, out.n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_C])
          && engram_need(fault, 1, x.n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C])
          && engram_q_ok(fault, 3, q))) {
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
                const int8_t *at = x.p + ((i * h.size + oh * h.stride - h.pad + r.from * h.dil) * x_row
                    + (ow * v.stride - v.pad + s.from * v.dil) * C);
                for (ptrdiff_t c = 0; c < C; c++) {
                    int32_t sum = 0;
                    for (int32_t tr = 0; tr < r.to - r.from; tr++) {
                        const int8_t *xp = at + tr * h.dil * x_row + c;
                        for (int32_t ts = s.to - s.from; ts != 0; ts--, xp += v.dil * C) {
                            sum += *xp;
                        }
                    }
                    // A dilated window can step over a tiny input: no pixel, 0.
                    int32_t half = sum > 0 ? count / 2 : -(count / 2);
                    o[c] = engram_clamp_s8(count == 0 ? 0 : (sum + half) / count, q.p[ENGRAM_ACT_MIN],
                        q.p[ENGRAM_ACT_MAX]);
                }
            }
        }
    }
    return ENGRAM_OK;
}
