#include "engram_tile_s8.h"

#include <string.h>

#define EACH_1(op) op(0)
#define EACH_4(op) op(0) op(1) op(2) op(3)

#define START(j) engram_acc_t c##j = t->start[j];
#define W_ROW(j) const int8_t *wp##j = w1 + j * t->w_j;
#define MAC(j) c##j += (uint32_t)(v * *wp##j++);
#define MAC_DEPTHWISE(j) c##j += (uint32_t)((x1[j] + offset) * w1[j]);
#define FINISH(j) { \
    int32_t y = engram_requantize(c##j, t->mult[j], t->shift[j]) + t->out_zp; \
    out[j] = engram_clamp_s8(y, t->act_min, t->act_max); \
}

// Every position of the run; BODY adds the taps at x1, w1 to the sums.
#define RUN(CHANNELS, BODY) \
    const int8_t *x = t->x; \
    int8_t *out = t->out; \
    for (size_t p = t->positions; p != 0; p--, x += t->x_p, out += t->out_p) { \
        EACH_##CHANNELS(START) \
        const int8_t *x2 = x, *w2 = t->w; \
        for (size_t n2 = t->n2; n2 != 0; n2--, x2 += t->x2, w2 += t->w2) { \
            const int8_t *x1 = x2, *w1 = w2; \
            for (size_t n1 = t->n1; n1 != 0; n1--, x1 += t->x1, w1 += t->w1) { \
                BODY \
            } \
        } \
        EACH_##CHANNELS(FINISH) \
    }

// One row of x against the weights of each channel; `offset` is added to x where WITH says so.
#define ADDED(v) ((v) + offset)
#define PLAIN(v) (v)
#define DOT_BYTES(CHANNELS, WITH, n) \
    for (size_t n0 = n; n0 != 0; n0--) { \
        int32_t v = WITH(*xp++); \
        EACH_##CHANNELS(MAC) \
    }

#if defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN)
#define ENGRAM_PAIRS

// Four bytes at a time as two pairs of 16 bits: bytes 0 and 2, bytes 1 and 3.
static inline uint32_t load4(const int8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);  // one load: these cores do not mind where it lies
    return v;
}

static inline uint32_t even_pair(uint32_t v) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(v));
    return pair;
}

static inline uint32_t odd_pair(uint32_t v) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(v));
    return pair;
}

static inline uint32_t add_pairs(uint32_t a, uint32_t b) {
    uint32_t sum;
    __asm__("uadd16 %0, %1, %2" : "=r"(sum) : "r"(a), "r"(b) : "cc");
    return sum;
}

// sum + both products, wrapping
static inline uint32_t multiply_pairs(uint32_t a, uint32_t b, uint32_t sum) {
    uint32_t result;
    __asm__("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

#define PAIRS_ADDED(v) add_pairs(v, offsets)
#define PAIRS_PLAIN(v) (v)
#define MAC_4(j) { \
    uint32_t w = load4(wp##j); \
    wp##j += 4; \
    c##j = multiply_pairs(even, even_pair(w), c##j); \
    c##j = multiply_pairs(odd, odd_pair(w), c##j); \
}
#define DOT(CHANNELS, WITH) \
    const int8_t *xp = x1; \
    EACH_##CHANNELS(W_ROW) \
    for (size_t n0 = n_fours; n0 != 0; n0--) { \
        uint32_t v = load4(xp); \
        xp += 4; \
        uint32_t even = PAIRS_##WITH(even_pair(v)), odd = PAIRS_##WITH(odd_pair(v)); \
        EACH_##CHANNELS(MAC_4) \
    } \
    DOT_BYTES(CHANNELS, WITH, n_rest)
#define DOT_SETUP \
    const size_t n_fours = t->n0 / 4, n_rest = t->n0 % 4; \
    const uint32_t offsets = ((uint32_t)offset & 0xffffu) * 0x10001u; \
    (void)offsets;

#else

#define DOT(CHANNELS, WITH) \
    const int8_t *xp = x1; \
    EACH_##CHANNELS(W_ROW) \
    DOT_BYTES(CHANNELS, WITH, t->n0)
#define DOT_SETUP

#endif

void engram_run_s8_x4(const engram_run_s8_t *t) {
    const int32_t offset = t->offset;
    DOT_SETUP
    if (offset == 0) {
        RUN(4, DOT(4, PLAIN))
    } else {
        RUN(4, DOT(4, ADDED))
    }
}

void engram_run_s8_x1(const engram_run_s8_t *t) {
    const int32_t offset = t->offset;
    DOT_SETUP
    RUN(1, DOT(1, ADDED))
}

void engram_run_depthwise_s8_x4(const engram_run_s8_t *t) {
    const int32_t offset = t->offset;
    RUN(4, EACH_4(MAC_DEPTHWISE))
}

void engram_run_depthwise_s8_x1(const engram_run_s8_t *t) {
    const int32_t offset = t->offset;
    RUN(1, EACH_1(MAC_DEPTHWISE))
}

engram_acc_t engram_sum_s8(const int8_t *w, size_t n) {
    engram_acc_t sum = 0;
    #ifdef ENGRAM_PAIRS
    for (; n >= 4; n -= 4, w += 4) {
        uint32_t v = load4(w);
        sum = multiply_pairs(even_pair(v), 0x10001u, sum);
        sum = multiply_pairs(odd_pair(v), 0x10001u, sum);
    }
    #endif
    for (; n != 0; n--) {
        sum += (uint32_t)*w++;
    }
    return sum;
}
