#include "engram_check_s8.h"
#include "engram_tile_s8.h"

#define EACH_1(op) op(0)
#define EACH_4(op) op(0) op(1) op(2) op(3)

#define START(j) engram_acc_t c##j = t->start[j];
#define W_ROW(j) const int8_t *wp##j = w1 + j * t->w_j;
#define MAC(j) c##j += (uint32_t)(v * *wp##j++);
#define MAC_DEPTHWISE(j) c##j += (uint32_t)((x1[j] + offset) * w1[j]);
#define FINISH(j) { \
    int32_t y = engram_requantize(c##j, t->mult[j], t->shift[j]); \
    out[j] = engram_shift_s8(y, t->range[0], t->range[1], t->range[2]); \
}
#define FINISH_1 EACH_1(FINISH)
#ifdef ENGRAM_NARROW
#define FINISH_4 \
    if (t->right) { \
        const engram_acc_t sum[4] = { c0, c1, c2, c3 }; \
        engram_narrow_store_4(out, sum, t->mult, t->shift, t->range); \
    } else { \
        EACH_4(FINISH) \
    }
#else
#define FINISH_4 EACH_4(FINISH)
#endif
// Sums themselves where they are wanted: by dense layers, which are windows with ENGRAM_WIDE.
#ifdef ENGRAM_WIDE
#define FINISH_OR_KEEP_1 FINISH_1
#define FINISH_OR_KEEP_4 FINISH_4
#else
#define KEEP(j) t->sums[j] = c##j;
#define FINISH_OR_KEEP_1 if (t->sums != NULL) { EACH_1(KEEP) } else { FINISH_1 }
#define FINISH_OR_KEEP_4 if (t->sums != NULL) { EACH_4(KEEP) } else { FINISH_4 }
#endif

// Every position of the run; BODY adds the taps at x1, w1 to the sums, END makes something of these.
#define RUN(CHANNELS, BODY, END) \
    const int8_t *x = t->x; \
    int8_t *out = t->out; \
    for (size_t p = t->positions; p != 0; p--, x += t->x_p, out += t->out_p) { \
        EACH_##CHANNELS(START) \
        const int8_t *x2 = x, *w2 = t->w; \
        for (size_t n2 = t->n2; n2 != 0; n2--, x2 += t->x2, w2 += t->w2) { \
            const int8_t *x1 = x2, *w1 = w2; \
            for (size_t n1 = t->n1; n1 != 0; n1--, x1 += t->x1, w1 += t->w1) { \
                BODY \
            } \
        } \
        END##_##CHANNELS \
    }

// One row of x against the weights of each channel; `offset` is added to x where WITH says so.
#define ADDED(v) ((v) + offset)
#define PLAIN(v) (v)
#define DOT_BYTES(CHANNELS, WITH, n) \
    for (size_t n0 = n; n0 != 0; n0--) { \
        int32_t v = WITH(*xp++); \
        EACH_##CHANNELS(MAC) \
    }

#ifdef ENGRAM_PAIRS

#define PAIRS_ADDED(v) engram_add_pairs(v, offsets)
#define PAIRS_PLAIN(v) (v)
#define MAC_4(j) { \
    uint32_t w = engram_load4(wp##j); \
    wp##j += 4; \
    c##j = engram_multiply_pairs(even, engram_even_pair(w), c##j); \
    c##j = engram_multiply_pairs(odd, engram_odd_pair(w), c##j); \
}
#define DOT(CHANNELS, WITH) \
    const int8_t *xp = x1; \
    EACH_##CHANNELS(W_ROW) \
    for (size_t n0 = n_fours; n0 != 0; n0--) { \
        uint32_t v = engram_load4(xp); \
        xp += 4; \
        uint32_t even = PAIRS_##WITH(engram_even_pair(v)), odd = PAIRS_##WITH(engram_odd_pair(v)); \
        EACH_##CHANNELS(MAC_4) \
    } \
    DOT_BYTES(CHANNELS, WITH, n_rest)
#define DOT_SETUP \
    const size_t n_fours = t->n0 / 4, n_rest = t->n0 % 4; \
    const uint32_t offsets = ((uint32_t)offset & 0xffffu) * 0x10001u; \
    (void)offsets;

#else

#define DOT(CHANNELS, WITH) \
    const int8_t *xp = x1; \
    EACH_##CHANNELS(W_ROW) \
    DOT_BYTES(CHANNELS, WITH, t->n0)
