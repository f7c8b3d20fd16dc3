// expf and logf in plain C: libm does not link into a native .mpy. Results are within 1.1 ulp
// (exp) and 1 ulp (log) of the true value, over the whole range of normal results.
#ifndef ENGRAM_MATH_H
#define ENGRAM_MATH_H

#include <stdint.h>

typedef union { float f; uint32_t u; } engram_bits_t;

static inline float engram_from_bits(uint32_t u) {
    engram_bits_t v;
    v.u = u;
    return v.f;
}

static inline uint32_t engram_to_bits(float f) {
    engram_bits_t v;
    v.f = f;
    return v.u;
}

// a / b. A build whose run-time library has no division that can be linked brings its own, with
// the same results (firmware/natmod).
#ifdef ENGRAM_OWN_DIVISION
float engram_divide(float a, float b);
#else
static inline float engram_divide(float a, float b) {
    return a / b;
}
#endif

static inline float engram_fabsf(float v) {
    return engram_from_bits(engram_to_bits(v) & 0x7fffffffu);
}

#define ENGRAM_INF (engram_from_bits(0x7f800000u))

static inline int engram_is_finite(float x) {
    return (engram_to_bits(x) & 0x7f800000u) != 0x7f800000u;
}

// Above 88.72: infinity. Below -87.33 the result would be subnormal: 0.
float engram_expf(float x);

// log(0) = -infinity, log(negative) = NaN. Subnormal arguments count as 0.
float engram_logf(float x);

#endif
