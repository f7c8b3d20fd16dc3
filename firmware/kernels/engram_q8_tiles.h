// The inner loops of engram_products_q8.c: one row of sums, a few columns wide, added to acc, or
// `lanes`: columns that have each their own a too, side by side as those of b. Integers:
// the order of a sum is free, and all cores give the same bits.
#ifndef ENGRAM_Q8_TILES_H
#define ENGRAM_Q8_TILES_H

#include "engram_simd.h"
#include "engram_sums_q8.h"

// Columns of a tile: of bytes along the inner loop (dot), side by side (side).
#ifdef ENGRAM_VECTORS
enum { ENGRAM_DOT_J = 4, ENGRAM_SIDE_J = 16 };
#else
enum { ENGRAM_DOT_J = 4, ENGRAM_SIDE_J = 4 };
#endif

// The statements for every piece of the inner loop, at a1 and b1.
#define EACH_PIECE(t, a, b, ...) \
    for (size_t n2 = (t)->n2; n2 != 0; n2--, a += (t)->a2, b += (t)->b2) { \
        const int8_t *a1 = a, *b1 = b; \
        for (size_t n1 = (t)->n1; n1 != 0; n1--, a1 += (t)->a1, b1 += (t)->b1) { \
            __VA_ARGS__ \
        } \
    }

// Whether the inner loop is long enough for tiles.
static inline bool engram_tiles_fit_q8(const engram_sums_q8_t *t) {
    #if defined(ENGRAM_PAIRS)
    return t->n0 >= 4;
    #elif defined(ENGRAM_NARROW)
    return t->n0 >= 1;
    #else
    (void)t;
    return true;
    #endif
}

// Any strides, n columns.
static __attribute__((noinline)) void engram_edge_q8(const engram_sums_q8_t *t, const int8_t *a, const int8_t *b,
    size_t n, int32_t *acc) {
    EACH_PIECE(t, a, b,
        const int8_t *at = a1;
        const int8_t *bt = b1;
        for (size_t n0 = t->n0; n0 != 0; n0--, at += t->a0, bt += t->b0) {
            const int8_t *column = bt;
            for (size_t c = 0; c < n; c++, column += t->b_j) {
                acc[c] += *at * *column;
            }
        })
}

static __attribute__((noinline)) void engram_edge_lanes_q8(const engram_sums_q8_t *t, const int8_t *a,
    const int8_t *b, size_t n, int32_t *acc) {
    EACH_PIECE(t, a, b,
        const int8_t *at = a1;
        const int8_t *bt = b1;
        for (size_t n0 = t->n0; n0 != 0; n0--, at += t->a0, bt += t->b0) {
            for (size_t c = 0; c < n; c++) {
                acc[c] += at[c] * bt[c];
            }
        })
}

#if defined(ENGRAM_NARROW)

// 1 <= n0 in each
static inline void engram_tile_dot_q8(const engram_sums_q8_t *t, const int8_t *a, const int8_t *b, int32_t *acc) {
    EACH_PIECE(t, a, b, engram_narrow_4((uint32_t *)acc, a1, b1, t->b_j, t->n0, 0);)
}

static inline void engram_tile_side_q8(const engram_sums_q8_t *t, const int8_t *a, const int8_t *b, int32_t *acc) {
    EACH_PIECE(t, a, b, engram_narrow_side_4((uint32_t *)acc, a1, b1, t->n0, t->a0, t->b0);)
}

static inline void engram_tile_lanes_q8(const engram_sums_q8_t *t, const int8_t *a, const int8_t *b, int32_t *acc) {
    const engram_taps_t taps = {
        .n1 = t->n1, .n0 = t->n0, .a0 = t->a0, .b0 = t->b0,
        .jump_a = t->a1 - (ptrdiff_t)t->n0 * t->a0, .jump_b = t->b1 - (ptrdiff_t)t->n0 * t->b0,
    };
    for (size_t n2 = t->n2; n2 != 0; n2--, a += t->a2, b += t->b2) {
        engram_narrow_lanes_4((uint32_t *)acc, a, b, &taps);
    }
}

#elif defined(ENGRAM_PAIRS)