#define DOT_SETUP

#endif

#ifdef ENGRAM_NARROW

// Sums stay in memory, where the code that adds to them and the code that stores them want them.
void engram_run_s8_x4(const engram_run_s8_t *t) {
    const int8_t *x = t->x;
    int8_t *out = t->out;
    for (size_t p = t->positions; p != 0; p--, x += t->x_p, out += t->out_p) {
        engram_acc_t sum[4] = { t->start[0], t->start[1], t->start[2], t->start[3] };
        const int8_t *x2 = x, *w2 = t->w;
        for (size_t n2 = t->n0 != 0 ? t->n2 : 0; n2 != 0; n2--, x2 += t->x2, w2 += t->w2) {
            const int8_t *x1 = x2, *w1 = w2;
            for (size_t n1 = t->n1; n1 != 0; n1--, x1 += t->x1, w1 += t->w1) {
                engram_narrow_4(sum, x1, w1, t->w_j, t->n0, t->offset);
            }
        }
        const engram_acc_t c0 = sum[0], c1 = sum[1], c2 = sum[2], c3 = sum[3];
        if (t->sums != NULL) {
            EACH_4(KEEP)
        } else if (t->right) {
            engram_narrow_store_4(out, sum, t->mult, t->shift, t->range);
        } else {
            EACH_4(FINISH)
        }
    }
}

#else

void engram_run_s8_x4(const engram_run_s8_t *t) {
    const int32_t offset = t->offset;
    DOT_SETUP
    RUN(4, DOT(4, ADDED), FINISH_OR_KEEP)
}

#endif

void engram_run_s8_x1(const engram_run_s8_t *t) {
    const int32_t offset = t->offset;
    DOT_SETUP
    RUN(1, DOT(1, ADDED), FINISH_OR_KEEP)
}

void engram_run_depthwise_s8_x4(const engram_run_s8_t *t) {
    const int32_t offset = t->offset;
    RUN(4, EACH_4(MAC_DEPTHWISE), FINISH)
}

#ifdef ENGRAM_WIDE

void engram_widen_s8_x4(uint32_t *wide, const int8_t *w, size_t n, ptrdiff_t step) {
    for (; n != 0; n--, w += step) {
        const uint32_t v = engram_load4(w);
        *wide++ = engram_even_pair(v);
        *wide++ = engram_odd_pair(v);
    }
}

