// int8 for armv6m: no widening loads of more than a byte, one multiplier, eight low registers.
// Four channels share a loaded x. Include engram_simd.h, not this.
#ifndef ENGRAM_SIMD_NARROW_H
#define ENGRAM_SIMD_NARROW_H

#include <stddef.h>
#include <stdint.h>

// sum[j] += (x[i] + offset) * w[j * w_j + i] for i < n, n not 0. Fourteen instructions for four
// products (fifteen with an offset); x counts from its end, so that one register is index and counter
// of all five rows.
static __attribute__((naked, noinline, unused)) void engram_narrow_4(uint32_t *sum, const int8_t *x, const int8_t *w,
    ptrdiff_t w_j, size_t n, int32_t offset) {
    (void)sum, (void)x, (void)w, (void)w_j, (void)n, (void)offset;  // in r0 to r3 and on the stack
    #define PRODUCTS \
        "ldrsb r7, [r2, r4]\n\t" "muls r7, r0\n\t" "add r8, r7\n\t" \
        "ldrsb r7, [r5, r4]\n\t" "muls r7, r0\n\t" "add r9, r7\n\t" \
        "ldrsb r7, [r6, r4]\n\t" "muls r7, r0\n\t" "add r10, r7\n\t" \
        "ldrsb r7, [r3, r4]\n\t" "muls r7, r0\n\t" "add r11, r7\n\t" \
        "adds r4, r4, #1\n\t"
    #define PLAIN "ldrsb r0, [r1, r4]\n\t" PRODUCTS
    #define OFFSET "ldrsb r0, [r1, r4]\n\t" "add r0, lr\n\t" PRODUCTS
    __asm__ volatile (
        ".syntax unified\n\t"
        "push {r4-r7, lr}\n\t"
        "mov r4, r8\n\t" "mov r5, r9\n\t" "mov r6, r10\n\t" "mov r7, r11\n\t"
        "push {r4-r7}\n\t"
        "mov r12, r0\n\t"
        "ldmia r0!, {r4-r7}\n\t"
        "mov r8, r4\n\t" "mov r9, r5\n\t" "mov r10, r6\n\t" "mov r11, r7\n\t"
        "ldr r4, [sp, #36]\n\t"     // n
        "ldr r7, [sp, #40]\n\t"     // offset
        "adds r1, r1, r4\n\t"       // ends of x and of the rows of w
        "adds r2, r2, r4\n\t"
        "adds r5, r2, r3\n\t"
        "adds r6, r5, r3\n\t"
        "adds r3, r6, r3\n\t"
        "rsbs r4, r4, #0\n\t"
        "mov lr, r7\n\t"
        "lsls r0, r4, #30\n\t"
        "bne 2f\n\t"               // fours, unrolled
        "cmp r7, #0\n\t"
        "bne 1f\n"
        "0:\n\t"
        PLAIN PLAIN PLAIN PLAIN
        "bne 0b\n\t"
        "b 3f\n"
        "1:\n\t"
        OFFSET OFFSET OFFSET OFFSET
        "bne 1b\n\t"
        "b 3f\n"
        "2:\n\t"
        OFFSET
        "bne 2b\n"
        "3:\n\t"
        "mov r4, r8\n\t" "mov r5, r9\n\t" "mov r6, r10\n\t" "mov r7, r11\n\t"
        "mov r0, r12\n\t"
        "stmia r0!, {r4-r7}\n\t"
        "pop {r4-r7}\n\t"
        "mov r8, r4\n\t" "mov r9, r5\n\t" "mov r10, r6\n\t" "mov r11, r7\n\t"
        "pop {r4-r7, pc}\n"
        );
    #undef PRODUCTS
    #undef PLAIN
    #undef OFFSET
}

