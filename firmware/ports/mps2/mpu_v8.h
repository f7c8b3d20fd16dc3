// The memory protection unit of Armv8-M.
#pragma once

#include "mps2.h"

#define MPU_NUMBER REG(0xe000ed98u)
#define MPU_BASE REG(0xe000ed9cu)
#define MPU_LIMIT REG(0xe000eda0u)
#define MPU_MEMORY_TYPES REG(0xe000edc0u)
#define MPU_NORMAL_MEMORY (0x44u)   // type 0 of those: not cached
#define MPU_REGION_ENABLE (1u << 0)

// Bits of MPU_BASE.
enum {
    MPU_READ_WRITE = 0u << 1,
    MPU_READ_ONLY = 2u << 1,
    MPU_NO_CODE = 1u << 0,
};

#define MPU_SMALLEST (32u)

// Open a range; returns the number of the next free region.
static inline uint32_t mpu_open(uint32_t region, uint32_t base, uint32_t bytes, uint32_t access) {
    MPU_MEMORY_TYPES = MPU_NORMAL_MEMORY;
    MPU_NUMBER = region;
    MPU_BASE = base | access;
    MPU_LIMIT = (base + bytes - MPU_SMALLEST) | MPU_REGION_ENABLE;
    return region + 1;
}
