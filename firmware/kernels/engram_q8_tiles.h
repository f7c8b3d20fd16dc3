// The inner loops of engram_sums_q8.c: tiles of sums, ENGRAM_TILE_I rows by ENGRAM_TILE_J columns,
// in acc row by row. Portable C, and pairs of products where the core has them; integers, so that
// the order of a sum is free and all cores give the same bits.
#ifndef ENGRAM_Q8_TILES_H
#define ENGRAM_Q8_TILES_H

#include "engram_simd.h"
#include "engram_sums_q8.h"

enum { ENGRAM_TILE_I = 2, ENGRAM_TILE_J = 4 };

// Rows i.. and columns j.. of sums whose inner steps are n0 long, one by one.
static inline int32_t one_q8(const engram_sums_q8_t *t, const int8_t *a, const int8_t *b) {
    int32_t acc = 0;
    for (size_t n2 = 0; n2 < t->n2; n2++, a += t->a2, b += t->b2) {
        const int8_t *a1 = a, *b1 = b;
        for (size_t n1 = 0; n1 < t->n1; n1++, a1 += t->a1, b1 += t->b1) {
            const int8_t *a0 = a1, *b0 = b1;
            for (size_t n0 = t->n0; n0 != 0; n0--, a0 += t->a0, b0 += t->b0) {
                acc += *a0 * *b0;
            }
        }
    }
    return acc;
}

static __attribute__((noinline, unused)) void engram_edge_q8(const engram_sums_q8_t *t, const int8_t *a,
    const int8_t *b, size_t rows, size_t columns, int32_t *acc) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            *acc++ = one_q8(t, a + (ptrdiff_t)r * t->a_i, b + (ptrdiff_t)c * t->b_j);
        }
    }
}

static inline void engram_edge_dot_q8(const engram_sums_q8_t *t, const int8_t *a, const int8_t *b,
    size_t rows, size_t columns, int32_t *acc) {
    engram_edge_q8(t, a, b, rows, columns, acc);
}

static inline void engram_tile_dot_q8(const engram_sums_q8_t *t, const int8_t *a, const int8_t *b, int32_t *acc) {
    engram_edge_q8(t, a, b, ENGRAM_TILE_I, ENGRAM_TILE_J, acc);
}

static inline void engram_tile_q8(const engram_sums_q8_t *t, size_t i, size_t j, size_t rows, size_t columns,
    int32_t *acc) {
    const int8_t *a = t->a + (ptrdiff_t)i * t->a_i, *b = t->b + (ptrdiff_t)j * t->b_j;
    engram_edge_q8(t, a, b, rows, columns, acc);
}

#endif
