// The sums of products of fully quantized training: rows of `a` with columns of `b`, in tiles of one
// row (engram_q8_tiles.h), or packed where a core takes pairs of products (engram_q8_pairs.h).
#include <string.h>

#include "engram_sums_q8.h"

// n sums, `step` results apart.
static inline void engram_store_some_q8(engram_store_q8_t *s, ptrdiff_t at, ptrdiff_t step, const int32_t *acc,
    size_t n) {
    if (s->logits != NULL) {
        for (float *to = s->logits + at; n != 0; n--, to += step) {
            *to = (float)*acc++ * engram_power_q8(-s->exponent);
        }
        return;
    }
    const int32_t down = s->down;
    uint32_t limit = s->limit;
    for (int8_t *to = s->out + at; n != 0; n--, to += step) {
        int32_t v = *acc++;
        if ((uint32_t)v + limit <= 2 * limit) {
            v = ((v >> down) + 1) >> 1;
        } else {
            v = engram_beyond_q8(s, v), limit = s->limit;
        }
        *to = (int8_t)v;
    }
}

// Four neighbours, at once where all are usual.
static inline void engram_store_four_q8(engram_store_q8_t *s, ptrdiff_t at, const int32_t acc[4]) {
    const uint32_t limit = s->limit;
    const int32_t down = s->down, c0 = acc[0], c1 = acc[1], c2 = acc[2], c3 = acc[3];
    if (s->logits == NULL && (uint32_t)c0 + limit <= 2 * limit && (uint32_t)c1 + limit <= 2 * limit
        && (uint32_t)c2 + limit <= 2 * limit && (uint32_t)c3 + limit <= 2 * limit) {
        int8_t *to = s->out + at;
        to[0] = (int8_t)(((c0 >> down) + 1) >> 1);
        to[1] = (int8_t)(((c1 >> down) + 1) >> 1);
        to[2] = (int8_t)(((c2 >> down) + 1) >> 1);
        to[3] = (int8_t)(((c3 >> down) + 1) >> 1);
    } else {
        engram_store_some_q8(s, at, 1, acc, 4);
    }
}

// Where the sums of n columns from j on begin.
static inline void engram_starts_q8(const engram_store_q8_t *s, size_t j, int32_t *start, size_t n) {
    const int32_t right = ENGRAM_Q8_BIAS_EXPONENT - s->exponent;
    if (s->bias == NULL) {
        return;
    }
    if (right >= 2 && right < 32) {  // shifted so far, no bias is too large
        for (size_t c = 0; c < n; c++) {
            start[c] = ((s->bias[j + c] >> (right - 1)) + 1) >> 1;
        }
        return;
    }
    for (size_t c = 0; c < n; c++) {
        start[c] = engram_start_q8(s, j + c);
    }
}

#include "engram_q8_tiles.h"
#ifdef ENGRAM_PAIRS
#include "engram_q8_pairs.h"
#endif

// Rows from `first` and columns from j on in tiles of WIDTH; the last one begins earlier where it would
// hang over.
#define STORE_TILES(WIDTH, TILE) \
    for (; j < t->J && first < t->I; j += WIDTH) { \
        const bool whole = t->J >= WIDTH && engram_tiles_fit_q8(t); \
        const size_t from = j + WIDTH <= t->J ? j : t->J < WIDTH ? 0 : t->J - WIDTH; \
        const size_t n = t->J < WIDTH ? t->J : WIDTH; \
        int32_t start[WIDTH] = { 0 }, acc[WIDTH]; \
        engram_starts_q8(s, from, start, n); \
        const int8_t *a = t->a + (ptrdiff_t)first * t->a_i, *b = t->b + (ptrdiff_t)from * t->b_j; \
        ptrdiff_t at = (ptrdiff_t)first * s->out_i + (ptrdiff_t)j; \
        for (size_t i = first; i < t->I; i++, a += t->a_i, at += s->out_i) { \
            memcpy(acc, start, sizeof(acc)); \
            if (whole) { \
                TILE(t, a, b, acc); \
            } else { \
                engram_edge_q8(t, a, b, n, acc); \
            } \
            if (WIDTH == 4 && n == 4 && j == from) { \
                engram_store_four_q8(s, at, acc); \
            } else { \
                engram_store_some_q8(s, at, 1, acc + (j - from), n - (j - from)); \
            } \
        } \
    }

