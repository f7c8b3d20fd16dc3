// Portable float32 inner loops: tiles of up to 4 x 4 outputs share their loads, 8 loads for
// 16 products. Each output is summed from zero in loop order, whatever tile it falls in.
#include "engram_tile.h"

// Sixteen scalars, not an array: they must live in registers.
#define EACH_1(op) op(0)
#define EACH_4(op) op(0) op(1) op(2) op(3)
#define EACH_1x1(op) op(0, 0)
#define EACH_1x4(op) op(0, 0) op(0, 1) op(0, 2) op(0, 3)
#define EACH_4x1(op) op(0, 0) op(1, 0) op(2, 0) op(3, 0)
#define EACH_4x4(op) \
    op(0, 0) op(0, 1) op(0, 2) op(0, 3) op(1, 0) op(1, 1) op(1, 2) op(1, 3) \
    op(2, 0) op(2, 1) op(2, 2) op(2, 3) op(3, 0) op(3, 1) op(3, 2) op(3, 3)

#define SUM(i, j) float c##i##j = 0.0f;
#define MAC(i, j) c##i##j += x##i * y##j;

// How a row of a (a column of b) is read: a walk of its own, or side by side with the others.
#define A_WALK_START(i) const float *ap##i = at + i * t->a_i;
#define A_WALK_NEXT(i) float x##i = *ap##i++;
#define A_WALK_STEP
#define A_SIDE_START(i)
#define A_SIDE_NEXT(i) float x##i = at[i];
#define A_SIDE_STEP at += a0;
#define B_WALK_START(j) const float *bp##j = bt + j * t->b_j;
#define B_WALK_NEXT(j) float y##j = *bp##j++;
#define B_WALK_STEP
#define B_SIDE_START(j)
#define B_SIDE_NEXT(j) float y##j = bt[j];
#define B_SIDE_STEP bt += b0;

// What becomes of a sum.
#define FINISH_dot(i, j) out[i * t->out_i + j] = c##i##j + bias[j];
#define FINISH_axpy(i, j) out[i * t->out_i + j] = c##i##j;
#define FINISH_outer(i, j) out[i * t->out_i + j] += c##i##j;

static const float no_bias[4] = { 0.0f, 0.0f, 0.0f, 0.0f };

// I rows from `row`, the columns j to j_end in steps of J.
#define PANEL(kind, I, J, A, B) \
    static void kind##_##I##x##J(const engram_mm_t *t, size_t row, size_t j, size_t j_end) { \
        const float *a = t->a + (ptrdiff_t)row * t->a_i; \
        const float *b = t->b + (ptrdiff_t)j * t->b_j; \
        float *out = t->out + (ptrdiff_t)row * t->out_i + (ptrdiff_t)j; \
        const ptrdiff_t a0 = t->a0, b0 = t->b0; \
        (void)a0; \
        (void)b0; \
        for (; j < j_end; j += J, b += J * t->b_j, out += J) { \
            const float *bias = t->bias != NULL ? t->bias + j : no_bias; \
            (void)bias; \
            EACH_##I##x##J(SUM) \
            const float *a2 = a, *b2 = b; \
            for (size_t n2 = t->n2; n2 != 0; n2--, a2 += t->a2, b2 += t->b2) { \
                const float *a1 = a2, *b1 = b2; \
                for (size_t n1 = t->n1; n1 != 0; n1--, a1 += t->a1, b1 += t->b1) { \
                    const float *at = a1, *bt = b1; \
                    EACH_##I(A_##A##_START) \
                    EACH_##J(B_##B##_START) \
                    for (size_t n0 = t->n0; n0 != 0; n0--) { \
                        EACH_##I(A_##A##_NEXT) \
                        EACH_##J(B_##B##_NEXT) \
                        EACH_##I##x##J(MAC) \
                        A_##A##_STEP \
                        B_##B##_STEP \
                    } \
                } \
            } \
            EACH_##I##x##J(FINISH_##kind) \
        } \
    }

#define PRODUCT(kind, A, B) \
    PANEL(kind, 4, 4, A, B) \
    PANEL(kind, 4, 1, A, B) \
    PANEL(kind, 1, 4, A, B) \
    PANEL(kind, 1, 1, A, B) \
    void engram_mm_##kind(const engram_mm_t *t) { \
        size_t fours = t->J - t->J % 4, i = 0; \
        for (; t->I - i >= 4; i += 4) { \
            kind##_4x4(t, i, 0, fours); \
            kind##_4x1(t, i, fours, t->J); \
        } \
        for (; i < t->I; i++) { \
            kind##_1x4(t, i, 0, fours); \
            kind##_1x1(t, i, fours, t->J); \
        } \
    }

PRODUCT(dot, WALK, WALK)
PRODUCT(axpy, WALK, SIDE)
PRODUCT(outer, SIDE, SIDE)

void engram_add_rows(float *out, const float *a, size_t rows, size_t columns) {
    for (size_t j = 0; j < columns; j++) {
        float sum = 0.0f;
        for (size_t i = 0; i < rows; i++) {
            sum += a[i * columns + j];
        }
        out[j] += sum;
    }
}
