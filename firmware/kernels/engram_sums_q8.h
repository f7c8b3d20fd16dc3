// What the q8 kernels share: int32 sums of int8 products, and what becomes of a sum: a value of the
// result, or a step of a weight.
#ifndef ENGRAM_SUMS_Q8_H
#define ENGRAM_SUMS_Q8_H

#include "engram_check.h"
#include "engram_math.h"

enum {
    ENGRAM_Q8_MOST = (1 << 30) - 1,   // of a bias, and of what a record notes
    ENGRAM_Q8_PRODUCTS = 65535,       // of a sum: it stays below 2**31 with its bias
    ENGRAM_Q8_EXPONENTS = 40,         // of records: from minus this on
    ENGRAM_Q8_BIAS_EXPONENT = 24,
};
#define ENGRAM_Q8_SPREAD 2654435769u  // from the random bits of a weight to those of the next
enum { ENGRAM_STOCHASTIC, ENGRAM_NEAREST, ENGRAM_FLOOR, ENGRAM_MEASURE };

// ---- checks --------------------------------------------------------------------------------

bool engram_record_ok(engram_fault_t *fault, int arg, const int32_t *record, size_t n);
// Also what is noted in it, for one that is written.
bool engram_notes_ok(engram_fault_t *fault, int arg, const int32_t *record, size_t n);
bool engram_notes_at_ok(engram_fault_t *fault, int arg, const int32_t *records, size_t at);
bool engram_rates_ok(engram_fault_t *fault, int arg, engram_l_t rates);
// rest has no elements, or as many as w.
bool engram_rest_ok(engram_fault_t *fault, int arg, size_t rest, size_t w);
bool engram_products_ok(engram_fault_t *fault, int arg, int32_t a, int32_t b, int32_t c);

// ---- values of a result --------------------------------------------------------------------

typedef struct {
    int8_t *out;
    float *logits;             // in the place of out, or NULL
    ptrdiff_t out_i;           // between rows
    const int32_t *bias;       // of the columns, or NULL
    int32_t exponent, right;   // of the sums; from there to the result's
    uint32_t limit;            // sums of at most this magnitude change nothing below, and need no clamp
    int32_t down;              // their shift, less 1
    uint32_t largest;          // magnitude of a sum so far
    int32_t saturated;         // results clamped so far
} engram_store_q8_t;

// For sums in units of 2**-exponent; record: of the result, NULL for logits.
engram_store_q8_t engram_store_q8(int8_t *out, ptrdiff_t out_i, const int32_t *record, int32_t exponent);

// Writes down in the record what was seen of `counted` results.
void engram_noted_q8(const engram_store_q8_t *s, int32_t *record, size_t counted);

// v / 2**right, half rounded up; 0 < right
static inline int32_t engram_round_q8(int32_t v, int32_t right) {
    return ((v >> ((right < 32 ? right : 32) - 1)) + 1) >> 1;
}

// The same for any `right`; what is beyond +-most is that.
static inline int32_t engram_scale_q8(int32_t v, int32_t right, int32_t most) {
    if (right > 0) {
        return engram_round_q8(v, right);
    }
    const int32_t fits = -right < 31 ? most >> -right : 0;
    return v > fits ? most : v < -fits ? -most : -right < 31 ? v * (1 << -right) : 0;
}

// 2**e, -126 <= e <= 127
static inline float engram_power_q8(int32_t e) {
    return engram_from_bits((uint32_t)(e + 127) << 23);
}

// Where the sums of column j begin.
static inline int32_t engram_start_q8(const engram_store_q8_t *s, size_t j) {
    if (s->bias == NULL) {
        return 0;
    }
    const int32_t most = 1 << 29, v = engram_scale_q8(s->bias[j], ENGRAM_Q8_BIAS_EXPONENT - s->exponent, most);
    return v > most ? most : v < -most ? -most : v;
}

// A sum beyond the limit: its value, once it is noted.
int32_t engram_beyond_q8(engram_store_q8_t *s, int32_t acc);

// Most sums are below the largest so far, and below what is clamped: one comparison for both.
static inline void engram_put_q8(engram_store_q8_t *s, int8_t *to, int32_t acc) {
    const bool usual = (uint32_t)acc + s->limit <= 2 * s->limit;
    *to = (int8_t)(usual ? ((acc >> s->down) + 1) >> 1 : engram_beyond_q8(s, acc));
}

// ---- steps of weights ----------------------------------------------------------------------

typedef struct {
    int8_t *w, *rest;          // rest: NULL where there is none
    ptrdiff_t w_i;             // between rows
    int32_t mult, right, rounding;
    bool quick;                // every step fits into int32
    uint32_t random, spread;   // bits that round the step of the first weight; from weight to weight
    uint32_t limit;            // weights of at most this magnitude change nothing below, and need no clamp
    uint32_t largest;          // magnitude of a weight so far
    int32_t saturated;         // weights clamped so far
    int32_t exponent;          // of gradients
    uint64_t squares;          // of gradients so far, in ENGRAM_MEASURE; squares_high times 2**64 more
    uint32_t squares_high;
} engram_step_q8_t;

