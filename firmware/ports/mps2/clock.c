#include "py/mphal.h"
#include "py/runtime.h"

#include "clock.h"
#include "engram_port.h"
#include "mps2.h"
#include "uart.h"

// One instruction must be longer than two roundings of the timer, else reads are not exact.
_Static_assert(CLOCK_INSTRUCTION_NS > 2 * CLOCK_TICK_NS, "[virtual] icount_shift is too small");

#define FREE_RUNNING CLOCK_FREE_RUNNING
#define WAKE_UP (1)         // timer 1

// Instructions are counted from tick to tick of the timer between two holds, less those of the
// handlers that ran in between. Each of these differences is exact, so their sums are. A reading
// changes nothing and has no branch: it always takes the same instructions.
static struct {
    uint64_t since;             // ticks at the end of the last hold
    uint64_t before;            // instructions until then
} count;
uint32_t clock_of_handlers;     // instructions since then that do not count
static uint32_t held;           // depth of clock_hold
static volatile bool event;     // a handler ran since the last wait

// Instructions of interrupt_handler outside of its two reads of the timer.
static uint32_t handler_overhead;

// The timer wraps every 172 s; the count of whole seconds says how often it has.
static inline uint64_t ticks_now(void) {
    uint32_t low = clock_low_ticks();
    uint64_t coarse = (uint64_t)FPGAIO_CLK1HZ * SYSTEM_CLOCK_HZ;
    uint64_t wraps = (coarse - low + 0x80000000u) >> 32;
    return (wraps << 32) + low;
}

uint64_t clock_ticks(void) {
    return ticks_now();
}

// A handler between the looks at the timer and at clock_of_handlers would be seen by one of them only.
static inline uint64_t instructions_now(void) {
    uint32_t state = irq_disable();
    uint64_t result = count.before + clock_rounded(ticks_now() - count.since) - clock_of_handlers;
    irq_restore(state);
    return result;
}

uint64_t clock_instructions(void) {
    return instructions_now();
}

uint32_t engram_counter(void) {
    return (uint32_t)instructions_now() & ENGRAM_COUNTER_MASK;
}

void clock_hold(void) {
    uint32_t state = irq_disable();
    if (held++ == 0) {
        count.before = instructions_now();
        clock_of_handlers = 0;
    }
    irq_restore(state);
}

void clock_release(void) {
    uint32_t state = irq_disable();
    if (--held == 0) {
        count.since = ticks_now();
    }
    irq_restore(state);
}

// Every interrupt comes here. Handlers do not interrupt each other (one priority), so that one
// start is enough; their time counts as nobody's.
void interrupt_handler(void) {
    uint32_t start = held ? 0 : clock_low_ticks();
    uint32_t exception;
    __asm volatile ("mrs %0, ipsr" : "=r" (exception));
    switch (exception - 16) {
        case IRQ_UART0_RX:
            uart_rx_handler();
            break;
        case IRQ_UART0_TX:
            uart_tx_handler();
            break;
        case IRQ_TIMER1:
            TIMER_INTCLEAR(WAKE_UP) = 1;
            break;
    }
    event = true;
    if (!held) {
        clock_of_handlers += clock_rounded(clock_low_ticks() - start) + handler_overhead;
    }
}

// Instructions counted over a write to the interrupt controller that pends some interrupts.
static __attribute__((noinline)) uint32_t cost_of_pending(uint32_t mask) {
    uint64_t before = clock_instructions();
    NVIC_PEND = mask;
    __asm volatile ("dsb\n isb");
    return clock_instructions() - before;
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

void clock_init(void) {
    TIMER_CTRL(FREE_RUNNING) = 0;
    TIMER_RELOAD(FREE_RUNNING) = 0xffffffffu;
    TIMER_VALUE(FREE_RUNNING) = 0xffffffffu;
    TIMER_CTRL(FREE_RUNNING) = TIMER_CTRL_ENABLE;
    NVIC_ENABLE = 1u << IRQ_TIMER1;
    count.since = ticks_now();
    handler_overhead = cost_of_pending(1u << IRQ_TIMER1) - cost_of_pending(0);
}

mp_uint_t mp_hal_ticks_ms(void) {
    return (mp_uint_t)(clock_ticks() / (SYSTEM_CLOCK_HZ / 1000));
}

mp_uint_t mp_hal_ticks_us(void) {
    return (mp_uint_t)(clock_ticks() / (SYSTEM_CLOCK_HZ / 1000000));
}

uint64_t mp_hal_time_ns(void) {
    return clock_ticks() * CLOCK_TICK_NS;
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
