// Copies: whole buffers and channels.
#include <string.h>

#include "engram_check.h"

int32_t engram_copy_f32(engram_F_t out, engram_f_t x, engram_fault_t *fault) {
    if (!engram_same(fault, 1, x.n, out.n)) {
        return ENGRAM_FAULT;
    }
    if (out.n != 0 && out.p != x.p) {
        memcpy(out.p, x.p, out.n * sizeof(float));
    }
    return ENGRAM_OK;
}

int32_t engram_copy_channels(engram_F_t out, engram_f_t x, int32_t P, int32_t M, int32_t N, int32_t to,
    int32_t at, int32_t C, engram_fault_t *fault) {
    const int32_t dims[6] = { P, M, N, to, at, C };
    for (int i = 0; i < 6; i++) {
        if (!engram_dim(fault, 2 + i, dims[i], 0)) {
            return ENGRAM_FAULT;
        }
    }
    // none is above 2**30, so the sums fit
    if (!((to + C <= M || engram_refuse_value(fault, 5, "to + C to be at most M"))
          && (at + C <= N || engram_refuse_value(fault, 6, "at + C to be at most N"))
          && engram_need(fault, 0, out.n, P, M, 1, 1) && engram_need(fault, 1, x.n, P, N, 1, 1))) {
        return ENGRAM_FAULT;
    }
    float *o = out.p + to;
    const float *i = x.p + at;
    for (int32_t p = C == 0 ? 0 : P; p > 0; p--, o += M, i += N) {
        for (int32_t c = 0; c < C; c++) {
            o[c] = i[c];
        }
    }
    return ENGRAM_OK;
}