// For gradients in units of 2**-exponent, each a sum of so many products.
engram_step_q8_t engram_step_q8(engram_B_t w, engram_B_t rest, ptrdiff_t w_i, const int32_t *sw, const int32_t *rates,
    int32_t exponent, size_t products);

// Writes down in the record what was seen of `counted` weights; the generator goes on. Or adds the
// squares to it.
void engram_stepped_q8(const engram_step_q8_t *u, int32_t *sw, size_t counted);

// The generator's next state: xorshift32 (Marsaglia, "Xorshift RNGs", 2003).
int32_t engram_next_random_q8(int32_t state);

// Weights of `rows` rows, n each, at most 16, from number i on take a step by the gradients acc, whose
// rows are `step` apart.
void engram_take_q8(engram_step_q8_t *u, size_t i, const int32_t *acc, size_t rows, size_t step, size_t n);

// b (K) takes a step by the sums of dout (rows, K) in units of 2**-exponent; or their squares are added
// to sw.
void engram_bias_step_q8(int32_t *b, const int8_t *dout, size_t rows, size_t K, const int32_t *rates,
    int32_t exponent, int32_t *sw);

// ---- sums ----------------------------------------------------------------------------------

// Sum (i, j) = products of a[i * a_i + ...] and b[j * b_j + ...] over n2, n1, n0 steps of a2, a1,
// a0 and b2, b1, b0.
typedef struct {
    const int8_t *a, *b;
    ptrdiff_t a_i, b_j;
    size_t I, J, n2, n1, n0;
    ptrdiff_t a2, a1, a0, b2, b1, b0;
    bool listed;                // enough of the numbers of a are 0 to make lists of the others
    const uint8_t *channels;    // of an axpy's n0 those that are not all 0, or NULL; how many
    size_t listed_channels;
    const uint32_t *samples;    // of an outer's n2 those, a bit for each, that have others than 0 in a row, or NULL
} engram_sums_q8_t;

// Whether at most so many sixteenths of n numbers are not 0, by a look at some of them; whether lists
// of those are less work, for sums of J columns and samples of P positions.
bool engram_few_q8(const int8_t *a, size_t n, uint32_t share);
bool engram_listed_q8(const int8_t *a, size_t n, size_t J, size_t P);

// list = the channels of dout (P, C) that have errors; returns how many. C <= ENGRAM_Q8_CHANNELS
enum { ENGRAM_Q8_CHANNELS = 256, ENGRAM_Q8_SAMPLES = 32 };
enum { ENGRAM_Q8_POSITIONS = 16 };  // from so many of a sample on it is worth to ask
size_t engram_channels_q8(uint8_t *list, const int8_t *dout, size_t P, size_t C);

// samples = a bit for each of B samples of dout (B, P, C) in which a channel has errors, for the first
// `channels`; returns how many bits are set. B <= ENGRAM_Q8_SAMPLES
size_t engram_samples_q8(uint32_t *samples, const int8_t *dout, size_t P, size_t C, size_t channels, size_t B);

void engram_dot_q8(const engram_sums_q8_t *t, engram_store_q8_t *s);    // a0 = b0 = 1
void engram_axpy_q8(const engram_sums_q8_t *t, engram_store_q8_t *s);   // b_j = 1
void engram_outer_q8(const engram_sums_q8_t *t, size_t first, engram_step_q8_t *u);  // b_j = 1; weights from `first` on

// The same where the numbers of a row are neighbours, for many rows: n1 = n2 = 1.
void engram_windows_q8(const engram_sums_q8_t *t, engram_store_q8_t *s);

// The same for few columns, as a0 = b0 = 1: rows in fours pass each of them.
void engram_few_columns_q8(const engram_sums_q8_t *t, engram_store_q8_t *s);

// acc[i * ENGRAM_Q8_BLOCK + j] += sum (i, from + j), j < n, of at most ENGRAM_Q8_BLOCK rows and columns; b_j = 1
enum { ENGRAM_Q8_BLOCK = 16 };
void engram_outer_add_q8(const engram_sums_q8_t *t, size_t from, size_t n, int32_t *acc);

// The same by lists of the numbers of a that are not 0.
void engram_axpy_terms_q8(const engram_sums_q8_t *t, engram_store_q8_t *s);
void engram_outer_terms_q8(const engram_sums_q8_t *t, size_t first, engram_step_q8_t *u);

// Channel by channel: I rows of J sums, each of its own a and b, side by side. The rows share b; they
// begin with `start` and are stored from `at` on. Or one row, taken by weights from `first` on.
void engram_lanes_q8(const engram_sums_q8_t *t, const int32_t *start, engram_store_q8_t *s, ptrdiff_t at);
void engram_lanes_step_q8(const engram_sums_q8_t *t, size_t first, engram_step_q8_t *u);

#endif
