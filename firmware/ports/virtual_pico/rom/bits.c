// Bits of a word: the ROM's fast functions, plainly.
#include <stdint.h>

// How many are set: in pairs, fours, eights, then all four bytes at once.
uint32_t rom_popcount32(uint32_t x) {
    x -= x >> 1 & 0x55555555u;
    x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0fu;
    return x * 0x01010101u >> 24;
}

// The last bit first.
uint32_t rom_reverse32(uint32_t x) {
    x = (x & 0x55555555u) << 1 | (x >> 1 & 0x55555555u);
    x = (x & 0x33333333u) << 2 | (x >> 2 & 0x33333333u);
    x = (x & 0x0f0f0f0fu) << 4 | (x >> 4 & 0x0f0f0f0fu);
    return __builtin_bswap32(x);
}

// Zeros above the highest bit that is set; 32 of 0.
uint32_t rom_clz32(uint32_t x) {
    uint32_t zeros = 0;
    for (uint32_t half = 16; half != 0; half >>= 1) {
        if (x >> (32 - half) == 0) {
            x <<= half;
            zeros += half;
        }
    }
    return x >> 31 ? zeros : zeros + 1;
}

// Zeros below the lowest; 32 of 0.
uint32_t rom_ctz32(uint32_t x) {
    return x ? 31 - rom_clz32(x & -x) : 32;
}
