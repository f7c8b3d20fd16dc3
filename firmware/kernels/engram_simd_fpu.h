// float32 blocks for cores with an FPU: sums stay in s16..s31, values come by VLDM. Each block
// continues the sums in `sum` over n terms, in order. Include engram_simd.h, not this.
#ifndef ENGRAM_SIMD_FPU_H
#define ENGRAM_SIMD_FPU_H

#include <stddef.h>
#include <stdint.h>

// Two independent sums, c += x * y. No instruction needs the result of the one before it, which
// would cost a cycle.
#if ENGRAM_VMLA
#define PAIR(c, x, y, d, z, v) \
    "vmla.f32 " c ", " x ", " y "\n\t" \
    "vmla.f32 " d ", " z ", " v "\n\t"
#else
#define PAIR(c, x, y, d, z, v) \
    "vmul.f32 s14, " x ", " y "\n\t" \
    "vmul.f32 s15, " z ", " v "\n\t" \
    "vadd.f32 " c ", " c ", s14\n\t" \
    "vadd.f32 " d ", " d ", s15\n\t"
#endif

#define SUM_REGISTERS "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", \
    "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31"
#define VALUE_REGISTERS "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", \
    "s12", "s13", "s14", "s15"

// One column of four rows: sums c0..c3 with x of each row and one y.
#define COLUMN(c0, c1, c2, c3, x0, x1, x2, x3, y) PAIR(c0, x0, y, c1, x1, y) PAIR(c2, x2, y, c3, x3, y)
// One term of all sixteen: x a row, y a column.
#define TERM(x0, x1, x2, x3, y0, y1, y2, y3) \
    COLUMN("s16", "s20", "s24", "s28", x0, x1, x2, x3, y0) \
    COLUMN("s17", "s21", "s25", "s29", x0, x1, x2, x3, y1) \
    COLUMN("s18", "s22", "s26", "s30", x0, x1, x2, x3, y2) \
    COLUMN("s19", "s23", "s27", "s31", x0, x1, x2, x3, y3)

#define ROWS_2 \
    "vldmia %[a0]!, {s0-s1}\n\t" \
    "vldmia %[a1]!, {s2-s3}\n\t" \
    "vldmia %[a2]!, {s4-s5}\n\t" \
    "vldmia %[a3]!, {s6-s7}\n\t"
#define ROWS_1 \
    "vldmia %[a0]!, {s0}\n\t" \
    "vldmia %[a1]!, {s2}\n\t" \
    "vldmia %[a2]!, {s4}\n\t" \
    "vldmia %[a3]!, {s6}\n\t"

// Runs TWO n/2 times and then, where n is odd, ONE; the sums come from memory and go back.
#define TWO_BY_TWO(TWO, ONE) \
    "vldmia %[sum], {s16-s31}\n\t" \
    "subs %[n], %[n], #2\n\t" \
    "blo 2f\n" \
    "1:\n\t" TWO \
    "subs %[n], %[n], #2\n\t" \
    "bhs 1b\n" \
    "2:\n\t" \
    "adds %[n], %[n], #2\n\t" \
    "beq 3f\n\t" ONE \
    "3:\n\t" \
    "vstmia %[sum], {s16-s31}\n"

// Rows and columns all lie along the sum. sum[4 * i + j] += a[i * a_i + k] * b[j * b_j + k]
// Out of line: the registers that it needs are not all free in a caller.
static __attribute__((noinline, unused)) void engram_block_dot(float *sum, const float *a, ptrdiff_t a_i,
    const float *b, ptrdiff_t b_j, size_t n) {
    const float *a1 = a + a_i, *a2 = a1 + a_i, *a3 = a2 + a_i;
    const float *b1 = b + b_j, *b2 = b1 + b_j, *b3 = b2 + b_j;
    __asm__ volatile (
        TWO_BY_TWO(
            ROWS_2
            "vldmia %[b0]!, {s8-s9}\n\t"
            COLUMN("s16", "s20", "s24", "s28", "s0", "s2", "s4", "s6", "s8")
            COLUMN("s16", "s20", "s24", "s28", "s1", "s3", "s5", "s7", "s9")
            "vldmia %[b1]!, {s10-s11}\n\t"
            COLUMN("s17", "s21", "s25", "s29", "s0", "s2", "s4", "s6", "s10")
            COLUMN("s17", "s21", "s25", "s29", "s1", "s3", "s5", "s7", "s11")
            "vldmia %[b2]!, {s8-s9}\n\t"
            COLUMN("s18", "s22", "s26", "s30", "s0", "s2", "s4", "s6", "s8")
            COLUMN("s18", "s22", "s26", "s30", "s1", "s3", "s5", "s7", "s9")
            "vldmia %[b3]!, {s10-s11}\n\t"
            COLUMN("s19", "s23", "s27", "s31", "s0", "s2", "s4", "s6", "s10")
            COLUMN("s19", "s23", "s27", "s31", "s1", "s3", "s5", "s7", "s11"),
            ROWS_1
            "vldmia %[b0]!, {s8}\n\t"
            "vldmia %[b1]!, {s9}\n\t"
            "vldmia %[b2]!, {s10}\n\t"
            "vldmia %[b3]!, {s11}\n\t"
            TERM("s0", "s2", "s4", "s6", "s8", "s9", "s10", "s11"))
        : [a0] "+r" (a), [a1] "+r" (a1), [a2] "+r" (a2), [a3] "+r" (a3),
          [b0] "+r" (b), [b1] "+r" (b1), [b2] "+r" (b2), [b3] "+r" (b3), [n] "+r" (n)
        : [sum] "r" (sum)
        : "cc", "memory", SUM_REGISTERS, VALUE_REGISTERS);
}

