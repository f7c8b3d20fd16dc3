// The memory protection unit of Armv7-M.
#pragma once

#include "mps2.h"

#define MPU_NUMBER REG(0xe000ed98u)
#define MPU_BASE REG(0xe000ed9cu)
#define MPU_SIZE REG(0xe000eda0u)
#define MPU_REGION_ENABLE (1u << 0)

// Bits of MPU_SIZE.
enum {
    MPU_READ_WRITE = 3u << 24,
    MPU_READ_ONLY = 6u << 24,
    MPU_NO_CODE = 1u << 28,
};

#define MPU_SMALLEST (32u)

// Open a range; returns the number of the next free region. A region is a power of two large and
// begins at a multiple of its size, so that 264 KB at such a place take two: the largest power of
// two in it first, then what is left.
static inline uint32_t mpu_open(uint32_t region, uint32_t base, uint32_t bytes, uint32_t access) {
    while (bytes) {
        uint32_t log2 = 31 - __builtin_clz(bytes);
        MPU_NUMBER = region++;
        MPU_BASE = base;
        MPU_SIZE = access | (log2 - 1) << 1 | MPU_REGION_ENABLE;
        base += 1u << log2;
        bytes -= 1u << log2;
    }
    return region;
}
