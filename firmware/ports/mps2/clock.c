#include "py/mphal.h"
#include "py/runtime.h"

#include "board_config.h"
#include "clock.h"
#include "engram_port.h"
#include "mps2.h"
#include "uart.h"

#define TICK_NS (1000000000u / SYSTEM_CLOCK_HZ)
#define INSTRUCTION_NS (1u << ENGRAM_ICOUNT_SHIFT)

// One instruction must be longer than two roundings of the timer, else reads are not exact.
_Static_assert(INSTRUCTION_NS > 2 * TICK_NS, "[virtual] icount_shift is too small");

#define FREE_RUNNING (0)    // timer 0
#define WAKE_UP (1)         // timer 1

// Instructions are counted from tick to tick of the timer between two updates, less those of the
// handlers that ran in between. Each of these differences is exact, so their sums are.
static uint64_t last_ticks;     // at the last update of counted
static uint64_t counted;        // instructions
static uint32_t uncounted;      // instructions of handlers since the last update
static uint32_t held;           // depth of clock_hold
static volatile bool event;     // a handler ran since the last wait

// Instructions of interrupt_handler outside of its two reads of the timer.
static uint32_t handler_overhead;

static uint32_t low_ticks(void) {
    return ~TIMER_VALUE(FREE_RUNNING);
}

static uint64_t instructions(uint64_t ticks) {
    return (ticks * TICK_NS + INSTRUCTION_NS / 2) / INSTRUCTION_NS;
}

// The timer wraps every 172 s; the count of whole seconds says how often it has.
uint64_t clock_ticks(void) {
    uint32_t low = low_ticks();
    uint64_t coarse = (uint64_t)FPGAIO_CLK1HZ * SYSTEM_CLOCK_HZ;
    uint64_t wraps = (coarse - low + 0x80000000u) >> 32;
    return (wraps << 32) + low;
}

static void update(void) {
    uint64_t now = clock_ticks();
    counted += instructions(now - last_ticks) - uncounted;
    last_ticks = now;
    uncounted = 0;
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
    if (held == 0) {
        update();
    }
    held++;
    irq_restore(state);
}

void clock_release(void) {
    uint32_t state = irq_disable();
    if (--held == 0) {
        last_ticks = clock_ticks();
    }
    irq_restore(state);
}

// Every interrupt comes here. Handlers do not interrupt each other (one priority), so that one
// start is enough; their time counts as nobody's.
void interrupt_handler(void) {
    uint32_t start = held ? 0 : low_ticks();
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
        uncounted += instructions(low_ticks() - start) + handler_overhead;
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
    last_ticks = clock_ticks();
    handler_overhead = cost_of_pending(1u << IRQ_TIMER1) - cost_of_pending(0);
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
