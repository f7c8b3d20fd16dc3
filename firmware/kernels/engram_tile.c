// Portable float32 inner loops: tiles of up to 4 x 4 outputs share their loads, 8 loads for
// 16 products. Each output is summed from zero in loop order, whatever tile it falls in.
#include "engram_tile.h"

#include <string.h>

#include "engram_simd.h"

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

#ifdef ENGRAM_FPU

static const float zeros[16];

// Tiles of 4 x 4 and rows of 1 x 4 (1 x 16) with their sums in registers; what is left over goes
// to the panels.
#define BLOCK_dot engram_block_dot(sum, a1, t->a_i, b1, t->b_j, t->n0);
#define BLOCK_axpy engram_block_axpy(sum, a1, t->a_i, b1, t->b0, t->n0);
#define BLOCK_outer engram_block_outer(sum, a1, t->a0, b1, t->b0, t->n0);
#define STORE_dot(i) engram_add_4(out + i * t->out_i, sum + 4 * i, t->bias != NULL ? t->bias + j : no_bias);
#define STORE_axpy(i) memcpy(out + i * t->out_i, sum + 4 * i, 4 * sizeof(float));
#define STORE_outer(i) engram_add_4(out + i * t->out_i, out + i * t->out_i, sum + 4 * i);

#define TILE(kind) kind##_block
#define BLOCKS(kind) \
    static void kind##_block(const engram_mm_t *t, size_t row, size_t j, size_t j_end) { \
        const float *a = t->a + (ptrdiff_t)row * t->a_i; \
        const float *b = t->b + (ptrdiff_t)j * t->b_j; \
        float *out = t->out + (ptrdiff_t)row * t->out_i + (ptrdiff_t)j; \
        for (; j < j_end; j += 4, b += 4 * t->b_j, out += 4) { \
            float sum[16]; \
            engram_copy_16(sum, zeros); \
            const float *a2 = a, *b2 = b; \
            for (size_t n2 = t->n2; n2 != 0; n2--, a2 += t->a2, b2 += t->b2) { \
                const float *a1 = a2, *b1 = b2; \
                for (size_t n1 = t->n1; n1 != 0; n1--, a1 += t->a1, b1 += t->b1) { \
                    BLOCK_##kind \
                } \
            } \
            EACH_4(STORE_##kind) \
        } \
    }

BLOCKS(dot)
BLOCKS(axpy)
BLOCKS(outer)

#else
#define TILE(kind) kind##_4x4
#endif

#define PRODUCT(kind, A, B) \
    PANEL(kind, 4, 1, A, B) \
    PANEL(kind, 1, 4, A, B) \
    PANEL(kind, 1, 1, A, B)

PRODUCT(dot, WALK, WALK)
PRODUCT(axpy, WALK, SIDE)
PRODUCT(outer, SIDE, SIDE)

#ifdef ENGRAM_FPU

static void dot_row(const engram_mm_t *t, size_t row, size_t j, size_t j_end) {
    const size_t eights = t->n0 / 8, rest = t->n0 % 8;
    if (eights == 0) {
        dot_1x4(t, row, j, j_end);
        return;
    }
    for (; j < j_end; j += 4) {
        float sum[4] = { 0.0f, 0.0f, 0.0f, 0.0f };
        const float *a2 = t->a + (ptrdiff_t)row * t->a_i, *b2 = t->b + (ptrdiff_t)j * t->b_j;
        for (size_t n2 = t->n2; n2 != 0; n2--, a2 += t->a2, b2 += t->b2) {
            const float *a1 = a2, *b1 = b2;
            for (size_t n1 = t->n1; n1 != 0; n1--, a1 += t->a1, b1 += t->b1) {
                engram_row_dot(sum, a1, b1, t->b_j, eights);
                const float *at = a1 + 8 * eights, *bt = b1 + 8 * eights;
                for (size_t n0 = rest; n0 != 0; n0--, at++, bt++) {
                    sum[0] += *at * bt[0];
                    sum[1] += *at * bt[t->b_j];
                    sum[2] += *at * bt[2 * t->b_j];
                    sum[3] += *at * bt[3 * t->b_j];
                }
            }
        }
        engram_add_4(t->out + (ptrdiff_t)row * t->out_i + (ptrdiff_t)j, sum, t->bias != NULL ? t->bias + j : no_bias);
    }
}

static void axpy_row(const engram_mm_t *t, size_t row, size_t j, size_t j_end) {
    for (; j_end - j >= 16 && t->n0 != 0; j += 16) {
        float sum[16];
        engram_copy_16(sum, zeros);
        const float *a2 = t->a + (ptrdiff_t)row * t->a_i, *b2 = t->b + j;
        for (size_t n2 = t->n2; n2 != 0; n2--, a2 += t->a2, b2 += t->b2) {
            const float *a1 = a2, *b1 = b2;
            for (size_t n1 = t->n1; n1 != 0; n1--, a1 += t->a1, b1 += t->b1) {
                engram_row_axpy(sum, a1, b1, t->b0, t->n0);
            }
        }
        engram_copy_16(t->out + (ptrdiff_t)row * t->out_i + (ptrdiff_t)j, sum);
    }
    axpy_1x4(t, row, j, j_end);
}

// Four rows of a sum that has one term; the column reached.
static size_t rank_one(const engram_mm_t *t, size_t row) {
    if (t->n0 != 1 || t->n1 != 1 || t->n2 != 1 || t->J < 8) {
        return 0;
    }
    engram_rank_one(t->out + (ptrdiff_t)row * t->out_i, t->out_i, t->a + row, t->b, t->J / 8);
    return t->J - t->J % 8;
}

#define outer_row outer_1x4
#define ROW(kind) kind##_row
#define FIRST_outer(t, i) rank_one(t, i)

#else

PANEL(dot, 4, 4, WALK, WALK)
PANEL(axpy, 4, 4, WALK, SIDE)
PANEL(outer, 4, 4, SIDE, SIDE)
#define ROW(kind) kind##_1x4
#define FIRST_outer(t, i) 0

#endif

#define FIRST_dot(t, i) 0
#define FIRST_axpy(t, i) 0

#define MM(kind) \
    void engram_mm_##kind(const engram_mm_t *t) { \
        const size_t fours = t->J - t->J % 4; \
        size_t i = 0; \
        for (; t->I - i >= 4; i += 4) { \
            TILE(kind)(t, i, FIRST_##kind(t, i), fours); \
            kind##_4x1(t, i, fours, t->J); \
        } \
        for (; i < t->I; i++) { \
            if (fours != 0) { \
                ROW(kind)(t, i, 0, fours); \
            } \
            if (fours != t->J) { \
                kind##_1x1(t, i, fours, t->J); \
            } \
        } \
    }

MM(dot)
MM(axpy)
MM(outer)

void engram_add_rows(float *out, const float *a, size_t rows, size_t columns) {
    size_t j = 0;
    for (; columns - j >= 4; j += 4) {
        float s0 = 0.0f, s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;
        const float *at = a + j;
        for (size_t i = rows; i != 0; i--, at += columns) {
            s0 += at[0];
            s1 += at[1];
            s2 += at[2];
            s3 += at[3];
        }
        out[j] += s0;
        out[j + 1] += s1;
        out[j + 2] += s2;
        out[j + 3] += s3;
    }
    for (; j < columns; j++) {
        float sum = 0.0f;
        for (size_t i = 0; i < rows; i++) {
            sum += a[i * columns + j];
        }
        out[j] += sum;
    }
}
