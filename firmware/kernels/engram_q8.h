// Prototypes of this family of kernels; included by engram_kernels.h, whose rules they keep.
// Fully quantized training. A tensor q has values q * 2**-e, -127 <= q <= 127; its record (6) has e
// and what a step noted about it: device_lib/engram/memory/record.py. Biases are int32 with 24
// bits behind the point. rates (3) = mult, shift, rounding: a rate of mult * 2**-shift, mult 0 to
// 127; rounding 0 stochastic, 1 to nearest, 2 down, 3: no step, the squares of the gradients are
// added to sw, which stands for largest * 2**-e then. `rest` is the byte below each weight, or empty.
#ifndef ENGRAM_Q8_H
#define ENGRAM_Q8_H

enum {
    ENGRAM_EXPONENT, ENGRAM_LARGEST, ENGRAM_RANGE, ENGRAM_SATURATED, ENGRAM_COUNTED, ENGRAM_RANDOM,
    ENGRAM_RECORD
};
enum { ENGRAM_RATE_MULT, ENGRAM_RATE_SHIFT, ENGRAM_ROUNDING, ENGRAM_RATES };

// out (B, M), so = x (B, N) @ w (M, N).T + b (M); so, sx, sw (6): records
int32_t engram_dense_fwd_q8(engram_B_t out, engram_L_t so, engram_b_t x, engram_l_t sx, engram_b_t w,
    engram_l_t sw, engram_l_t b, int32_t B, int32_t N, int32_t M, engram_fault_t *fault);

// out (B, M) = x (B, N) @ w (M, N).T + b (M) in float32; sx, sw (6): records
int32_t engram_dense_logits_q8(engram_F_t out, engram_b_t x, engram_l_t sx, engram_b_t w,
    engram_l_t sw, engram_l_t b, int32_t B, int32_t N, int32_t M, engram_fault_t *fault);

// dx (B, N), sdx = dout (B, M) @ w (M, N); sdx, sdout, sw (6): records
int32_t engram_dense_bwd_dx_q8(engram_B_t dx, engram_L_t sdx, engram_b_t dout, engram_l_t sdout,
    engram_b_t w, engram_l_t sw, int32_t B, int32_t N, int32_t M, engram_fault_t *fault);

// w (M, N), rest (M, N) or (0), sw -= rate * dout (B, M).T @ x (B, N); b (M) -= rate *
// dout.sum(0); rates (3); sw, sdout, sx (6): records
int32_t engram_dense_step_q8(engram_B_t w, engram_B_t rest, engram_L_t sw, engram_L_t b,
    engram_b_t dout, engram_l_t sdout, engram_b_t x, engram_l_t sx, engram_l_t rates, int32_t B,
    int32_t N, int32_t M, engram_fault_t *fault);

// out (B, OH, OW, K), so = x (B, H, W, C) conv w (K, R, S, C) + b (K); so, sx, sw (6): records;
// geom (14)
int32_t engram_conv2d_fwd_q8(engram_B_t out, engram_L_t so, engram_b_t x, engram_l_t sx,
    engram_b_t w, engram_l_t sw, engram_l_t b, engram_l_t geom, int32_t B, engram_fault_t *fault);

// dx (B, H, W, C), sdx = gradient of conv2d_fwd_q8 at dout (B, OH, OW, K), w (K, R, S, C); sdx,
// sdout, sw (6): records; geom (14)
int32_t engram_conv2d_bwd_dx_q8(engram_B_t dx, engram_L_t sdx, engram_b_t dout, engram_l_t sdout,
    engram_b_t w, engram_l_t sw, engram_l_t geom, int32_t B, engram_fault_t *fault);

// w (K, R, S, C), rest the same or (0), sw -= rate * (dout (B, OH, OW, K) corr x (B, H, W, C)); b
// (K) -= rate * dout.sum(0, 1, 2); rates (3); sw, sdout, sx (6): records; geom (14)
int32_t engram_conv2d_step_q8(engram_B_t w, engram_B_t rest, engram_L_t sw, engram_L_t b,
    engram_b_t dout, engram_l_t sdout, engram_b_t x, engram_l_t sx, engram_l_t rates,
    engram_l_t geom, int32_t B, engram_fault_t *fault);

