// Floats to integers as the ROM does it: rounded down, and the nearest bound where it is too large.
// Everything else is libgcc's. Compares with constants use the sign alone where they can.
#include <stdint.h>

#define TO_SIGNED(NAME, REAL, WHOLE, BOUND, LEAST, MOST)  \
    WHOLE NAME(REAL x) {                                  \
        if (x >= BOUND) {                                 \
            return MOST;                                  \
        }                                                 \
        if (x < -BOUND) {                                 \
            return LEAST;                                 \
        }                                                 \
        WHOLE whole = (WHOLE)x;                           \
        return (REAL)whole > x ? whole - 1 : whole;       \
    }

#define TO_UNSIGNED(NAME, REAL, WHOLE, BOUND, MOST)       \
    WHOLE NAME(REAL x) {                                  \
        return x <= 0 ? 0 : x >= BOUND ? MOST : (WHOLE)x; \
    }

TO_SIGNED(rom_float_to_int, float, int32_t, 2147483648.0f, INT32_MIN, INT32_MAX)
TO_UNSIGNED(rom_float_to_uint, float, uint32_t, 4294967296.0f, UINT32_MAX)
TO_SIGNED(rom_float_to_int64, float, int64_t, 9223372036854775808.0f, INT64_MIN, INT64_MAX)
TO_UNSIGNED(rom_float_to_uint64, float, uint64_t, 18446744073709551616.0f, UINT64_MAX)
TO_SIGNED(rom_double_to_int, double, int32_t, 2147483648.0, INT32_MIN, INT32_MAX)
TO_UNSIGNED(rom_double_to_uint, double, uint32_t, 4294967296.0, UINT32_MAX)
