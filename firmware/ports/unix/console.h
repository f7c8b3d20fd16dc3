// Standard input and output as a board's serial line.
//
// A thread takes the bytes as they arrive, as an interrupt handler does on a board: into a ring of
// ENGRAM_RECEIVE_RING_BYTES, the interrupt character aside. When the ring is full it stops taking,
// and the sender waits. It works on pipes and on terminals (which are set to raw).
#pragma once

#include <stddef.h>

// Start taking bytes; before that the process is an ordinary micropython program.
void console_start(const unsigned char *pending, size_t length);

// Stop for good, so that the process can be replaced; returns the bytes nobody has read yet.
size_t console_stop(unsigned char *pending, size_t size);