// Rows lie along the sum, columns side by side. sum[4 * i + j] += a[i * a_i + k] * b[k * b_k + j]
static inline void engram_block_axpy(float *sum, const float *a, ptrdiff_t a_i, const float *b, ptrdiff_t b_k,
    size_t n) {
    const float *a1 = a + a_i, *a2 = a1 + a_i, *a3 = a2 + a_i;
    ptrdiff_t step = b_k * (ptrdiff_t)sizeof(float);
    __asm__ volatile (
        TWO_BY_TWO(
            ROWS_2
            "vldmia %[b], {s8-s11}\n\t"
            "add %[b], %[b], %[step]\n\t"
            TERM("s0", "s2", "s4", "s6", "s8", "s9", "s10", "s11")
            "vldmia %[b], {s8-s11}\n\t"
            "add %[b], %[b], %[step]\n\t"
            TERM("s1", "s3", "s5", "s7", "s8", "s9", "s10", "s11"),
            ROWS_1
            "vldmia %[b], {s8-s11}\n\t"
            TERM("s0", "s2", "s4", "s6", "s8", "s9", "s10", "s11"))
        : [a0] "+r" (a), [a1] "+r" (a1), [a2] "+r" (a2), [a3] "+r" (a3), [b] "+r" (b), [n] "+r" (n)
        : [sum] "r" (sum), [step] "r" (step)
        : "cc", "memory", SUM_REGISTERS, VALUE_REGISTERS);
}

// Rows and columns side by side. sum[4 * i + j] += a[k * a_k + i] * b[k * b_k + j]
static inline void engram_block_outer(float *sum, const float *a, ptrdiff_t a_k, const float *b, ptrdiff_t b_k,
    size_t n) {
    ptrdiff_t a_step = a_k * (ptrdiff_t)sizeof(float), b_step = b_k * (ptrdiff_t)sizeof(float);
    #define OUTER_TERM \
        "vldmia %[a], {s0-s3}\n\t" \
        "vldmia %[b], {s4-s7}\n\t" \
        "add %[a], %[a], %[a_step]\n\t" \
        "add %[b], %[b], %[b_step]\n\t" \
        TERM("s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7")
    __asm__ volatile (
        TWO_BY_TWO(OUTER_TERM OUTER_TERM, OUTER_TERM)
        : [a] "+r" (a), [b] "+r" (b), [n] "+r" (n)
        : [sum] "r" (sum), [a_step] "r" (a_step), [b_step] "r" (b_step)
        : "cc", "memory", SUM_REGISTERS, VALUE_REGISTERS);
    #undef OUTER_TERM
}

// Eight terms of one sum, in order; products run one ahead of the sums.
#if ENGRAM_VMLA
#define EIGHT(c) \
    "vmla.f32 " c ", s0, s4\n\t" "vmla.f32 " c ", s1, s5\n\t" \
    "vmla.f32 " c ", s2, s6\n\t" "vmla.f32 " c ", s3, s7\n\t" \
    "vmla.f32 " c ", s20, s8\n\t" "vmla.f32 " c ", s21, s9\n\t" \
    "vmla.f32 " c ", s22, s10\n\t" "vmla.f32 " c ", s23, s11\n\t"
