#include "engram_tile_s8.h"

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

#define DOT(CHANNELS, VALUE) \
    const int8_t *xp = x1; \
    EACH_##CHANNELS(W_ROW) \
    for (size_t n0 = t->n0; n0 != 0; n0--) { \
        int32_t v = VALUE; \
        EACH_##CHANNELS(MAC) \
    }

void engram_run_s8_x4(const engram_run_s8_t *t) {
    const int32_t offset = t->offset;
    if (offset == 0) {
        RUN(4, DOT(4, *xp++))
    } else {
        RUN(4, DOT(4, *xp++ + offset))
    }
}

void engram_run_s8_x1(const engram_run_s8_t *t) {
    const int32_t offset = t->offset;
    RUN(1, DOT(1, *xp++ + offset))
}

void engram_run_depthwise_s8_x4(const engram_run_s8_t *t) {
    const int32_t offset = t->offset;
    RUN(4, EACH_4(MAC_DEPTHWISE))
}

void engram_run_depthwise_s8_x1(const engram_run_s8_t *t) {
    const int32_t offset = t->offset;
    RUN(1, EACH_1(MAC_DEPTHWISE))
}