// sum[j] += a[i * a0] * b[i * b0 + j] for i < n, n not 0. Sixteen instructions for four products: the
// columns are reached by index registers, the sums are in high ones, the counter of fours is in memory.
static __attribute__((naked, noinline, unused)) void engram_narrow_side_4(uint32_t *sum, const int8_t *a,
    const int8_t *b, size_t n, ptrdiff_t a0, ptrdiff_t b0) {
    (void)sum, (void)a, (void)b, (void)n, (void)a0, (void)b0;  // in r0 to r3 and on the stack
    #define PRODUCTS \
        "ldrsb r0, [r1, r6]\n\t" \
        "ldrsb r7, [r2, r6]\n\t" "muls r7, r0\n\t" "add r8, r7\n\t" \
        "ldrsb r7, [r2, r3]\n\t" "muls r7, r0\n\t" "add r9, r7\n\t" \
        "ldrsb r7, [r2, r4]\n\t" "muls r7, r0\n\t" "add r10, r7\n\t" \
        "ldrsb r7, [r2, r5]\n\t" "muls r7, r0\n\t" "add r11, r7\n\t" \
        "add r1, r12\n\t" \
        "add r2, lr\n\t"
    __asm__ volatile (
        ".syntax unified\n\t"
        "push {r4-r7, lr}\n\t"
        "mov r4, r8\n\t" "mov r5, r9\n\t" "mov r6, r10\n\t" "mov r7, r11\n\t"
        "push {r4-r7}\n\t"
        "ldr r4, [sp, #36]\n\t" "mov r12, r4\n\t"     // a0
        "ldr r4, [sp, #40]\n\t" "mov lr, r4\n\t"      // b0
        "mov r4, r0\n\t"
        "ldmia r4!, {r5-r7}\n\t"
        "mov r8, r5\n\t" "mov r9, r6\n\t" "mov r10, r7\n\t"
        "ldr r4, [r4]\n\t" "mov r11, r4\n\t"
        "push {r0, r3}\n\t"
        "movs r6, #0\n\t" "movs r3, #1\n\t" "movs r4, #2\n\t" "movs r5, #3\n"
        "1:\n\t"
        "ldr r0, [sp, #4]\n\t"
        "subs r0, r0, #4\n\t"
        "blo 2f\n\t"
        "str r0, [sp, #4]\n\t"
        PRODUCTS PRODUCTS PRODUCTS PRODUCTS
        "b 1b\n"
        "2:\n\t"
        "adds r0, r0, #4\n\t"
        "beq 4f\n"
        "3:\n\t"
        "str r0, [sp, #4]\n\t"
        PRODUCTS
        "ldr r0, [sp, #4]\n\t"
        "subs r0, r0, #1\n\t"
        "bne 3b\n"
        "4:\n\t"
        "pop {r0, r3}\n\t"
        "mov r4, r8\n\t" "mov r5, r9\n\t" "mov r6, r10\n\t" "mov r7, r11\n\t"
        "stmia r0!, {r4-r7}\n\t"
        "pop {r4-r7}\n\t"
        "mov r8, r4\n\t" "mov r9, r5\n\t" "mov r10, r6\n\t" "mov r11, r7\n\t"
        "pop {r4-r7, pc}\n"
        );
    #undef PRODUCTS
}

