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
        BY_TWO(
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
        BY_TWO(
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

#undef BY_TWO
#undef WEIGHTS
#undef TIMES

#endif
