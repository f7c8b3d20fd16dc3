// Time and the exact instruction counter.
//
// QEMU runs this machine with -icount shift=N: one instruction takes 2**N ns of virtual time, and
// timer 0 reads that time in steps of 40 ns. Between two reads with no idling the instructions
// executed are therefore known exactly (the rounding of both reads is less than half an
// instruction). While the core idles, virtual time follows the host; waiting is bracketed by
// hold and release, so it never counts. Interrupt handlers are bracketed too: when a byte happens
// to arrive does not change the count of the program it interrupts.
#pragma once

#include <stdint.h>

#include "board_config.h"
#include "mps2.h"

void clock_init(void);

// Nanoseconds/40 of virtual time since power on.
uint64_t clock_ticks(void);

// Instructions executed since power on outside of waits and interrupt handlers. Not to be asked for
// between hold and release.
uint64_t clock_instructions(void);

// Stop and restart the instruction counter; nestable.
void clock_hold(void);
void clock_release(void);

// Wait for an interrupt, at most timeout_ms (negative: no limit). Uncounted. Returns at once when a
// handler ran since the last wait, so that what it did is never slept over.
void clock_wait(int timeout_ms);

// What both ways of counting rest on: this one, and engram_ticks.h.
#define CLOCK_TICK_NS (1000000000u / SYSTEM_CLOCK_HZ)
#define CLOCK_INSTRUCTION_NS (1u << ENGRAM_ICOUNT_SHIFT)
#define CLOCK_FREE_RUNNING (0)  // timer 0

// Instructions of interrupt handlers since the last wait.
extern uint32_t clock_of_handlers;

static inline uint32_t clock_low_ticks(void) {
    return ~TIMER_VALUE(CLOCK_FREE_RUNNING);
}

static inline uint64_t clock_rounded(uint64_t ticks) {
    return (ticks * CLOCK_TICK_NS + CLOCK_INSTRUCTION_NS / 2) / CLOCK_INSTRUCTION_NS;
}
