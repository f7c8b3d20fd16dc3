// The language and library features that every board has, so that the same program runs on all.
#pragma once

#define MICROPY_CONFIG_ROM_LEVEL (MICROPY_CONFIG_ROM_LEVEL_EXTRA_FEATURES)

// Numbers are those of a microcontroller: single-precision floats, integers of any size.
#define MICROPY_FLOAT_IMPL (MICROPY_FLOAT_IMPL_FLOAT)
#define MICROPY_LONGINT_IMPL (MICROPY_LONGINT_IMPL_MPZ)

#define MICROPY_PERSISTENT_CODE_LOAD (1)
#define MICROPY_ENABLE_EMERGENCY_EXCEPTION_BUF (1)
#define MICROPY_EMERGENCY_EXCEPTION_BUF_SIZE (256)
#define MICROPY_KBD_EXCEPTION (1)
#define MICROPY_ENABLE_SCHEDULER (1)
#define MICROPY_SCHEDULER_STATIC_NODES (0)
#define MICROPY_ENABLE_FINALISER (1)
#define MICROPY_OPT_COMPUTED_GOTO (1)
#define MICROPY_ERROR_REPORTING (MICROPY_ERROR_REPORTING_NORMAL)
#define MICROPY_WARNINGS (1)
#define MICROPY_REPL_INFO (0)

#define MICROPY_PY_TIME (1)
#define MICROPY_PY_TIME_TIME_TIME_NS (1)
#define MICROPY_PY_HASHLIB_SHA256 (1)
#define MICROPY_PY_DEFLATE (1)          // binascii.crc32 is part of it
#define MICROPY_PY_RANDOM_SEED_INIT_FUNC (1)    // every run draws the same numbers
#define MICROPY_PY_SELECT_SELECT (0)
#define MICROPY_VFS (1)
#define MICROPY_READER_VFS (1)

// What ports that others build do not have; a stock firmware does without it too.
#ifndef ENGRAM_STOCK
#define MICROPY_MEM_STATS (1)           // micropython.mem_peak()
#define MICROPY_MALLOC_USES_ALLOCATED_SIZE (1)
#define MICROPY_PY_MICROPYTHON_HEAP_LOCKED (1)
// Frames of Python calls live on a stack of their own. Without it every call with more than a
// few locals takes its frame from the heap, and the search for room there costs more than the
// call: a third of a training step.
#define MICROPY_ENABLE_PYSTACK (1)
#endif

// Left out: no use here, and they would take firmware space.
#define MICROPY_PY_ASYNCIO (0)
#define MICROPY_PY_CMATH (0)
#define MICROPY_PY_FRAMEBUF (0)
#define MICROPY_PY_MACHINE_SIGNAL (0)