// out (B, H, W, C), so = transposed convolution of x (B, OH, OW, K) by w (K, R, S, C) + b (C); so,
// sx, sw (6): records; geom (14) of the convolution from out to x
int32_t engram_conv2d_t_fwd_q8(engram_B_t out, engram_L_t so, engram_b_t x, engram_l_t sx,
    engram_b_t w, engram_l_t sw, engram_l_t b, engram_l_t geom, int32_t B, engram_fault_t *fault);

// dx (B, OH, OW, K), sdx = gradient of conv2d_t_fwd_q8 at dout (B, H, W, C), w (K, R, S, C); sdx,
// sdout, sw (6): records; geom (14) of the convolution from dout to dx
int32_t engram_conv2d_t_bwd_dx_q8(engram_B_t dx, engram_L_t sdx, engram_b_t dout,
    engram_l_t sdout, engram_b_t w, engram_l_t sw, engram_l_t geom, int32_t B,
    engram_fault_t *fault);

// w (K, R, S, C), rest the same or (0), sw -= rate * (x (B, OH, OW, K) corr dout (B, H, W, C)); b
// (C) -= rate * dout.sum(0, 1, 2); rates (3); sw, sdout, sx (6): records; geom (14) of the
// convolution from dout to x
int32_t engram_conv2d_t_step_q8(engram_B_t w, engram_B_t rest, engram_L_t sw, engram_L_t b,
    engram_b_t dout, engram_l_t sdout, engram_b_t x, engram_l_t sx, engram_l_t rates,
    engram_l_t geom, int32_t B, engram_fault_t *fault);

// out (B, OH, OW, C), so = x (B, H, W, C) conv w (R, S, C) channel by channel + b (C); so, sx, sw
// (6): records; geom (14) with K = C
int32_t engram_depthwise_fwd_q8(engram_B_t out, engram_L_t so, engram_b_t x, engram_l_t sx,
    engram_b_t w, engram_l_t sw, engram_l_t b, engram_l_t geom, int32_t B, engram_fault_t *fault);

// dx (B, H, W, C), sdx = gradient of depthwise_fwd_q8 at dout (B, OH, OW, C), w (R, S, C); sdx,
// sdout, sw (6): records; geom (14) with K = C
int32_t engram_depthwise_bwd_dx_q8(engram_B_t dx, engram_L_t sdx, engram_b_t dout,
    engram_l_t sdout, engram_b_t w, engram_l_t sw, engram_l_t geom, int32_t B,
    engram_fault_t *fault);

// w (R, S, C), rest the same or (0), sw -= rate * (dout (B, OH, OW, C) corr x (B, H, W, C)) channel
// by channel; b (C) -= rate * dout.sum(0, 1, 2); rates (3); sw, sdout, sx (6): records; geom (14)
// with K = C
int32_t engram_depthwise_step_q8(engram_B_t w, engram_B_t rest, engram_L_t sw, engram_L_t b,
    engram_b_t dout, engram_l_t sdout, engram_b_t x, engram_l_t sx, engram_l_t rates,
    engram_l_t geom, int32_t B, engram_fault_t *fault);

// out (n) = max(x (n), 0); out may be x
int32_t engram_relu_fwd_q8(engram_B_t out, engram_b_t x, engram_fault_t *fault);

// dx (n) = dout (n) where out (n) > 0, else 0; dx may be dout
int32_t engram_relu_bwd_dx_q8(engram_B_t dx, engram_b_t dout, engram_b_t out,
    engram_fault_t *fault);

// out (n) = min(max(x (n), 0), 6); sx (6): record; out may be x
int32_t engram_relu6_fwd_q8(engram_B_t out, engram_b_t x, engram_l_t sx, engram_fault_t *fault);

// dx (n) = dout (n) where 0 < out (n) < 6, else 0; sx (6): record of out; dx may be dout
int32_t engram_relu6_bwd_dx_q8(engram_B_t dx, engram_b_t dout, engram_b_t out, engram_l_t sx,
    engram_fault_t *fault);

// out (n), so = a (n) + b (n), each of its own scale; so, sa, sb (6): records; out may be a
int32_t engram_add_q8(engram_B_t out, engram_L_t so, engram_b_t a, engram_l_t sa, engram_b_t b,
    engram_l_t sb, engram_fault_t *fault);

