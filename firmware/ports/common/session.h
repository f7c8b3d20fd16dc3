// One MicroPython session of a board: boot, boot.py, main.py, then the REPL until a soft reset.
#pragma once

// Runs with the interpreter initialised; returns at the soft reset, after announcing it.
void engram_session(void);
