// Portable float32 inner loops over listed structures: tiles as in engram_tile.c, whose sums have
// the same order.
#include "engram_tile_some.h"

#include <string.h>

#include "engram_check.h"
#include "engram_simd.h"

#define EACH_1(op) op(0)
#define EACH_4(op) op(0) op(1) op(2) op(3)
#define EACH_8(op) EACH_4(op) op(4) op(5) op(6) op(7)
#define EACH_1x1(op) op(0, 0)
#define EACH_1x4(op) op(0, 0) op(0, 1) op(0, 2) op(0, 3)
#define EACH_1x8(op) EACH_1x4(op) op(0, 4) op(0, 5) op(0, 6) op(0, 7)
#define EACH_4x1(op) op(0, 0) op(1, 0) op(2, 0) op(3, 0)
#define EACH_4x4(op) \
    op(0, 0) op(0, 1) op(0, 2) op(0, 3) op(1, 0) op(1, 1) op(1, 2) op(1, 3) \
    op(2, 0) op(2, 1) op(2, 2) op(2, 3) op(3, 0) op(3, 1) op(3, 2) op(3, 3)

#define SUM(i, j) float c##i##j = 0.0f;
#define MAC(i, j) c##i##j += x##i * y##j;
#define COLUMN(j) const float y##j = bt[j];

#define AXPY_ROW(i) const float *ap##i = a1 + i * t->a_i;
#define AXPY_TERM(i) const float x##i = ap##i[at];
#define AXPY_STORE(i, j) out[i * t->out_i + (ptrdiff_t)column + j] = c##i##j;

// I rows from `row`, columns in steps of W while there are so many; the first column left.
#define AXPY(I, W) \
    static size_t axpy_##I##x##W(const engram_mm_t *t, engram_some_t some, size_t row, size_t column) { \
        const float *a = t->a + (ptrdiff_t)row * t->a_i; \
        float *out = t->out + (ptrdiff_t)row * t->out_i; \
        for (; t->J - column >= W; column += W) { \
            EACH_##I##x##W(SUM) \
            const float *a2 = a, *b2 = t->b + column; \
            for (size_t n2 = t->n2; n2 != 0; n2--, a2 += t->a2, b2 += t->b2) { \
                const float *a1 = a2, *b1 = b2; \
                for (size_t n1 = t->n1; n1 != 0; n1--, a1 += t->a1, b1 += t->b1) { \
                    EACH_##I(AXPY_ROW) \
                    for (size_t k = 0; k < some.n; k++) { \
                        const ptrdiff_t at = some.at[k]; \
                        const float *bt = b1 + at * t->b0; \
                        EACH_##I(AXPY_TERM) \
                        EACH_##W(COLUMN) \
                        EACH_##I##x##W(MAC) \
                    } \
                } \
            } \
            EACH_##I##x##W(AXPY_STORE) \
        } \
        return column; \
    }

AXPY(4, 1)
AXPY(1, 8)
AXPY(1, 1)

#ifdef ENGRAM_FPU

static const float zeros[16];

static size_t axpy_4x4(const engram_mm_t *t, engram_some_t some, size_t row, size_t column) {
    for (; t->J - column >= 4; column += 4) {
        float sum[16];
        engram_copy_16(sum, zeros);
        const float *a2 = t->a + (ptrdiff_t)row * t->a_i, *b2 = t->b + column;
        for (size_t n2 = t->n2; n2 != 0; n2--, a2 += t->a2, b2 += t->b2) {
            const float *a1 = a2, *b1 = b2;
            for (size_t n1 = t->n1; n1 != 0; n1--, a1 += t->a1, b1 += t->b1) {
                engram_listed_axpy_4(sum, a1, t->a_i, b1, t->b0, some.at, some.n);
            }
        }
        float *out = t->out + (ptrdiff_t)row * t->out_i + (ptrdiff_t)column;
        for (size_t i = 0; i < 4; i++, out += t->out_i) {
            memcpy(out, sum + 4 * i, 4 * sizeof(float));
        }
    }
    return column;
}

static size_t axpy_1x16(const engram_mm_t *t, engram_some_t some, size_t row, size_t column) {
    for (; t->J - column >= 16; column += 16) {
        float sum[16];
        engram_copy_16(sum, zeros);
        const float *a2 = t->a + (ptrdiff_t)row * t->a_i, *b2 = t->b + column;
        for (size_t n2 = t->n2; n2 != 0; n2--, a2 += t->a2, b2 += t->b2) {
            const float *a1 = a2, *b1 = b2;
            for (size_t n1 = t->n1; n1 != 0; n1--, a1 += t->a1, b1 += t->b1) {
                engram_listed_axpy_1(sum, a1, b1, t->b0, some.at, some.n);
            }
        }
        engram_copy_16(t->out + (ptrdiff_t)row * t->out_i + (ptrdiff_t)column, sum);
    }
    return column;
}

#else

AXPY(4, 4)
#define axpy_1x16(t, some, i, column) (column)

#endif

void engram_some_axpy(const engram_mm_t *t, engram_some_t some) {
    if (some.at == NULL) {
        engram_mm_t all = *t;
        all.n0 = some.n, all.a0 = 1;
        engram_mm_axpy(&all);
        return;
    }
    size_t i = 0;
    for (; t->I - i >= 4; i += 4) {
        axpy_4x1(t, some, i, axpy_4x4(t, some, i, 0));
    }
    for (; i < t->I; i++) {
        axpy_1x1(t, some, i, axpy_1x8(t, some, i, axpy_1x16(t, some, i, 0)));
    }
}

