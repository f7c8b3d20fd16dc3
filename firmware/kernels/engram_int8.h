// Prototypes of this family of kernels; included by engram_kernels.h, whose rules they keep.
// More of int8: transposed convolution, pools, sums, tables and copies; packed latents.
#ifndef ENGRAM_INT8_H
#define ENGRAM_INT8_H

// out (B, H, W, C) = requantize(transposed convolution of x (B, OH, OW, K) by w (C, R, S, K) +
// bias (C)); mult (C), shift (C), geom (14) of the convolution from out to x, q (4)
int32_t engram_conv2d_t_s8(engram_B_t out, engram_b_t x, engram_b_t w, engram_l_t bias,
    engram_l_t mult, engram_l_t shift, engram_l_t geom, engram_l_t q, int32_t B,
    engram_fault_t *fault);

// out (B, OH, OW, C) = largest of x (B, H, W, C) in each window, clamped; geom (14) with K = C,
// q (4)
int32_t engram_maxpool_s8(engram_B_t out, engram_b_t x, engram_l_t geom, engram_l_t q, int32_t B,
    engram_fault_t *fault);

// out (n) = a (n) + b (n), each of its own scale, clamped, as TensorFlow Lite's ADD computes it:
// requantize(a' + b') + out_zp of a' = requantize((a - a_zp) << left_shift), b' likewise; q (12) =
// a_zp b_zp out_zp act_min act_max left_shift a_mult a_shift b_mult b_shift out_mult out_shift; out
// may be a
int32_t engram_add_s8(engram_B_t out, engram_b_t a, engram_b_t b, engram_l_t q,
    engram_fault_t *fault);

// out (n) = x (n) at another scale: requantize(x - in_zp) + out_zp, clamped; mult (1), shift
// (1), q (4); out may be x
int32_t engram_requantize_s8(engram_B_t out, engram_b_t x, engram_l_t mult, engram_l_t shift,
    engram_l_t q, engram_fault_t *fault);

// out (n) = table (256)[x (n) + 128]: any function of one int8 value; out may be x
int32_t engram_lookup_s8(engram_B_t out, engram_b_t x, engram_b_t table, engram_fault_t *fault);

// out (B, K) = round(256 e / sum of e over K) - 128, clamped, e = table (256)[largest of the row -
// x (B, K)]: in the fixed-point arithmetic of TensorFlow Lite's SOFTMAX; table[d] = exp(-d *
// scale * beta) * 2**31, table[0] = 2**31 - 1; K at most 4095; out may be x
int32_t engram_softmax_s8(engram_B_t out, engram_b_t x, engram_l_t table, int32_t B, int32_t K,
    engram_fault_t *fault);

// out (n) = x (n); out may be x
int32_t engram_copy_s8(engram_B_t out, engram_b_t x, engram_fault_t *fault);

// out (P, M)[:, to : to + C] = x (P, N)[:, at : at + C], the rest of out stays: concatenation of
// one scale and zero point, and slices of channels
int32_t engram_copy_channels_s8(engram_B_t out, engram_b_t x, int32_t P, int32_t M, int32_t N,
    int32_t to, int32_t at, int32_t C, engram_fault_t *fault);

// out (B, OH, OW, C) = x (B, H, W, C) from row top and column left on, value (1) around it,
// which is the zero point as a rule
int32_t engram_pad_s8(engram_B_t out, engram_b_t x, engram_b_t value, int32_t B, int32_t H,
    int32_t W, int32_t C, int32_t OH, int32_t OW, int32_t top, int32_t left,
    engram_fault_t *fault);

// returns the bytes that n packed elements take: (n * bits + 7) // 8; bits 1 to 8
int32_t engram_packed_bytes(int32_t n, int32_t bits, engram_fault_t *fault);

// out (packed_bytes(n, bits)) = x (n) in 1 to 8 bits an element
int32_t engram_pack_s8(engram_B_t out, engram_b_t x, int32_t bits, engram_fault_t *fault);

// out (n) = the int8 values nearest to what x (packed_bytes(n, bits)) says
int32_t engram_unpack_s8(engram_B_t out, engram_b_t x, int32_t bits, engram_fault_t *fault);

// out (n) = scale * (v * 255 / (2**bits - 1) - 128 - zero_point), v the elements of x
// (packed_bytes(n, bits)): dequantized without the rounding to int8 between; qp (2) = scale,
// zero_point
int32_t engram_unpack_f32(engram_F_t out, engram_b_t x, engram_f_t qp, int32_t bits,
    engram_fault_t *fault);

#endif
