#include "engram_math.h"

// exp(x) = 2**n * exp(r), n = round(x / ln 2), |r| <= ln 2 / 2, exp(r) by its Taylor series:
// the first term left out is r**8 / 40320 < 6e-9, a tenth of an ulp.
float engram_expf(float x) {
    if (!(x > -87.33654f)) {
        return x == x ? 0.0f : x;  // NaN passes through
    }
    if (x > 88.72283f) {
        return ENGRAM_INF;
    }
    float t = x * 1.44269504f;
    int32_t n = (int32_t)(t < 0.0f ? t - 0.5f : t + 0.5f);
    // ln 2 in two parts; the first has 9 bits, so its product with n is exact
    float nf = (float)n;
    float r = x - nf * 0.693359375f;
    r -= nf * -2.12194440e-4f;
    float p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * (r * r) + r;
    p = p + 1.0f;
    // 2**n in two factors, since 2**128 is not a float while the result may be one
    int32_t half = n / 2;
    return p * engram_from_bits((uint32_t)(half + 127) << 23)
        * engram_from_bits((uint32_t)(n - half + 127) << 23);
}

// log(x) = n ln 2 + 2 atanh(s), s = (m - 1) / (m + 1), x = m 2**n, sqrt(1/2) < m < sqrt(2), |s| < 0.1716:
// the first term of the series left out is 2 s**11 / 11 < 7e-10.
float engram_logf(float x) {
    if (!(x >= 1.17549435e-38f)) {
        return x != x ? x : x < 0.0f ? engram_from_bits(0x7fc00000u) : -ENGRAM_INF;
    }
    if (x == ENGRAM_INF) {
        return x;
    }
    uint32_t bits = engram_to_bits(x);
    int32_t n = (int32_t)(bits >> 23) - 127;
    float m = engram_from_bits((bits & 0x7fffffu) | 0x3f800000u);  // 1 <= m < 2
    if (m > 1.41421356f) {
        m *= 0.5f;
        n++;
    }
    float f = m - 1.0f;  // exact
    float s = engram_divide(f, m + 1.0f);
    float z = s * s;
    float p = 2.0f / 9.0f;
    p = p * z + 2.0f / 7.0f;
    p = p * z + 2.0f / 5.0f;
    p = p * z + 2.0f / 3.0f;
    // 2 atanh(s) = f - s (f - z p), where only the small part is rounded
    float nf = (float)n;
    float low = nf * -2.12194440e-4f - s * (f - z * p);
    return nf * 0.693359375f + (low + f);
}