// sum[j] += v * b[j] of an even number of terms (not 0), for `columns` j, a multiple of 4 and not 0:
// thirteen instructions for four products, and one per term. The columns are reached by index registers.
static __attribute__((naked, noinline, unused)) void engram_terms_4(uint32_t *sum, const engram_term_t *terms,
    const engram_term_t *end, size_t columns) {
    (void)sum, (void)terms, (void)end, (void)columns;  // in r0 to r3
    #define TERM \
        "ldmia r1!, {r0, r2}\n\t" \
        "ldrsb r7, [r2, r6]\n\t" "muls r7, r0\n\t" "add r8, r7\n\t" \
        "ldrsb r7, [r2, r3]\n\t" "muls r7, r0\n\t" "add r9, r7\n\t" \
        "ldrsb r7, [r2, r4]\n\t" "muls r7, r0\n\t" "add r10, r7\n\t" \
        "ldrsb r7, [r2, r5]\n\t" "muls r7, r0\n\t" "add r11, r7\n\t"
    __asm__ volatile (
        ".syntax unified\n\t"
        "push {r4-r7, lr}\n\t"
        "mov r4, r8\n\t" "mov r5, r9\n\t" "mov r6, r10\n\t" "mov r7, r11\n\t"
        "push {r4-r7}\n\t"
        "push {r0, r3}\n\t"         // where the sums are, columns
        "mov lr, r1\n\t"
        "mov r12, r2\n\t"
        "movs r6, #0\n"
        "0:\n\t"
        "ldr r0, [sp]\n\t"
        "ldmia r0!, {r2-r5}\n\t"
        "mov r8, r2\n\t" "mov r9, r3\n\t" "mov r10, r4\n\t" "mov r11, r5\n\t"
        "adds r3, r6, #1\n\t" "adds r4, r6, #2\n\t" "adds r5, r6, #3\n\t"
        "mov r1, lr\n"
        "1:\n\t"
        TERM TERM
        "cmp r1, r12\n\t"
        "bne 1b\n\t"
        "mov r2, r8\n\t" "mov r3, r9\n\t" "mov r4, r10\n\t" "mov r5, r11\n\t"
        "ldr r0, [sp]\n\t"
        "stmia r0!, {r2-r5}\n\t"
        "str r0, [sp]\n\t"
        "adds r6, r6, #4\n\t"
        "ldr r0, [sp, #4]\n\t"
        "cmp r6, r0\n\t"
        "bne 0b\n\t"
        "pop {r0, r3, r4-r7}\n\t"
        "mov r8, r4\n\t" "mov r9, r5\n\t" "mov r10, r6\n\t" "mov r11, r7\n\t"
        "pop {r4-r7, pc}\n"
        );
    #undef TERM
}

// n (not 0) weights that take a step, v = weight - (acc * mult + (random >> left) >> right), as
// engram_sums_q8.c has it. Stops in front of one that is beyond the limit; returns how many are left.
typedef struct {
    const int32_t *acc;
    int8_t *w;
    ptrdiff_t to_rest;      // from a byte of w to the one below it
    int32_t mult, right;
    uint32_t random, spread, limit;
    int32_t left;
    size_t n;
} engram_narrow_take_t;

#define TAKE(name, LOAD, STORE) \
    static __attribute__((naked, noinline, unused)) size_t name(engram_narrow_take_t *t) { \
        (void)t;  /* in r0 */ \
        __asm__ volatile ( \
            ".syntax unified\n\t" \
            "push {r4-r7, lr}\n\t" \
            "mov r4, r8\n\t" "mov r5, r9\n\t" "mov r6, r10\n\t" "mov r7, r11\n\t" \
            "push {r0, r4-r7}\n\t" \
            "adds r0, r0, #20\n\t" \
            "ldmia r0!, {r3-r7}\n\t" \
            "mov r8, r3\n\t" "mov r9, r4\n\t" "mov r10, r5\n\t" "mov r11, r6\n\t" "mov r12, r7\n\t" \
            "ldr r0, [sp]\n\t" \
            "ldr r1, [r0, #4]\n\t" "ldr r2, [r0, #8]\n\t" "ldr r6, [r0, #12]\n\t" "ldr r7, [r0, #16]\n\t" \
            "ldr r0, [r0]\n" \
            "1:\n\t" \
            "ldmia r0!, {r3}\n\t" \
            "muls r3, r6\n\t" \
            "mov r4, r8\n\t" \
            "mov r5, r11\n\t" \
            "lsrs r4, r5\n\t" \
            "adds r3, r3, r4\n\t" \
            "asrs r3, r7\n\t" \
            "movs r4, #0\n\t" \
            "ldrsb r4, [r1, r4]\n\t" \
            LOAD \
            "subs r4, r4, r3\n\t" \
            "mov r5, r10\n\t" \
            "adds r3, r4, r5\n\t" \
            "lsls r5, r5, #1\n\t" \
            "cmp r3, r5\n\t" \
            "bhi 2f\n\t" \
            STORE \
            "strb r4, [r1]\n\t" \
            "adds r1, r1, #1\n\t" \
            "add r8, r9\n\t" \
            "mov r3, r12\n\t" \
            "subs r3, r3, #1\n\t" \
            "mov r12, r3\n\t" \
            "bne 1b\n\t" \
            "b 3f\n" \
            "2:\n\t" \
            "subs r0, r0, #4\n" \
            "3:\n\t" \
            "ldr r3, [sp]\n\t" \
            "str r0, [r3]\n\t" \
            "str r1, [r3, #4]\n\t" \
            "mov r0, r8\n\t" \
            "str r0, [r3, #20]\n\t" \
            "mov r0, r12\n\t" \
            "str r0, [r3, #36]\n\t" \
            "pop {r3-r7}\n\t" \
            "mov r8, r4\n\t" "mov r9, r5\n\t" "mov r10, r6\n\t" "mov r11, r7\n\t" \
            "pop {r4-r7, pc}\n" \
            ); \
    }
