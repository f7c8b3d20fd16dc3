#include "py/mphal.h"
#include "py/runtime.h"

#include "board_config.h"
#include "clock.h"
#include "engram_port.h"
#include "mps2.h"

#define TICK_NS (1000000000u / SYSTEM_CLOCK_HZ)
#define INSTRUCTION_NS (1u << ENGRAM_ICOUNT_SHIFT)

// One instruction must be longer than two roundings of the timer, else reads are not exact.
_Static_assert(INSTRUCTION_NS > 2 * TICK_NS, "[virtual] icount_shift is too small");

#define FREE_RUNNING (0)    // timer 0
#define WAKE_UP (1)         // timer 1

static uint64_t last_ticks;     // at the last update of counted
static uint64_t counted;        // instructions
static uint32_t held;           // depth of clock_hold

void clock_init(void) {
    TIMER_CTRL(FREE_RUNNING) = 0;
    TIMER_RELOAD(FREE_RUNNING) = 0xffffffffu;
    TIMER_VALUE(FREE_RUNNING) = 0xffffffffu;
    TIMER_CTRL(FREE_RUNNING) = TIMER_CTRL_ENABLE;
    NVIC_ENABLE = 1u << IRQ_TIMER1;
    last_ticks = clock_ticks();
}

// The timer wraps every 172 s; the count of whole seconds says how often it has.
uint64_t clock_ticks(void) {
    uint32_t low = ~TIMER_VALUE(FREE_RUNNING);
    uint64_t coarse = (uint64_t)FPGAIO_CLK1HZ * SYSTEM_CLOCK_HZ;
    uint64_t wraps = (coarse - low + 0x80000000u) >> 32;
    return (wraps << 32) + low;
}

static void update(void) {
    uint64_t now = clock_ticks();
    counted += ((now - last_ticks) * TICK_NS + INSTRUCTION_NS / 2) / INSTRUCTION_NS;
    last_ticks = now;
}

uint64_t clock_instructions(void) {
    uint32_t state = irq_disable();
    if (!held) {
        update();
    }
    uint64_t result = counted;
    irq_restore(state);
    return result;
}

void clock_hold(void) {
    uint32_t state = irq_disable();
    if (held++ == 0) {
        update();
    }
    irq_restore(state);
}

void clock_release(void) {
    uint32_t state = irq_disable();
    if (--held == 0) {
        last_ticks = clock_ticks();
    }
    irq_restore(state);
}

static volatile bool event;     // a handler ran since the last wait

void clock_event(void) {
    event = true;
}

static void wake_up_after(int timeout_ms) {
    // The timer has 32 bits; callers wait in a loop, so a shorter wait is as good.
    uint32_t ms = timeout_ms > 100000 ? 100000 : timeout_ms;
    TIMER_CTRL(WAKE_UP) = 0;
    TIMER_INTCLEAR(WAKE_UP) = 1;
    TIMER_RELOAD(WAKE_UP) = 0;  // one shot
    TIMER_VALUE(WAKE_UP) = ms ? ms * (SYSTEM_CLOCK_HZ / 1000) : 1;
    TIMER_CTRL(WAKE_UP) = TIMER_CTRL_ENABLE | TIMER_CTRL_IRQ;
}

void clock_wait(int timeout_ms) {
    clock_hold();
    // With interrupts off no handler can run between the look at event and the wait, and one that
    // becomes pending ends the wait.
    uint32_t state = irq_disable();
    if (!event) {
        if (timeout_ms >= 0) {
            wake_up_after(timeout_ms);
        }
        __asm volatile ("dsb\n wfi" ::: "memory");
        if (timeout_ms >= 0) {
            TIMER_CTRL(WAKE_UP) = 0;
        }
    }
    event = false;
    irq_restore(state);
    clock_release();
}

void timer1_handler(void) {
    CLOCK_HANDLER_ENTER();
    TIMER_INTCLEAR(WAKE_UP) = 1;
    CLOCK_HANDLER_LEAVE();
}

uint32_t engram_counter(void) {
    return (uint32_t)clock_instructions() & ENGRAM_COUNTER_MASK;
}

mp_uint_t mp_hal_ticks_ms(void) {
    return (mp_uint_t)(clock_ticks() / (SYSTEM_CLOCK_HZ / 1000));
}

mp_uint_t mp_hal_ticks_us(void) {
    return (mp_uint_t)(clock_ticks() / (SYSTEM_CLOCK_HZ / 1000000));
}

uint64_t mp_hal_time_ns(void) {
    return clock_ticks() * TICK_NS;
}

void mp_hal_delay_ms(mp_uint_t ms) {
    uint64_t end = clock_ticks() + (uint64_t)ms * (SYSTEM_CLOCK_HZ / 1000);
    for (;;) {
        mp_handle_pending(true);
        uint64_t now = clock_ticks();
        if (now >= end) {
            return;
        }
        uint64_t left = (end - now) / (SYSTEM_CLOCK_HZ / 1000);
        clock_wait(left > 100000 ? 100000 : (int)left);
    }
}

void mp_hal_delay_us(mp_uint_t us) {
    uint64_t end = clock_ticks() + (uint64_t)us * (SYSTEM_CLOCK_HZ / 1000000);
    while (clock_ticks() < end) {
    }
}
