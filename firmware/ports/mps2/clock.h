// Time and the exact instruction counter.
//
// QEMU runs the machine with -icount shift=N: one instruction takes 2**N ns of virtual time, and a
// timer reads that time in steps of 31 to 50 ns. Between two reads with no idling the instructions
// executed are therefore known exactly (the rounding of both reads is less than half an
// instruction). While the core idles, virtual time follows the host; waiting is bracketed by
// hold and release, so it never counts. Interrupt handlers are bracketed too: when a byte happens
// to arrive does not change the count of the program it interrupts.
#pragma once

#include <stdint.h>

#include "board_config.h"
#include "mps2.h"
#include MACHINE_TIMER_H

void clock_init(void);

// Virtual time since power on, in ticks of the timer.
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

// What both ways of counting rest on: this one, and engram_ticks.h. A tick of a 32 MHz clock is a
// whole number of quarters of a nanosecond.
#define CLOCK_TICK_QNS (4000000000u / MACHINE_CLOCK_HZ)
#define CLOCK_INSTRUCTION_QNS (4u << ENGRAM_ICOUNT_SHIFT)
_Static_assert(CLOCK_TICK_QNS * MACHINE_CLOCK_HZ == 4000000000u, "a tick of whole 0.25 ns expected");

// Instructions of interrupt handlers since the last wait.
extern uint32_t clock_of_handlers;

static inline uint64_t clock_rounded(uint64_t ticks) {
    return (ticks * CLOCK_TICK_QNS + CLOCK_INSTRUCTION_QNS / 2) / CLOCK_INSTRUCTION_QNS;
}
