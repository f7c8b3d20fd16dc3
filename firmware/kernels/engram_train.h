// Prototypes of this family of kernels; included by engram_kernels.h, whose rules they keep.
// Losses, optimisers, elementary functions, random numbers.
#ifndef ENGRAM_TRAIN_H
#define ENGRAM_TRAIN_H

// dpred (B, N) = 2 (pred (B, N) - target (B, N)) / (B N); stats (1) = sum over the batch of
// each sample's mean squared difference; dpred may be pred
int32_t engram_mse(engram_F_t dpred, engram_F_t stats, engram_f_t pred, engram_f_t target,
    int32_t B, int32_t N, engram_fault_t *fault);

// g' = g (n) + weight_decay * p (n); m (n) = beta1 * m + (1 - beta1) * g'; v (n) = beta2 * v +
// (1 - beta2) * g'**2; p -= lr * (m / c1) / (sqrt(v / c2) + epsilon); hyper (7) = lr, beta1,
// beta2, epsilon, weight_decay, c1 = 1 - beta1**t, c2 = 1 - beta2**t at step t = 1, 2, ...
int32_t engram_adam_step(engram_F_t p, engram_F_t m, engram_F_t v, engram_f_t g, engram_f_t
    hyper, engram_fault_t *fault);

// y (n) += a (1) * x (n): accumulates gradients
int32_t engram_axpy_f32(engram_F_t y, engram_f_t x, engram_f_t a, engram_fault_t *fault);

// out (n) = a (1) * x (n); out may be x
int32_t engram_scale_f32(engram_F_t out, engram_f_t x, engram_f_t a, engram_fault_t *fault);

// total (1) += sum of x (n) squared: call it once a gradient buffer, then clip_norm on each
int32_t engram_sum_squares(engram_F_t total, engram_f_t x, engram_fault_t *fault);

// g (n) *= limit (1) / sqrt(total (1)) where sqrt(total) > limit, else g stays
int32_t engram_clip_norm(engram_F_t g, engram_f_t total, engram_f_t limit,
    engram_fault_t *fault);

// out (n) = exp(x (n)) within 1.1 ulp, 0 below -87.33, infinite above 88.72; out may be x
int32_t engram_exp_f32(engram_F_t out, engram_f_t x, engram_fault_t *fault);

// out (n) = log(x (n)) within 1 ulp; of 0 and subnormals -infinity, of less NaN; out may be x
int32_t engram_log_f32(engram_F_t out, engram_f_t x, engram_fault_t *fault);

// out (n) = sqrt(x (n)), correctly rounded; of less than 0 NaN; out may be x
int32_t engram_sqrt_f32(engram_F_t out, engram_f_t x, engram_fault_t *fault);

// out (n) = k / 2**24 with k of 24 random bits: numbers at, at + 1, ... of the stream seed
int32_t engram_uniform_f32(engram_F_t out, int32_t seed, int32_t at, engram_fault_t *fault);

// out (n) = standard normal numbers at, at + 1, ... of the stream seed: the quantile, within
// 1e-6 of its size, at the middle of one of 2**24 equal steps; none is beyond +-5.42
int32_t engram_gaussian_f32(engram_F_t out, int32_t seed, int32_t at, engram_fault_t *fault);

#endif
