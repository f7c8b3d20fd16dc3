// The emulated machine has far more memory than the chip it stands for. The memory protection unit
// takes the rest away: what lies outside of the chip's memory faults, as it would there, and the
// firmware cannot be written.
#include "board_config.h"
#include "memory_map.h"
#include "mps2.h"
#include "nor_flash.h"

#if __ARM_ARCH >= 8
#include "mpu_v8.h"
#else
#include "mpu_v7.h"
#endif

#define MPU_CTRL REG(0xe000ed94u)
#define MPU_CTRL_ENABLE (1u << 0)   // what no region covers faults, the core's own registers aside

_Static_assert(ENGRAM_RAM_BYTES % MPU_SMALLEST == 0 && ENGRAM_FIRMWARE_BYTES % MPU_SMALLEST == 0
    && ENGRAM_DATA_FLASH_BYTES % MPU_SMALLEST == 0,
    "[chip] ram_bytes and the sizes of [flash]: multiples of 32 expected");
#ifdef MACHINE_CONSTANTS_BASE
#define CODE_BYTES MACHINE_CODE_BYTES
#else
#define CODE_BYTES ENGRAM_FIRMWARE_BYTES
#endif

_Static_assert(CODE_BYTES <= MACHINE_CODE_BYTES && ENGRAM_RAM_BYTES <= MACHINE_RAM_BYTES,
    "[flash] firmware_bytes or [chip] ram_bytes: more than this machine has");

static const struct { uint32_t base, bytes, access; } ranges[] = {
    { MACHINE_CODE_BASE, CODE_BYTES, MPU_READ_ONLY },
    #ifdef MACHINE_CONSTANTS_BASE       // the linker holds both together to the chip's flash
    { MACHINE_CONSTANTS_BASE, MACHINE_CONSTANTS_BYTES, MPU_READ_ONLY | MPU_NO_CODE },
    #endif
    { MACHINE_RAM_BASE, ENGRAM_RAM_BYTES, MPU_READ_WRITE },     // native code of .mpy files runs here
    { MACHINE_FLASH_BASE, ENGRAM_DATA_FLASH_BYTES, MPU_READ_WRITE | MPU_NO_CODE },
    { MACHINE_PERIPHERALS_BASE, MACHINE_PERIPHERALS_BYTES, MPU_READ_WRITE | MPU_NO_CODE },
};

void memory_map_init(void) {
    uint32_t region = 0;
    for (uint32_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); ++i) {
        region = mpu_open(region, ranges[i].base, ranges[i].bytes, ranges[i].access);
    }
    MPU_CTRL = MPU_CTRL_ENABLE;
    __asm volatile ("dsb\n isb");
}
