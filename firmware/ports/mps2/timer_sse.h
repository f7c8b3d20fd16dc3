// Time from the SSE-300's system counter; its system timer 0 wakes the core up.
#pragma once

#include "mps2.h"

// The counter, as its owner sees it.
#define COUNTER_CR REG(MACHINE_COUNTER_BASE + 0x0)
#define COUNTER_CR_ENABLE (1u << 0)

// The timer: the count of the counter, and an interrupt while it is past a value.
#define TIMER_COUNT_LOW REG(MACHINE_TIMER_BASE + 0x0)
#define TIMER_COUNT_HIGH REG(MACHINE_TIMER_BASE + 0x4)
#define TIMER_VALUE REG(MACHINE_TIMER_BASE + 0x28)
#define TIMER_CTRL REG(MACHINE_TIMER_BASE + 0x2c)
#define TIMER_CTRL_ENABLE (1u << 0)

static inline void timer_init(void) {
    COUNTER_CR = COUNTER_CR_ENABLE;
}

static inline uint32_t timer_low_ticks(void) {
    return TIMER_COUNT_LOW;
}

// The two halves are read one after the other; a low half that has just wrapped tells which of the
// two looks at the high one belongs to it. Without a branch: every reading takes the same time.
static inline uint64_t timer_ticks(void) {
    uint32_t before = TIMER_COUNT_HIGH;
    uint32_t low = TIMER_COUNT_LOW;
    uint32_t after = TIMER_COUNT_HIGH;
    uint32_t high = before + ((after - before) & ~-(low >> 31));
    return (uint64_t)high << 32 | low;
}

static inline void timer_wake_up_off(void) {
    TIMER_CTRL = 0;
}

static inline void timer_wake_up_after(uint32_t ticks) {
    TIMER_VALUE = ticks;
    TIMER_CTRL = TIMER_CTRL_ENABLE;
}
