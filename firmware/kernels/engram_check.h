// The checks kernels make before their first store. Each fills the fault and returns false.
#ifndef ENGRAM_CHECK_H
#define ENGRAM_CHECK_H

#include <stdbool.h>

#include "engram_kernels.h"

// No buffer of any supported type can have more elements; products stay below it.
#define ENGRAM_MAX_ELEMENTS ((size_t)PTRDIFF_MAX / sizeof(float))

static inline bool engram_refuse(engram_fault_t *fault, engram_fault_kind_t kind, int arg,
    int64_t expected, int64_t got) {
    fault->kind = (uint8_t)kind;
    fault->arg = (uint8_t)arg;
    fault->expected = expected;
    fault->got = got;
    return false;
}

static inline bool engram_refuse_entry(engram_fault_t *fault, int arg, int32_t at,
    int64_t low, int64_t high, int64_t got) {
    fault->at = at;
    fault->limit = high;
    return engram_refuse(fault, ENGRAM_FAULT_ENTRY, arg, low, got);
}

static inline bool engram_refuse_value(engram_fault_t *fault, int arg, const char *expected) {
    fault->text = expected;
    return engram_refuse(fault, ENGRAM_FAULT_VALUE, arg, 0, 0);
}

// Whether n is d0*d1*d2*d3, all of them small: what comes as a rule. No product here overflows.
static inline bool engram_is_product(size_t n, int32_t d0, int32_t d1, int32_t d2, int32_t d3) {
    return ((d0 | d1) & ~0x7fff) == 0 && ((d2 | d3) == 1 || ((d0 | d1 | d2 | d3) & ~0xff) == 0)
           && (uint32_t)d0 * (uint32_t)d1 * (uint32_t)d2 * (uint32_t)d3 == n;
}

// The buffer `arg` of n elements holds exactly d0*d1*d2*d3. Dimensions are not negative.
bool engram_need_any(engram_fault_t *fault, int arg, size_t n, int32_t d0, int32_t d1, int32_t d2, int32_t d3);

#ifdef __OPTIMIZE_SIZE__
#define engram_need engram_need_any
#else
static inline bool engram_need(engram_fault_t *fault, int arg, size_t n,
    int32_t d0, int32_t d1, int32_t d2, int32_t d3) {
    return engram_is_product(n, d0, d1, d2, d3) || engram_need_any(fault, arg, n, d0, d1, d2, d3);
}
#endif

// The buffer `arg` is as long as the first one, which has `first` elements.
static inline bool engram_same(engram_fault_t *fault, int arg, size_t n, size_t first) {
    return n == first || engram_refuse(fault, ENGRAM_FAULT_LENGTH, arg, (int64_t)first, (int64_t)n);
}

// The int argument `arg` is at least `low`.
static inline bool engram_dim(engram_fault_t *fault, int arg, int32_t value, int32_t low) {
    return value >= low || engram_refuse(fault, ENGRAM_FAULT_DIM, arg, low, value);
}

// geom has 14 entries that describe windows which all start inside the padded input.
// channelwise: K must equal C.
bool engram_geom(engram_fault_t *fault, int arg, engram_l_t geom, bool channelwise);

#endif