static __attribute__((noinline)) void rest_dot(const engram_sums_q8_t *t, engram_store_q8_t *s, size_t first,
    size_t j) {
    STORE_TILES(ENGRAM_DOT_J, engram_tile_dot_q8)
}

void engram_dot_q8(const engram_sums_q8_t *t, engram_store_q8_t *s) {
    size_t first = 0;
    #ifdef ENGRAM_PAIRS
    first = packed_dot(t, s);
    #endif
    rest_dot(t, s, first, 0);
}

void engram_windows_q8(const engram_sums_q8_t *t, engram_store_q8_t *s) {
    size_t j = 0;
    #ifdef ENGRAM_PAIRS
    j = packed_columns(t, s, true);
    #endif
    rest_dot(t, s, 0, j);
}

void engram_axpy_q8(const engram_sums_q8_t *t, engram_store_q8_t *s) {
    size_t first = 0, j = 0;
    if (t->listed) {
        engram_axpy_terms_q8(t, s);
        return;
    }
    #ifdef ENGRAM_PAIRS
    j = packed_columns(t, s, false);
    #endif
    STORE_TILES(ENGRAM_SIDE_J, engram_tile_side_q8)
}

void engram_few_columns_q8(const engram_sums_q8_t *t, engram_store_q8_t *s) {
    engram_sums_q8_t turned = *t;  // the tile's columns are rows
    turned.b_j = t->a_i;
    turned.a2 = t->b2, turned.a1 = t->b1, turned.b2 = t->a2, turned.b1 = t->a1;
    const bool whole = t->I >= ENGRAM_DOT_J && engram_tiles_fit_q8(t);
    const int8_t *column = t->b;
    for (size_t j = 0; j < t->J; j++, column += t->b_j) {
        int32_t start[1] = { 0 }, acc[ENGRAM_DOT_J];
        engram_starts_q8(s, j, start, 1);
        for (size_t i = 0, n; i < t->I; i += n) {
            // The last tile begins earlier where it would hang over.
            const size_t from = !whole || t->I - i >= ENGRAM_DOT_J ? i : t->I - ENGRAM_DOT_J;
            n = whole ? from + ENGRAM_DOT_J - i : 1;
            const int8_t *rows = t->a + (ptrdiff_t)from * t->a_i;
            for (size_t c = 0; c < ENGRAM_DOT_J; c++) {
                acc[c] = start[0];
            }
            if (whole) {
                engram_tile_dot_q8(&turned, column, rows, acc);
            } else {
                engram_edge_q8(&turned, column, rows, 1, acc);
            }
            engram_store_some_q8(s, (ptrdiff_t)i * s->out_i + (ptrdiff_t)j, s->out_i, acc + (i - from), n);
        }
    }
}

// Loops over steps that are equally far apart are one.
static engram_sums_q8_t merged(const engram_sums_q8_t *from) {
    engram_sums_q8_t t = *from;
    for (int i = 0; i < 2; i++) {
        if (t.n1 == 1 || (t.a1 == (ptrdiff_t)t.n0 * t.a0 && t.b1 == (ptrdiff_t)t.n0 * t.b0)) {
            t.n0 *= t.n1, t.n1 = t.n2, t.n2 = 1;
            t.a1 = t.a2, t.b1 = t.b2;
        }
    }
    return t;
}

// Sums of one row, n columns from j on; acc has room for a tile in front, where the last one begins.
static void row_outer(const engram_sums_q8_t *t, size_t i, size_t j, int32_t *acc, size_t n) {
    const int8_t *a = t->a + i;
    #ifndef ENGRAM_PAIRS  // whose tile needs a0 = 1
    if (t->J >= ENGRAM_SIDE_J && engram_tiles_fit_q8(t)) {
        for (size_t c = 0; c < n; c += ENGRAM_SIDE_J) {
            const size_t from = j + c + ENGRAM_SIDE_J <= t->J ? j + c : t->J - ENGRAM_SIDE_J;
            int32_t *tile = acc + ((ptrdiff_t)from - (ptrdiff_t)j);
            memset(tile, 0, ENGRAM_SIDE_J * sizeof(int32_t));
            engram_tile_side_q8(t, a, t->b + from, tile);
        }
        return;
    }
    #endif
    memset(acc, 0, n * sizeof(int32_t));
    engram_edge_q8(t, a, t->b + j, n, acc);
}

