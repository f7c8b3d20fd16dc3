// The int8 inner loops: a run of output positions times four (or one) output channels, from
// accumulator to stored byte; and requantization. engram_tile_s8.c does it in portable C; a
// port with SIMD instructions puts its own file with the same functions in its place.
#ifndef ENGRAM_TILE_S8_H
#define ENGRAM_TILE_S8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engram_simd.h"

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
    int32_t range[3];          // zero point of the result, act_min, act_max
    bool right;                // every shift is below 0
    engram_acc_t *sums;        // not NULL: where the sums of one position go, and nothing to out
} engram_run_s8_t;

// Four channels, one channel; x shared by the channels.
void engram_run_s8_x4(const engram_run_s8_t *t);
void engram_run_s8_x1(const engram_run_s8_t *t);
// Four neighbouring channels, one channel; each with its own x.
void engram_run_depthwise_s8_x4(const engram_run_s8_t *t);
void engram_run_depthwise_s8_x1(const engram_run_s8_t *t);

// Depthwise where engram_simd.h defines ENGRAM_WIDE: four neighbouring channels with their weights
// widened to 16 bits once, two words a tap, `row` words from one row of taps to the next.
enum { ENGRAM_WIDE_WORDS = 288, ENGRAM_WIDE_CHANNELS = 64 };
void engram_widen_s8_x4(uint32_t *wide, const int8_t *w, size_t n, ptrdiff_t step);
// `blocks` of four channels, whose weights are `words` apart and whose sums begin with `start`.
void engram_run_depthwise_s8_wide(const engram_run_s8_t *t, const uint32_t *first, ptrdiff_t row, ptrdiff_t words,
    const engram_acc_t *start, size_t blocks, bool quick);

// Windows of 3 x 3 bytes side by side where every shift is below 0, every |sum| below 2**30 and the
// range int8's own, also only with ENGRAM_WIDE. Four rows of x of four channels become for every column
// and channel two words, the pair of the upper two rows and that of the lower two: for windows that
// begin in the first row, and with weights paired otherwise for those in the second. x[r] steps step[r];
// x[3] may be NULL where no window begins in the second.
enum { ENGRAM_STACKED_WORDS = 8 };
void engram_stack_s8_4x4(uint32_t *to, const int8_t *const x[4], const ptrdiff_t step[4], size_t n);
#ifdef ENGRAM_WIDE
// Fills pair and single with a channel's weights, doubled, `row` and `right` bytes apart: two rows from
// `pair` on, and the row at `single`.
void engram_stack_weights_s8(engram_stacked_t *to, const int8_t *pair, const int8_t *single, ptrdiff_t row,
    ptrdiff_t right);
#endif

// Sum of n bytes.
engram_acc_t engram_sum_s8(const int8_t *w, size_t n);

// Rounding division by 2**-shift, shift < 0.
static inline int32_t engram_halve(int32_t high, int32_t shift) {
    // Half away from zero: a negative one less, then half upwards.
    high += high >> 31;
    high >>= -shift - 1;
    return (high >> 1) + (high & 1);
}

// Doubling high product, rounded: this floor is the reference's nudge and truncating division.
static inline int32_t engram_high_product(int32_t acc, int32_t mult) {
    #ifdef ENGRAM_NARROW
    return engram_narrow_high(acc, mult);
    #else
    return (int32_t)(((int64_t)acc * mult + ((int64_t)1 << 30)) >> 31);
    #endif
}

// TensorFlow Lite's MultiplyByQuantizedMultiplier, 0 <= mult, -31 <= shift <= 30.
static inline int32_t engram_requantize(engram_acc_t acc, int32_t mult, int32_t shift) {
    if (shift >= 0) {
        return engram_high_product((int32_t)(acc << shift), mult);
    }
    return engram_halve(engram_high_product((int32_t)acc, mult), shift);
}

// The same product rounded once, halves upwards, as TensorFlow Lite's interpreter has it in dense
// layers. Beyond int32 it wraps.
static inline int32_t engram_requantize_once(engram_acc_t acc, int32_t mult, int32_t shift) {
    const uint32_t low = acc * (uint32_t)mult;
    const uint32_t high = (uint32_t)engram_high_product((int32_t)acc, mult) - (low >> 30 & 1);  // floor
    if (shift >= 0) {
        return (int32_t)((high << shift) + (((low & 0x7fffffffu) + (1u << (30 - shift))) >> (31 - shift)));
    }
    const int32_t half = (int32_t)high >> (-shift - 1);
    return (half >> 1) + (half & 1);
}

static inline int8_t engram_clamp_s8(int32_t v, int32_t low, int32_t high) {
    return (int8_t)(v < low ? low : v > high ? high : v);
}

// v + zero_point, clamped. It is v that is clamped: a wrong multiplier may bring it so near to the
// end of int32 that the sum would be beyond.
static inline int8_t engram_shift_s8(int32_t v, int32_t zero_point, int32_t low, int32_t high) {
    const int32_t from = low - zero_point, to = high - zero_point;
    return (int8_t)((v < from ? from : v > to ? to : v) + zero_point);
}

// ---- columns: only where engram_simd.h defines ENGRAM_PAIRS ----------------------------------
// Windows of x widened to 16 bits once, with the offset added, for all output channels: on the
// stack, ENGRAM_COLUMN_WORDS words, so for windows of up to 144 bytes four at a time. With
// ENGRAM_WIDE for windows of up to 288 bytes two at a time, and longer ones by themselves.

enum { ENGRAM_COLUMN_WORDS = 288, ENGRAM_COLUMN_BYTES = 2 * ENGRAM_COLUMN_WORDS };

typedef struct {
    const int8_t *w;           // (K, n)
    size_t n, K;
    const int32_t *bias, *mult, *shift;
    int32_t out_zp, act_min, act_max;
    bool narrow;               // few products in a sum, nothing to clamp but int8
    bool quick;                // narrow, every |sum| stays below 2**30, every shift is below 0
    bool once;                 // rounds once; only of engram_window_s8
} engram_columns_s8_t;

engram_columns_s8_t engram_columns_s8_of(const int8_t *w, const int32_t *bias, const int32_t *mult,
    const int32_t *shift, const int32_t *q, size_t n, size_t K, bool quick);

// Whether it can be done where there are `all` windows.
bool engram_columns_s8_suit(const engram_columns_s8_t *t, size_t all);

// How many windows of n bytes are taken at a time where there are `left` more: 4, 2, or 1. Without
// ENGRAM_WIDE it is 4 even where fewer are left, or 0: too long.
size_t engram_columns_s8_positions(size_t n, size_t left);

// Widens window p of those taken at a time.
void engram_column_s8(uint32_t *columns, size_t positions, size_t p, const int8_t *x, size_t n, int32_t offset);

// out (windows, K): those widened against every channel.
void engram_columns_s8(const engram_columns_s8_t *t, const uint32_t *columns, size_t windows, int8_t *out);

// Only with ENGRAM_WIDE: one window of any length where it lies, in n2 times n1 pieces of n0 bytes,
// the steps between them as above; w2 and w1 from the place of its first piece in a row of weights.
typedef struct {
    const int8_t *x;
    ptrdiff_t w;
    size_t n2, n1, n0;
    ptrdiff_t x2, x1, w2, w1;
    int32_t offset;
} engram_window_s8_t;

// out (K): that window against every channel. columns: to widen it in.
void engram_window_s8(const engram_columns_s8_t *t, const engram_window_s8_t *window, uint32_t *columns, int8_t *out);

#endif
