// Global average pool, float32.
#include "engram_check.h"
#include "engram_math.h"

int32_t engram_global_avgpool_fwd(engram_F_t out, engram_f_t x,
    int32_t B, int32_t P, int32_t C, engram_fault_t *fault) {
    if (!(engram_dim(fault, 2, B, 0) && engram_dim(fault, 3, P, 1) && engram_dim(fault, 4, C, 0)
          && engram_need(fault, 0, out.n, B, C, 1, 1) && engram_need(fault, 1, x.n, B, P, C, 1))) {
        return ENGRAM_FAULT;
    }
    size_t channels = (size_t)C, positions = (size_t)P;
    for (size_t i = 0; i < (size_t)B; i++) {
        for (size_t c = 0; c < channels; c++) {
            const float *p = x.p + i * positions * channels + c;
            float sum = 0.0f;
            for (size_t n = positions; n != 0; n--, p += channels) {
                sum += *p;
            }
            out.p[i * channels + c] = engram_divide(sum, (float)P);
        }
    }
    return ENGRAM_OK;
}

int32_t engram_global_avgpool_bwd_dx(engram_F_t dx, engram_f_t dout,
    int32_t B, int32_t P, int32_t C, engram_fault_t *fault) {
    if (!(engram_dim(fault, 2, B, 0) && engram_dim(fault, 3, P, 1) && engram_dim(fault, 4, C, 0)
          && engram_need(fault, 0, dx.n, B, P, C, 1) && engram_need(fault, 1, dout.n, B, C, 1, 1))) {
        return ENGRAM_FAULT;
    }
    size_t channels = (size_t)C, positions = (size_t)P;
    for (size_t i = 0; i < (size_t)B; i++) {
        for (size_t c = 0; c < channels; c++) {
            float *p = dx.p + i * positions * channels + c;
            float share = engram_divide(dout.p[i * channels + c], (float)P);
            for (size_t n = positions; n != 0; n--, p += channels) {
                *p = share;
            }
        }
    }
    return ENGRAM_OK;
}
