// The counter the kernels' face brackets every kernel with (see firmware/binding): the count of
// clock.h for a stretch without a wait and shorter than the timer's 134 s, in 32 bits.
#pragma once

#include "py/mphal.h"

#include "clock.h"

typedef struct {
    uint32_t ticks, of_handlers;
} engram_mark_t;

// A handler between the two looks would be seen by one of them only.
static inline engram_mark_t engram_mark(void) {
    uint32_t state = irq_disable();
    engram_mark_t mark = { timer_low_ticks(), clock_of_handlers };
    irq_restore(state);
    return mark;
}

static inline uint32_t engram_since(engram_mark_t mark) {
    engram_mark_t now = engram_mark();
    return (uint32_t)clock_rounded(now.ticks - mark.ticks) - (now.of_handlers - mark.of_handlers);
}
