// The emulated machine has far more memory than the chip it stands for. The memory protection unit
// takes the rest away: what lies outside of the chip's memory faults, as it would there, and the
// firmware cannot be written.
#include "board_config.h"
#include "memory_map.h"
#include "mps2.h"
#include "nor_flash.h"

#define MPU_CTRL REG(0xe000ed94u)
#define MPU_NUMBER REG(0xe000ed98u)
#define MPU_BASE REG(0xe000ed9cu)
#define MPU_SIZE REG(0xe000eda0u)
#define MPU_ENABLE (1u << 0)
#define MPU_DEFAULT_MAP (1u << 2)   // what no region covers (peripherals) stays as it is

enum { NO_ACCESS = 0u << 24, READ_WRITE = 3u << 24, READ_ONLY = 6u << 24 };

// A region is a power of two large and begins at a multiple of its size: RAM of 264 KB takes two,
// the largest power of two in it and what is left.
#define RAM_BASE (0x20000000u)
#define RAM_LOW (1u << (31 - __builtin_clz(ENGRAM_RAM_BYTES)))
#define RAM_REST (ENGRAM_RAM_BYTES - RAM_LOW)
#define POWER_OF_TWO(n) (((n) & ((n) - 1)) == 0)

_Static_assert(POWER_OF_TWO(RAM_REST),
    "[chip] ram_bytes: a power of two, or the sum of two, expected, as the protection unit wants");
_Static_assert(POWER_OF_TWO(ENGRAM_FIRMWARE_BYTES) && POWER_OF_TWO(ENGRAM_DATA_FLASH_BYTES),
    "[flash] firmware_bytes, and fs_bytes + store_bytes: powers of two expected");

// A later region wins over an earlier one; one of no bytes is left out.
static const struct { uint32_t base, bytes, access; } regions[] = {
    { 0x00000000u, 8u << 20, NO_ACCESS },
    { 0x00000000u, ENGRAM_FIRMWARE_BYTES, READ_ONLY },
    { RAM_BASE, 8u << 20, NO_ACCESS },
    { RAM_BASE, RAM_LOW, READ_WRITE },                  // native code of .mpy files runs here
    { RAM_BASE + RAM_LOW, RAM_REST, READ_WRITE },
    { PSRAM_BASE, 16u << 20, NO_ACCESS },
    { PSRAM_BASE, ENGRAM_DATA_FLASH_BYTES, READ_WRITE },
};

void memory_map_init(void) {
    for (uint32_t i = 0; i < sizeof(regions) / sizeof(regions[0]); ++i) {
        if (regions[i].bytes == 0) {
            continue;
        }
        uint32_t log2 = 31 - __builtin_clz(regions[i].bytes);
        MPU_NUMBER = i;
        MPU_BASE = regions[i].base;
        MPU_SIZE = regions[i].access | (log2 - 1) << 1 | MPU_ENABLE;
    }
    MPU_CTRL = MPU_ENABLE | MPU_DEFAULT_MAP;
    __asm volatile ("dsb\n isb");
}
