// Sums of products in pairs, for cores with the DSP extension: four rows or columns lie packed as the
// lanes of engram_simd_pairs.h, and the bytes of the other side stream past them. Each function
// returns how many rows or columns it did: 0 where there are too few, or too long ones.
#ifndef ENGRAM_Q8_PAIRS_H
#define ENGRAM_Q8_PAIRS_H

#include "engram_q8_tiles.h"

enum { ENGRAM_Q8_WORDS = 576 };  // four lanes of 288 bytes: 3 x 3 taps of 32 channels

// Whether pieces of at least 4, all together, have room as lanes.
static bool packed_fit(size_t n0, size_t pieces) {
    return n0 >= 4 && pieces != 0 && (n0 + 3) / 4 * 8 * pieces <= ENGRAM_Q8_WORDS;
}

static engram_pieces_t pieces_of(const engram_sums_q8_t *t, ptrdiff_t step1, ptrdiff_t step2) {
    const engram_pieces_t p = {
        .fours = t->n0 / 4, .rest = t->n0 % 4, .n1 = t->n1, .n2 = t->n2,
        .jump = step1 - (ptrdiff_t)t->n0, .leap = step2 - (ptrdiff_t)t->n1 * step1,
    };
    return p;
}

// n bytes, at least 4, as one of four lanes.
static void pack_row(uint32_t *to, const int8_t *row, size_t n) {
    engram_widen_pairs(to, 32, row, 0, n / 4);
    if (n % 4 != 0) {
        const uint32_t over = engram_over_q8(row, n);
        to[n / 4 * 8] = engram_even_pair(over), to[n / 4 * 8 + 1] = engram_odd_pair(over);
    }
}

// Four neighbouring columns as lanes, each four of their bytes `step` apart.
static inline uint32_t *pack_fours(uint32_t *to, const int8_t *b, ptrdiff_t step, size_t fours) {
    for (; fours != 0; fours--, b += 4 * step, to += 8) {
        engram_cross_pairs(to, engram_load4(b), engram_load4(b + step), engram_load4(b + 2 * step),
            engram_load4(b + 3 * step));
    }
    return to;
}

static void pack_columns(uint32_t *to, const engram_sums_q8_t *t, size_t j) {
    const size_t rest = t->n0 % 4;
    const ptrdiff_t b0 = t->b0;
    const int8_t *a = t->a, *b = t->b + j;
    EACH_PIECE(t, a, b,
        (void)a1;
        to = pack_fours(to, b1, b0, t->n0 / 4);
        if (rest != 0) {
            const int8_t *end = b1 + (ptrdiff_t)(t->n0 - 1) * b0;
            engram_cross_pairs(to, 0, rest < 3 ? 0 : engram_load4(end - 2 * b0),
                rest < 2 ? 0 : engram_load4(end - b0), engram_load4(end));
            to += 8;
        })
}

// Four rows of a as lanes; where there are three, the last one twice. joined: pieces that follow each
// other in b become one, as they are where each is of fours.
static __attribute__((noinline)) void pack_rows(uint32_t *to, const engram_sums_q8_t *t, size_t i, size_t rows,
    bool joined) {
    for (size_t lane = 0; lane < 4; lane++) {
        int8_t window[ENGRAM_Q8_WORDS / 2];
        const int8_t *a = t->a + (ptrdiff_t)(i + (lane < rows ? lane : rows - 1)) * t->a_i, *b = t->b;
        uint32_t *lanes = to + 2 * lane;
        size_t n = 0;
        EACH_PIECE(t, a, b,
            (void)b1;
            if (joined) {
                for (size_t k = 0; k < t->n0; k++) {
                    window[n++] = a1[k];
                }
            } else {
                pack_row(lanes, a1, t->n0);
                lanes += (t->n0 + 3) / 4 * 8;
            })
        if (joined) {
            pack_row(lanes, window, n);
        }
    }
}

// Rows of a packed, columns stream.
static size_t packed_dot(const engram_sums_q8_t *t, engram_store_q8_t *s) {
    uint32_t lanes[ENGRAM_Q8_WORDS], sums[4];
    const size_t all = t->n1 * t->n2, n = all * t->n0;
    const bool joined = all > 1 && (t->n1 == 1 || t->b1 == (ptrdiff_t)t->n0) && t->b2 == (ptrdiff_t)(t->n0 * t->n1)
        && packed_fit(n, 1);
    engram_pieces_t p = pieces_of(t, t->b1, t->b2);
    if (joined) {
        p.fours = n / 4, p.rest = n % 4, p.n1 = p.n2 = 1;
    } else if (!packed_fit(t->n0, all)) {
        return 0;
    }
    size_t i = 0;
    for (; i < t->I && t->I - i >= 3; i += 4) {
        const size_t rows = t->I - i < 4 ? 3 : 4;
        pack_rows(lanes, t, i, rows, joined && t->n0 % 4 != 0);
        const int8_t *b = t->b;
        for (size_t j = 0; j < t->J; j++, b += t->b_j) {
            int32_t start = 0;
            engram_starts_q8(s, j, &start, 1);
            sums[0] = sums[1] = sums[2] = sums[3] = (uint32_t)start;
            engram_pairs_row(sums, lanes, b, &p);
            engram_store_some_q8(s, (ptrdiff_t)i * s->out_i + (ptrdiff_t)j, s->out_i, (const int32_t *)sums, rows);
        }
    }
    return i < t->I ? i : t->I;
}