#else
#define EIGHT(c) \
    "vmul.f32 s14, s0, s4\n\t" "vmul.f32 s15, s1, s5\n\t" \
    "vadd.f32 " c ", " c ", s14\n\t" "vmul.f32 s14, s2, s6\n\t" \
    "vadd.f32 " c ", " c ", s15\n\t" "vmul.f32 s15, s3, s7\n\t" \
    "vadd.f32 " c ", " c ", s14\n\t" "vmul.f32 s14, s20, s8\n\t" \
    "vadd.f32 " c ", " c ", s15\n\t" "vmul.f32 s15, s21, s9\n\t" \
    "vadd.f32 " c ", " c ", s14\n\t" "vmul.f32 s14, s22, s10\n\t" \
    "vadd.f32 " c ", " c ", s15\n\t" "vmul.f32 s15, s23, s11\n\t" \
    "vadd.f32 " c ", " c ", s14\n\t" \
    "vadd.f32 " c ", " c ", s15\n\t"
#endif

// One row, four columns, all along the sum; eights (not 0) times eight terms.
static inline void engram_row_dot(float *sum, const float *a, const float *b, ptrdiff_t b_j, size_t eights) {
    const float *b1 = b + b_j, *b2 = b1 + b_j, *b3 = b2 + b_j;
    __asm__ volatile (
        "vldmia %[sum], {s16-s19}\n"
        "1:\n\t"
        "vldmia %[a]!, {s0-s3}\n\t"
        "vldmia %[a]!, {s20-s23}\n\t"
        "vldmia %[b0]!, {s4-s11}\n\t"
        EIGHT("s16")
        "vldmia %[b1]!, {s4-s11}\n\t"
        EIGHT("s17")
        "vldmia %[b2]!, {s4-s11}\n\t"
        EIGHT("s18")
        "vldmia %[b3]!, {s4-s11}\n\t"
        EIGHT("s19")
        "subs %[n], %[n], #1\n\t"
        "bne 1b\n\t"
        "vstmia %[sum], {s16-s19}\n"
        : [a] "+r" (a), [b0] "+r" (b), [b1] "+r" (b1), [b2] "+r" (b2), [b3] "+r" (b3), [n] "+r" (eights)
        : [sum] "r" (sum)
        : "cc", "memory", SUM_REGISTERS, VALUE_REGISTERS);
}

// One row along the sum, sixteen columns side by side; n is not 0. sum[j] += a[k] * b[k * b_k + j]
static inline void engram_row_axpy(float *sum, const float *a, const float *b, ptrdiff_t b_k, size_t n) {
    ptrdiff_t step = (b_k - 8) * (ptrdiff_t)sizeof(float);
    __asm__ volatile (
        "vldmia %[sum], {s16-s31}\n"
        "1:\n\t"
        "vldmia %[a]!, {s0}\n\t"
        "vldmia %[b]!, {s4-s11}\n\t"
        PAIR("s16", "s0", "s4", "s17", "s0", "s5")
        PAIR("s18", "s0", "s6", "s19", "s0", "s7")
        PAIR("s20", "s0", "s8", "s21", "s0", "s9")
        PAIR("s22", "s0", "s10", "s23", "s0", "s11")
        "vldmia %[b], {s4-s11}\n\t"
        "add %[b], %[b], %[step]\n\t"
        PAIR("s24", "s0", "s4", "s25", "s0", "s5")
        PAIR("s26", "s0", "s6", "s27", "s0", "s7")
        PAIR("s28", "s0", "s8", "s29", "s0", "s9")
        PAIR("s30", "s0", "s10", "s31", "s0", "s11")
        "subs %[n], %[n], #1\n\t"
        "bne 1b\n\t"
        "vstmia %[sum], {s16-s31}\n"
        : [a] "+r" (a), [b] "+r" (b), [n] "+r" (n)
        : [sum] "r" (sum), [step] "r" (step)
        : "cc", "memory", SUM_REGISTERS, VALUE_REGISTERS);
}

// A product of one term added to memory, four rows: out[i * out_i + j] += a[i] * b[j], for
// eights (not 0) times eight columns.
#define RANK_ONE(row, x) \
        "vldmia %[" row "], {s16-s23}\n\t" \
        PAIR("s16", x, "s4", "s17", x, "s5") \
        PAIR("s18", x, "s6", "s19", x, "s7") \
        PAIR("s20", x, "s8", "s21", x, "s9") \
        PAIR("s22", x, "s10", "s23", x, "s11") \
        "vstmia %[" row "]!, {s16-s23}\n\t"
