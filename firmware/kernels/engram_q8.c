// Dense layer of fully quantized training; also the pointwise convolution, with B*H*W rows.
#include "engram_sums_q8.h"

static bool dense_ok(engram_fault_t *fault, int arg, int32_t B, int32_t N, int32_t M) {
    return engram_dim(fault, arg, B, 0) && engram_dim(fault, arg + 1, N, 0) && engram_dim(fault, arg + 2, M, 0);
}

static engram_sums_q8_t rows_by_filters(const int8_t *x, const int8_t *w, int32_t B, int32_t N, int32_t M) {
    const engram_sums_q8_t t = {
        .a = x, .a_i = N, .b = w, .b_j = N, .I = (size_t)B, .J = (size_t)M,
        .n2 = 1, .n1 = 1, .n0 = (size_t)N, .a0 = 1, .b0 = 1,
    };
    return t;
}

int32_t engram_dense_fwd_q8(engram_B_t out, engram_L_t so, engram_b_t x, engram_l_t sx, engram_b_t w,
    engram_l_t sw, engram_l_t b, int32_t B, int32_t N, int32_t M, engram_fault_t *fault) {
    if (!(dense_ok(fault, 7, B, N, M) && engram_products_ok(fault, 8, N, 1, 1)
          && engram_need(fault, 0, out.n, B, M, 1, 1) && engram_notes_ok(fault, 1, so.p, so.n)
          && engram_need(fault, 2, x.n, B, N, 1, 1) && engram_record_ok(fault, 3, sx.p, sx.n)
          && engram_need(fault, 4, w.n, M, N, 1, 1) && engram_record_ok(fault, 5, sw.p, sw.n)
          && engram_need(fault, 6, b.n, M, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    const engram_sums_q8_t t = rows_by_filters(x.p, w.p, B, N, M);
    engram_store_q8_t s = engram_store_q8(out.p, M, so.p, sx.p[ENGRAM_EXPONENT] + sw.p[ENGRAM_EXPONENT]);
    s.bias = b.p;
    engram_dot_q8(&t, &s);
    engram_noted_q8(&s, so.p, out.n);
    return ENGRAM_OK;
}

int32_t engram_dense_logits_q8(engram_F_t out, engram_b_t x, engram_l_t sx, engram_b_t w,
    engram_l_t sw, engram_l_t b, int32_t B, int32_t N, int32_t M, engram_fault_t *fault) {
    if (!(dense_ok(fault, 6, B, N, M) && engram_products_ok(fault, 7, N, 1, 1)
          && engram_need(fault, 0, out.n, B, M, 1, 1)
          && engram_need(fault, 1, x.n, B, N, 1, 1) && engram_record_ok(fault, 2, sx.p, sx.n)
          && engram_need(fault, 3, w.n, M, N, 1, 1) && engram_record_ok(fault, 4, sw.p, sw.n)
          && engram_need(fault, 5, b.n, M, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    const engram_sums_q8_t t = rows_by_filters(x.p, w.p, B, N, M);
    engram_store_q8_t s = engram_store_q8(NULL, M, NULL, sx.p[ENGRAM_EXPONENT] + sw.p[ENGRAM_EXPONENT]);
    s.bias = b.p, s.logits = out.p;
    engram_dot_q8(&t, &s);
    return ENGRAM_OK;
}

int32_t engram_dense_bwd_dx_q8(engram_B_t dx, engram_L_t sdx, engram_b_t dout, engram_l_t sdout,
    engram_b_t w, engram_l_t sw, int32_t B, int32_t N, int32_t M, engram_fault_t *fault) {
    if (!(dense_ok(fault, 6, B, N, M) && engram_products_ok(fault, 8, M, 1, 1)
          && engram_need(fault, 0, dx.n, B, N, 1, 1) && engram_notes_ok(fault, 1, sdx.p, sdx.n)
          && engram_need(fault, 2, dout.n, B, M, 1, 1) && engram_record_ok(fault, 3, sdout.p, sdout.n)
          && engram_need(fault, 4, w.n, M, N, 1, 1) && engram_record_ok(fault, 5, sw.p, sw.n))) {
        return ENGRAM_FAULT;
    }
    const engram_sums_q8_t t = {
        .a = dout.p, .a_i = M, .b = w.p, .b_j = 1, .I = (size_t)B, .J = (size_t)N,
        .n2 = 1, .n1 = 1, .n0 = (size_t)M, .a0 = 1, .b0 = N,
        .listed = engram_listed_q8(dout.p, dout.n, (size_t)N, 1),
    };
    engram_store_q8_t s = engram_store_q8(dx.p, N, sdx.p, sdout.p[ENGRAM_EXPONENT] + sw.p[ENGRAM_EXPONENT]);
    engram_axpy_q8(&t, &s);
    engram_noted_q8(&s, sdx.p, dx.n);
    return ENGRAM_OK;
}

int32_t engram_dense_step_q8(engram_B_t w, engram_B_t rest, engram_L_t sw, engram_L_t b,
    engram_b_t dout, engram_l_t sdout, engram_b_t x, engram_l_t sx, engram_l_t rates, int32_t B,
    int32_t N, int32_t M, engram_fault_t *fault) {
    if (!(dense_ok(fault, 9, B, N, M) && engram_products_ok(fault, 9, B, 1, 1)
          && engram_need(fault, 0, w.n, M, N, 1, 1) && engram_rest_ok(fault, 1, rest.n, w.n)
          && engram_notes_ok(fault, 2, sw.p, sw.n) && engram_need(fault, 3, b.n, M, 1, 1, 1)
          && engram_need(fault, 4, dout.n, B, M, 1, 1) && engram_record_ok(fault, 5, sdout.p, sdout.n)
          && engram_need(fault, 6, x.n, B, N, 1, 1) && engram_record_ok(fault, 7, sx.p, sx.n)
          && engram_rates_ok(fault, 8, rates))) {
        return ENGRAM_FAULT;
    }
    const int32_t e = sdout.p[ENGRAM_EXPONENT];
    if (w.n != 0) {
        const engram_sums_q8_t t = {
            .a = dout.p, .a_i = 1, .b = x.p, .b_j = 1, .I = (size_t)M, .J = (size_t)N,
            .n2 = 1, .n1 = 1, .n0 = (size_t)B, .a0 = M, .b0 = N,
            .listed = engram_listed_q8(dout.p, dout.n, (size_t)N, 1),
        };
        engram_step_q8_t u = engram_step_q8(w, rest, N, sw.p, rates.p, e + sx.p[ENGRAM_EXPONENT], (size_t)B);
        engram_outer_q8(&t, 0, &u);
        engram_stepped_q8(&u, sw.p, w.n);
    }
    engram_bias_step_q8(b.p, dout.p, (size_t)B, (size_t)M, rates.p, e, sw.p);
    return ENGRAM_OK;
}
