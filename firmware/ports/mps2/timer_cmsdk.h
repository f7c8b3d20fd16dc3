// Time from CMSDK APB timers: timer 0 runs freely, timer 1 wakes the core up.
#pragma once

#include "mps2.h"

// They count down from RELOAD at the system clock.
#define TIMER(n, offset) REG(MACHINE_TIMER_BASE + 0x1000 * (n) + (offset))
#define TIMER_CTRL(n) TIMER(n, 0x0)
#define TIMER_VALUE(n) TIMER(n, 0x4)
#define TIMER_RELOAD(n) TIMER(n, 0x8)
#define TIMER_INTCLEAR(n) TIMER(n, 0xc)
#define TIMER_CTRL_ENABLE (1u << 0)
#define TIMER_CTRL_IRQ (1u << 3)
#define TIMER_FREE_RUNNING (0)
#define TIMER_WAKE_UP (1)

// FPGAIO: a count of seconds since power on.
#define FPGAIO_CLK1HZ REG(MACHINE_FPGAIO_BASE + 0x10)

static inline void timer_init(void) {
    TIMER_CTRL(TIMER_FREE_RUNNING) = 0;
    TIMER_RELOAD(TIMER_FREE_RUNNING) = 0xffffffffu;
    TIMER_VALUE(TIMER_FREE_RUNNING) = 0xffffffffu;
    TIMER_CTRL(TIMER_FREE_RUNNING) = TIMER_CTRL_ENABLE;
}

static inline uint32_t timer_low_ticks(void) {
    return ~TIMER_VALUE(TIMER_FREE_RUNNING);
}

// The timer wraps every few minutes; the count of whole seconds says how often it has.
static inline uint64_t timer_ticks(void) {
    uint32_t low = timer_low_ticks();
    uint64_t coarse = (uint64_t)FPGAIO_CLK1HZ * MACHINE_CLOCK_HZ;
    uint64_t wraps = (coarse - low + 0x80000000u) >> 32;
    return (wraps << 32) + low;
}

static inline void timer_wake_up_off(void) {
    TIMER_CTRL(TIMER_WAKE_UP) = 0;
    TIMER_INTCLEAR(TIMER_WAKE_UP) = 1;
}

static inline void timer_wake_up_after(uint32_t ticks) {
    timer_wake_up_off();
    TIMER_RELOAD(TIMER_WAKE_UP) = 0;  // one shot
    TIMER_VALUE(TIMER_WAKE_UP) = ticks;
    TIMER_CTRL(TIMER_WAKE_UP) = TIMER_CTRL_ENABLE | TIMER_CTRL_IRQ;
}
