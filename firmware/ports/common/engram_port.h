// What the board module needs from a port.
#pragma once

#include <stdint.h>

// The board's measuring counter (ENGRAM_COUNTER_KIND, ENGRAM_COUNTER_UNIT), modulo 2**30:
// the period of MicroPython's time.ticks_*, so that time.ticks_diff() works on it.
#define ENGRAM_COUNTER_MASK (0x3fffffffu)
uint32_t engram_counter(void);

// Sizes in bytes; 0 where a port has no such limit.
typedef struct {
    uint32_t ram, data, bss, heap, stack, firmware;
} engram_memory_t;
engram_memory_t engram_memory(void);
