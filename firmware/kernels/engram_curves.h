// Elementary functions beyond exp and log, in plain C: libm does not link into a native .mpy.
#ifndef ENGRAM_CURVES_H
#define ENGRAM_CURVES_H

#include "engram_math.h"

// Correctly rounded, as IEEE 754 asks; of less than 0 NaN.
float engram_sqrtf(float x);

// Within 1.5 ulp.
float engram_tanhf(float x);

// 1 / (1 + exp(-x)) within 2.5 ulp; 0 below -87.33.
float engram_sigmoidf(float x);

// cos and sin of 2 pi k / n, within 2e-7; 0 <= k < n <= 2**17.
void engram_turn(float *cosine, float *sine, int32_t k, int32_t n);

#endif
