// What int8 kernels check of their scales and zero points.
#ifndef ENGRAM_CHECK_S8_H
#define ENGRAM_CHECK_S8_H

#include "engram_check.h"
#include "engram_math.h"

// q (4): zero points of input and output, and a range for the result.
enum { ENGRAM_IN_ZP, ENGRAM_OUT_ZP, ENGRAM_ACT_MIN, ENGRAM_ACT_MAX, ENGRAM_Q };

static inline bool engram_q_ok(engram_fault_t *fault, int arg, engram_l_t q) {
    if (!engram_need(fault, arg, q.n, ENGRAM_Q, 1, 1, 1)) {
        return false;
    }
    for (int i = 0; i < ENGRAM_Q; i++) {
        int32_t low = i == ENGRAM_ACT_MAX ? q.p[ENGRAM_ACT_MIN] : -128;
        if (q.p[i] < low || q.p[i] > 127) {
            return engram_refuse_entry(fault, arg, i, low, 127, q.p[i]);
        }
    }
    return true;
}

// bias, mult and shift, of one int32 a channel, are arguments 3, 4, 5 of every kernel that has them.
// quick: every shift is to the right, every bias is below 2**28.
bool engram_channels_ok(engram_fault_t *fault, engram_l_t bias, engram_l_t mult, engram_l_t shift, int32_t K,
    bool *quick);

// qp (2): a scale and a zero point.
static inline bool engram_qp_ok(engram_fault_t *fault, int arg, engram_f_t qp) {
    if (!engram_need(fault, arg, qp.n, 2, 1, 1, 1)) {
        return false;
    }
    float scale = qp.p[0], zero_point = qp.p[1];
    return (scale > 0.0f && engram_is_finite(scale) && zero_point >= -128.0f && zero_point <= 127.0f
            && zero_point == (float)(int32_t)zero_point)
        || engram_refuse_value(fault, arg, "scale > 0 and an integer zero_point from -128 to 127");
}

#endif
