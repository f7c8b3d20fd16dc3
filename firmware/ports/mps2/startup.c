// Reset, the vector table and what happens on a fault.
#include <stdint.h>
#include <string.h>

#include "board_config.h"
#include "mps2.h"

extern uint32_t _stack_top, _data_load, _data_start, _data_end, _bss_start, _bss_end;

int main(void);
void interrupt_handler(void);
void fault_report(const uint32_t *frame);

__attribute__((noreturn)) void reset_handler(void) {
    memcpy(&_data_start, &_data_load, (uintptr_t)&_data_end - (uintptr_t)&_data_start);
    memset(&_bss_start, 0, (uintptr_t)&_bss_end - (uintptr_t)&_bss_start);
#ifdef __ARM_FP
    SCB_CPACR |= 0xfu << 20;    // the FPU: full access
    __asm volatile ("dsb\n isb");
#endif
    main();
    for (;;) {
    }
}

// Hand the stacked registers of the fault to C. This port has one stack, the main one; an indirect
// jump, because that of Armv6-M reaches 2 KB only.
__attribute__((naked)) void fault_handler(void) {
    __asm volatile (
        "mrs r0, msp\n"
        "ldr r1, =fault_report\n"
        "bx r1\n");
}

typedef void (*vector_t)(void);
#define IRQ(n) [16 + (n)]

// Interrupts that are not listed are never enabled.
__attribute__((section(".vectors"), used))
static const vector_t vectors[] = {
    [0] = (vector_t)&_stack_top,
    [1] = reset_handler,
    [2 ... 15] = fault_handler,
    IRQ(IRQ_UART_RX) = interrupt_handler,
    IRQ(IRQ_UART_TX) = interrupt_handler,
    IRQ(IRQ_WAKE_UP) = interrupt_handler,
};
