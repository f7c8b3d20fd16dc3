// MicroPython on an Arm MPS2 board as QEMU emulates it, with the core of the board.toml.
#include <alloca.h>
#include <stdint.h>

#include "board_config.h"
#include "mpconfig_features.h"

#ifdef ENGRAM_STOCK
#define MICROPY_HW_BOARD_NAME ENGRAM_BOARD_NAME "_stock"
#else
#define MICROPY_HW_BOARD_NAME ENGRAM_BOARD_NAME
#endif
#define MICROPY_HW_MCU_NAME ENGRAM_CHIP_NAME
#define MICROPY_PY_SYS_PLATFORM "mps2"

#define MICROPY_ENABLE_GC (1)
// C below the deepest Python call: the compiler's and the file system's own depth.
#define MICROPY_STACK_CHECK_MARGIN (2048)
// 36 KB of flash: a firmware compiled for size has its kernels, and loads no native code.
#ifdef ENGRAM_SMALL
#define MICROPY_EMIT_THUMB (0)
#else
#define MICROPY_EMIT_THUMB (1)
#endif
// The assembler in Python takes 6 KB that the library needs. Stock firmware has it, and the M0+:
// the emulated Pico is compared with it, instruction by instruction.
#if !defined(ENGRAM_SMALL) && (defined(ENGRAM_STOCK) || !defined(__thumb2__))
#define MICROPY_EMIT_INLINE_THUMB (1)
#else
#define MICROPY_EMIT_INLINE_THUMB (0)
#endif
// What this core runs: instructions of Armv7-M, and those of an FPU.
#ifdef __thumb2__
#define MICROPY_EMIT_THUMB_ARMV7M (1)
#else
#define MICROPY_EMIT_THUMB_ARMV7M (0)
#endif
#ifdef __ARM_FP
#define MICROPY_EMIT_INLINE_THUMB_FLOAT (1)
#else
#define MICROPY_EMIT_INLINE_THUMB_FLOAT (0)
#endif
#define MICROPY_MAKE_POINTER_CALLABLE(p) ((void *)((mp_uint_t)(p) | 1))
#define MP_NEED_LOG2 (1)

#define MICROPY_PY_MACHINE (1)
#define MICROPY_PY_MACHINE_INCLUDEFILE "port_machine.inc"
#define MICROPY_PY_MACHINE_RESET (1)
#define MICROPY_PY_MACHINE_BARE_METAL_FUNCS (1)
#define MICROPY_PY_MACHINE_DISABLE_IRQ_ENABLE_IRQ (1)
#define MICROPY_PY_TIME_INCLUDEFILE "port_time.inc"

typedef int32_t mp_int_t;
typedef uint32_t mp_uint_t;
typedef long mp_off_t;
#define MP_SSIZE_MAX (0x7fffffff)
#define UINT_FMT "%lu"
#define INT_FMT "%ld"

#define MP_STATE_PORT MP_STATE_VM