void engram_outer_q8(const engram_sums_q8_t *from, size_t first, engram_step_q8_t *u) {
    enum { COLUMNS = 16 };
    const engram_sums_q8_t all = merged(from), *t = &all;
    const bool one = t->n0 * t->n1 * t->n2 == 1;
    size_t i = 0;
    if (t->listed && !one) {
        engram_outer_terms_q8(from, first, u);  // its samples are those of n2 as it was
        return;
    }
    #ifdef ENGRAM_PAIRS
    i = one ? 0 : packed_outer(t, first, u);
    #endif
    for (; i < t->I; i++) {
        for (size_t j = 0, n; j < t->J; j += n) {
            int32_t room[ENGRAM_SIDE_J + COLUMNS], *acc = room + ENGRAM_SIDE_J;
            n = t->J - j < COLUMNS ? t->J - j : COLUMNS;
            if (one) {
                const int32_t v = t->a[i];
                for (size_t c = 0; c < n; c++) {
                    acc[c] = v * t->b[j + c];
                }
            } else {
                row_outer(t, i, j, acc, n);
            }
            engram_take_q8(u, first + i * (size_t)u->w_i + j, acc, 1, 0, n);
        }
    }
}

void engram_outer_add_q8(const engram_sums_q8_t *t, size_t from, size_t n, int32_t *acc) {
    const engram_sums_q8_t all = merged(t);
    #ifdef ENGRAM_PAIRS
    if (packed_add(&all, from, n, acc)) {
        return;
    }
    #endif
    for (size_t i = 0; i < all.I; i++, acc += ENGRAM_Q8_BLOCK) {
        int32_t room[ENGRAM_SIDE_J + ENGRAM_Q8_BLOCK], *row = room + ENGRAM_SIDE_J;
        row_outer(&all, i, 0, row, all.J);
        for (size_t c = 0; c < n; c++) {
            acc[c] += row[from + c];
        }
    }
}

// ---- channel by channel --------------------------------------------------------------------

// Whether channels come in tiles.
static inline bool lanes_fit(const engram_sums_q8_t *t) {
    return t->J >= ENGRAM_SIDE_J && t->n0 != 0 && t->n1 != 0;
}

static inline size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

void engram_lanes_q8(const engram_sums_q8_t *t, const int32_t *start, engram_store_q8_t *s, ptrdiff_t at) {
    const bool fit = lanes_fit(t);
    const size_t n = least(ENGRAM_SIDE_J, t->J);
    for (size_t j = 0; j < t->J; j += n) {
        const size_t from = least(j, t->J - n);  // the last tile begins earlier where it would hang over
        const int8_t *a = t->a + from, *b = t->b + from;
        ptrdiff_t to = at + (ptrdiff_t)j;
        int32_t acc[ENGRAM_SIDE_J], begin[ENGRAM_SIDE_J] = { 0 };
        if (fit) {
            memcpy(begin, start + from, sizeof(begin));
        } else {
            memcpy(begin, start + from, n * sizeof(int32_t));
        }
        #ifdef ENGRAM_PAIRS
        if (fit && from == j && t->n2 == 1 && t->n0 == 3 && t->n1 <= 3 && t->I > 1) {
            lanes_3x3(t, j, start, s, to);
            continue;
        }
        #endif
        for (size_t i = 0; i < t->I; i++, a += t->a_i, to += s->out_i) {
            memcpy(acc, begin, sizeof(acc));
            if (fit) {
                engram_tile_lanes_q8(t, a, b, acc);
            } else {
                engram_edge_lanes_q8(t, a, b, n, acc);
            }
            if (n == 4 && j == from) {
                engram_store_four_q8(s, to, acc);
            } else {
                engram_store_some_q8(s, to, 1, acc + (j - from), n - (j - from));
            }
        }
    }
}

void engram_lanes_step_q8(const engram_sums_q8_t *t, size_t first, engram_step_q8_t *u) {
    const bool fit = lanes_fit(t);
    const size_t n = least(ENGRAM_SIDE_J, t->J);
    for (size_t j = 0; j < t->J; j += n) {
        const size_t from = least(j, t->J - n);
        int32_t acc[ENGRAM_SIDE_J] = { 0 };
        if (fit) {
            engram_tile_lanes_q8(t, t->a + from, t->b + from, acc);
        } else {
            engram_edge_lanes_q8(t, t->a + from, t->b + from, n, acc);
        }
        engram_take_q8(u, first + j, acc + (j - from), 1, 0, n - (j - from));
    }
}