TAKE(engram_narrow_take, "", "")
TAKE(engram_narrow_take_wide,
    "ldrsb r5, [r1, r2]\n\t" "lsls r4, r4, #8\n\t" "adds r4, r4, r5\n\t",
    "strb r4, [r1, r2]\n\t" "adds r4, r4, #128\n\t" "asrs r4, r4, #8\n\t")
#undef TAKE

// Rows of taps: n1 times n0 steps of a0 and b0, none of them 0, with a jump from the end of a row on.
typedef struct {
    size_t n1, n0;
    ptrdiff_t a0, b0, jump_a, jump_b;
} engram_taps_t;

// sum[j] += a[j] * b[j] for every tap.
static __attribute__((naked, noinline, unused)) void engram_narrow_lanes_4(uint32_t *sum, const int8_t *a,
    const int8_t *b, const engram_taps_t *taps) {
    (void)sum, (void)a, (void)b, (void)taps;  // in r0 to r3
    #define LANE(c, j) "ldrsb r0, [r1, " j "]\n\t" "ldrsb r7, [r2, " j "]\n\t" "muls r7, r0\n\t" "add " c ", r7\n\t"
    __asm__ volatile (
        ".syntax unified\n\t"
        "push {r4-r7, lr}\n\t"
        "mov r4, r8\n\t" "mov r5, r9\n\t" "mov r6, r10\n\t" "mov r7, r11\n\t"
        "push {r4-r7}\n\t"
        "ldr r4, [r3, #8]\n\t" "mov r12, r4\n\t"      // a0
        "ldr r4, [r3, #12]\n\t" "mov lr, r4\n\t"      // b0
        "mov r4, r0\n\t"
        "ldmia r4!, {r5-r7}\n\t"
        "mov r8, r5\n\t" "mov r9, r6\n\t" "mov r10, r7\n\t"
        "ldr r4, [r4]\n\t" "mov r11, r4\n\t"
        "ldr r4, [r3]\n\t"
        "push {r0, r3, r4, r5}\n\t"                   // sum, taps, rows left, taps left
        "movs r6, #0\n\t" "movs r3, #1\n\t" "movs r4, #2\n\t" "movs r5, #3\n"
        "0:\n\t"
        "ldr r0, [sp, #4]\n\t"
        "ldr r0, [r0, #4]\n"
        "1:\n\t"
        "str r0, [sp, #12]\n\t"
        LANE("r8", "r6") LANE("r9", "r3") LANE("r10", "r4") LANE("r11", "r5")
        "add r1, r12\n\t"
        "add r2, lr\n\t"
        "ldr r0, [sp, #12]\n\t"
        "subs r0, r0, #1\n\t"
        "bne 1b\n\t"
        "ldr r0, [sp, #4]\n\t"
        "ldr r7, [r0, #16]\n\t" "adds r1, r1, r7\n\t"
        "ldr r7, [r0, #20]\n\t" "adds r2, r2, r7\n\t"
        "ldr r0, [sp, #8]\n\t"
        "subs r0, r0, #1\n\t"
        "str r0, [sp, #8]\n\t"
        "bne 0b\n\t"
        "pop {r0-r3}\n\t"
        "mov r4, r8\n\t" "mov r5, r9\n\t" "mov r6, r10\n\t" "mov r7, r11\n\t"
        "stmia r0!, {r4-r7}\n\t"
        "pop {r4-r7}\n\t"
        "mov r8, r4\n\t" "mov r9, r5\n\t" "mov r10, r6\n\t" "mov r11, r7\n\t"
        "pop {r4-r7, pc}\n"
        );
    #undef LANE
}