#define OUTER_ROW(i) const ptrdiff_t r##i = some.at[first + i];
#define OUTER_TERM(i) const float x##i = at[r##i];
#define OUTER_STORE(i, j) out[r##i * t->out_i + j] += c##i##j;

// I listed rows from the first on, columns in steps of W while there are so many.
#define OUTER(I, W) \
    static size_t outer_##I##x##W(const engram_mm_t *t, engram_some_t some, size_t first, size_t column) { \
        EACH_##I(OUTER_ROW) \
        for (; t->J - column >= W; column += W) { \
            EACH_##I##x##W(SUM) \
            const float *a2 = t->a, *b2 = t->b + column; \
            for (size_t n2 = t->n2; n2 != 0; n2--, a2 += t->a2, b2 += t->b2) { \
                const float *a1 = a2, *b1 = b2; \
                for (size_t n1 = t->n1; n1 != 0; n1--, a1 += t->a1, b1 += t->b1) { \
                    const float *at = a1, *bt = b1; \
                    for (size_t n0 = t->n0; n0 != 0; n0--, at += t->a0, bt += t->b0) { \
                        EACH_##I(OUTER_TERM) \
                        EACH_##W(COLUMN) \
                        EACH_##I##x##W(MAC) \
                    } \
                } \
            } \
            float *out = t->out + column; \
            EACH_##I##x##W(OUTER_STORE) \
        } \
        return column; \
    }

OUTER(4, 1)
OUTER(1, 8)
OUTER(1, 1)

#ifdef ENGRAM_FPU

static size_t outer_4x4(const engram_mm_t *t, engram_some_t some, size_t first, size_t column) {
    // two or three rows take no longer than one after the other: the last is computed again
    int32_t list[4];
    const size_t rows = some.n - first < 4 ? some.n - first : 4;
    for (size_t i = 0; i < 4; i++) {
        list[i] = some.at[first + (i < rows ? i : rows - 1)];
    }
    for (; t->J - column >= 4; column += 4) {
        float sum[16];
        engram_copy_16(sum, zeros);
        const float *a2 = t->a, *b2 = t->b + column;
        for (size_t n2 = t->n2; n2 != 0; n2--, a2 += t->a2, b2 += t->b2) {
            const float *a1 = a2, *b1 = b2;
            for (size_t n1 = t->n1; n1 != 0; n1--, a1 += t->a1, b1 += t->b1) {
                engram_listed_outer(sum, a1, t->a0, b1, t->b0, list, t->n0);
            }
        }
        for (size_t i = 0; i < rows; i++) {
            float *out = t->out + (list[i] * t->out_i + (ptrdiff_t)column);
            engram_add_4(out, out, sum + 4 * i);
        }
    }
    return column;
}

// Rows of sums that have one term; the first column left.
static size_t one_term(const engram_mm_t *t, engram_some_t some) {
    if (t->n0 != 1 || t->n1 != 1 || t->n2 != 1 || t->J < 8) {
        return 0;
    }
    for (size_t i = 0; i < some.n; i++) {
        engram_scaled_row(t->out + some.at[i] * t->out_i, t->a + some.at[i], t->b, t->J / 8);
    }
    return t->J - t->J % 8;
}

#define LAST_ROWS outer_4x4

#else

OUTER(4, 4)
#define one_term(t, some) 0
#define LAST_ROWS(t, some, i, column) (column)

#endif

void engram_some_outer(const engram_mm_t *t, engram_some_t some) {
    if (some.at == NULL) {
        engram_mm_t all = *t;
        all.I = some.n, all.a_i = 1, all.b_j = 1;
        engram_mm_outer(&all);
        return;
    }
    const size_t column = one_term(t, some);
    if (column == t->J) {
        return;
    }
    size_t i = 0;
    for (; some.n - i >= 4; i += 4) {
        outer_4x1(t, some, i, outer_4x4(t, some, i, column));
    }
    const size_t together = some.n - i > 1 ? LAST_ROWS(t, some, i, column) : column;
    for (; i < some.n; i++) {
        outer_1x1(t, some, i, outer_1x8(t, some, i, together));
    }
}

void engram_some_add_rows(float *out, const float *a, size_t rows, size_t columns, engram_some_t some) {
    if (some.at == NULL) {
        engram_add_rows(out, a, rows, columns);
        return;
    }
    for (size_t k = 0; k < some.n; k++) {
        const float *at = a + some.at[k];
        float sum = 0.0f;
        for (size_t i = rows; i != 0; i--, at += columns) {
            sum += *at;
        }
        out[some.at[k]] += sum;
    }
}

bool engram_kept(engram_fault_t *fault, int arg, engram_l_t kept, int32_t B, int32_t M) {
    for (int32_t row = 0, at = 0; row < B; row++) {
        int32_t low = 0;
        for (int32_t m = 0; m < M; m++, at++) {
            const int32_t v = kept.p[at];
            if (v == -1) {
                low = M;  // nothing follows
            } else if (v < low || v >= M) {
                return engram_refuse_entry(fault, arg, at, low < M ? low : -1, low < M ? M - 1 : -1, v);
            } else {
                low = v + 1;
            }
        }
    }
    return true;
}

engram_some_t engram_some(engram_l_t kept, int32_t b, int32_t M) {
    engram_some_t some = { kept.p + (ptrdiff_t)b * M, 0 };
    while (some.n < (size_t)M && some.at[some.n] >= 0) {
        some.n++;
    }
    if (some.n == (size_t)M) {
        some.at = NULL;
    }
    return some;
}