// Columns packed, rows of a stream. along: the numbers of a column are neighbours, else those of a row of b.
static size_t packed_columns(const engram_sums_q8_t *t, engram_store_q8_t *s, bool along) {
    uint32_t lanes[ENGRAM_Q8_WORDS], sums[4];
    if (t->I < 2 || !packed_fit(t->n0, t->n1 * t->n2)) {
        return 0;
    }
    const engram_pieces_t p = pieces_of(t, t->a1, t->a2);
    size_t j = 0;
    for (; t->J - j >= 4; j += 4) {
        if (along) {
            engram_sums_q8_t columns = *t;
            columns.a = t->b, columns.a_i = t->b_j;
            pack_rows(lanes, &columns, j, 4, false);
        } else {
            pack_columns(lanes, t, j);
        }
        int32_t start[4] = { 0 };
        engram_starts_q8(s, j, start, 4);
        const int8_t *a = t->a;
        ptrdiff_t at = (ptrdiff_t)j;
        for (size_t i = t->I; i != 0; i--, a += t->a_i, at += s->out_i) {
            memcpy(sums, start, sizeof(sums));
            engram_pairs_row(sums, lanes, a, &p);
            engram_store_four_q8(s, at, (const int32_t *)sums);
        }
    }
    return j;
}

// The weights' gradient: both sides packed, since neither lies along the inner loop; tiles of 16 rows
// and 16 columns, the inner loop in pieces of up to 16.
enum { ENGRAM_Q8_ROWS = 16, ENGRAM_Q8_COLUMNS = 16, ENGRAM_Q8_PIECE = 16 };

// Fours of neighbours, `all` of them from `first` on, n steps long, each padded to fours; what would
// hang over at `end` begins earlier.
static void pack_sides(uint32_t *to, const int8_t *p, ptrdiff_t step, size_t n, size_t first, size_t all, size_t end) {
    for (size_t k = 0; k < all; k += 4) {
        const int8_t *at = p + (first + k + 4 <= end ? first + k : end - 4);
        to = pack_fours(to, at, step, n / 4);
        if (n % 4 != 0) {
            at += (ptrdiff_t)(n - n % 4) * step;
            engram_cross_pairs(to, engram_load4(at), n % 4 > 1 ? engram_load4(at + step) : 0,
                n % 4 > 2 ? engram_load4(at + 2 * step) : 0, 0);
            to += 8;
        }
    }
}

typedef uint32_t sums_t[ENGRAM_Q8_ROWS][ENGRAM_Q8_COLUMNS];

static __attribute__((noinline)) void packed_sums(const engram_sums_q8_t *t, size_t i, size_t rows, size_t j,
    size_t columns, uint32_t *packed_a, bool again, sums_t sums) {
    uint32_t packed_b[ENGRAM_Q8_COLUMNS * ENGRAM_Q8_PIECE / 2];
    const int8_t *a = t->a, *b = t->b;
    const bool once = t->n0 <= 4 && t->n1 == 1 && t->n2 == 1;
    if (!once) {
        memset(sums, 0, sizeof(sums_t));
    }
    EACH_PIECE(t, a, b,
        const int8_t *at = a1;
        const int8_t *bt = b1;
        for (size_t left = t->n0, n; left != 0; left -= n, at += (ptrdiff_t)n * t->a0, bt += (ptrdiff_t)n * t->b0) {
            n = left < ENGRAM_Q8_PIECE ? left : ENGRAM_Q8_PIECE;
            const size_t fours = (n + 3) / 4;
            if (again) {
                pack_sides(packed_a, at, t->a0, n, i, rows, t->I);
            }
            pack_sides(packed_b, bt, t->b0, n, j, columns, t->J);
            for (size_t c = 0; c < columns; c += 4) {
                for (size_t r = 0; r < rows; r += 4) {
                    const uint32_t *a4 = packed_a + 2 * fours * r;
                    const uint32_t *b4 = packed_b + 2 * fours * c;
                    if (once) {
                        engram_pairs_4x4_short(&sums[r][c], a4, b4);
                    } else {
                        engram_pairs_4x4(&sums[r][c], a4, b4, fours);
                    }
                }
            }
        })
}