// r0 = (r0 * r1 + 2**30) >> 31 for r1 >= 0, from four products of halves; uses r1 to r4. The
// library's 64-bit product knows neither that the high half is wanted nor that one sign is known.
#define HIGH_PRODUCT \
    "uxth r2, r0\n\t"         /* a, low and high */ \
    "asrs r0, r0, #16\n\t" \
    "uxth r3, r1\n\t"         /* m, low and high */ \
    "asrs r1, r1, #16\n\t" \
    "movs r4, r2\n\t" \
    "muls r4, r3\n\t" \
    "lsrs r4, r4, #16\n\t" \
    "muls r2, r1\n\t"         /* a low * m high */ \
    "muls r3, r0\n\t"         /* a high * m low */ \
    "adds r3, r3, r4\n\t" \
    "muls r0, r1\n\t"         /* a high * m high */ \
    "asrs r1, r3, #16\n\t" \
    "adds r0, r0, r1\n\t" \
    "uxth r3, r3\n\t" \
    "adds r2, r2, r3\n\t"     /* bits 16 to 47, below 2**31 */ \
    "lsls r0, r0, #1\n\t" \
    "lsrs r2, r2, #15\n\t"    /* the carry is bit 30 of the product, which rounds */ \
    "adcs r0, r2\n\t"

static __attribute__((naked, noinline, unused)) int32_t engram_narrow_high(int32_t acc, int32_t mult) {
    (void)acc, (void)mult;  // in r0 and r1
    __asm__ volatile (
        ".syntax unified\n\t"
        "mov r12, r4\n\t"
        HIGH_PRODUCT
        "mov r4, r12\n\t"
        "bx lr\n"
        );
}

// Requantizes four sums, every shift below 0, and stores them. range: the zero point, the least and
// the largest result.
static __attribute__((naked, noinline, unused)) void engram_narrow_store_4(int8_t *out, const uint32_t sum[4],
    const int32_t *mult, const int32_t *shift, const int32_t range[3]) {
    (void)out, (void)sum, (void)mult, (void)shift, (void)range;  // in r0 to r3 and on the stack
    __asm__ volatile (
        ".syntax unified\n\t"
        "push {r4-r7, lr}\n\t"
        "movs r5, r0\n\t"
        "movs r6, r1\n\t"
        "movs r7, r2\n\t"
        "subs r3, r3, r2\n\t"
        "subs r3, r3, #4\n\t"
        "mov r12, r3\n\t"         // from the multiplier after this to the shift of this
        "movs r0, #4\n"
        "1:\n\t"
        "mov lr, r0\n\t"
        "ldmia r6!, {r0}\n\t"
        "ldmia r7!, {r1}\n\t"
        HIGH_PRODUCT
        "mov r1, r12\n\t"
        "ldr r1, [r7, r1]\n\t"
        "ldr r2, [sp, #20]\n\t"
        "ldmia r2!, {r3, r4}\n\t" // zero point, least
        "rsbs r1, r1, #0\n\t"
        "asrs r2, r0, #31\n\t"
        "adds r0, r0, r2\n\t"
        "asrs r0, r1\n\t"         // the carry is the half that rounds up
        "adcs r0, r3\n\t"
        "cmp r0, r4\n\t"
        "bge 2f\n\t"
        "movs r0, r4\n"
        "2:\n\t"
        "ldr r2, [sp, #20]\n\t"
        "ldr r2, [r2, #8]\n\t"    // largest
        "cmp r0, r2\n\t"
        "ble 3f\n\t"
        "movs r0, r2\n"
        "3:\n\t"
        "strb r0, [r5]\n\t"
        "adds r5, r5, #1\n\t"
        "mov r0, lr\n\t"
        "subs r0, r0, #1\n\t"
        "bne 1b\n\t"
        "pop {r4-r7, pc}\n"
        );
}
#undef HIGH_PRODUCT

#endif
