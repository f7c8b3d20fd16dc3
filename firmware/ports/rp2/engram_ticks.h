// The counter the kernels' face brackets every kernel with (see firmware/binding): processor cycles.
#pragma once

#include "engram_port.h"

typedef uint32_t engram_mark_t;

static inline engram_mark_t engram_mark(void) {
    return engram_counter();
}

static inline uint32_t engram_since(engram_mark_t mark) {
    return (engram_counter() - mark) & ENGRAM_COUNTER_MASK;
}
