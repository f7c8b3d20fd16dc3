// Prototypes of this family of kernels; included by engram_kernels.h, whose rules they keep.
// Depthwise and transposed convolution, pools, activations, element by element.
#ifndef ENGRAM_LAYERS_H
#define ENGRAM_LAYERS_H

// out (B, OH, OW, C) = x (B, H, W, C) conv w (R, S, C) channel by channel + b (C) or None; geom
// (14) with K = C
int32_t engram_depthwise_fwd(engram_F_t out, engram_f_t x, engram_f_t w, engram_o_t b, engram_l_t
    geom, int32_t B, engram_fault_t *fault);

// dx (B, H, W, C) = gradient of depthwise_fwd at dout (B, OH, OW, C), w (R, S, C); geom (14)
// with K = C
int32_t engram_depthwise_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t w, engram_l_t geom,
    int32_t B, engram_fault_t *fault);

// dw (R, S, C) += dout (B, OH, OW, C) corr x (B, H, W, C) channel by channel; db (C) +=
// dout.sum(0, 1, 2); geom (14) with K = C
int32_t engram_depthwise_bwd_dw(engram_F_t dw, engram_F_t db, engram_f_t dout, engram_f_t x,
    engram_l_t geom, int32_t B, engram_fault_t *fault);

// out (B, H, W, C) = transposed convolution of x (B, OH, OW, K) by w (K, R, S, C) + b (C) or
// None; geom (14) of the convolution from out to x
int32_t engram_conv2d_t_fwd(engram_F_t out, engram_f_t x, engram_f_t w, engram_o_t b, engram_l_t
    geom, int32_t B, engram_fault_t *fault);

// dx (B, OH, OW, K) = gradient of conv2d_t_fwd at dout (B, H, W, C), w (K, R, S, C); geom (14)
// of the convolution from dout to dx
int32_t engram_conv2d_t_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t w, engram_l_t geom,
    int32_t B, engram_fault_t *fault);

// dw (K, R, S, C) += x (B, OH, OW, K) corr dout (B, H, W, C); db (C) += dout.sum(0, 1, 2); geom
// (14) of the convolution from dout to x
int32_t engram_conv2d_t_bwd_dw(engram_F_t dw, engram_F_t db, engram_f_t dout, engram_f_t x,
    engram_l_t geom, int32_t B, engram_fault_t *fault);

// out (B, OH, OW, C) = largest of x (B, H, W, C) in each window, NaN if there is one; geom (14)
// with K = C
int32_t engram_maxpool_fwd(engram_F_t out, engram_f_t x, engram_l_t geom, int32_t B,
    engram_fault_t *fault);

// dx (B, H, W, C) = dout (B, OH, OW, C) at the first largest of x (B, H, W, C) in each window,
// else 0; geom (14) with K = C
int32_t engram_maxpool_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t x, engram_l_t geom,
    int32_t B, engram_fault_t *fault);

// out (B, OH, OW, C) = mean of x (B, H, W, C) in each window, padding not counted; geom (14)
// with K = C
int32_t engram_avgpool_fwd(engram_F_t out, engram_f_t x, engram_l_t geom, int32_t B,
    engram_fault_t *fault);

// dx (B, H, W, C) = gradient of avgpool_fwd at dout (B, OH, OW, C); geom (14) with K = C
int32_t engram_avgpool_bwd_dx(engram_F_t dx, engram_f_t dout, engram_l_t geom, int32_t B,
    engram_fault_t *fault);

// out (n) = min(max(x (n), 0), 6), NaN stays NaN; out may be x
int32_t engram_relu6_fwd(engram_F_t out, engram_f_t x, engram_fault_t *fault);

// dx (n) = dout (n) where 0 < out (n) < 6, else 0; dx may be dout
int32_t engram_relu6_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t out,
    engram_fault_t *fault);