static size_t packed_outer(const engram_sums_q8_t *t, size_t first, engram_step_q8_t *u) {
    uint32_t packed_a[ENGRAM_Q8_ROWS * ENGRAM_Q8_PIECE / 2];
    sums_t sums;
    if (t->I < 4 || t->J < 4 || t->n0 * t->n1 * t->n2 == 0) {
        return 0;
    }
    const bool pieces = t->n0 > ENGRAM_Q8_PIECE || t->n1 > 1 || t->n2 > 1;
    for (size_t i = 0; i < t->I; i += ENGRAM_Q8_ROWS) {
        const size_t rows = t->I - i < ENGRAM_Q8_ROWS ? t->I - i : ENGRAM_Q8_ROWS;
        for (size_t j = 0; j < t->J; j += ENGRAM_Q8_COLUMNS) {
            const size_t columns = t->J - j < ENGRAM_Q8_COLUMNS ? t->J - j : ENGRAM_Q8_COLUMNS;
            packed_sums(t, i, rows, j, columns, packed_a, pieces || j == 0, sums);
            // What is over behind the fours lies at the end of its four.
            const size_t r4 = rows / 4 * 4, r1 = rows % 4, c4 = columns / 4 * 4, c1 = columns % 4;
            const size_t at = first + i * (size_t)u->w_i + j, under = at + r4 * (size_t)u->w_i;
            const int32_t *acc = (const int32_t *)sums;
            const int32_t *acc_under = (const int32_t *)sums[r4 + (4 - r1) % 4];
            engram_take_q8(u, at, acc, r4, ENGRAM_Q8_COLUMNS, c4);
            engram_take_q8(u, at + c4, acc + c4 + 4 - c1, r4, ENGRAM_Q8_COLUMNS, c1);
            engram_take_q8(u, under, acc_under, r1, ENGRAM_Q8_COLUMNS, c4);
            engram_take_q8(u, under + c4, acc_under + c4 + 4 - c1, r1, ENGRAM_Q8_COLUMNS, c1);
        }
    }
    return t->I;
}

// Where one of n lies in their fours, of which the last one begins earlier where it would hang over.
static inline size_t place_in_fours(size_t i, size_t n) {
    return i < n / 4 * 4 ? i : i + 4 - n % 4;
}

// Whether it was done: acc += n columns of all rows, as engram_outer_add_q8() has them.
static bool packed_add(const engram_sums_q8_t *t, size_t from, size_t n, int32_t *acc) {
    uint32_t packed_a[ENGRAM_Q8_ROWS * ENGRAM_Q8_PIECE / 2];
    sums_t sums;
    if (t->I < 4 || t->J < 4 || t->n0 * t->n1 * t->n2 == 0) {
        return false;
    }
    packed_sums(t, 0, t->I, 0, t->J, packed_a, true, sums);
    for (size_t i = 0; i < t->I; i++, acc += ENGRAM_Q8_BLOCK) {
        const uint32_t *row = sums[place_in_fours(i, t->I)];
        for (size_t c = 0; c < n; c++) {
            acc[c] += (int32_t)row[place_in_fours(from + c, t->J)];
        }
    }
    return true;
}

// Up to three rows of three taps of four channels, for engram_pairs_3x3; rows that are not there weigh
// 0. Written out: a compiler that keeps a loop keeps its arrays in memory.
static void pack_3x3(uint32_t w[ENGRAM_3X3_WORDS], const engram_sums_q8_t *t, const int8_t *b) {
    const ptrdiff_t b0 = t->b0;
    const int8_t *second = b + t->b1, *third = second + t->b1;
    uint32_t s0 = 0, s1 = 0, s2 = 0, t0 = 0, t1 = 0, t2 = 0, x[8];
    if (t->n1 > 1) {
        s0 = engram_load4(second), s1 = engram_load4(second + b0), s2 = engram_load4(second + 2 * b0);
    }
    if (t->n1 > 2) {
        t0 = engram_load4(third), t1 = engram_load4(third + b0), t2 = engram_load4(third + 2 * b0);
    }
    engram_cross_pairs(x, engram_load4(b), engram_load4(b + b0), engram_load4(b + 2 * b0), s0);
    w[0] = x[0], w[1] = x[2], w[2] = x[4], w[3] = x[6];
    w[4] = x[1], w[5] = x[3], w[6] = x[5], w[7] = x[7];
    engram_cross_pairs(x, s1, s2, t0, t1);
    w[8] = x[0], w[9] = x[2], w[10] = x[4], w[11] = x[6];
    w[12] = x[1], w[13] = x[3], w[14] = x[5], w[15] = x[7];
    w[16] = engram_even_pair(t2), w[17] = engram_odd_pair(t2);
}

// Four channels of every row of t, which has up to three rows of three taps; stored from `at` on.
static void lanes_3x3(const engram_sums_q8_t *t, size_t from, const int32_t *start, engram_store_q8_t *s,
    ptrdiff_t at) {
    engram_3x3_t r;  // not with an initializer, which would clear all of it
    r.x = t->a + from, r.second = t->n1 > 1 ? t->a1 : 0, r.third = (ptrdiff_t)(t->n1 - 1) * t->a1;
    r.right = t->a0, r.next = t->a_i, r.out = s->out + at, r.out_next = s->out_i;
    r.limit = s->limit, r.shift = s->down + 1, r.n = t->I;
    memcpy(r.begin, start + from, sizeof(r.begin));
    pack_3x3(r.w, t, t->b + from);
    while (r.n != 0 && engram_pairs_3x3(&r) != 0) {
        engram_store_some_q8(s, r.out - s->out, 1, (const int32_t *)r.sums, 4);
        r.x += r.next, r.out += r.out_next, r.n--, r.limit = s->limit;
    }
}

#endif
