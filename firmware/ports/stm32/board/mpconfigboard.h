// Found before the header of this name that MicroPython has for the board, which it includes. The
// port's block device and what it mounts are not built: the data flash is that of board_stm32.c,
// where the frozen boot mounts the files.
#include_next <mpconfigboard.h>

#undef MICROPY_HW_ENABLE_INTERNAL_FLASH_STORAGE
#define MICROPY_HW_ENABLE_INTERNAL_FLASH_STORAGE (0)
#undef MICROPY_HW_HAS_FLASH
#define MICROPY_HW_HAS_FLASH (0)        // pyb.Flash
#define MICROPY_HW_USB_MSC (0)          // a drive over that block device
#define MICROPY_BOARD_FROZEN_BOOT_FILE "_boot.py"

// Left out where flash is too little: native code made on the board, and what has no use for learning.
#ifdef ENGRAM_SMALL
#define MICROPY_EMIT_THUMB (0)
#define MICROPY_EMIT_INLINE_THUMB (0)
#define MICROPY_HW_USB_HID (0)
#define MICROPY_PY_ASYNCIO (0)
#define MICROPY_PY_CMATH (0)
#define MICROPY_PY_FRAMEBUF (0)
#define MICROPY_PY_SOCKET (0)
#endif