static __attribute__((noinline)) void engram_tile_lanes_q8(const engram_sums_q8_t *t, const int8_t *a, const int8_t *b,
    int32_t *acc) {
    uint32_t c0 = (uint32_t)acc[0], c1 = (uint32_t)acc[1], c2 = (uint32_t)acc[2], c3 = (uint32_t)acc[3];
    EACH_PIECE(t, a, b,
        const int8_t *at = a1;
        const int8_t *bt = b1;
        for (size_t n0 = t->n0; n0 != 0; n0--, at += t->a0, bt += t->b0) {
            const uint32_t x = engram_load4(at), even_x = engram_even_pair(x), odd_x = engram_odd_pair(x);
            const uint32_t y = engram_load4(bt), even_y = engram_even_pair(y), odd_y = engram_odd_pair(y);
            c0 = engram_multiply_low(even_x, even_y, c0);
            c1 = engram_multiply_low(odd_x, odd_y, c1);
            c2 = engram_multiply_high(even_x, even_y, c2);
            c3 = engram_multiply_high(odd_x, odd_y, c3);
        })
    acc[0] = (int32_t)c0, acc[1] = (int32_t)c1, acc[2] = (int32_t)c2, acc[3] = (int32_t)c3;
}

// The last four bytes of a row of n, of which the first are 0 where they belong to the four before.
static inline uint32_t engram_over_q8(const int8_t *row, size_t n) {
    return engram_load4(row + n - 4) & UINT32_MAX << (8 * (4 - n % 4));
}

// 4 <= n0
static inline void engram_tile_dot_q8(const engram_sums_q8_t *t, const int8_t *a, const int8_t *b, int32_t *acc) {
    const size_t n0 = t->n0;
    EACH_PIECE(t, a, b,
        engram_pairs_dot_4((uint32_t *)acc, a1, b1, t->b_j, n0 / 4);
        if (n0 % 4 != 0) {
            const uint32_t over = engram_over_q8(a1, n0);
            engram_pairs_dot_4((uint32_t *)acc, (const int8_t *)&over, b1 + n0 - 4, t->b_j, 1);
        })
}

// 4 <= n0, a0 = 1
static inline void engram_tile_side_q8(const engram_sums_q8_t *t, const int8_t *a, const int8_t *b, int32_t *acc) {
    const size_t n0 = t->n0;
    EACH_PIECE(t, a, b,
        engram_pairs_side_4((uint32_t *)acc, a1, b1, t->b0, n0 / 4);
        if (n0 % 4 != 0) {
            const uint32_t over = engram_over_q8(a1, n0);
            engram_pairs_side_4((uint32_t *)acc, (const int8_t *)&over, b1 + (ptrdiff_t)(n0 - 4) * t->b0, t->b0, 1);
        })
}

#else

// Where there are vectors, the compiler makes them of these loops.
static inline void engram_tile_dot_q8(const engram_sums_q8_t *t, const int8_t *a, const int8_t *b, int32_t *acc) {
    int32_t c0 = acc[0], c1 = acc[1], c2 = acc[2], c3 = acc[3];
    EACH_PIECE(t, a, b,
        const int8_t *at = a1;
        const int8_t *b_0 = b1;
        const int8_t *b_1 = b_0 + t->b_j;
        const int8_t *b_2 = b_1 + t->b_j;
        const int8_t *b_3 = b_2 + t->b_j;
        for (size_t n0 = t->n0; n0 != 0; n0--) {
            const int32_t v = *at++;
            c0 += v * *b_0++;
            c1 += v * *b_1++;
            c2 += v * *b_2++;
            c3 += v * *b_3++;
        })
    acc[0] = c0, acc[1] = c1, acc[2] = c2, acc[3] = c3;
}

static inline void engram_tile_side_q8(const engram_sums_q8_t *t, const int8_t *a, const int8_t *b, int32_t *acc) {
    int32_t sum[ENGRAM_SIDE_J];
    memcpy(sum, acc, sizeof(sum));
    EACH_PIECE(t, a, b,
        const int8_t *at = a1;
        const int8_t *bt = b1;
        for (size_t n0 = t->n0; n0 != 0; n0--, at += t->a0, bt += t->b0) {
            const int32_t v = *at;
            for (int c = 0; c < ENGRAM_SIDE_J; c++) {
                sum[c] += v * bt[c];
            }
        })
    memcpy(acc, sum, sizeof(sum));
}

static inline void engram_tile_lanes_q8(const engram_sums_q8_t *t, const int8_t *a, const int8_t *b, int32_t *acc) {
    int32_t sum[ENGRAM_SIDE_J];
    memcpy(sum, acc, sizeof(sum));
    EACH_PIECE(t, a, b,
        const int8_t *at = a1;
        const int8_t *bt = b1;
        for (size_t n0 = t->n0; n0 != 0; n0--, at += t->a0, bt += t->b0) {
            for (int c = 0; c < ENGRAM_SIDE_J; c++) {
                sum[c] += at[c] * bt[c];
            }
        })
    memcpy(acc, sum, sizeof(sum));
}

#endif

#endif
