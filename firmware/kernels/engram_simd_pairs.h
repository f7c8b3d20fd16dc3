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

// The bytes of v where those of x are above 0, else 0: the flags GE tell where 0 - x is not negative.
static inline uint32_t engram_where_positive(uint32_t v, uint32_t x) {
    uint32_t result;
    __asm__("ssub8 %0, %3, %2\n\tsel %0, %3, %1" : "=&r"(result) : "r"(v), "r"(x), "r"(0) : "cc");
    return result;
}

// Sums of columns of bytes, four side by side, in pairs of 16 bits that hold 255 rows.
typedef struct {
    uint32_t even, odd;
} engram_columns_t;

static inline void engram_add_row(engram_columns_t *sums, const int8_t *row) {
    const uint32_t v = engram_load4(row);
    __asm__("sxtab16 %0, %0, %1" : "+r"(sums->even) : "r"(v));
    __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(sums->odd) : "r"(v));
}

static inline void engram_column_sums(int32_t to[4], const engram_columns_t *sums) {
    to[0] = (int16_t)sums->even, to[2] = (int32_t)sums->even >> 16;
    to[1] = (int16_t)sums->odd, to[3] = (int32_t)sums->odd >> 16;
}

// sums[j] += the sizes of a column of `rows` bytes, M apart, at most ENGRAM_SIZE_ROWS of them: their
// sums of pairs stay below 2**16. The flags GE tell where 0 - v is not negative.
enum { ENGRAM_SIZE_ROWS = 512 };
static inline void engram_add_sizes(int32_t sums[4], const int8_t *p, size_t rows, size_t M) {
    uint32_t even = 0, odd = 0, v, size;
    for (; rows != 0; rows--, p += M) {
        v = engram_load4(p);
        __asm__("ssub8 %0, %2, %1\n\tsel %0, %0, %1" : "=&r"(size) : "r"(v), "r"(0) : "cc");
        __asm__("uxtab16 %0, %0, %1" : "+r"(even) : "r"(size));
        __asm__("uxtab16 %0, %0, %1, ror #8" : "+r"(odd) : "r"(size));
    }
    sums[0] += (int32_t)(even & 0xffff), sums[2] += (int32_t)(even >> 16);
    sums[1] += (int32_t)(odd & 0xffff), sums[3] += (int32_t)(odd >> 16);
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

// Requantizes a sum below 2**30 in size and stores it. SMMULR of the doubled sum is the rounded
// doubling high product; then engram_halve, `right` = -shift > 0 places: the last bit shifted out is
// the half that rounds up, and comes back as the carry of the sum with the zero point.
#define REQUANTIZED(c, mult, right, zp) \
    "lsl " c ", " c ", #1\n\t" \
    "smmulr " c ", " c ", " mult "\n\t" \
    "add " c ", " c ", " c ", asr #31\n\t" \
    "asrs " c ", " c ", " right "\n\t" \
    "adc " c ", " c ", " zp "\n\t" \
    "ssat " c ", #8, " c "\n\t"

// What fours (not 0) times four multipliers, shifts and biases have in common: `mults` is negative
// if one multiplier is, `turned` is below 16 if every shift is from -1 to -16, `biases` is below
// 2**28 if every bias lies from -2**28 to 2**28 - 1.
typedef struct { int32_t mults, turned, biases; } engram_common_t;

static __attribute__((noinline, unused)) engram_common_t engram_common_4(const int32_t *mult,
    const int32_t *shift, const int32_t *bias, size_t fours) {
    engram_common_t t = { 0, 0, 0 };
    __asm__ volatile (
        "1:\n\t"
        "ldmia %[mult]!, {r2-r5}\n\t"
        "orr %[m], %[m], r2\n\t"
        "orr %[m], %[m], r3\n\t"
        "orr %[m], %[m], r4\n\t"
        "orr %[m], %[m], r5\n\t"
        "ldmia %[shift]!, {r2-r5}\n\t"
        "orn %[s], %[s], r2\n\t"
        "orn %[s], %[s], r3\n\t"
        "orn %[s], %[s], r4\n\t"
        "orn %[s], %[s], r5\n\t"
        "ldmia %[bias]!, {r2-r5}\n\t"
        "eor r2, r2, r2, asr #31\n\t"
        "eor r3, r3, r3, asr #31\n\t"
        "eor r4, r4, r4, asr #31\n\t"
        "eor r5, r5, r5, asr #31\n\t"
        "orr r2, r2, r3\n\t"
        "orr r4, r4, r5\n\t"
        "orr %[b], %[b], r2\n\t"
        "orr %[b], %[b], r4\n\t"
        "subs %[n], %[n], #1\n\t"
        "bne 1b\n"
        : [mult] "+r" (mult), [shift] "+r" (shift), [bias] "+r" (bias), [n] "+r" (fours),
          [m] "+r" (t.mults), [s] "+r" (t.turned), [b] "+r" (t.biases)
        :
        : "cc", "memory", "r2", "r3", "r4", "r5");
    return t;
}

// The same rounded once, halves upwards.
static inline int32_t engram_requantize_pairs_once(uint32_t acc, int32_t mult, int32_t right, int32_t out_zp) {
    __asm__ (
        "lsl %[c], %[c], #1\n\t"
        "smmul %[c], %[c], %[mult]\n\t"
        "asrs %[c], %[c], %[right]\n\t"
        "adc %[c], %[c], %[zp]\n\t"
        "ssat %[c], #8, %[c]\n"
        : [c] "+r" (acc)
        : [mult] "r" (mult), [right] "r" (right), [zp] "r" (out_zp)
        : "cc");
    return (int32_t)acc;
}

// Where the next one goes.
static inline int8_t *engram_store_pairs(int8_t *out, size_t step, uint32_t acc, int32_t mult, int32_t right,
    int32_t out_zp) {
    __asm__ volatile (
        REQUANTIZED("%[c]", "%[mult]", "%[right]", "%[zp]")
        "strb %[c], [%[out]]\n\t"
        "add %[out], %[out], %[step]\n"
        : [c] "+r" (acc), [out] "+r" (out)
        : [mult] "r" (mult), [right] "r" (right), [zp] "r" (out_zp), [step] "r" (step)
        : "cc", "memory");
    return out;
}

// Runs FOUR as often as the register n says, unrolled by two.
#define BY_TWO(n, FOUR) \
    "subs " n ", " n ", #2\n\t" \
    "blo 2f\n" \
    "1:\n\t" FOUR FOUR \
    "subs " n ", " n ", #2\n\t" \
    "bhs 1b\n" \
    "2:\n\t" \
    "adds " n ", " n ", #2\n\t" \
    "beq 3f\n\t" FOUR \
    "3:\n"

// The same unrolled by four.
#define BY_FOUR(n, FOUR) \
    "subs " n ", " n ", #4\n\t" \
    "blo 2f\n" \
    "1:\n\t" FOUR FOUR FOUR FOUR \
    "subs " n ", " n ", #4\n\t" \
    "bhs 1b\n" \
    "2:\n\t" \
    "adds " n ", " n ", #4\n\t" \
    "beq 4f\n" \
    "3:\n\t" FOUR \
    "subs " n ", " n ", #1\n\t" \
    "bne 3b\n" \
    "4:\n"

// Widens fours (not 0) times four bytes into two words, `step` bytes apart.
static inline __attribute__((always_inline)) void engram_widen_pairs(uint32_t *to, size_t step, const int8_t *x,
    uint32_t offsets, size_t fours) {
    uint32_t even, odd;
    __asm__ volatile (
        BY_TWO("%[n]",
            "ldr %[o], [%[x]], #4\n\t"
            "sxtab16 %[e], %[offsets], %[o]\n\t"
            "sxtab16 %[o], %[offsets], %[o], ror #8\n\t"
            "strd %[e], %[o], [%[to]]\n\t"
            "add %[to], %[to], %[step]\n\t")
        : [x] "+r" (x), [n] "+r" (fours), [to] "+r" (to), [e] "=&r" (even), [o] "=&r" (odd)
        : [offsets] "r" (offsets), [step] "r" (step)
        : "cc", "memory");
}

// The products of one channel with several positions. Naked, as are the blocks below that want nearly
// every register: a compiler that inlines them may find too few (GCC 14 does), and a call costs about as
// much as what it would put away around them.
//
// sums: one of each position, in and out; x: for every four elements the two pairs of each position.
#define WEIGHTS \
    "ldr lr, [r2], #4\n\t" \
    "sxtb16 r12, lr\n\t" \
    "sxtb16 lr, lr, ror #8\n\t"
#define TIMES(c, even, odd) \
    "smlad " c ", " even ", r12, " c "\n\t" \
    "smlad " c ", " odd ", lr, " c "\n\t"
#define POSITIONS(name, registers, LOOP, FOUR) \
    static __attribute__((naked, noinline, unused)) void name(uint32_t *sums, const uint32_t *x, \
        const int8_t *w, size_t fours) { \
        (void)sums, (void)x, (void)w, (void)fours; /* in r0 to r3 */ \
        __asm__ volatile ( \
            "push {r0, r4-r11, lr}\n\t" \
            "ldmia r0, " registers "\n\t" \
            LOOP("r3", FOUR) \
            "pop {r0}\n\t" \
            "stmia r0, " registers "\n\t" \
            "pop {r4-r11, pc}\n" \
            ); \
    }
POSITIONS(engram_pairs_4x1, "{r4-r7}", BY_TWO,
    WEIGHTS
    "ldmia r1!, {r8-r11}\n\t"
    TIMES("r4", "r8", "r9")
    TIMES("r5", "r10", "r11")
    "ldmia r1!, {r8-r11}\n\t"
    TIMES("r6", "r8", "r9")
    TIMES("r7", "r10", "r11"))
POSITIONS(engram_pairs_2x1, "{r4-r5}", BY_FOUR,
    WEIGHTS
    "ldmia r1!, {r8-r11}\n\t"
    TIMES("r4", "r8", "r9")
    TIMES("r5", "r10", "r11"))
#undef POSITIONS

// Where a row of bytes lies: n2 times n1 pieces of 4 * fours + rest bytes, at least 4; `jump` from the
// end of a piece to the next, `leap` on top of it after n1 pieces. n1 and n2 are not 0.
typedef struct {
    size_t fours, rest, n1, n2;
    ptrdiff_t jump, leap;
} engram_pieces_t;

// The products of such a row with four packed lanes, as above. What is over in a piece is the end of a
// last four of it, whose lanes begin with zeros.
static __attribute__((naked, noinline, unused)) void engram_pairs_row(uint32_t sums[4], const uint32_t *lanes,
    const int8_t *row, const engram_pieces_t *pieces) {
    (void)sums, (void)lanes, (void)row, (void)pieces;  // in r0 to r3
    __asm__ volatile (
        "push {r0, r4-r11, lr}\n\t"
        "ldmia r0, {r4-r7}\n\t"
        "ldr r0, [r3, #12]\n\t"
        "sub sp, sp, #8\n\t"
        "str r0, [sp]\n"
        "9:\n\t"
        "ldr r0, [r3, #8]\n\t"
        "str r0, [sp, #4]\n"
        "8:\n\t"
        "ldr r0, [r3]\n\t"
        BY_TWO("r0",
            WEIGHTS
            "ldmia r1!, {r8-r11}\n\t"
            TIMES("r4", "r8", "r9")
            TIMES("r5", "r10", "r11")
            "ldmia r1!, {r8-r11}\n\t"
            TIMES("r6", "r8", "r9")
            TIMES("r7", "r10", "r11"))
        "ldr r0, [r3, #4]\n\t"
        "cbz r0, 7f\n\t"
        "add r2, r2, r0\n\t"
        "sub r2, r2, #4\n\t"
        WEIGHTS
        "ldmia r1!, {r8-r11}\n\t"
        TIMES("r4", "r8", "r9")
        TIMES("r5", "r10", "r11")
        "ldmia r1!, {r8-r11}\n\t"
        TIMES("r6", "r8", "r9")
        TIMES("r7", "r10", "r11")
        "7:\n\t"
        "ldr r12, [r3, #16]\n\t"
        "ldr r0, [sp, #4]\n\t"
        "add r2, r2, r12\n\t"
        "subs r0, r0, #1\n\t"
        "str r0, [sp, #4]\n\t"
        "bne 8b\n\t"
        "ldr r12, [r3, #20]\n\t"
        "ldr r0, [sp]\n\t"
        "add r2, r2, r12\n\t"
        "subs r0, r0, #1\n\t"
        "str r0, [sp]\n\t"
        "bne 9b\n\t"
        "add sp, sp, #8\n\t"
        "pop {r0}\n\t"
        "stmia r0, {r4-r7}\n\t"
        "pop {r4-r11, pc}\n"
        );
}

// The products of four packed lanes with four others, `fours` (not 0) long; a row of sums each, 64
// bytes apart.
static __attribute__((naked, noinline, unused)) void engram_pairs_4x4(uint32_t *sums, const uint32_t *a,
    const uint32_t *b, size_t fours) {
    (void)sums, (void)a, (void)b, (void)fours;  // in r0 to r3
    __asm__ volatile (
        "push {r1-r11, lr}\n\t"
        "mov r4, #4\n\t"
        "push {r4}\n"
        "9:\n\t"
        "ldmia r0, {r4-r7}\n\t"
        BY_TWO("r3",
            "ldrd r12, lr, [r1], #32\n\t"
            "ldmia r2!, {r8-r11}\n\t"
            TIMES("r4", "r8", "r9")
            TIMES("r5", "r10", "r11")
            "ldmia r2!, {r8-r11}\n\t"
            TIMES("r6", "r8", "r9")
            TIMES("r7", "r10", "r11"))
        "stmia r0, {r4-r7}\n\t"
        "add r0, r0, #64\n\t"
        "ldmia sp, {r1-r4}\n\t"     // lanes left, a, b, fours
        "subs r12, r1, #1\n\t"
        "add r1, r2, #8\n\t"
        "strd r12, r1, [sp]\n\t"
        "mov r2, r3\n\t"
        "mov r3, r4\n\t"
        "bne 9b\n\t"
        "add sp, sp, #16\n\t"
        "pop {r4-r11, pc}\n"
        );
}

// The same where `fours` would be 1: b stays in registers, and the sums begin with 0.
static __attribute__((naked, noinline, unused)) void engram_pairs_4x4_short(uint32_t *sums, const uint32_t *a,
    const uint32_t *b) {
    (void)sums, (void)a, (void)b;  // in r0 to r2
    #define SUM(even, odd, at) \
        "smuad r2, " even ", r12\n\t" \
        "smlad r2, " odd ", lr, r2\n\t" \
        "str r2, [r0, #" at "]\n\t"
    __asm__ volatile (
        "push {r4-r11, lr}\n\t"
        "ldmia r2, {r4-r11}\n\t"
        "mov r3, #4\n"
        "1:\n\t"
        "ldrd r12, lr, [r1], #8\n\t"
        SUM("r4", "r5", "0") SUM("r6", "r7", "4") SUM("r8", "r9", "8") SUM("r10", "r11", "12")
        "add r0, r0, #64\n\t"
        "subs r3, r3, #1\n\t"
        "bne 1b\n\t"
        "pop {r4-r11, pc}\n"
        );
    #undef SUM
}

// The products of a row of 4 * fours bytes with four rows, w_j bytes apart.
static __attribute__((naked, noinline, unused)) void engram_pairs_dot_4(uint32_t sums[4], const int8_t *x,
    const int8_t *w, ptrdiff_t w_j, size_t fours) {
    (void)sums, (void)x, (void)w, (void)w_j, (void)fours;  // in r0 to r3 and on the stack
    #define ROW(c, address) \
        "ldr r11, " address "\n\t" \
        "sxtb16 r10, r11\n\t" \
        "sxtb16 r11, r11, ror #8\n\t" \
        "smlad " c ", r8, r10, " c "\n\t" \
        "smlad " c ", r9, r11, " c "\n\t"
    __asm__ volatile (
        "push {r0, r4-r11, lr}\n\t"
        "ldmia r0, {r4-r7}\n\t"
        "ldr r0, [sp, #40]\n\t"
        "add r12, r3, r3, lsl #1\n\t"
        BY_TWO("r0",
            "ldr r9, [r1], #4\n\t"
            "sxtb16 r8, r9\n\t"
            "sxtb16 r9, r9, ror #8\n\t"
            ROW("r5", "[r2, r3]") ROW("r6", "[r2, r3, lsl #1]") ROW("r7", "[r2, r12]") ROW("r4", "[r2], #4"))
        "pop {r0}\n\t"
        "stmia r0, {r4-r7}\n\t"
        "pop {r4-r11, pc}\n"
        );
    #undef ROW
}

// sum[j] += v * b[j] of an even number of terms (not 0), for `columns` j, a multiple of 4 and not 0. Two
// terms at once: their bytes of a column side by side are a pair.
static __attribute__((naked, noinline, unused)) void engram_terms_4(uint32_t *sum, const engram_term_t *terms,
    const engram_term_t *end, size_t columns) {
    (void)sum, (void)terms, (void)end, (void)columns;  // in r0 to r3
    __asm__ volatile (
        "sub r2, r2, r1\n\t"
        "lsr r2, r2, #4\n\t"             // twos of terms
        "push {r1-r11, lr}\n\t"
        "mov lr, #0\n"
        "0:\n\t"
        "ldmia r0, {r4-r7}\n\t"
        "ldrd r1, r2, [sp]\n\t"
        BY_TWO("r2",
            "ldmia r1!, {r8-r11}\n\t"
            "ldr r9, [r9, lr]\n\t"
            "ldr r11, [r11, lr]\n\t"
            "pkhbt r8, r8, r10, lsl #16\n\t"
            "pkhbt r10, r9, r11, lsl #16\n\t"  // columns 0 and 1 of both
            "pkhtb r11, r11, r9, asr #16\n\t"  // columns 2 and 3
            "sxtb16 r9, r10\n\t"
            "sxtb16 r10, r10, ror #8\n\t"
            "sxtb16 r12, r11\n\t"
            "sxtb16 r11, r11, ror #8\n\t"
            "smlad r4, r8, r9, r4\n\t"
            "smlad r5, r8, r10, r5\n\t"
            "smlad r6, r8, r12, r6\n\t"
            "smlad r7, r8, r11, r7\n\t")
        "stmia r0!, {r4-r7}\n\t"
        "add lr, lr, #4\n\t"
        "cmp lr, r3\n\t"
        "bne 0b\n\t"
        "pop {r1-r11, pc}\n"
        );
}

// The products of a row of 4 * fours bytes with four columns, whose bytes lie w_i apart.
static __attribute__((naked, noinline, unused)) void engram_pairs_side_4(uint32_t sums[4], const int8_t *x,
    const int8_t *w, ptrdiff_t w_i, size_t fours) {
    (void)sums, (void)x, (void)w, (void)w_i, (void)fours;  // in r0 to r3 and on the stack
    // Rows in r10 and r11: their halves side by side are two columns each.
    #define CROSSED(x) \
        "pkhbt lr, r10, r11, lsl #16\n\t" \
        "pkhtb r10, r11, r10, asr #16\n\t" \
        "sxtb16 r11, lr\n\t" \
        "sxtb16 lr, lr, ror #8\n\t" \
        "smlad r4, " x ", r11, r4\n\t" \
        "smlad r5, " x ", lr, r5\n\t" \
        "sxtb16 r11, r10\n\t" \
        "sxtb16 r10, r10, ror #8\n\t" \
        "smlad r6, " x ", r11, r6\n\t" \
        "smlad r7, " x ", r10, r7\n\t"
    __asm__ volatile (
        "push {r0, r4-r11, lr}\n\t"
        "ldmia r0, {r4-r7}\n\t"
        "ldr r0, [sp, #40]\n\t"
        "add r12, r3, r3, lsl #1\n\t"
        BY_TWO("r0",
            "ldr r9, [r1], #4\n\t"
            "sxtb16 r8, r9\n\t"
            "sxtb16 r9, r9, ror #8\n\t"
            "ldr r10, [r2]\n\t"
            "ldr r11, [r2, r3, lsl #1]\n\t"
            CROSSED("r8")
            "ldr r10, [r2, r3]\n\t"
            "ldr r11, [r2, r12]\n\t"
            CROSSED("r9")
            "add r2, r2, r3, lsl #2\n\t")
        "pop {r0}\n\t"
        "stmia r0, {r4-r7}\n\t"
        "pop {r4-r11, pc}\n"
        );
    #undef CROSSED
}

// Nine taps of four channels at n (not 0) places: three rows of three, `right` bytes apart. w: for taps
// 0 and 2, 1 and 3, 4 and 6, 5 and 7 the pair of each channel, then tap 8 as two words. A sum is stored
// as engram_products_q8.c has it. Stops at a place that has one beyond the limit, with its sums;
// returns how many places are left, this one included.
enum { ENGRAM_3X3_WORDS = 18 };

typedef struct {
    const int8_t *x;
    ptrdiff_t second, third;           // from the first row to the others
    ptrdiff_t right, next;             // from tap to tap, from place to place
    int8_t *out;
    ptrdiff_t out_next;
    uint32_t limit;
    int32_t shift;                     // 1 to 32
    size_t n;
    uint32_t begin[4], sums[4], w[ENGRAM_3X3_WORDS];
} engram_3x3_t;

static __attribute__((naked, noinline, unused)) size_t engram_pairs_3x3(engram_3x3_t *t) {
    (void)t;  // in r0
    #define TWO_TAPS(one, other) \
        "ldr r8, " one "\n\t" \
        "ldr r9, " other "\n\t" \
        "pkhbt r10, r8, r9, lsl #16\n\t" \
        "pkhtb r8, r9, r8, asr #16\n\t" \
        "ldrd r0, lr, [r12], #8\n\t" \
        "sxtb16 r9, r10\n\t" \
        "sxtb16 r10, r10, ror #8\n\t" \
        "smlad r4, r9, r0, r4\n\t" \
        "smlad r5, r10, lr, r5\n\t" \
        "ldrd r0, lr, [r12], #8\n\t" \
        "sxtb16 r11, r8\n\t" \
        "sxtb16 r8, r8, ror #8\n\t" \
        "smlad r6, r11, r0, r6\n\t" \
        "smlad r7, r8, lr, r7\n\t"
    #define WITHIN(c) \
        "add r8, " c ", r9\n\t" \
        "cmp r8, r9, lsl #1\n\t" \
        "bhi 2f\n\t"
    #define STORED(c, at) \
        "asrs " c ", " c ", r10\n\t"  /* the carry is the half that rounds up */ \
        "adc " c ", " c ", #0\n\t" \
        "strb " c ", [r8, #" at "]\n\t"
    __asm__ volatile (
        "push {r0, r4-r11, lr}\n"
        "1:\n\t"
        "add r12, r0, #40\n\t"
        "ldmia r12, {r4-r7}\n\t"
        "add r12, r12, #32\n\t"
        "ldrd r1, r3, [r0]\n\t"
        "ldr r2, [r0, #12]\n\t"
        "add r3, r3, r1\n\t"
        TWO_TAPS("[r1]", "[r1, r2, lsl #1]")
        TWO_TAPS("[r1, r2]", "[r3]")
        "ldr r0, [sp]\n\t"
        "ldr r0, [r0, #8]\n\t"
        "add r1, r1, r0\n\t"
        TWO_TAPS("[r3, r2]", "[r1]")
        TWO_TAPS("[r3, r2, lsl #1]", "[r1, r2]")
        "ldr r8, [r1, r2, lsl #1]\n\t"
        "ldrd r0, lr, [r12]\n\t"
        "sxtb16 r9, r8\n\t"
        "sxtb16 r8, r8, ror #8\n\t"
        "smlabb r4, r9, r0, r4\n\t"
        "smlatt r6, r9, r0, r6\n\t"
        "smlabb r5, r8, lr, r5\n\t"
        "smlatt r7, r8, lr, r7\n\t"
        "ldr r0, [sp]\n\t"
        "ldrd r9, r10, [r0, #28]\n\t"   // limit, shift
        WITHIN("r4") WITHIN("r5") WITHIN("r6") WITHIN("r7")
        "ldrd r8, r9, [r0, #20]\n\t"    // out, from one to the next
        STORED("r4", "0") STORED("r5", "1") STORED("r6", "2") STORED("r7", "3")
        "add r8, r8, r9\n\t"
        "str r8, [r0, #20]\n\t"
        "ldr r1, [r0]\n\t"
        "ldr r2, [r0, #16]\n\t"
        "add r1, r1, r2\n\t"
        "str r1, [r0]\n\t"
        "ldr r1, [r0, #36]\n\t"
        "subs r1, r1, #1\n\t"
        "str r1, [r0, #36]\n\t"
        "bne 1b\n"
        "2:\n\t"
        "add r12, r0, #56\n\t"
        "stmia r12, {r4-r7}\n\t"
        "ldr r12, [r0, #36]\n\t"
        "pop {r0, r4-r11, lr}\n\t"
        "mov r0, r12\n\t"
        "bx lr\n"
        );
    #undef TWO_TAPS
    #undef WITHIN
    #undef STORED
}

// Four neighbouring bytes of each of four rows as lanes: rows 0 and 2, rows 1 and 3 of each byte.
static inline __attribute__((always_inline)) void engram_cross_pairs(uint32_t to[8], uint32_t r0, uint32_t r1,
    uint32_t r2, uint32_t r3) {
    uint32_t low, high;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(low) : "r"(r0), "r"(r2));
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(high) : "r"(r2), "r"(r0));
    to[0] = engram_even_pair(low), to[2] = engram_odd_pair(low);
    to[4] = engram_even_pair(high), to[6] = engram_odd_pair(high);
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(low) : "r"(r1), "r"(r3));
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(high) : "r"(r3), "r"(r1));
    to[1] = engram_even_pair(low), to[3] = engram_odd_pair(low);
    to[5] = engram_even_pair(high), to[7] = engram_odd_pair(high);
}

