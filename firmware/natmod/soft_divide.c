// float32 division for cores without it: libgcc's for armv6m holds an absolute address and does
// not link into a native .mpy. IEEE 754: rounded to nearest, ties to even, subnormals included.
#include <stdint.h>

float engram_divide(float a, float b);

typedef union { float f; uint32_t u; } bits_t;

// m in 1.23 format, shifted up until its leading one is in bit 23; *e follows.
static uint32_t normal(uint32_t bits, int32_t *e) {
    uint32_t m = bits & 0x7fffff;
    *e = (int32_t)(bits >> 23 & 0xff);
    if (*e != 0) {
        return m | 0x800000;
    }
    for (*e = 1; !(m & 0x800000); --*e) {
        m <<= 1;
    }
    return m;
}

float engram_divide(float a, float b) {
    bits_t x, y, z;
    x.f = a;
    y.f = b;
    uint32_t sign = (x.u ^ y.u) & 0x80000000u;
    x.u &= 0x7fffffffu;
    y.u &= 0x7fffffffu;
    const uint32_t inf = 0x7f800000u;
    if (x.u > inf || y.u > inf || (x.u == 0 && y.u == 0) || (x.u == inf && y.u == inf)) {
        z.u = 0x7fc00000u;
        return z.f;
    }
    if (x.u == inf || y.u == 0) {
        z.u = sign | inf;
        return z.f;
    }
    if (x.u == 0 || y.u == inf) {
        z.u = sign;
        return z.f;
    }
    int32_t ex, ey;
    uint32_t mx = normal(x.u, &ex), my = normal(y.u, &ey);
    int32_t e = ex - ey + 127;
    if (mx < my) {
        mx <<= 1;
        e--;
    }
    uint32_t q = 0;  // 24 bits of the quotient, then two more to round by
    for (int i = 0; i < 26; i++) {
        q <<= 1;
        if (mx >= my) {
            mx -= my;
            q |= 1;
        }
        mx <<= 1;
    }
    q = q << 1 | (mx != 0);  // and one for all that follow
    if (e < 1) {
        int32_t shift = 1 - e < 27 ? 1 - e : 27;
        q = q >> shift | ((q & ((1u << shift) - 1)) != 0);
        e = 0;
    } else if (e > 254) {
        z.u = sign | inf;
        return z.f;
    } else {
        q -= 1u << 26;  // the leading one is implied
    }
    uint32_t rest = q & 7;
    // a carry out of the mantissa runs into the exponent, as it should
    z.u = (sign | (uint32_t)e << 23) + (q >> 3) + (rest > 4 || (rest == 4 && (q & 8)));
    return z.f;
}
