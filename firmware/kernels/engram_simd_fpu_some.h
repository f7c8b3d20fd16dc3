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

// Sixteen columns side by side, n terms (not 0): out[j] += value[t] * b[at[t] + j]
static inline void engram_add_terms_16(float *out, const float *b, const float *value, const int32_t *at, size_t n) {
    const float *from;
    __asm__ volatile (
        "vldmia %[out], {s16-s31}\n"
        "1:\n\t"
        "ldr %[from], [%[at]], #4\n\t"
        "vldmia %[value]!, {s0}\n\t"
        "add %[from], %[b], %[from], lsl #2\n\t"
        "vldmia %[from]!, {s4-s11}\n\t"
        PAIR("s16", "s0", "s4", "s17", "s0", "s5")
        PAIR("s18", "s0", "s6", "s19", "s0", "s7")
        PAIR("s20", "s0", "s8", "s21", "s0", "s9")
        PAIR("s22", "s0", "s10", "s23", "s0", "s11")
        "vldmia %[from], {s4-s11}\n\t"
        PAIR("s24", "s0", "s4", "s25", "s0", "s5")
        PAIR("s26", "s0", "s6", "s27", "s0", "s7")
        PAIR("s28", "s0", "s8", "s29", "s0", "s9")
        PAIR("s30", "s0", "s10", "s31", "s0", "s11")
        "subs %[n], %[n], #1\n\t"
        "bne 1b\n\t"
        "vstmia %[out], {s16-s31}\n"
        : [at] "+r" (at), [value] "+r" (value), [n] "+r" (n), [from] "=&r" (from)
        : [out] "r" (out), [b] "r" (b)
        : "cc", "memory", SUM_REGISTERS, VALUE_REGISTERS);
}

// The same for four columns.
static inline void engram_add_terms_4(float *out, const float *b, const float *value, const int32_t *at, size_t n) {
    const float *from;
    __asm__ volatile (
        "vldmia %[out], {s16-s19}\n"
        "1:\n\t"
        "ldr %[from], [%[at]], #4\n\t"
        "vldmia %[value]!, {s0}\n\t"
        "add %[from], %[b], %[from], lsl #2\n\t"
        "vldmia %[from], {s4-s7}\n\t"
        PAIR("s16", "s0", "s4", "s17", "s0", "s5")
        PAIR("s18", "s0", "s6", "s19", "s0", "s7")
        "subs %[n], %[n], #1\n\t"
        "bne 1b\n\t"
        "vstmia %[out], {s16-s19}\n"
        : [at] "+r" (at), [value] "+r" (value), [n] "+r" (n), [from] "=&r" (from)
        : [out] "r" (out), [b] "r" (b)
        : "cc", "memory", SUM_REGISTERS, VALUE_REGISTERS);
}

#endif