// The products of a widened row, 4 * fours long, with `blocks` of four channels, whose rows of weights
// lie w_j bytes apart. Neither is 0.
static __attribute__((naked, noinline, unused)) void engram_pairs_1x4(uint32_t *sums, const uint32_t *x,
    const int8_t *w, ptrdiff_t w_j, size_t fours, size_t blocks) {
    (void)sums, (void)x, (void)w, (void)w_j, (void)fours, (void)blocks;  // in r0 to r3 and on the stack
    #define CHANNEL(c, address) \
        "ldr r11, " address "\n\t" \
        "sxtb16 r10, r11\n\t" \
        "sxtb16 r11, r11, ror #8\n\t" \
        "smlad " c ", r8, r10, " c "\n\t" \
        "smlad " c ", r9, r11, " c "\n\t"
    __asm__ volatile (
        "push {r4-r11, lr}\n\t"
        "add r12, r3, r3, lsl #1\n"
        "0:\n\t"
        "ldmia r0, {r4-r7}\n\t"
        "ldr lr, [sp, #36]\n\t"
        BY_FOUR("lr",
            "ldrd r8, r9, [r1], #8\n\t"
            CHANNEL("r5", "[r2, r3]")
            CHANNEL("r6", "[r2, r3, lsl #1]")
            CHANNEL("r7", "[r2, r12]")
            CHANNEL("r4", "[r2], #4"))
        "stmia r0!, {r4-r7}\n\t"
        "ldrd r4, r5, [sp, #36]\n\t"
        "sub r1, r1, r4, lsl #3\n\t"
        "sub r2, r2, r4, lsl #2\n\t"
        "add r2, r2, r3, lsl #2\n\t"
        "subs r5, r5, #1\n\t"
        "str r5, [sp, #40]\n\t"
        "bne 0b\n\t"
        "pop {r4-r11, pc}\n"
        );
    #undef CHANNEL
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
static __attribute__((noinline, unused)) const uint32_t *engram_taps_4(uint32_t *c0, uint32_t *c1, uint32_t *c2,
    uint32_t *c3, const int8_t *x, ptrdiff_t right, const uint32_t *w, size_t n, uint32_t offsets) {
    TAPS("", n == 3)
}

static __attribute__((noinline, unused)) const uint32_t *engram_taps_4_offset(uint32_t *c0, uint32_t *c1,
    uint32_t *c2, uint32_t *c3, const int8_t *x, ptrdiff_t right, const uint32_t *w, size_t n, uint32_t offsets) {
    TAPS(ADD_OFFSETS, n == 3)
}
#undef TAP
#undef TAPS
#undef ADD_OFFSETS

static inline uint32_t engram_pair(int32_t low, int32_t high) {
    return ((uint32_t)low & 0xffffu) | (uint32_t)high << 16;
}

// Four channels of two rows: each channel's pair, every other word.
static inline __attribute__((always_inline)) void engram_stack_pairs(uint32_t *to, uint32_t x0, uint32_t x1) {
    const uint32_t even0 = engram_even_pair(x0), odd0 = engram_odd_pair(x0);
    const uint32_t even1 = engram_even_pair(x1), odd1 = engram_odd_pair(x1);
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(to[0]) : "r"(even0), "r"(even1));
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(to[2]) : "r"(odd0), "r"(odd1));
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(to[4]) : "r"(even1), "r"(even0));
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(to[6]) : "r"(odd1), "r"(odd0));
}

