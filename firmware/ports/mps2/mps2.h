// Registers that this port uses. What differs from machine to machine is in machines/<machine>.h,
// which the Makefile chooses by [virtual] machine of the board.toml.
#pragma once

#include <stdint.h>

#include ENGRAM_MACHINE_H

#define REG(address) (*(volatile uint32_t *)(address))

// CMSDK APB UART.
#define UART_DATA REG(MACHINE_UART_BASE + 0x0)
#define UART_STATE REG(MACHINE_UART_BASE + 0x4)
#define UART_CTRL REG(MACHINE_UART_BASE + 0x8)
#define UART_INTCLEAR REG(MACHINE_UART_BASE + 0xc)
#define UART_BAUDDIV REG(MACHINE_UART_BASE + 0x10)
#define UART_STATE_TXFULL (1u << 0)
#define UART_STATE_RXFULL (1u << 1)
#define UART_CTRL_TX (1u << 0)
#define UART_CTRL_RX (1u << 1)
#define UART_CTRL_TX_IRQ (1u << 2)
#define UART_CTRL_RX_IRQ (1u << 3)
#define UART_INT_TX (1u << 0)
#define UART_INT_RX (1u << 1)

// Cortex-M system control. A register of the interrupt controller has a bit for each of 32
// interrupts.
#define NVIC_ENABLE(irq) REG(0xe000e100u + 4 * ((irq) / 32))
#define NVIC_PEND(irq) REG(0xe000e200u + 4 * ((irq) / 32))
#define NVIC_BIT(irq) (1u << (irq) % 32)
#define SCB_AIRCR REG(0xe000ed0cu)
#define SCB_CFSR REG(0xe000ed28u)
#define SCB_MMFAR REG(0xe000ed34u)
#define SCB_CPACR REG(0xe000ed88u)
#define AIRCR_SYSRESET (0x05fa0004u)