// dx (B, H, W, C), sdx = dout (B, OH, OW, C) at the first largest x (B, H, W, C) of each window;
// sdx, sdout (6): records; geom (14) with K = C
int32_t engram_maxpool_bwd_dx_q8(engram_B_t dx, engram_L_t sdx, engram_b_t dout, engram_l_t sdout,
    engram_b_t x, engram_l_t geom, int32_t B, engram_fault_t *fault);

// out (B, OH, OW, C), so = mean of x (B, H, W, C) over each window, padding not counted; so, sx
// (6): records; geom (14) with K = C
int32_t engram_avgpool_fwd_q8(engram_B_t out, engram_L_t so, engram_b_t x, engram_l_t sx,
    engram_l_t geom, int32_t B, engram_fault_t *fault);

// dx (B, H, W, C), sdx = gradient of avgpool_fwd_q8 at dout (B, OH, OW, C); sdx, sdout (6):
// records; geom (14) with K = C
int32_t engram_avgpool_bwd_dx_q8(engram_B_t dx, engram_L_t sdx, engram_b_t dout, engram_l_t sdout,
    engram_l_t geom, int32_t B, engram_fault_t *fault);

// out (n), so = x (n), NaN as 0; so (6): record
int32_t engram_quantize_q8(engram_B_t out, engram_L_t so, engram_f_t x, engram_fault_t *fault);

// out (n) = x (n); sx (6): record
int32_t engram_dequantize_q8(engram_F_t out, engram_b_t x, engram_l_t sx, engram_fault_t *fault);

// records (n, 6): forget the largest magnitudes and the counts
int32_t engram_clear_q8(engram_L_t records, engram_fault_t *fault);

// records (n, 6): moves the exponents, once per step, by what the kernels noted: the range follows
// the largest magnitude by an eighth; an exponent falls where more than 0.5 % were clamped or the
// range is too wide, and rises where a bit is unused. Returns how many moved.
int32_t engram_follow_q8(engram_L_t records, engram_fault_t *fault);

// w (n), rest (n) or (0), sw: half of the weights' numbers where more than 0.5 % were clamped,
// twice where a bit is unused; their values stay, but for rounding. sw (6): record
int32_t engram_rescale_q8(engram_B_t w, engram_B_t rest, engram_L_t sw, engram_fault_t *fault);

// w (n), rest (n) or (0), sw -= rate * w; rates (3); sw (6): record
int32_t engram_decay_q8(engram_B_t w, engram_B_t rest, engram_L_t sw, engram_l_t rates,
    engram_fault_t *fault);

// w (n), sw += rate * v (n); b (m) += rate * p (m); then v, sv -= drop * v, and p -= drop * p:
// weights and biases go on by their velocities, of which a part goes. rates, drops (3); sw, sv
// (6): records; b and p have 24 bits behind the point
int32_t engram_carry_q8(engram_B_t w, engram_L_t sw, engram_B_t v, engram_L_t sv, engram_L_t b,
    engram_L_t p, engram_l_t rates, engram_l_t drops, engram_fault_t *fault);

// clipped (3) = rates (3) * 2**-n, n the least from 0 to 64 with which a sum of squares total <=
// limit * 4**n: gradients of this norm times 2**-n have at most the norm sqrt(limit). total, limit
// (6): records, of largest * 2**-e
int32_t engram_clip_q8(engram_L_t clipped, engram_l_t rates, engram_l_t total, engram_l_t limit,
    engram_fault_t *fault);

// out (P, M)[:, to : to + C] = x (P, N)[:, at : at + C] for each part of parts (n, 3): to, at, C; the
// rest of out stays
int32_t engram_copy_parts_q8(engram_B_t out, engram_b_t x, engram_l_t parts, int32_t P, int32_t M,
    int32_t N, engram_fault_t *fault);

// out (B, P, M) = dout (B, P, M) of the channels with the largest sums of abs(dout), sample by
// sample: max(floor((least + e / e_max (most - least)) M), 1) of them, 0 in the others; e = the
// sample's total, e_max = state[0], the largest so far; shares (2) = least, most; state (2): its
// second is the running mean of the share that is kept; sums (M), kept (M): of the last sample,
// 1 in what it keeps; sdout (6): record; out may be dout
int32_t engram_keep_largest_q8(engram_B_t out, engram_F_t state, engram_L_t sums,
    engram_L_t kept, engram_b_t dout, engram_l_t sdout, engram_f_t shares, int32_t B, int32_t P,
    int32_t M, engram_fault_t *fault);

#endif