static inline void engram_rank_one(float *out, ptrdiff_t out_i, const float *a, const float *b, size_t eights) {
    float *o1 = out + out_i, *o2 = o1 + out_i, *o3 = o2 + out_i;
    __asm__ volatile (
        "vldmia %[a], {s0-s3}\n"
        "1:\n\t"
        "vldmia %[b]!, {s4-s11}\n\t"
        RANK_ONE("o0", "s0")
        RANK_ONE("o1", "s1")
        RANK_ONE("o2", "s2")
        RANK_ONE("o3", "s3")
        "subs %[n], %[n], #1\n\t"
        "bne 1b\n"
        : [o0] "+r" (out), [o1] "+r" (o1), [o2] "+r" (o2), [o3] "+r" (o3), [b] "+r" (b), [n] "+r" (eights)
        : [a] "r" (a)
        : "cc", "memory", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", VALUE_REGISTERS);
}
#undef RANK_ONE

// Eight sums side by side over `rows` times `columns` (neither 0) pairs of eights:
// sum[j] += a[j] * b[j], a and b stepping `step` bytes a column and `skip` more a row.
static inline void engram_lanes_8(float *sum, const float *a, ptrdiff_t a_step, ptrdiff_t a_skip,
    const float *b, ptrdiff_t b_step, ptrdiff_t b_skip, int32_t rows, int32_t columns) {
    int32_t n;
    __asm__ volatile (
        "vldmia %[sum], {s16-s23}\n"
        "1:\n\t"
        "mov %[n], %[columns]\n"
        "2:\n\t"
        "vldmia %[a], {s0-s7}\n\t"
        "vldmia %[b], {s24-s31}\n\t"
        "add %[a], %[a], %[a_step]\n\t"
        "add %[b], %[b], %[b_step]\n\t"
        PAIR("s16", "s0", "s24", "s17", "s1", "s25")
        PAIR("s18", "s2", "s26", "s19", "s3", "s27")
        PAIR("s20", "s4", "s28", "s21", "s5", "s29")
        PAIR("s22", "s6", "s30", "s23", "s7", "s31")
        "subs %[n], %[n], #1\n\t"
        "bne 2b\n\t"
        "add %[a], %[a], %[a_skip]\n\t"
        "add %[b], %[b], %[b_skip]\n\t"
        "subs %[rows], %[rows], #1\n\t"
        "bne 1b\n\t"
        "vstmia %[sum], {s16-s23}\n"
        : [a] "+r" (a), [b] "+r" (b), [rows] "+r" (rows), [n] "=&r" (n)
        : [sum] "r" (sum), [columns] "r" (columns), [a_step] "r" (a_step), [a_skip] "r" (a_skip),
          [b_step] "r" (b_step), [b_skip] "r" (b_skip)
        : "cc", "memory", SUM_REGISTERS, VALUE_REGISTERS);
}

// Windows of 3 x 3 of four channels, three or two side by side: sums in s0..s11, a row of the
// window's weights in s16..s27, one column of x in s28..s31, which is loaded once for all the
// windows that it lies in. Every sum still takes its terms row by row, from left to right.
typedef struct {                     // read by offset; steps are bytes
    ptrdiff_t x_right, x_skip;       // from column to column, from the end of a row to the next
    uint32_t has_first, has_last;    // whether the outermost columns are there; if not, padding
    const float *bias;               // (4) or NULL
    const float *w;                  // (rows, 3, 4)
    uint32_t rows;                   // of the window, not 0
    ptrdiff_t x_down, out_down;      // from the end of these windows to those below
    ptrdiff_t out_right;
    const float *zeros;              // (12)
} engram_windows_t;

#define NEXT_COLUMN \
    "vldmia r1, {s28-s31}\n\t" \
    "add r1, r1, r2\n\t"
#define TAP_4(c0, c1, c2, c3, w0, w1, w2, w3) PAIR(c0, "s28", w0, c1, "s29", w1) PAIR(c2, "s30", w2, c3, "s31", w3)
#define LEFT_TAP(c0, c1, c2, c3) TAP_4(c0, c1, c2, c3, "s16", "s17", "s18", "s19")
#define MIDDLE_TAP(c0, c1, c2, c3) TAP_4(c0, c1, c2, c3, "s20", "s21", "s22", "s23")
#define RIGHT_TAP(c0, c1, c2, c3) TAP_4(c0, c1, c2, c3, "s24", "s25", "s26", "s27")
#define ADD_BIAS(c0, c1, c2, c3) \
    "vadd.f32 " c0 ", " c0 ", s28\n\t" \
    "vadd.f32 " c1 ", " c1 ", s29\n\t" \
    "vadd.f32 " c2 ", " c2 ", s30\n\t" \
    "vadd.f32 " c3 ", " c3 ", s31\n\t"
#define FIRST(DO) DO("s0", "s1", "s2", "s3")
#define SECOND(DO) DO("s4", "s5", "s6", "s7")
#define THIRD(DO) DO("s8", "s9", "s10", "s11")
// out and x of n (not 0) of them, one below the other.
#define WINDOWS(name, SUMS, INNER, OUTER, BIAS, STORE) \
    static __attribute__((naked, noinline, unused)) void name(const engram_windows_t *t, const float *x, \
        float *out, uint32_t n) { \
        (void)t, (void)x, (void)out, (void)n;  /* in r0 to r3 */ \
        __asm__ volatile ( \
            "push {r4-r11, lr}\n\t" \
            "vpush {d8-d15}\n\t" \
            "mov r9, r2\n\t" \
            "mov r12, r3\n\t" \
            "ldmia r0, {r2-r6}\n\t" \
            "ldrd r10, r11, [r0, #36]\n" \
            "0:\n\t" \
            "vldmia r11, {" SUMS "}\n\t" \
            "ldrd r7, r8, [r0, #20]\n" \
            "1:\n\t" \
            "vldmia r7!, {s16-s27}\n\t" \
            "cbz r4, 2f\n\t" \
            NEXT_COLUMN FIRST(LEFT_TAP) \
            "2:\n\t" \
            NEXT_COLUMN FIRST(MIDDLE_TAP) SECOND(LEFT_TAP) \
            INNER \
            "cbz r5, 3f\n\t" \
            NEXT_COLUMN OUTER \
            "3:\n\t" \
            "add r1, r1, r3\n\t" \
            "subs r8, r8, #1\n\t" \
            "bne 1b\n\t" \
            "cbz r6, 4f\n\t" \
            "vldmia r6, {s28-s31}\n\t" \
            BIAS \
            "4:\n\t" \
            "ldrd r7, r8, [r0, #28]\n\t" \
            "vstmia r9, {s0-s3}\n\t" \
            "add r9, r9, r10\n\t" \
            "vstmia r9, {s4-s7}\n\t" \
            STORE \
            "add r1, r1, r7\n\t" \
            "add r9, r9, r8\n\t" \
            "subs r12, r12, #1\n\t" \
            "bne 0b\n\t" \
            "vpop {d8-d15}\n\t" \
            "pop {r4-r11, pc}\n" \
            ); \
    }
WINDOWS(engram_windows_3, "s0-s11",
    NEXT_COLUMN FIRST(RIGHT_TAP) SECOND(MIDDLE_TAP) THIRD(LEFT_TAP)
    NEXT_COLUMN SECOND(RIGHT_TAP) THIRD(MIDDLE_TAP),
    THIRD(RIGHT_TAP),
    FIRST(ADD_BIAS) SECOND(ADD_BIAS) THIRD(ADD_BIAS),
    "add r9, r9, r10\n\t" "vstmia r9, {s8-s11}\n\t")
WINDOWS(engram_windows_2, "s0-s7",
    NEXT_COLUMN FIRST(RIGHT_TAP) SECOND(MIDDLE_TAP),
    SECOND(RIGHT_TAP),
    FIRST(ADD_BIAS) SECOND(ADD_BIAS),
    "")
#undef NEXT_COLUMN
#undef TAP_4
#undef LEFT_TAP
#undef MIDDLE_TAP
#undef RIGHT_TAP
#undef ADD_BIAS
#undef FIRST
#undef SECOND
#undef THIRD
#undef WINDOWS

// out (16) = a (16)
static inline void engram_copy_16(float *out, const float *a) {
    __asm__ volatile (
        "vldmia %[a], {s0-s15}\n\t"
        "vstmia %[out], {s0-s15}\n"
        :
        : [out] "r" (out), [a] "r" (a)
        : "memory", VALUE_REGISTERS);
}

// out (4) = a (4) + b (4); out may be a or b
static inline void engram_add_4(float *out, const float *a, const float *b) {
    __asm__ volatile (
        "vldmia %[a], {s0-s3}\n\t"
        "vldmia %[b], {s4-s7}\n\t"
        "vadd.f32 s0, s0, s4\n\t"
        "vadd.f32 s1, s1, s5\n\t"
        "vadd.f32 s2, s2, s6\n\t"
        "vadd.f32 s3, s3, s7\n\t"
        "vstmia %[out], {s0-s3}\n"
        :
        : [out] "r" (out), [a] "r" (a), [b] "r" (b)
        : "memory", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7");
}

#include "engram_simd_fpu_some.h"

#undef PAIR
#undef COLUMN
#undef TERM
#undef ROWS_2
#undef ROWS_1
#undef TWO_BY_TWO
#undef EIGHT
#undef SUM_REGISTERS
#undef VALUE_REGISTERS

#endif
