// int8 for cores with the DSP extension: four bytes become two pairs of 16 bits (bytes 0 and 2,
// bytes 1 and 3) and SMLAD takes two products at once. Include engram_simd.h, not this.
#ifndef ENGRAM_SIMD_PAIRS_H
#define ENGRAM_SIMD_PAIRS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t engram_load4(const int8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);  // one load: these cores do not mind where it lies
    return v;
}

static inline uint32_t engram_even_pair(uint32_t v) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(v));
    return pair;
}

static inline uint32_t engram_odd_pair(uint32_t v) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(v));
    return pair;
}

static inline uint32_t engram_add_pairs(uint32_t a, uint32_t b) {
    uint32_t sum;
    __asm__("uadd16 %0, %1, %2" : "=r"(sum) : "r"(a), "r"(b) : "cc");
    return sum;
}

// sum + both products, wrapping
static inline uint32_t engram_multiply_pairs(uint32_t a, uint32_t b, uint32_t sum) {
    uint32_t result;
    __asm__("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

// sum + the product of the low halves, of the high halves, wrapping
static inline uint32_t engram_multiply_low(uint32_t a, uint32_t b, uint32_t sum) {
    uint32_t result;
    __asm__("smlabb %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

static inline uint32_t engram_multiply_high(uint32_t a, uint32_t b, uint32_t sum) {
    uint32_t result;
    __asm__("smlatt %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

// Requantizes a sum below 2**30 in size and stores it; where the next one goes. SMMULR of the
// doubled sum is the rounded doubling high product; then engram_halve, with `less` = -shift - 1.
static inline int8_t *engram_store_pairs(int8_t *out, size_t step, uint32_t acc, int32_t mult, int32_t less,
    int32_t out_zp) {
    int32_t rest;
    __asm__ volatile (
        "lsl %[c], %[c], #1\n\t"
        "smmulr %[c], %[c], %[mult]\n\t"
        "add %[c], %[c], %[c], asr #31\n\t"
        "asr %[c], %[c], %[less]\n\t"
        "and %[rest], %[c], #1\n\t"
        "add %[c], %[rest], %[c], asr #1\n\t"
        "add %[c], %[c], %[zp]\n\t"
        "ssat %[c], #8, %[c]\n\t"
        "strb %[c], [%[out]]\n\t"
        "add %[out], %[out], %[step]\n"
        : [c] "+r" (acc), [out] "+r" (out), [rest] "=&r" (rest)
        : [mult] "r" (mult), [less] "r" (less), [zp] "r" (out_zp), [step] "r" (step)
        : "memory");
    return out;
}

// Widens fours (not 0) times four bytes into two words, `step` bytes apart.
static inline void engram_widen_pairs(uint32_t *to, size_t step, const int8_t *x, uint32_t offsets, size_t fours) {
    uint32_t even, odd;
    __asm__ volatile (
        "1:\n\t"
        "ldr %[o], [%[x]], #4\n\t"
        "subs %[n], %[n], #1\n\t"
        "sxtb16 %[e], %[o]\n\t"
        "sxtb16 %[o], %[o], ror #8\n\t"
        "uadd16 %[e], %[e], %[offsets]\n\t"
        "uadd16 %[o], %[o], %[offsets]\n\t"
        "strd %[e], %[o], [%[to]]\n\t"
        "add %[to], %[to], %[step]\n\t"
        "bne 1b\n"
        : [x] "+r" (x), [n] "+r" (fours), [to] "+r" (to), [e] "=&r" (even), [o] "=&r" (odd)
        : [offsets] "r" (offsets), [step] "r" (step)
        : "cc", "memory");
}

// Runs FOUR fours/2 times unrolled by two, and once more where fours is odd.
#define BY_TWO(FOUR) \
    "subs %[n], %[n], #2\n\t" \
    "blo 2f\n" \
    "1:\n\t" FOUR FOUR \
    "subs %[n], %[n], #2\n\t" \
    "bhs 1b\n" \
    "2:\n\t" \
    "adds %[n], %[n], #2\n\t" \
    "beq 3f\n\t" FOUR \
    "3:\n"

// The same unrolled by four.
#define BY_FOUR(FOUR) \
    "subs %[n], %[n], #4\n\t" \
    "blo 2f\n" \
    "1:\n\t" FOUR FOUR FOUR FOUR \
    "subs %[n], %[n], #4\n\t" \
    "bhs 1b\n" \
    "2:\n\t" \
    "adds %[n], %[n], #4\n\t" \
    "beq 4f\n" \
    "3:\n\t" FOUR \
    "subs %[n], %[n], #1\n\t" \
    "bne 3b\n" \
    "4:\n"

#define WEIGHTS(address) \
    "ldr %[wo], " address "\n\t" \
    "sxtb16 %[we], %[wo]\n\t" \
    "sxtb16 %[wo], %[wo], ror #8\n\t"
#define TIMES(c, even, odd) \
    "smlad " c ", " even ", %[we], " c "\n\t" \
    "smlad " c ", " odd ", %[wo], " c "\n\t"

// Four positions, one channel. x: for every four elements the two pairs of each position.
static inline const int8_t *engram_pairs_4x1(uint32_t *s0, uint32_t *s1, uint32_t *s2, uint32_t *s3,
    const uint32_t *x, const int8_t *w, size_t fours) {
    uint32_t c0 = *s0, c1 = *s1, c2 = *s2, c3 = *s3, we, wo;
    __asm__ volatile (
        BY_TWO(
            WEIGHTS("[%[w]], #4")
            "ldmia %[x]!, {r2-r5}\n\t"
            TIMES("%[c0]", "r2", "r3")
            TIMES("%[c1]", "r4", "r5")
            "ldmia %[x]!, {r2-r5}\n\t"
            TIMES("%[c2]", "r2", "r3")
            TIMES("%[c3]", "r4", "r5"))
        : [c0] "+r" (c0), [c1] "+r" (c1), [c2] "+r" (c2), [c3] "+r" (c3),
          [x] "+r" (x), [w] "+r" (w), [n] "+r" (fours), [we] "=&r" (we), [wo] "=&r" (wo)
        :
        : "cc", "memory", "r2", "r3", "r4", "r5");
    *s0 = c0, *s1 = c1, *s2 = c2, *s3 = c3;
    return w;
}

// Two positions, one channel.
static inline const int8_t *engram_pairs_2x1(uint32_t *s0, uint32_t *s1, const uint32_t *x, const int8_t *w,
    size_t fours) {
    uint32_t c0 = *s0, c1 = *s1, we, wo;
    __asm__ volatile (
        BY_FOUR(
            WEIGHTS("[%[w]], #4")
            "ldmia %[x]!, {r2-r5}\n\t"
            TIMES("%[c0]", "r2", "r3")
            TIMES("%[c1]", "r4", "r5"))
        : [c0] "+r" (c0), [c1] "+r" (c1),
          [x] "+r" (x), [w] "+r" (w), [n] "+r" (fours), [we] "=&r" (we), [wo] "=&r" (wo)
        :
        : "cc", "memory", "r2", "r3", "r4", "r5");
    *s0 = c0, *s1 = c1;
    return w;
}

// One position, four channels that lie w_j bytes apart. It takes all the registers there are.
static __attribute__((noinline, unused)) void engram_pairs_1x4(uint32_t sum[4], const uint32_t *x,
    const int8_t *w, ptrdiff_t w_j, size_t fours) {
    uint32_t c0 = sum[0], c1 = sum[1], c2 = sum[2], c3 = sum[3], xe, xo, we, wo;
    __asm__ volatile (
        BY_FOUR(
            "ldrd %[xe], %[xo], [%[x]], #8\n\t"
            WEIGHTS("[%[w], %[j]]")
            TIMES("%[c1]", "%[xe]", "%[xo]")
            WEIGHTS("[%[w], %[j], lsl #1]")
            TIMES("%[c2]", "%[xe]", "%[xo]")
            WEIGHTS("[%[w], %[j3]]")
            TIMES("%[c3]", "%[xe]", "%[xo]")
            WEIGHTS("[%[w]], #4")
            TIMES("%[c0]", "%[xe]", "%[xo]"))
        : [c0] "+r" (c0), [c1] "+r" (c1), [c2] "+r" (c2), [c3] "+r" (c3), [x] "+r" (x), [w] "+r" (w),
          [n] "+r" (fours), [xe] "=&r" (xe), [xo] "=&r" (xo), [we] "=&r" (we), [wo] "=&r" (wo)
        : [j] "r" (w_j), [j3] "r" (3 * w_j)
        : "cc", "memory");
    sum[0] = c0, sum[1] = c1, sum[2] = c2, sum[3] = c3;
}

// One row of taps of four neighbouring channels: each x times its weights, widened to two words a
// tap. Where the weights go on.
#define TAP(address, ADD) \
    "ldr %[o], " address "\n\t" \
    "ldrd %[we], %[wo], [%[w]], #8\n\t" \
    "sxtb16 %[e], %[o]\n\t" \
    "sxtb16 %[o], %[o], ror #8\n\t" \
    ADD \
    "smlabb %[c0], %[e], %[we], %[c0]\n\t" \
    "smlatt %[c2], %[e], %[we], %[c2]\n\t" \
    "smlabb %[c1], %[o], %[wo], %[c1]\n\t" \
    "smlatt %[c3], %[o], %[wo], %[c3]\n\t"
#define ADD_OFFSETS \
    "uadd16 %[e], %[e], %[offsets]\n\t" \
    "uadd16 %[o], %[o], %[offsets]\n\t"
#define TAPS(ADD, THREE) \
    uint32_t e, o, we, wo; \
    if (THREE) { \
        __asm__ volatile ( \
            TAP("[%[x]]", ADD) TAP("[%[x], %[right]]", ADD) TAP("[%[x], %[right], lsl #1]", ADD) \
            : [c0] "+r" (*c0), [c1] "+r" (*c1), [c2] "+r" (*c2), [c3] "+r" (*c3), [w] "+r" (w), \
              [e] "=&r" (e), [o] "=&r" (o), [we] "=&r" (we), [wo] "=&r" (wo) \
            : [x] "r" (x), [right] "r" (right), [offsets] "r" (offsets) \
            : "cc", "memory"); \
    } else { \
        for (; n != 0; n--, x += right) { \
            __asm__ volatile ( \
                TAP("[%[x]]", ADD) \
                : [c0] "+r" (*c0), [c1] "+r" (*c1), [c2] "+r" (*c2), [c3] "+r" (*c3), [w] "+r" (w), \
                  [e] "=&r" (e), [o] "=&r" (o), [we] "=&r" (we), [wo] "=&r" (wo) \
                : [x] "r" (x), [offsets] "r" (offsets) \
                : "cc", "memory"); \
        } \
    } \
    return w;
static inline const uint32_t *engram_taps_4(uint32_t *c0, uint32_t *c1, uint32_t *c2, uint32_t *c3, const int8_t *x,
    ptrdiff_t right, const uint32_t *w, size_t n, uint32_t offsets) {
    TAPS("", n == 3)
}

static inline const uint32_t *engram_taps_4_offset(uint32_t *c0, uint32_t *c1, uint32_t *c2, uint32_t *c3,
    const int8_t *x, ptrdiff_t right, const uint32_t *w, size_t n, uint32_t offsets) {
    TAPS(ADD_OFFSETS, n == 3)
}
#undef TAP
#undef TAPS
#undef ADD_OFFSETS

#undef BY_TWO
#undef BY_FOUR
#undef WEIGHTS
#undef TIMES

#endif
