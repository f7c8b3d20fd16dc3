#include "py/mphal.h"
#include "py/runtime.h"

#include "board_config.h"
#include "mps2.h"
#include "uart.h"

static struct {
    uint8_t bytes[ENGRAM_RECEIVE_RING_BYTES];
    uint32_t in, out;           // counts; the difference is what the ring holds
    bool full;                  // the handler left a byte in the UART
} ring;
_Static_assert((ENGRAM_RECEIVE_RING_BYTES & (ENGRAM_RECEIVE_RING_BYTES - 1)) == 0,
    "[link] receive_ring_bytes: a power of two expected");

void uart_init(void) {
    UART_BAUDDIV = 16;
    UART_CTRL = UART_CTRL_TX | UART_CTRL_RX | UART_CTRL_RX_IRQ;
    NVIC_ENABLE(IRQ_UART_RX) = NVIC_BIT(IRQ_UART_RX);
    NVIC_ENABLE(IRQ_UART_TX) = NVIC_BIT(IRQ_UART_TX);
}

static void take(void) {
    while (UART_STATE & UART_STATE_RXFULL) {
        if (ring.in - ring.out == sizeof(ring.bytes)) {
            ring.full = true;
            return;
        }
        uint8_t byte = UART_DATA;
        if (byte == mp_interrupt_char) {
            mp_sched_keyboard_interrupt();
        } else {
            ring.bytes[ring.in++ % sizeof(ring.bytes)] = byte;
        }
    }
}

void uart_rx_handler(void) {
    UART_INTCLEAR = UART_INT_RX;
    take();
}

void uart_tx_handler(void) {
    UART_INTCLEAR = UART_INT_TX;
}

bool uart_readable(void) {
    return *(volatile uint32_t *)&ring.in != ring.out;
}

int uart_get(void) {
    if (!uart_readable()) {
        return -1;
    }
    uint8_t byte = ring.bytes[ring.out % sizeof(ring.bytes)];
    uint32_t state = irq_disable();
    ring.out++;
    if (ring.full) {
        ring.full = false;
        take();
    }
    irq_restore(state);
    return byte;
}

void uart_put(char c) {
    if (UART_STATE & UART_STATE_TXFULL) {
        clock_hold();   // how long the receiver takes is not the program's doing
        UART_CTRL |= UART_CTRL_TX_IRQ;
        while (UART_STATE & UART_STATE_TXFULL) {
            clock_wait(-1);
        }
        UART_CTRL &= ~UART_CTRL_TX_IRQ;
        clock_release();
    }
    UART_DATA = (uint8_t)c;
}
