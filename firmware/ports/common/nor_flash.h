// NOR flash over a window of plain memory: the rules of a real part, enforced.
//
//   erase    sets one erase unit (ENGRAM_ERASE_BYTES) to 0xFF
//   program  can only clear bits; whole program units (ENGRAM_PROGRAM_BYTES) at aligned offsets
//
// A program that would have to set a bit is refused before the first byte is changed; a byte of
// 0xFF programs nothing, so a part of a page is written by padding it with 0xFF.
#pragma once

#include <stdint.h>

#include "py/obj.h"

// All of the flash a board offers to Python: file system first, then the replay region.
#define ENGRAM_DATA_FLASH_BYTES (ENGRAM_FS_BYTES + ENGRAM_STORE_BYTES)

// The port says where the data flash is mapped; NULL while there is none.
uint8_t *engram_flash_base(void);

// class Flash([start[, length]]): MicroPython's extended block-device protocol, buffer protocol
// (read). Without length up to the end, without start all of it.
extern const mp_obj_type_t engram_flash_type;
