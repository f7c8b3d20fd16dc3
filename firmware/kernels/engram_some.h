// Prototypes of this family of kernels; included by engram_kernels.h, whose rules they keep.
// Backward passes of some structures of a layer (filters, channels, rows), and their choice.
#ifndef ENGRAM_SOME_H
#define ENGRAM_SOME_H

// sums (B, M) = sum over P of abs(dout (B, P, M))
int32_t engram_sum_errors(engram_F_t sums, engram_f_t dout, int32_t B, int32_t P, int32_t M,
    engram_fault_t *fault);

// kept (B, M) = the largest of sums (B, M), sample by sample: max(floor((least + e / e_max
// (most - least)) M), 1) of them, fewer where the rest is 0; e = the sample's total, e_max =
// state[0], the largest so far; shares (2) = least, most; state (2): its second is the
// running mean of the share that is kept
int32_t engram_keep_largest(engram_L_t kept, engram_F_t state, engram_f_t sums, engram_f_t
    shares, int32_t B, int32_t M, engram_fault_t *fault);

// dout (B, N) = 0 in the rows whose sums (B) lie below q m, a running quantile; state (3) =
// q, running means m of sums and of the share that is skipped; per row q = max(q + rate
// (share - skipped), 0), m += rate (sums - m); hyper (2) = share, rate
int32_t engram_skip_smallest(engram_F_t dout, engram_F_t state, engram_f_t sums, engram_f_t
    hyper, int32_t B, int32_t N, engram_fault_t *fault);

// dx (B, P, N) = dout (B, P, M) @ w (M, N), of the rows of w in kept (B, M) alone
int32_t engram_dense_bwd_dx_some(engram_F_t dx, engram_f_t dout, engram_f_t w, engram_l_t
    kept, int32_t B, int32_t P, int32_t N, int32_t M, engram_fault_t *fault);

// dw (M, N) += sum over B of dout (B, P, M).T @ x (B, P, N), in the rows in kept (B, M)
// alone; db (M) += dout.sum(0, 1) there
int32_t engram_dense_bwd_dw_some(engram_F_t dw, engram_F_t db, engram_f_t dout, engram_f_t x,
    engram_l_t kept, int32_t B, int32_t P, int32_t N, int32_t M, engram_fault_t *fault);

// dx (B, H, W, C) = gradient of conv2d_fwd at dout (B, OH, OW, K), w (K, R, S, C), of the
// filters in kept (B, K) alone; geom (14)
int32_t engram_conv2d_bwd_dx_some(engram_F_t dx, engram_f_t dout, engram_f_t w, engram_l_t
    kept, engram_l_t geom, int32_t B, engram_fault_t *fault);

// dw (K, R, S, C) += dout (B, OH, OW, K) corr x (B, H, W, C), of the filters in kept (B, K)
// alone; db (K) += dout.sum(0, 1, 2) there; geom (14)
int32_t engram_conv2d_bwd_dw_some(engram_F_t dw, engram_F_t db, engram_f_t dout, engram_f_t
    x, engram_l_t kept, engram_l_t geom, int32_t B, engram_fault_t *fault);

// dx (B, H, W, C) = gradient of depthwise_fwd at dout (B, OH, OW, C), w (R, S, C), of the
// channels in kept (B, C) alone, 0 in the others; geom (14) with K = C
int32_t engram_depthwise_bwd_dx_some(engram_F_t dx, engram_f_t dout, engram_f_t w, engram_l_t
    kept, engram_l_t geom, int32_t B, engram_fault_t *fault);

// dw (R, S, C) += dout (B, OH, OW, C) corr x (B, H, W, C) channel by channel, of those in
// kept (B, C) alone; db (C) += dout.sum(0, 1, 2) there; geom (14) with K = C
int32_t engram_depthwise_bwd_dw_some(engram_F_t dw, engram_F_t db, engram_f_t dout,
    engram_f_t x, engram_l_t kept, engram_l_t geom, int32_t B, engram_fault_t *fault);

#endif
