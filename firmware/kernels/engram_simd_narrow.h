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

// (acc * mult + 2**30) >> 31 for mult >= 0, in halves: the library's 64-bit product knows neither.
static inline int32_t engram_narrow_high(int32_t acc, int32_t mult) {
    const uint32_t a = (uint32_t)acc & 0xffffu, m = (uint32_t)mult & 0xffffu;
    const int32_t a_high = acc >> 16, m_high = mult >> 16;
    const int32_t middle = a_high * (int32_t)m + (int32_t)((a * m) >> 16);
    const uint32_t other = ((uint32_t)middle & 0xffffu) + a * (uint32_t)m_high;
    const int32_t high = a_high * m_high + (middle >> 16);
    return (int32_t)(((uint32_t)high << 1) + ((other + 0x4000u) >> 15));  // rounded at bit 30
}

#endif