// Four channels of one row, in the low halves.
static inline __attribute__((always_inline)) void engram_stack_singles(uint32_t *to, uint32_t x) {
    to[0] = engram_even_pair(x), to[2] = engram_odd_pair(x);
    to[4] = to[0] >> 16, to[6] = to[2] >> 16;
}

// A channel of a depthwise layer with windows of 3 x 3, all doubled: weights of two rows by column, of
// the row beside them, and in the high half of its last word the zero point of the result.
typedef struct {
    uint32_t pair[3], single[2], start;
    int32_t mult, right;
} engram_stacked_t;

// n (not 0) windows side by side, from stacked columns of four channels to stored bytes, `step` apart. The
// count stands above the shift, which only the low byte tells. COLUMN: the products with the pair and with
// the half beside it, of which two rows of x and of weights.
#define STACKED(name, COLUMN, next) \
    static __attribute__((naked, noinline, unused)) void name(const engram_stacked_t *c, const uint32_t *x, \
        int8_t *out, ptrdiff_t step, size_t n) { \
        (void)c, (void)x, (void)out, (void)step, (void)n; /* in r0 to r3 and on the stack */ \
        __asm__ volatile ( \
            "push {r4-r11, lr}\n\t" \
            "ldmia r0, {r4-r11}\n\t" \
            "ldr r12, [sp, #36]\n\t" \
            "sub r12, r12, #1\n\t" \
            "add r11, r11, r12, lsl #8\n" \
            "1:\n\t" \
            "ldrd r12, lr, [r1, #32]\n\t" \
            COLUMN("r5", "r9", "t", "r7") \
            "ldrd r12, lr, [r1, #64]\n\t" \
            COLUMN("r6", "r0", "b", "r8") \
            "ldrd r12, lr, [r1], #" next "\n\t" \
            COLUMN("r4", "r0", "b", "r7") \
            "smmulr r0, r0, r10\n\t" \
            "add r0, r0, r0, asr #31\n\t" \
            "asrs r0, r0, r11\n\t" \
            "adc r0, r0, r8, asr #16\n\t" \
            "ssat r0, #8, r0\n\t" \
            "strb r0, [r2]\n\t" \
            "add r2, r2, r3\n\t" \
            "subs r11, r11, #256\n\t" \
            "bhs 1b\n\t" \
            "pop {r4-r11, pc}\n" \
            ); \
    }
#define UPPER(pair, sum, half, single) \
    "smlad r0, r12, " pair ", " sum "\n\t" \
    "smlab" half " r0, lr, " single ", r0\n\t"
#define LOWER(pair, sum, half, single) \
    "smlad r0, lr, " pair ", " sum "\n\t" \
    "smlat" half " r0, r12, " single ", r0\n\t"
STACKED(engram_stacked_by_1, UPPER, "32")
STACKED(engram_stacked_by_2, UPPER, "64")
STACKED(engram_stacked_lower, LOWER, "32")
#undef UPPER
#undef LOWER
#undef STACKED

#undef BY_TWO
#undef BY_FOUR
#undef WEIGHTS
#undef TIMES

#endif
