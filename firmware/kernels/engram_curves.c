#include "engram_curves.h"

#if defined(__ARM_FP) && (__ARM_FP & 4) && !defined(__SOFTFP__)

float engram_sqrtf(float x) {
    float root;
    __asm__("vsqrt.f32 %0, %1" : "=t" (root) : "t" (x));
    return x < 0.0f ? engram_from_bits(0x7fc00000u) : root;
}

#else

// Digit by digit: the root of a 24-bit mantissa, doubled until its exponent is even, has 25 bits,
// of which the last rounds; the rest is never exactly one half.
float engram_sqrtf(float x) {
    uint32_t bits = engram_to_bits(x);
    if ((bits & 0x7fffffffu) == 0 || bits == 0x7f800000u || x != x) {
        return x;
    }
    if (bits >> 31) {
        return engram_from_bits(0x7fc00000u);
    }
    int32_t e = (int32_t)(bits >> 23);
    uint32_t m = bits & 0x7fffffu;
    if (e == 0) {
        for (e = 1; !(m & 0x800000u); e--) {
            m <<= 1;
        }
    }
    m |= 0x800000u;
    e -= 127;
    if (e & 1) {
        m <<= 1;
        e--;
    }
    m <<= 1;
    uint32_t root = 0, square = 0;
    for (uint32_t bit = 1u << 24; bit != 0; bit >>= 1) {
        uint32_t with = square + bit;
        if (with <= m) {
            square = with + bit;
            m -= with;
            root += bit;
        }
        m <<= 1;
    }
    root += (root & 1) & (m != 0 || (root & 2) != 0);
    return engram_from_bits((root >> 1) + ((uint32_t)(e / 2 + 126) << 23));
}

#endif

// Below 0.625: x + x z P(z), z = x * x, P the minimax polynomial of degree 4 (relative error 4e-9).
// Beyond, 1 - 2 / (exp(2 x) + 1), which loses nothing there.
float engram_tanhf(float x) {
    float a = x < 0.0f ? -x : x;
    if (!(a >= 0.625f)) {
        float z = x * x;
        float p = -0.005717035848647356f;
        p = p * z + 0.020650578662753105f;
        p = p * z + -0.05374349653720856f;
        p = p * z + 0.13331490755081177f;
        p = p * z + -0.3333328366279602f;
        return x + x * (z * p);
    }
    float y = a > 9.1f ? 1.0f : 1.0f - engram_divide(2.0f, engram_expf(a + a) + 1.0f);
    return x < 0.0f ? -y : y;
}

// The exponential is never of a positive number, so it cannot overflow.
float engram_sigmoidf(float x) {
    float e = engram_expf(x < 0.0f ? x : -x);
    return engram_divide(x < 0.0f ? e : 1.0f, 1.0f + e);
}

// An eighth of a turn is reduced in integers, so that the polynomials see an exact angle but for
// one rounding: Taylor series whose first terms left out are below 2e-9 (sine) and 1e-9 (cosine).
void engram_turn(float *cosine, float *sine, int32_t k, int32_t n) {
    int32_t quarter = (8 * k + n) / (2 * n);  // the nearest multiple of a quarter turn
    float t = engram_divide((float)(4 * k - quarter * n) * 1.57079633f, (float)n);  // |t| <= pi / 4
    float z = t * t;
    float s = 1.0f / 362880.0f;
    s = s * z + -1.0f / 5040.0f;
    s = s * z + 1.0f / 120.0f;
    s = s * z + -1.0f / 6.0f;
    s = t + t * (z * s);
    float c = -1.0f / 3628800.0f;
    c = c * z + 1.0f / 40320.0f;
    c = c * z + -1.0f / 720.0f;
    c = c * z + 1.0f / 24.0f;
    c = c * z + -0.5f;
    c = 1.0f + c * z;
    // by whole quarters
    float sign = quarter & 2 ? -1.0f : 1.0f;
    *cosine = sign * (quarter & 1 ? -s : c);
    *sine = sign * (quarter & 1 ? c : s);
}
