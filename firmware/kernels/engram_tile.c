// Portable float32 inner loops: tiles of up to 4 x 4 outputs share their loads, 8 loads for
// 16 products. Each output is summed from zero in loop order, whatever tile it falls in.
#include "engram_tile.h"

// Sixteen scalars, not an array: they must live in registers.
#define ENGRAM_EACH_4(op) op(0) op(1) op(2) op(3)
#define ENGRAM_EACH_1(op) op(0)
#define ENGRAM_EACH_4x4(op) \
    op(0, 0) op(0, 1) op(0, 2) op(0, 3) op(1, 0) op(1, 1) op(1, 2) op(1, 3) \
    op(2, 0) op(2, 1) op(2, 2) op(2, 3) op(3, 0) op(3, 1) op(3, 2) op(3, 3)
#define ENGRAM_EACH_4x1(op) op(0, 0) op(1, 0) op(2, 0) op(3, 0)
#define ENGRAM_EACH_1x4(op) op(0, 0) op(0, 1) op(0, 2) op(0, 3)
#define ENGRAM_EACH_1x1(op) op(0, 0)

#define ENGRAM_SUM(i, j) float c##i##j = 0.0f;
#define ENGRAM_MAC(i, j) c##i##j += x##i * y##j;
#define ENGRAM_KEEP(i, j) acc[4 * i + j] = c##i##j;

// Rows of a walk along the sum, or lie side by side across it.
#define ENGRAM_A_ROW_POINTER(i) const float *ap##i = at + i * t->a_i;
#define ENGRAM_A_ROW_NEXT(i) float x##i = *ap##i++;
#define ENGRAM_A_SIDE_POINTER(i)
#define ENGRAM_A_SIDE_NEXT(i) float x##i = at[i];
#define ENGRAM_B_ROW_POINTER(j) const float *bp##j = bt + j * t->b_j;
#define ENGRAM_B_ROW_NEXT(j) float y##j = *bp##j++;
#define ENGRAM_B_SIDE_POINTER(j)
#define ENGRAM_B_SIDE_NEXT(j) float y##j = bt[j];

#define ENGRAM_TILE(kind, I, J, A, B, A_STEP, B_STEP) \
    static void tile_##kind##_##I##x##J(float *acc, const float *a, const float *b, const engram_mm_t *t) { \
        ENGRAM_EACH_##I##x##J(ENGRAM_SUM) \
        for (size_t n2 = 0; n2 < t->n2; n2++) { \
            for (size_t n1 = 0; n1 < t->n1; n1++) { \
                const float *at = a + (ptrdiff_t)n2 * t->a2 + (ptrdiff_t)n1 * t->a1; \
                const float *bt = b + (ptrdiff_t)n2 * t->b2 + (ptrdiff_t)n1 * t->b1; \
                ENGRAM_EACH_##I(ENGRAM_A_##A##_POINTER) \
                ENGRAM_EACH_##J(ENGRAM_B_##B##_POINTER) \
                for (size_t n0 = t->n0; n0 != 0; n0--) { \
                    ENGRAM_EACH_##I(ENGRAM_A_##A##_NEXT) \
                    ENGRAM_EACH_##J(ENGRAM_B_##B##_NEXT) \
                    ENGRAM_EACH_##I##x##J(ENGRAM_MAC) \
                    A_STEP \
                    B_STEP \
                } \
            } \
        } \
        ENGRAM_EACH_##I##x##J(ENGRAM_KEEP) \
    }

typedef void (*tile_t)(float *acc, const float *a, const float *b, const engram_mm_t *t);

static void drive(const engram_mm_t *t, tile_t t44, tile_t t41, tile_t t14, tile_t t11) {
    float acc[16];
    for (size_t i = 0, ni; i < t->I; i += ni) {
        ni = t->I - i >= 4 ? 4 : 1;
        const float *a = t->a + (ptrdiff_t)i * t->a_i;
        for (size_t j = 0, nj; j < t->J; j += nj) {
            nj = t->J - j >= 4 ? 4 : 1;
            (ni == 4 ? (nj == 4 ? t44 : t41) : (nj == 4 ? t14 : t11))(acc, a, t->b + (ptrdiff_t)j * t->b_j, t);
            for (size_t ii = 0; ii < ni; ii++) {
                float *out = t->out + (ptrdiff_t)(i + ii) * t->out_i + (ptrdiff_t)j;
                for (size_t jj = 0; jj < nj; jj++) {
                    float v = acc[4 * ii + jj];
                    if (t->bias != NULL) {
                        v += t->bias[j + jj];
                    }
                    out[jj] = t->add ? out[jj] + v : v;
                }
            }
        }
    }
}

#define ENGRAM_TILES(kind, A, B, A_STEP, B_STEP) \
    ENGRAM_TILE(kind, 4, 4, A, B, A_STEP, B_STEP) \
    ENGRAM_TILE(kind, 4, 1, A, B, A_STEP, B_STEP) \
    ENGRAM_TILE(kind, 1, 4, A, B, A_STEP, B_STEP) \
    ENGRAM_TILE(kind, 1, 1, A, B, A_STEP, B_STEP) \
    void engram_mm_##kind(const engram_mm_t *t) { \
        drive(t, tile_##kind##_4x4, tile_##kind##_4x1, tile_##kind##_1x4, tile_##kind##_1x1); \
    }

ENGRAM_TILES(dot, ROW, ROW, , )
ENGRAM_TILES(axpy, ROW, SIDE, , bt += t->b0;)
ENGRAM_TILES(outer, SIDE, SIDE, at += t->a0;, bt += t->b0;)

void engram_add_rows(float *out, const float *a, size_t rows, size_t columns) {
    for (size_t j = 0; j < columns; j++) {
        float sum = 0.0f;
        for (size_t i = 0; i < rows; i++) {
            sum += a[i * columns + j];
        }
        out[j] += sum;
    }
}
