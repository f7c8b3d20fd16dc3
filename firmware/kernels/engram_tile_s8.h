// The int8 inner loops: a run of output positions times four (or one) output channels, from
// accumulator to stored byte; and requantization. engram_tile_s8.c does it in portable C; a
// port with SIMD instructions puts its own file with the same functions in its place.
#ifndef ENGRAM_TILE_S8_H
#define ENGRAM_TILE_S8_H

#include <stddef.h>
#include <stdint.h>

// Accumulators are unsigned so that wrapping is defined; the product of two bytes never wraps.
typedef uint32_t engram_acc_t;

typedef struct {
    int8_t *out;
    ptrdiff_t out_p;           // between positions
    const int8_t *x;
    ptrdiff_t x_p;             // between positions
    size_t positions;
    const int8_t *w;
    ptrdiff_t w_j;             // between output channels
    size_t n2, n1, n0;         // the sum: outer, middle, inner (contiguous; depthwise has none)
    ptrdiff_t x2, x1, w2, w1;
    int32_t offset;            // added to every x: minus its zero point, or 0 where start has it
    engram_acc_t start[4];     // one a channel, as mult and shift
    const int32_t *mult, *shift;
    int32_t out_zp, act_min, act_max;
} engram_run_s8_t;

// Four channels, one channel; x shared by the channels.
void engram_run_s8_x4(const engram_run_s8_t *t);
void engram_run_s8_x1(const engram_run_s8_t *t);
// Four neighbouring channels, one channel; each with its own x.
void engram_run_depthwise_s8_x4(const engram_run_s8_t *t);
void engram_run_depthwise_s8_x1(const engram_run_s8_t *t);

// Sum of n bytes.
engram_acc_t engram_sum_s8(const int8_t *w, size_t n);

// TensorFlow Lite's MultiplyByQuantizedMultiplier, 0 <= mult, -31 <= shift <= 30.
static inline int32_t engram_requantize(engram_acc_t acc, int32_t mult, int32_t shift) {
    // Doubling high product, rounded: this floor is the reference's nudge and truncating division.
    const int64_t nudge = (int64_t)1 << 30;
    if (shift >= 0) {
        return (int32_t)(((int64_t)(int32_t)(acc << shift) * mult + nudge) >> 31);
    }
    int32_t high = (int32_t)(((int64_t)(int32_t)acc * mult + nudge) >> 31);
    // Division by 2**-shift, half away from zero: a negative one less, then half upwards.
    high += high >> 31;
    high >>= -shift - 1;
    return (high >> 1) + (high & 1);
}

static inline int8_t engram_clamp_s8(int32_t v, int32_t low, int32_t high) {
    return (int8_t)(v < low ? low : v > high ? high : v);
}

#endif
