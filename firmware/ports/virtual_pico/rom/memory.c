// Copies and fills. Words where both ends are aligned: Armv6-M faults on others.
#include <stdint.h>

#define WORD_BITS (3u)

void *rom_memcpy(uint8_t *to, const uint8_t *from, uint32_t n) {
    uint8_t *at = to;
    if ((((uintptr_t)at | (uintptr_t)from) & WORD_BITS) == 0) {
        uint32_t *words = (uint32_t *)at;
        const uint32_t *source = (const uint32_t *)from;
        for (; n >= 16; n -= 16, words += 4, source += 4) {
            uint32_t a = source[0], b = source[1], c = source[2], d = source[3];
            words[0] = a, words[1] = b, words[2] = c, words[3] = d;
        }
        for (; n >= 4; n -= 4) {
            *words++ = *source++;
        }
        at = (uint8_t *)words;
        from = (const uint8_t *)source;
    }
    while (n--) {
        *at++ = *from++;
    }
    return to;
}

void *rom_memset(uint8_t *to, uint32_t value, uint32_t n) {
    uint8_t *at = to;
    value &= 0xff;  // a caller may pass a negative int
    for (; n && ((uintptr_t)at & WORD_BITS); --n) {
        *at++ = value;
    }
    uint32_t *words = (uint32_t *)at;
    for (; n >= 4; n -= 4) {
        *words++ = value * 0x01010101u;
    }
    at = (uint8_t *)words;
    while (n--) {
        *at++ = value;
    }
    return to;
}
