// Where errors are 0: what a ReLU left, and what a sample does not keep. The kernels that go by lists of
// the others ask here whether that is less work, and which channels have any.
#include "engram_simd.h"
#include "engram_sums_q8.h"

bool engram_few_q8(const int8_t *a, size_t n, uint32_t share) {
    enum { SOME = 64 };
    const size_t step = n / SOME | 7;  // odd: with most numbers of channels it meets all of them
    size_t seen = 0, others = 0;
    for (size_t i = 0; i < n; i += step) {
        seen++;
        others += a[i] != 0;
    }
    return others * 16 <= seen * share;
}

// Sixteenths of numbers that are not 0 up to which lists of them are less work: measured. A list costs
// the less the more columns go by it, and the more positions share what is known of a sample.
static uint32_t worth(size_t J, size_t P) {
    #if defined(ENGRAM_NARROW)
    (void)P;
    return J >= 16 ? 16 : J >= 8 ? 11 : 0;
    #elif defined(ENGRAM_PAIRS)
    return J < 8 ? 0 : J >= 32 || P >= ENGRAM_Q8_POSITIONS ? 7 : 4;
    #else
    (void)P;
    return J >= 8 ? 8 : 0;
    #endif
}

bool engram_listed_q8(const int8_t *a, size_t n, size_t J, size_t P) {
    return engram_few_q8(a, n, worth(J, P));
}

// Up to four channels of n positions, C apart: a bit for each that has errors.
static __attribute__((noinline)) uint32_t with_errors(const int8_t *dout, size_t n, size_t C, size_t channels) {
    uint32_t bits = 0;
    #ifdef ENGRAM_PAIRS
    if (channels == 4) {
        uint32_t any = 0;
        for (; n != 0; n--, dout += C) {
            any |= engram_load4(dout);
        }
        return ((any & 0xff) != 0) | (uint32_t)((any & 0xff00) != 0) << 1 | (uint32_t)((any & 0xff0000) != 0) << 2
            | (uint32_t)(any >> 24 != 0) << 3;
    }
    #endif
    for (size_t c = 0; c < channels; c++) {
        const int8_t *at = dout + c;
        for (size_t left = n; left != 0; left--, at += C) {
            if (*at != 0) {
                bits |= 1u << c;
                break;
            }
        }
    }
    return bits;
}

size_t engram_channels_q8(uint8_t *list, const int8_t *dout, size_t P, size_t C) {
    size_t n = 0;
    for (size_t c = 0; c < C; c += 4) {
        uint32_t bits = with_errors(dout + c, P, C, C - c < 4 ? C - c : 4);
        for (size_t k = c; bits != 0; bits >>= 1, k++) {
            if (bits & 1) {
                list[n++] = (uint8_t)k;
            }
        }
    }
    return n;
}

size_t engram_samples_q8(uint32_t *samples, const int8_t *dout, size_t P, size_t C, size_t channels, size_t B) {
    size_t n = 0;
    for (size_t c = 0; c < channels; c += 4) {
        const size_t four = channels - c < 4 ? channels - c : 4;
        const int8_t *at = dout + c;
        for (size_t k = 0; k < four; k++) {
            samples[c + k] = 0;
        }
        for (size_t b = 0; b < B; b++, at += P * C) {
            uint32_t bits = with_errors(at, P, C, four);
            for (size_t k = c; bits != 0; bits >>= 1, k++) {
                samples[k] |= (bits & 1) << b;
                n += bits & 1;
            }
        }
    }
    return n;
}
