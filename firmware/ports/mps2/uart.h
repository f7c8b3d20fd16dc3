// The console: UART 0.
//
// Received bytes go by interrupt into a ring of ENGRAM_RECEIVE_RING_BYTES. When it is full the
// last byte stays in the UART, which stops the sender (as USB does): nothing is lost.
#pragma once

#include <stdbool.h>
#include <stddef.h>

void uart_init(void);
bool uart_readable(void);
int uart_get(void);     // a byte, or -1
void uart_put(char c);  // waits while the receiver takes nothing

// Called by the interrupt dispatch in clock.c.
void uart_rx_handler(void);
void uart_tx_handler(void);