// out (n) = x (n) where it is positive, else slope (1) * x; out may be x
int32_t engram_leaky_relu_fwd(engram_F_t out, engram_f_t x, engram_f_t slope,
    engram_fault_t *fault);

// dx (n) = dout (n) where out (n) is positive, else slope (1) * dout; dx may be dout
int32_t engram_leaky_relu_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t out, engram_f_t
    slope, engram_fault_t *fault);

// out (n) = x (n) * min(max(x + 3, 0), 6) / 6; out may be x
int32_t engram_hard_swish_fwd(engram_F_t out, engram_f_t x, engram_fault_t *fault);

// dx (n) = dout (n) * (x (n) / 3 + 1 / 2), dout where x >= 3, 0 where x <= -3; dx may be dout
int32_t engram_hard_swish_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t x,
    engram_fault_t *fault);

// out (n) = 1 / (1 + exp(-x (n))) within 2.5 ulp, 0 below -87.33; out may be x
int32_t engram_sigmoid_fwd(engram_F_t out, engram_f_t x, engram_fault_t *fault);

// dx (n) = dout (n) * out (n) * (1 - out); dx may be dout
int32_t engram_sigmoid_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t out,
    engram_fault_t *fault);

// out (n) = tanh(x (n)) within 1.5 ulp; out may be x
int32_t engram_tanh_fwd(engram_F_t out, engram_f_t x, engram_fault_t *fault);

// dx (n) = dout (n) * (1 - out (n) * out); dx may be dout
int32_t engram_tanh_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t out,
    engram_fault_t *fault);

// dx (B, K) = out (B, K) * (dout (B, K) - sum over K of dout * out): gradient of softmax_fwd;
// dx may be dout
int32_t engram_softmax_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t out, int32_t B,
    int32_t K, engram_fault_t *fault);

// out (n) = a (n) + b (n): the residual connection, and sums of gradients; out may be a
int32_t engram_add_f32(engram_F_t out, engram_f_t a, engram_f_t b, engram_fault_t *fault);

// out (n) = a (n) * b (n); out may be a
int32_t engram_mul_f32(engram_F_t out, engram_f_t a, engram_f_t b, engram_fault_t *fault);

// out (P, C) = x (P, C) * scale (C) + shift (C); out may be x
int32_t engram_scale_shift_fwd(engram_F_t out, engram_f_t x, engram_f_t scale, engram_f_t shift,
    int32_t P, int32_t C, engram_fault_t *fault);

// dx (P, C) = dout (P, C) * scale (C); dx may be dout
int32_t engram_scale_shift_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t scale, int32_t P,
    int32_t C, engram_fault_t *fault);

// dscale (C) += (dout (P, C) * x (P, C)).sum(0); dshift (C) += dout.sum(0)
int32_t engram_scale_shift_bwd_dw(engram_F_t dscale, engram_F_t dshift, engram_f_t dout,
    engram_f_t x, int32_t P, int32_t C, engram_fault_t *fault);

// out (P, M)[:, to : to + C] = x (P, N)[:, at : at + C], the rest of out stays: concatenation,
// its gradient, and slices of channels
int32_t engram_copy_channels(engram_F_t out, engram_f_t x, int32_t P, int32_t M, int32_t N,
    int32_t to, int32_t at, int32_t C, engram_fault_t *fault);

// out (B, OH, OW, C) = x (B, H, W, C) from row top and column left on, 0 around it
int32_t engram_pad_fwd(engram_F_t out, engram_f_t x, int32_t B, int32_t H, int32_t W, int32_t C,
    int32_t OH, int32_t OW, int32_t top, int32_t left, engram_fault_t *fault);

// dx (B, H, W, C) = dout (B, OH, OW, C) from row top and column left on: gradient of pad_fwd,
// and a crop
int32_t engram_pad_bwd_dx(engram_F_t dx, engram_f_t dout, int32_t B, int32_t H, int32_t W,
    int32_t C, int32_t OH, int32_t OW, int32_t top, int32_t left, engram_fault_t *fault);

#endif
