#include "py/mphal.h"
#include "py/runtime.h"

#include "clock.h"
#include "engram_port.h"
#include "mps2.h"
#include "uart.h"

// One instruction must be longer than two roundings of the timer, else reads are not exact.
_Static_assert(CLOCK_INSTRUCTION_QNS > 2 * CLOCK_TICK_QNS, "[virtual] icount_shift is too small");

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

uint64_t clock_ticks(void) {
    return timer_ticks();
}

// A handler between the looks at the timer and at clock_of_handlers would be seen by one of them only.
static inline uint64_t instructions_now(void) {
    uint32_t state = irq_disable();
    uint64_t result = count.before + clock_rounded(timer_ticks() - count.since) - clock_of_handlers;
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
        count.since = timer_ticks();
    }
    irq_restore(state);
}

// Every interrupt comes here. Handlers do not interrupt each other (one priority), so that one
// start is enough; their time counts as nobody's.
void interrupt_handler(void) {
    uint32_t start = held ? 0 : timer_low_ticks();
    uint32_t exception;
    __asm volatile ("mrs %0, ipsr" : "=r" (exception));
    switch (exception - 16) {
        case IRQ_UART_RX:
            uart_rx_handler();
            break;
        case IRQ_UART_TX:
            uart_tx_handler();
            break;
        case IRQ_WAKE_UP:
            timer_wake_up_off();
            break;
    }
    event = true;
    if (!held) {
        clock_of_handlers += clock_rounded(timer_low_ticks() - start) + handler_overhead;
    }
}

// Instructions counted over a write to the interrupt controller that pends some interrupts.
static __attribute__((noinline)) uint32_t cost_of_pending(uint32_t mask) {
    uint64_t before = clock_instructions();
    NVIC_PEND(IRQ_WAKE_UP) = mask;
    __asm volatile ("dsb\n isb");
    return clock_instructions() - before;
}

static void wake_up_after(int timeout_ms) {
    // The timer has 32 bits; callers wait in a loop, so a shorter wait is as good.
    uint32_t ms = timeout_ms > 100000 ? 100000 : timeout_ms;
    timer_wake_up_after(ms ? ms * (MACHINE_CLOCK_HZ / 1000) : 1);
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
            timer_wake_up_off();
        }
    }
    event = false;
    irq_restore(state);
    clock_release();
}

void clock_init(void) {
    timer_init();
    NVIC_ENABLE(IRQ_WAKE_UP) = NVIC_BIT(IRQ_WAKE_UP);
    count.since = timer_ticks();
    handler_overhead = cost_of_pending(NVIC_BIT(IRQ_WAKE_UP)) - cost_of_pending(0);
}

mp_uint_t mp_hal_ticks_ms(void) {
    return (mp_uint_t)(clock_ticks() / (MACHINE_CLOCK_HZ / 1000));
}

mp_uint_t mp_hal_ticks_us(void) {
    return (mp_uint_t)(clock_ticks() / (MACHINE_CLOCK_HZ / 1000000));
}

uint64_t mp_hal_time_ns(void) {
    return clock_ticks() * CLOCK_TICK_QNS / 4;
}

void mp_hal_delay_ms(mp_uint_t ms) {
    uint64_t end = clock_ticks() + (uint64_t)ms * (MACHINE_CLOCK_HZ / 1000);
    for (;;) {
        mp_handle_pending(true);
        uint64_t now = clock_ticks();
        if (now >= end) {
            return;
        }
        uint64_t left = (end - now) / (MACHINE_CLOCK_HZ / 1000);
        clock_wait(left > 100000 ? 100000 : (int)left);
    }
}

void mp_hal_delay_us(mp_uint_t us) {
    uint64_t end = clock_ticks() + (uint64_t)us * (MACHINE_CLOCK_HZ / 1000000);
    while (clock_ticks() < end) {
    }
}
