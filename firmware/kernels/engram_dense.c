// Dense layer, float32.
#include "engram_check.h"
#include "engram_tile.h"

int32_t engram_dense_fwd(engram_F_t out, engram_f_t x, engram_f_t w, engram_o_t b,
    int32_t B, int32_t N, int32_t M, engram_fault_t *fault) {
    if (!(engram_dim(fault, 4, B, 0) && engram_dim(fault, 5, N, 0) && engram_dim(fault, 6, M, 0)
          && engram_need(fault, 0, out.n, B, M, 1, 1) && engram_need(fault, 1, x.n, B, N, 1, 1)
          && engram_need(fault, 2, w.n, M, N, 1, 1)
          && (b.p == NULL || engram_need(fault, 3, b.n, M, 1, 1, 1)))) {
        return ENGRAM_FAULT;
    }
    const engram_mm_t t = {
        .out = out.p, .out_i = M, .bias = b.p,
        .a = x.p, .a_i = N, .b = w.p, .b_j = N,
        .I = (size_t)B, .J = (size_t)M,
        .n2 = 1, .n1 = 1, .n0 = (size_t)N, .a0 = 1, .b0 = 1,
    };
    engram_mm_dot(&t);
    return ENGRAM_OK;
}

int32_t engram_dense_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t w,
    int32_t B, int32_t N, int32_t M, engram_fault_t *fault) {
    if (!(engram_dim(fault, 3, B, 0) && engram_dim(fault, 4, N, 0) && engram_dim(fault, 5, M, 0)
          && engram_need(fault, 0, dx.n, B, N, 1, 1) && engram_need(fault, 1, dout.n, B, M, 1, 1)
          && engram_need(fault, 2, w.n, M, N, 1, 1))) {
        return ENGRAM_FAULT;
    }
    const engram_mm_t t = {
        .out = dx.p, .out_i = N,
        .a = dout.p, .a_i = M, .b = w.p, .b_j = 1,
        .I = (size_t)B, .J = (size_t)N,
        .n2 = 1, .n1 = 1, .n0 = (size_t)M, .a0 = 1, .b0 = N,
    };
    engram_mm_axpy(&t);
    return ENGRAM_OK;
}

int32_t engram_dense_bwd_dw(engram_F_t dw, engram_F_t db, engram_f_t dout, engram_f_t x,
    int32_t B, int32_t N, int32_t M, engram_fault_t *fault) {
    if (!(engram_dim(fault, 4, B, 0) && engram_dim(fault, 5, N, 0) && engram_dim(fault, 6, M, 0)
          && engram_need(fault, 0, dw.n, M, N, 1, 1) && engram_need(fault, 1, db.n, M, 1, 1, 1)
          && engram_need(fault, 2, dout.n, B, M, 1, 1) && engram_need(fault, 3, x.n, B, N, 1, 1))) {
        return ENGRAM_FAULT;
    }
    const engram_mm_t t = {
        .out = dw.p, .out_i = N,
        .a = dout.p, .a_i = 1, .b = x.p, .b_j = 1,
        .I = (size_t)M, .J = (size_t)N,
        .n2 = 1, .n1 = 1, .n0 = (size_t)B, .a0 = M, .b0 = N,
    };
    engram_mm_outer(&t);
    engram_add_rows(db.p, dout.p, (size_t)B, (size_t)M);
    return ENGRAM_OK;
}
