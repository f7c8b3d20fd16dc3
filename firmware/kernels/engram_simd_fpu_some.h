// float32 blocks over listed structures, for cores with an FPU; as those of engram_simd_fpu.h, which
// includes this where its macros are there.
#ifndef ENGRAM_SIMD_FPU_SOME_H
#define ENGRAM_SIMD_FPU_SOME_H

// Four rows, four columns side by side, n listed terms (not 0):
// sum[4 * i + j] += a[i * a_i + k] * b[k * b_k + j] for each k of the list
static inline void engram_listed_axpy_4(float *sum, const float *a, ptrdiff_t a_i, const float *b, ptrdiff_t b_k,
    const int32_t *list, size_t n) {
    const ptrdiff_t a_step = a_i * (ptrdiff_t)sizeof(float), b_step = b_k * (ptrdiff_t)sizeof(float);
    int32_t k;
    const float *at;
    __asm__ volatile (
        "vldmia %[sum], {s16-s31}\n"
        "1:\n\t"
        "ldr %[k], [%[list]], #4\n\t"
        "add %[at], %[a], %[k], lsl #2\n\t"
        "vldr s0, [%[at]]\n\t"
        "add %[at], %[at], %[a_step]\n\t"
        "vldr s1, [%[at]]\n\t"
        "add %[at], %[at], %[a_step]\n\t"
        "vldr s2, [%[at]]\n\t"
        "add %[at], %[at], %[a_step]\n\t"
        "vldr s3, [%[at]]\n\t"
        "mla %[at], %[k], %[b_step], %[b]\n\t"
        "vldmia %[at], {s4-s7}\n\t"
        TERM("s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7")
        "subs %[n], %[n], #1\n\t"
        "bne 1b\n\t"
        "vstmia %[sum], {s16-s31}\n"
        : [list] "+r" (list), [n] "+r" (n), [k] "=&r" (k), [at] "=&r" (at)
        : [sum] "r" (sum), [a] "r" (a), [b] "r" (b), [a_step] "r" (a_step), [b_step] "r" (b_step)
        : "cc", "memory", SUM_REGISTERS, VALUE_REGISTERS);
}

// One row, sixteen columns side by side, n listed terms (not 0):
// sum[j] += a[k] * b[k * b_k + j] for each k of the list
static inline void engram_listed_axpy_1(float *sum, const float *a, const float *b, ptrdiff_t b_k,
    const int32_t *list, size_t n) {
    const ptrdiff_t step = b_k * (ptrdiff_t)sizeof(float);
    int32_t k;
    const float *at;
    __asm__ volatile (
        "vldmia %[sum], {s16-s31}\n"
        "1:\n\t"
        "ldr %[k], [%[list]], #4\n\t"
        "add %[at], %[a], %[k], lsl #2\n\t"
        "vldr s0, [%[at]]\n\t"
        "mla %[at], %[k], %[step], %[b]\n\t"
        "vldmia %[at]!, {s4-s11}\n\t"
        PAIR("s16", "s0", "s4", "s17", "s0", "s5")
        PAIR("s18", "s0", "s6", "s19", "s0", "s7")
        PAIR("s20", "s0", "s8", "s21", "s0", "s9")
        PAIR("s22", "s0", "s10", "s23", "s0", "s11")
        "vldmia %[at], {s4-s11}\n\t"
        PAIR("s24", "s0", "s4", "s25", "s0", "s5")
        PAIR("s26", "s0", "s6", "s27", "s0", "s7")
        PAIR("s28", "s0", "s8", "s29", "s0", "s9")
        PAIR("s30", "s0", "s10", "s31", "s0", "s11")
        "subs %[n], %[n], #1\n\t"
        "bne 1b\n\t"
        "vstmia %[sum], {s16-s31}\n"
        : [list] "+r" (list), [n] "+r" (n), [k] "=&r" (k), [at] "=&r" (at)
        : [sum] "r" (sum), [a] "r" (a), [b] "r" (b), [step] "r" (step)
        : "cc", "memory", SUM_REGISTERS, VALUE_REGISTERS);
}

// Four rows that lie anywhere, four columns side by side, n terms (not 0):
// sum[4 * i + j] += a[list[i] + k * a_k] * b[k * b_k + j]
static inline void engram_listed_outer(float *sum, const float *a, ptrdiff_t a_k, const float *b, ptrdiff_t b_k,
    const int32_t *list, size_t n) {
    const ptrdiff_t a_step = a_k * (ptrdiff_t)sizeof(float), b_step = b_k * (ptrdiff_t)sizeof(float);
    const float *a0 = a + list[0], *a1 = a + list[1], *a2 = a + list[2], *a3 = a + list[3];
    __asm__ volatile (
        "vldmia %[sum], {s16-s31}\n"
        "1:\n\t"
        "vldr s0, [%[a0]]\n\t"
        "add %[a0], %[a0], %[a_step]\n\t"
        "vldr s1, [%[a1]]\n\t"
        "add %[a1], %[a1], %[a_step]\n\t"
        "vldr s2, [%[a2]]\n\t"
        "add %[a2], %[a2], %[a_step]\n\t"
        "vldr s3, [%[a3]]\n\t"
        "add %[a3], %[a3], %[a_step]\n\t"
        "vldmia %[b], {s4-s7}\n\t"
        "add %[b], %[b], %[b_step]\n\t"
        TERM("s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7")
        "subs %[n], %[n], #1\n\t"
        "bne 1b\n\t"
        "vstmia %[sum], {s16-s31}\n"
        : [a0] "+r" (a0), [a1] "+r" (a1), [a2] "+r" (a2), [a3] "+r" (a3), [b] "+r" (b), [n] "+r" (n)
        : [sum] "r" (sum), [a_step] "r" (a_step), [b_step] "r" (b_step)
        : "cc", "memory", SUM_REGISTERS, VALUE_REGISTERS);
}

// A product added to memory: out[j] += a[0] * b[j] for eights (not 0) times eight columns.
static inline void engram_scaled_row(float *out, const float *a, const float *b, size_t eights) {
    __asm__ volatile (
        "vldr s0, [%[a]]\n"
        "1:\n\t"
        "vldmia %[b]!, {s4-s11}\n\t"
        "vldmia %[out], {s16-s23}\n\t"
        PAIR("s16", "s0", "s4", "s17", "s0", "s5")
        PAIR("s18", "s0", "s6", "s19", "s0", "s7")
        PAIR("s20", "s0", "s8", "s21", "s0", "s9")
        PAIR("s22", "s0", "s10", "s23", "s0", "s11")
        "vstmia %[out]!, {s16-s23}\n\t"
        "subs %[n], %[n], #1\n\t"
        "bne 1b\n"
        : [out] "+r" (out), [b] "+r" (b), [n] "+r" (eights)
        : [a] "r" (a)
        : "cc", "memory", SUM_REGISTERS, VALUE_REGISTERS);
}

#endif
