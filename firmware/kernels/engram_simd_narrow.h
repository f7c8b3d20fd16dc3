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

// (acc * mult + 2**30) >> 31 for mult >= 0, from four products of halves. The library's 64-bit
// product knows neither that the high half is wanted nor that one sign is known.
static __attribute__((naked, noinline, unused)) int32_t engram_narrow_high(int32_t acc, int32_t mult) {
    (void)acc, (void)mult;  // in r0 and r1
    __asm__ volatile (
        ".syntax unified\n\t"
        "mov r12, r4\n\t"
        "uxth r2, r0\n\t"         // a, low and high
        "asrs r0, r0, #16\n\t"
        "uxth r3, r1\n\t"         // m, low and high
        "asrs r1, r1, #16\n\t"
        "movs r4, r2\n\t"
        "muls r4, r3\n\t"
        "lsrs r4, r4, #16\n\t"
        "muls r2, r1\n\t"         // a low * m high
        "muls r3, r0\n\t"         // a high * m low
        "adds r3, r3, r4\n\t"
        "muls r0, r1\n\t"         // a high * m high
        "asrs r1, r3, #16\n\t"
        "adds r0, r0, r1\n\t"
        "uxth r3, r3\n\t"
        "adds r2, r2, r3\n\t"     // bits 16 to 47
        "movs r1, #1\n\t"
        "lsls r1, r1, #14\n\t"    // rounded at bit 30
        "adds r2, r2, r1\n\t"
        "lsrs r2, r2, #15\n\t"
        "lsls r0, r0, #1\n\t"
        "adds r0, r0, r2\n\t"
        "mov r4, r12\n\t"
        "bx lr\n"
        );
}

#endif
