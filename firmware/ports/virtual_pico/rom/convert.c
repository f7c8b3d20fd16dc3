// Floats to integers as the ROM does it: rounded down, and the nearest bound where it is too large.
// Everything else is libgcc's. Compares with constants use the sign alone where they can.
#include <stdint.h>

int32_t rom_float_to_int(float x) {
    if (x >= 2147483648.0f) {
        return INT32_MAX;
    }
    if (x < -2147483648.0f) {
        return INT32_MIN;
    }
    int32_t whole = (int32_t)x;
    return (float)whole > x ? whole - 1 : whole;
}

uint32_t rom_float_to_uint(float x) {
    return x <= 0 ? 0 : x >= 4294967296.0f ? UINT32_MAX : (uint32_t)x;
}

int64_t rom_float_to_int64(float x) {
    if (x >= 9223372036854775808.0f) {
        return INT64_MAX;
    }
    if (x < -9223372036854775808.0f) {
        return INT64_MIN;
    }
    int64_t whole = (int64_t)x;
    return (float)whole > x ? whole - 1 : whole;
}

uint64_t rom_float_to_uint64(float x) {
    return x <= 0 ? 0 : x >= 18446744073709551616.0f ? UINT64_MAX : (uint64_t)x;
}

int32_t rom_double_to_int(double x) {
    if (x >= 2147483648.0) {
        return INT32_MAX;
    }
    if (x < -2147483648.0) {
        return INT32_MIN;
    }
    int32_t whole = (int32_t)x;
    return (double)whole > x ? whole - 1 : whole;
}

uint32_t rom_double_to_uint(double x) {
    return x <= 0 ? 0 : x >= 4294967296.0 ? UINT32_MAX : (uint32_t)x;
}
