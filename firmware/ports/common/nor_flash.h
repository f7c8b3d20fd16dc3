// NOR flash over a window of plain memory, or over a chip's own flash, which the processor sees: the
// rules of a real part, enforced.
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

#ifdef ENGRAM_FLASH_OF_CHIP
// A port that writes its chip's flash. 0, or a negative error number. at: offset into the data
// flash, of an erase unit; of a program unit, of which `length` bytes are a multiple, none of which
// would have to set a bit.
int engram_flash_erase(uint32_t at);
int engram_flash_program(uint32_t at, const uint8_t *from, size_t length);
#endif

// class Flash([start[, length]]): MicroPython's extended block-device protocol, buffer protocol
// (read). Without length up to the end, without start all of it.
extern const mp_obj_type_t engram_flash_type;
