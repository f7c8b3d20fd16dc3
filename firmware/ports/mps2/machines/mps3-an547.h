// Arm's MPS3 board with the image AN547: a Cortex-M55 in the SSE-300. Out of reset everything is
// secure, and this port stays there. The code lies in the tightly coupled memory, where the core
// starts, and what it reads, frozen modules too, in the SRAM of the FPGA, for which it has no room;
// the memory that a file can back is the 2 GB of DDR.
#pragma once

#define MACHINE_CODE_BASE 0x00000000
#define MACHINE_CODE_BYTES 0x00080000
#define MACHINE_CONSTANTS_BASE 0x11000000
#define MACHINE_CONSTANTS_BYTES 0x00200000
#define MACHINE_RAM_BASE 0x31000000
#define MACHINE_RAM_BYTES 0x00400000
#define MACHINE_FLASH_BASE 0x60000000
#define MACHINE_PERIPHERALS_BASE 0x58000000
#define MACHINE_PERIPHERALS_BYTES 0x02000000

#define MACHINE_CLOCK_HZ 32000000
#define MACHINE_TIMER_H "timer_sse.h"
#define MACHINE_TIMER_BASE 0x58000000
#define MACHINE_COUNTER_BASE 0x58100000
#define MACHINE_UART_BASE 0x59303000

#define IRQ_UART_RX 33
#define IRQ_UART_TX 34
#define IRQ_WAKE_UP 3
