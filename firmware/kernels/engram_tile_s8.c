#include "engram_tile_s8.h"

#define WALK(START, STEP) \
    for (size_t n2 = 0; n2 < t->n2; n2++) { \
        for (size_t n1 = 0; n1 < t->n1; n1++) { \
            const int8_t *x = t->x + (ptrdiff_t)n2 * t->x2 + (ptrdiff_t)n1 * t->x1; \
            const int8_t *w = t->w + (ptrdiff_t)n2 * t->w2 + (ptrdiff_t)n1 * t->w1; \
            START \
            for (size_t n0 = t->n0; n0 != 0; n0--) { \
                STEP \
            } \
        } \
    }

#define START_4 \
    const int8_t *w0 = w, *w1 = w + t->w_j, *w2 = w1 + t->w_j, *w3 = w2 + t->w_j;
#define STEP_4(value) \
    int32_t v = (value); \
    c0 += (uint32_t)(v * *w0++); \
    c1 += (uint32_t)(v * *w1++); \
    c2 += (uint32_t)(v * *w2++); \
    c3 += (uint32_t)(v * *w3++);

void engram_sum_s8_x4(engram_acc_t *acc, const engram_sum_s8_t *t) {
    engram_acc_t c0 = acc[0], c1 = acc[1], c2 = acc[2], c3 = acc[3];
    int32_t offset = t->offset;
    if (offset == 0) {
        WALK(START_4, STEP_4(*x++))
    } else {
        WALK(START_4, STEP_4(*x++ + offset))
    }
    acc[0] = c0, acc[1] = c1, acc[2] = c2, acc[3] = c3;
}

void engram_sum_s8_x1(engram_acc_t *acc, const engram_sum_s8_t *t) {
    engram_acc_t c0 = acc[0];
    int32_t offset = t->offset;
    WALK(, c0 += (uint32_t)((*x++ + offset) * *w++);)
    acc[0] = c0;
}
