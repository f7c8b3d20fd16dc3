// Found before the header of this name that MicroPython has for the board, which it includes: how
// much flash is for data, and so where that begins, is board.toml's affair.
#include_next <mpconfigboard.h>

#include "board_config.h"

#undef MICROPY_HW_FLASH_STORAGE_BYTES
#define MICROPY_HW_FLASH_STORAGE_BYTES (ENGRAM_FS_BYTES + ENGRAM_STORE_BYTES)
