// Between float32, uint8 and int8.
#include "engram_check_s8.h"

int32_t engram_quantize_s8(engram_B_t out, engram_f_t x, engram_f_t qp, engram_fault_t *fault) {
    if (!engram_qp_ok(fault, 2, qp)) {
        return ENGRAM_FAULT;
    }
    if (x.n != out.n) {
        engram_refuse(fault, ENGRAM_FAULT_LENGTH, 1, (int64_t)out.n, (int64_t)x.n);
        return ENGRAM_FAULT;
    }
    float scale = qp.p[0];
    int32_t zero_point = (int32_t)qp.p[1];
    for (size_t i = 0; i < out.n; i++) {
        float y = engram_divide(x.p[i], scale);
        // Beyond +-256 the clamp below decides; the conversion must not overflow.
        y = y > 256.0f ? 256.0f : y < -256.0f ? -256.0f : y == y ? y : 0.0f;
        int32_t q = (int32_t)y;
        float rest = y - (float)q;  // exact; adding 0.5 to y would not be
        q += (rest >= 0.5f) - (rest <= -0.5f);
        q += zero_point;
        out.p[i] = (int8_t)(q < -128 ? -128 : q > 127 ? 127 : q);
    }
    return ENGRAM_OK;
}

int32_t engram_dequantize_s8(engram_F_t out, engram_b_t x, engram_f_t qp, engram_fault_t *fault) {
    if (!engram_qp_ok(fault, 2, qp)) {
        return ENGRAM_FAULT;
    }
    if (x.n != out.n) {
        engram_refuse(fault, ENGRAM_FAULT_LENGTH, 1, (int64_t)out.n, (int64_t)x.n);
        return ENGRAM_FAULT;
    }
    float scale = qp.p[0];
    int32_t zero_point = (int32_t)qp.p[1];
    for (size_t i = 0; i < out.n; i++) {
        out.p[i] = scale * (float)(x.p[i] - zero_point);
    }
    return ENGRAM_OK;
}

int32_t engram_u8_to_s8(engram_B_t out, engram_b_t x, engram_fault_t *fault) {
    if (x.n != out.n) {
        engram_refuse(fault, ENGRAM_FAULT_LENGTH, 1, (int64_t)out.n, (int64_t)x.n);
        return ENGRAM_FAULT;
    }
    for (size_t i = 0; i < out.n; i++) {
        out.p[i] = (int8_t)(x.p[i] ^ -128);
    }
    return ENGRAM_OK;
}
