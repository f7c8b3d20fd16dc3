// Registers that this port uses, the same in the images AN385 and AN386 of the MPS2 board (Arm
// CMSDK and FPGAIO blocks).
#pragma once

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))

#define SYSTEM_CLOCK_HZ (25000000u)

// CMSDK APB timers: count down from RELOAD at the system clock.
#define TIMER_BASE(n) (0x40000000u + 0x1000u * (n))
#define TIMER_CTRL(n) REG(TIMER_BASE(n) + 0x0)
#define TIMER_VALUE(n) REG(TIMER_BASE(n) + 0x4)
#define TIMER_RELOAD(n) REG(TIMER_BASE(n) + 0x8)
#define TIMER_INTCLEAR(n) REG(TIMER_BASE(n) + 0xc)
#define TIMER_CTRL_ENABLE (1u << 0)
#define TIMER_CTRL_IRQ (1u << 3)

// CMSDK APB UART 0.
#define UART_DATA REG(0x40004000u)
#define UART_STATE REG(0x40004004u)
#define UART_CTRL REG(0x40004008u)
#define UART_INTCLEAR REG(0x4000400cu)
#define UART_BAUDDIV REG(0x40004010u)
#define UART_STATE_TXFULL (1u << 0)
#define UART_STATE_RXFULL (1u << 1)
#define UART_CTRL_TX (1u << 0)
#define UART_CTRL_RX (1u << 1)
#define UART_CTRL_TX_IRQ (1u << 2)
#define UART_CTRL_RX_IRQ (1u << 3)
#define UART_INT_TX (1u << 0)
#define UART_INT_RX (1u << 1)

// FPGAIO: a count of seconds since power on.
#define FPGAIO_CLK1HZ REG(0x40028010u)

// The PSRAM, which a file of the host backs.
#define PSRAM_BASE (0x21000000u)

// Interrupt numbers.
#define IRQ_UART0_RX (0)
#define IRQ_UART0_TX (1)
#define IRQ_TIMER1 (9)

// Cortex-M system control.
#define NVIC_ENABLE REG(0xe000e100u)
#define NVIC_PEND REG(0xe000e200u)
#define SCB_AIRCR REG(0xe000ed0cu)
#define SCB_CFSR REG(0xe000ed28u)
#define SCB_MMFAR REG(0xe000ed34u)
#define SCB_CPACR REG(0xe000ed88u)
#define AIRCR_SYSRESET (0x05fa0004u)
