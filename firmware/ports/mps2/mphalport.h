#pragma once

#include <stdint.h>

#include "py/mpconfig.h"
#include "shared/runtime/interrupt_char.h"

#include "clock.h"

// Interrupts off and on again, nestable.
static inline uint32_t irq_disable(void) {
    uint32_t primask;
    __asm volatile ("mrs %0, primask\n cpsid i" : "=r" (primask) :: "memory");
    return primask;
}
static inline void irq_restore(uint32_t primask) {
    __asm volatile ("msr primask, %0" :: "r" (primask) : "memory");
}
#define MICROPY_BEGIN_ATOMIC_SECTION() irq_disable()
#define MICROPY_END_ATOMIC_SECTION(state) irq_restore(state)

// Sleep until an interrupt, at most timeout_ms (negative: no limit).
#define MICROPY_INTERNAL_WFE(timeout_ms) clock_wait(timeout_ms)

#define mp_hal_ticks_cpu() ((mp_uint_t)clock_instructions())
