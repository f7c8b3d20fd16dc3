// The int8 inner loop: one row of input against four (or one) rows of weights,
//     acc[j] += sum over two nested loops of (x + offset) * w[j]
// and requantization. The place to swap in SIMD at compile time.
#ifndef ENGRAM_TILE_S8_H
#define ENGRAM_TILE_S8_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const int8_t *x, *w;
    ptrdiff_t w_j;            // between rows of w
    size_t n2, n1, n0;        // the sum: outer, middle, inner; the inner one is contiguous
    ptrdiff_t x2, x1, w2, w1;
    int32_t offset;           // added to every x: minus the zero point
} engram_sum_s8_t;

// Accumulators are unsigned so that wrapping is defined; the product of two bytes never wraps.
typedef uint32_t engram_acc_t;

void engram_sum_s8_x4(engram_acc_t *acc, const engram_sum_s8_t *t);
void engram_sum_s8_x1(engram_acc_t *acc, const engram_sum_s8_t *t);

// TensorFlow Lite's MultiplyByQuantizedMultiplier, 0 <= mult, -31 <= shift <= 30.
static inline int32_t engram_requantize(engram_acc_t acc, int32_t mult, int32_t shift) {
    int32_t left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
    // doubling high product, rounded: the nudge and the truncating division of the reference
    // are this floor
    int64_t product = (int64_t)(int32_t)(acc << left) * mult;
    int32_t high = (int32_t)((product + ((int64_t)1 << 30)) >> 31);
    // division by 2**right, half away from zero
    int32_t mask = (int32_t)(((uint32_t)1 << right) - 1);
    int32_t rest = high & mask;
    return (high >> right) + (rest > (mask >> 1) + (high < 0));
}

static inline int8_t engram_clamp_s8(int32_t v, int32_t low, int32_t high) {
    return (int8_t)(v < low ? low : v > high ? high : v);
}

#endif
