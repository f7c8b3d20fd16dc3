// Which instructions the inner loops may use, decided here and nowhere else, from what the
// compiler says about the core:
//   ENGRAM_FPU     single-precision FPU: blocks of sums in registers     engram_simd_fpu.h
//   ENGRAM_PAIRS   DSP extension: two 16-bit products an instruction     engram_simd_pairs.h
//   ENGRAM_WIDE    the same with more code: depthwise, any number of windows
//   ENGRAM_NARROW  armv6m: four channels share one loaded byte           engram_simd_narrow.h
//   ENGRAM_VECTORS the compiler's own, in loops over sixteen bytes
// Without any, and with -DENGRAM_PLAIN, the portable C beside each fast path is built. With
// -DENGRAM_SMALL only the ENGRAM_PAIRS that are short. Fast and plain give the same bits: the order
// of every sum is the same, and so is every rounding.
#ifndef ENGRAM_SIMD_H
#define ENGRAM_SIMD_H

// Cortex-M and GCC only, where these paths are tested; unoptimised code has no registers to spare
// (-O2 is what all our builds give to engram_tile*.c, -Os is enough elsewhere).
#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M' && !defined(__ARM_BIG_ENDIAN) \
    && defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__) && !defined(ENGRAM_PLAIN)

#ifdef __ARM_FEATURE_SIMD32
#define ENGRAM_PAIRS
#endif

#ifndef ENGRAM_SMALL

#if defined(__thumb2__) && defined(__ARM_FP) && (__ARM_FP & 4) && !defined(__SOFTFP__)
#define ENGRAM_FPU
#endif

#ifdef ENGRAM_PAIRS
#define ENGRAM_WIDE
#endif

#ifdef __ARM_ARCH_6M__
#define ENGRAM_NARROW
#endif

#endif

#endif

// A product and its sum: VMUL and VADD, or VMLA, which rounds the product just the same. On a
// Cortex-M4 VMUL and VADD take a cycle each and VMLA takes three (its Technical Reference
// Manual, table of FPU instructions), so that the shorter sequence is the slower one. Cores with
// a double-precision FPU (M7, M55, M85) are of another make and issue VMLA as one.
// -DENGRAM_VMLA=0 or 1 overrides.
#ifndef ENGRAM_VMLA
#if defined(__ARM_FP) && (__ARM_FP & 8)
#define ENGRAM_VMLA 1
#else
#define ENGRAM_VMLA 0
#endif
#endif

#if (defined(__SSE2__) || defined(__ARM_NEON)) && !defined(ENGRAM_PLAIN)
#define ENGRAM_VECTORS
#endif

#include <stdint.h>

// A number of a sum of products, and the row of bytes that it is multiplied with.
typedef struct {
    int32_t v;
    const int8_t *b;
} engram_term_t;

#ifdef ENGRAM_FPU
#include "engram_simd_fpu.h"
#endif
#ifdef ENGRAM_PAIRS
#include "engram_simd_pairs.h"
#endif
#ifdef ENGRAM_NARROW
#include "engram_simd_narrow.h"
#endif

#endif