#define WIDE_START(j) engram_acc_t c##j = start[j];
#define WIDE_STORE(j) o = engram_store_pairs(o, 1, c##j, mult[j], -shift[j], out_zp);
#define WIDE_FINISH(j) \
    *o++ = engram_shift_s8(engram_requantize(c##j, mult[j], shift[j]), out_zp, t->range[1], t->range[2]);
#define WIDE_RUN(TAPS, STORE) \
    for (; blocks != 0; blocks--, first += words, start += 4, mult += 4, shift += 4, left += 4, to += 4) { \
        const int8_t *x = left; \
        int8_t *out = to; \
        for (size_t p = t->positions; p != 0; p--, x += x_p, out += out_p) { \
            EACH_4(WIDE_START) \
            const int8_t *x2 = x; \
            const uint32_t *wide = first; \
            for (size_t n2 = rows; n2 != 0; n2--, x2 += x_down) { \
                wide = TAPS(&c0, &c1, &c2, &c3, x2, x_right, wide, n1, offsets) + skip; \
            } \
            int8_t *o = out; \
            EACH_4(STORE) \
        } \
    }

void engram_run_depthwise_s8_wide(const engram_run_s8_t *t, const uint32_t *first, ptrdiff_t row, ptrdiff_t words,
    const engram_acc_t *start, size_t blocks, bool quick) {
    const uint32_t offsets = ((uint32_t)t->offset & 0xffffu) * 0x10001u;
    const int8_t *left = t->x;
    int8_t *to = t->out;
    const size_t n1 = t->n1, rows = t->n2;
    const ptrdiff_t x_p = t->x_p, out_p = t->out_p, x_down = t->x2, x_right = t->x1;
    const ptrdiff_t skip = row - 2 * (ptrdiff_t)n1;
    const int32_t out_zp = t->range[0], *mult = t->mult, *shift = t->shift;
    if (!quick) {
        WIDE_RUN(engram_taps_4_offset, WIDE_FINISH)
    } else if (t->offset == 0) {
        WIDE_RUN(engram_taps_4, WIDE_STORE)
    } else {
        WIDE_RUN(engram_taps_4_offset, WIDE_STORE)
    }
}

void engram_stack_s8_4x4(uint32_t *to, const int8_t *const x[4], const ptrdiff_t step[4], size_t n) {
    const int8_t *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    const ptrdiff_t step0 = step[0], step1 = step[1], step2 = step[2], step3 = step[3];
    for (; x3 == NULL && n != 0; n--, x0 += step0, x1 += step1, x2 += step2, to += ENGRAM_STACKED_WORDS) {
        engram_stack_pairs(to, engram_load4(x0), engram_load4(x1));
        engram_stack_singles(to + 1, engram_load4(x2));
    }
    for (; n != 0; n--, x0 += step0, x1 += step1, x2 += step2, x3 += step3, to += ENGRAM_STACKED_WORDS) {
        engram_stack_pairs(to, engram_load4(x0), engram_load4(x1));
        engram_stack_pairs(to + 1, engram_load4(x2), engram_load4(x3));
    }
}

void engram_stack_weights_s8(engram_stacked_t *to, const int8_t *pair, const int8_t *single, ptrdiff_t row,
    ptrdiff_t right) {
    for (ptrdiff_t s = 0; s < 3; s++) {
        to->pair[s] = engram_pair(2 * pair[s * right], 2 * pair[row + s * right]);
    }
    to->single[0] = engram_pair(2 * single[0], 2 * single[right]);
    to->single[1] = engram_pair(2 * single[2 * right], 0);
}

#endif

void engram_run_depthwise_s8_x1(const engram_run_s8_t *t) {
    const int32_t offset = t->offset;
    RUN(1, EACH_1(MAC_DEPTHWISE), FINISH)
}

engram_acc_t engram_sum_s8(const int8_t *w, size_t n) {
    engram_acc_t sum = 0;
    #ifdef ENGRAM_PAIRS
    for (; n >= 4; n -= 4, w += 4) {
        uint32_t v = engram_load4(w);
        sum = engram_multiply_pairs(engram_even_pair(v), 0x10001u, sum);
        sum = engram_multiply_pairs(engram_odd_pair(v), 0x10001u, sum);
    }
    #endif
    for (; n != 0; n--) {
        sum += (uint32_t)*w++;
    }
    return sum;
}

#ifdef ENGRAM_PAIRS

engram_columns_s8_t engram_columns_s8_of(const int8_t *w, const int32_t *bias, const int32_t *mult,
    const int32_t *shift, const int32_t *q, size_t n, size_t K, bool quick) {
    // A product is below 2**15, so that a sum of 2**14 of them and a bias below 2**28 is below 2**30.
    const bool narrow = n <= 16384 && q[ENGRAM_ACT_MIN] == -128 && q[ENGRAM_ACT_MAX] == 127;
    const engram_columns_s8_t t = {
        w, n, K, bias, mult, shift, q[ENGRAM_OUT_ZP], q[ENGRAM_ACT_MIN], q[ENGRAM_ACT_MAX], narrow,
        quick && narrow, false,
    };
    return t;
}

size_t engram_columns_s8_positions(size_t n, size_t left) {
    const size_t words = (n + 3) / 4 * 2;
    #ifdef ENGRAM_WIDE
    for (size_t p = left >= 4 ? 4 : left >= 2 ? 2 : 1; p > 1; p /= 2) {
        if (words * p <= ENGRAM_COLUMN_WORDS) {
            return p;
        }
    }
    return 1;
    #else
    (void)left;
    return words * 4 <= ENGRAM_COLUMN_WORDS ? 4 : 0;
    #endif
}

bool engram_columns_s8_suit(const engram_columns_s8_t *t, size_t all) {
    #ifdef ENGRAM_WIDE
    (void)t, (void)all;
    return true;
    #else
    return t->quick && all >= 4 && engram_columns_s8_positions(t->n, all) != 0;
    #endif
}

// The last n = 1 to 3 bytes of a row, filled up with zeros; `fours` times four stand before them.
static inline uint32_t last_bytes(const int8_t *at, size_t n, size_t fours) {
    if (fours != 0) {
        return engram_load4(at + n - 4) >> (32 - 8 * n);
    }
    uint32_t v = 0;
    while (n != 0) {
        v = v << 8 | (uint8_t)at[--n];
    }
    return v;
}

void engram_column_s8(uint32_t *columns, size_t positions, size_t p, const int8_t *x, size_t n, int32_t offset) {
    const uint32_t offsets = ((uint32_t)offset & 0xffffu) * 0x10001u;
    uint32_t *at = columns + 2 * p;
    const size_t fours = n / 4;
    if (fours != 0) {
        engram_widen_pairs(at, 8 * positions, x, offsets, fours);
        at += 2 * positions * fours, x += 4 * fours, n %= 4;
    }
    if (n != 0) {  // what is not there gets the weight 0
        const uint32_t v = last_bytes(x, n, fours);
        at[0] = engram_add_pairs(engram_even_pair(v), offsets);
        at[1] = engram_add_pairs(engram_odd_pair(v), offsets);
    }
}

#define LAST(p) \
    c##p = engram_multiply_pairs(last[2 * p], even, c##p); \
    c##p = engram_multiply_pairs(last[2 * p + 1], odd, c##p);
#define LAST_WEIGHTS(EACH) \
    if (rest != 0) { \
        const uint32_t v = last_bytes(w, rest, fours), even = engram_even_pair(v), odd = engram_odd_pair(v); \
        EACH(LAST) \
        w += rest; \
    }

#ifndef ENGRAM_WIDE

// Sums of windows beyond the last one are of what lies there, and are not stored.
void engram_columns_s8(const engram_columns_s8_t *t, const uint32_t *columns, size_t windows, int8_t *out) {
    const size_t fours = t->n / 4, rest = t->n % 4, K = t->K;
    const uint32_t *last = columns + 8 * fours;
    const int32_t out_zp = t->out_zp;
    const int8_t *w = t->w;
    for (size_t k = 0; k < K; k++) {
        const uint32_t start = (uint32_t)t->bias[k];
        const int32_t mult = t->mult[k], right = -t->shift[k];
        uint32_t sums[4] = { start, start, start, start };
        engram_pairs_4x1(sums, columns, w, fours);
        w += 4 * fours;
        if (rest != 0) {
            const uint32_t v = last_bytes(w, rest, fours), even = engram_even_pair(v), odd = engram_odd_pair(v);
            for (size_t p = 0; p < windows; p++) {
                sums[p] = engram_multiply_pairs(last[2 * p], even, sums[p]);
                sums[p] = engram_multiply_pairs(last[2 * p + 1], odd, sums[p]);
            }
            w += rest;
        }
        int8_t *o = out + k;
        for (size_t p = 0; p < windows; p++) {
            o = engram_store_pairs(o, K, sums[p], mult, right, out_zp);
        }
    }
}

#else

// Sums to bytes, K apart.
#define QUICK(p) o = engram_store_pairs(o, K, c##p, mult, -shift, out_zp);
#define EXACT(p) { \
    *o = engram_shift_s8(engram_requantize(c##p, mult, shift), out_zp, t->act_min, t->act_max); \
    o += K; \
}

// Whether a channel's sums may be stored quickly though some may not: a channel that training has left
// without weights has a huge bias, or a shift to the left.
static inline bool is_quick(const engram_columns_s8_t *t, int32_t bias, int32_t shift) {
    return t->narrow && shift < 0 && (uint32_t)bias + (1u << 28) < 1u << 29;
}

// P windows against every channel.
#define EACH_2(op) op(0) op(1)
#define STARTED(p) sums[p] = start;
#define SUM(p) uint32_t c##p = sums[p];
#define ALL_QUICK(EACH) EACH(QUICK)
#define SOME_QUICK(EACH) \
    if (is_quick(t, (int32_t)start, shift)) { \
        EACH(QUICK) \
    } else { \
        EACH(EXACT) \
    }
#define COLUMNS(P, HOW) \
    static void columns_##P##_##HOW(const engram_columns_s8_t *t, const uint32_t *columns, int8_t *out) { \
        const size_t fours = t->n / 4, rest = t->n % 4, K = t->K; \
        const uint32_t *last = columns + 2 * P * fours; \
        const int32_t out_zp = t->out_zp; \
        const int32_t *bias = t->bias, *mults = t->mult, *shifts = t->shift; \
        const int8_t *w = t->w; \
        for (size_t k = K; k != 0; k--, out++) { \
            const uint32_t start = (uint32_t)*bias++; \
            uint32_t sums[P]; \
            EACH_##P(STARTED) \
            engram_pairs_##P##x1(sums, columns, w, fours); \
            w += 4 * fours; \
            EACH_##P(SUM) \
            LAST_WEIGHTS(EACH_##P) \
            const int32_t mult = *mults++, shift = *shifts++; \
            int8_t *o = out; \
            HOW(EACH_##P) \
        } \
    }

COLUMNS(4, ALL_QUICK)
COLUMNS(4, SOME_QUICK)
COLUMNS(2, ALL_QUICK)
COLUMNS(2, SOME_QUICK)

// Adds the products of a piece of a window, widened, to the sums of K channels, n bytes apart.
static void add_piece(uint32_t *sums, const uint32_t *columns, const int8_t *w, size_t n, size_t piece, size_t K) {
    const size_t fours = piece / 4, rest = piece % 4;
    size_t k = 0;
    if (fours != 0 && K >= 4) {
        engram_pairs_1x4(sums, columns, w, (ptrdiff_t)n, fours, K / 4);
        k = K - K % 4;
    }
    for (size_t j = rest != 0 ? 0 : k; j < K; j++) {
        const uint32_t *last = columns + 2 * fours;
        const int8_t *row = w + j * n;
        uint32_t c0 = sums[j];
        for (size_t i = 0; j >= k && i < fours; i++) {
            const uint32_t v = engram_load4(row + 4 * i);
            c0 = engram_multiply_pairs(columns[2 * i], engram_even_pair(v), c0);
            c0 = engram_multiply_pairs(columns[2 * i + 1], engram_odd_pair(v), c0);
        }
        row += 4 * fours;
        if (rest != 0) {
            const uint32_t v = last_bytes(row, rest, fours), even = engram_even_pair(v), odd = engram_odd_pair(v);
            LAST(0)
        }
        sums[j] = c0;
    }
}

// Sums to bytes side by side, from channel k on.
static void store(const engram_columns_s8_t *t, int8_t *o, const uint32_t *sums, size_t k, size_t n) {
    const int32_t *mult = t->mult + k, *shift = t->shift + k, out_zp = t->out_zp;
    const bool all = t->quick, once = t->once;
    if (all && once) {
        for (; n != 0; n--) {
            *o++ = (int8_t)engram_requantize_pairs_once(*sums++, *mult++, -*shift++, out_zp);
        }
        return;
    }
    for (; n != 0; n--, mult++, shift++, k++) {
        const uint32_t sum = *sums++;
        if (once || !(all || is_quick(t, t->bias[k], *shift))) {
            const int32_t v = (once ? engram_requantize_once : engram_requantize)(sum, *mult, *shift);
            *o++ = engram_shift_s8(v, out_zp, t->act_min, t->act_max);
        } else {
            o = engram_store_pairs(o, 1, sum, *mult, -*shift, out_zp);
        }
    }
}

void engram_window_s8(const engram_columns_s8_t *t, const engram_window_s8_t *window, uint32_t *columns,
    int8_t *out) {
    enum { SUMS = 64 };  // channels at a time
    uint32_t sums[SUMS];
    const int8_t *w = t->w + window->w;
    for (size_t k = 0, n_k; k < t->K; k += n_k, w += n_k * t->n) {
        n_k = t->K - k < SUMS ? t->K - k : SUMS;
        for (size_t j = 0; j < n_k; j++) {
            sums[j] = (uint32_t)t->bias[k + j];
        }
        const int8_t *x2 = window->x, *w2 = w;
        for (size_t n2 = window->n2; n2 != 0; n2--, x2 += window->x2, w2 += window->w2) {
            const int8_t *x1 = x2, *w1 = w2;
            for (size_t n1 = window->n1; n1 != 0; n1--, x1 += window->x1, w1 += window->w1) {
                for (size_t at = 0, piece; at < window->n0; at += piece) {
                    piece = window->n0 - at < ENGRAM_COLUMN_BYTES ? window->n0 - at : ENGRAM_COLUMN_BYTES;
                    engram_column_s8(columns, 1, 0, x1 + at, piece, window->offset);
                    add_piece(sums, columns, w1 + at, t->n, piece, n_k);
                }
            }
        }
        store(t, out + k, sums, k, n_k);
    }
}

void engram_columns_s8(const engram_columns_s8_t *t, const uint32_t *columns, size_t positions, int8_t *out) {
    if (positions == 4) {
        (t->quick ? columns_4_ALL_QUICK : columns_4_SOME_QUICK)(t, columns, out);
    } else {
        (t->quick ? columns_2_ALL_QUICK : columns_2_SOME_QUICK)(t, columns, out);
    }
}

#endif

#endif
