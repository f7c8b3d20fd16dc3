// Arm's MPS2 board with the image AN505: a Cortex-M33 in the IoT Kit. Out of reset everything is
// secure, and this port stays there: the addresses are the secure aliases.
#pragma once

#define MACHINE_CODE_BASE 0x10000000
#define MACHINE_CODE_BYTES 0x00400000
#define MACHINE_RAM_BASE 0x38000000
#define MACHINE_RAM_BYTES 0x00400000
#define MACHINE_FLASH_BASE 0x80000000
#define MACHINE_PERIPHERALS_BASE 0x50000000
#define MACHINE_PERIPHERALS_BYTES 0x00400000

#define MACHINE_CLOCK_HZ 20000000
#define MACHINE_TIMER_H "timer_cmsdk.h"
#define MACHINE_TIMER_BASE 0x50000000
#define MACHINE_FPGAIO_BASE 0x50302000
#define MACHINE_UART_BASE 0x50200000

#define IRQ_UART_RX 32
#define IRQ_UART_TX 33
#define IRQ_WAKE_UP 4
