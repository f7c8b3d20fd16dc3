// The counter the kernels' face brackets every kernel with (see firmware/binding), where a port has
// none of its own: that of the board module.
#pragma once

#include "engram_port.h"

typedef uint32_t engram_mark_t;

static inline engram_mark_t engram_mark(void) {
    return engram_counter();
}

static inline uint32_t engram_since(engram_mark_t mark) {
    return (engram_counter() - mark) & ENGRAM_COUNTER_MASK;
}
