// Softmax, int8: TensorFlow Lite's fixed-point arithmetic, with its exponentials from a table.
#include "engram_check_s8.h"
#include "engram_tile_s8.h"

// So many exponentials, each at most 2**19, have a sum below 2**31.
enum { CLASSES = 4095 };

static bool table_ok(engram_fault_t *fault, int arg, engram_l_t table) {
    if (!engram_need(fault, arg, table.n, 256, 1, 1, 1)) {
        return false;
    }
    for (int32_t i = 0; i < 256; i++) {
        const int32_t low = i == 0 ? INT32_MAX : 0;
        if (table.p[i] < low) {
            return engram_refuse_entry(fault, arg, i, low, INT32_MAX, table.p[i]);
        }
    }
    return true;
}

// 2**31 / (1 + a / 2**31), a >= 0: three steps of Newton and Raphson from 48/17 - 32/17 d, where d
// is half of the denominator. 29 bits of x are behind its point.
static int32_t reciprocal(int32_t a) {
    const int32_t d = (int32_t)(((uint32_t)a + 0x80000000u) >> 1);
    int32_t x = 1515870810 + engram_high_product(-1010580540, d);
    for (int i = 0; i < 3; i++) {
        const int32_t rest = (1 << 29) - engram_high_product(d, x);  // of size 1/17 at most
        x += engram_high_product(rest, x) * 4;
    }
    return x >= 1 << 30 ? INT32_MAX : x * 2;
}

int32_t engram_softmax_s8(engram_B_t out, engram_b_t x, engram_l_t table, int32_t B, int32_t K,
    engram_fault_t *fault) {
    if (!(engram_dim(fault, 3, B, 0) && engram_dim(fault, 4, K, 1)
          && (K <= CLASSES || engram_refuse_value(fault, 4, "at most 4095 classes"))
          && engram_need(fault, 0, out.n, B, K, 1, 1) && engram_need(fault, 1, x.n, B, K, 1, 1)
          && table_ok(fault, 2, table))) {
        return ENGRAM_FAULT;
    }
    const size_t classes = (size_t)K;
    for (size_t row = 0; row < out.n; row += classes) {
        const int8_t *in = x.p + row;
        int32_t best = -128;
        for (size_t k = 0; k < classes; k++) {
            best = in[k] > best ? in[k] : best;
        }
        uint32_t sum = 0;  // 19 bits are behind its point
        for (size_t k = 0; k < classes; k++) {
            sum += ((uint32_t)table.p[best - in[k]] + 2048) >> 12;
        }
        int32_t bits = 12 + 31 - 8;  // of a product with the scale, behind the step of the result
        for (; sum < 0x80000000u; sum <<= 1) {
            bits--;
        }
        const int32_t scale = reciprocal((int32_t)(sum - 0x80000000u));
        const int32_t shift = bits < 32 ? -bits : -32;  // beyond 31 nothing is left
        for (size_t k = 0; k < classes; k++) {
            const int32_t v = engram_requantize((engram_acc_t)table.p[best - in[k]], scale, shift) - 128;
            out.p[row + k] = engram_clamp_s8(v, -128, 127);
        }
    }
    return ENGRAM_OK;
}
