// Prototypes of this family of kernels; included by engram_kernels.h, whose rules they keep.
// Variational auto-encoders: a unit of the code has a mean and a spread, the logarithm of its
// variance.
#ifndef ENGRAM_VAE_H
#define ENGRAM_VAE_H

// out (n) = mean (n) + exp(spread (n) / 2) * noise (n); stream (3) = seed, at, which: 1, noise
// is the next numbers of gaussian_f32's stream, and at goes on; 0, noise becomes 0; 2, it stays
// as it is
int32_t engram_sample_code(engram_F_t out, engram_F_t noise, engram_L_t stream,
    engram_f_t mean, engram_f_t spread, engram_fault_t *fault);

// dspread (n) = dout (n) * noise (n) * exp(spread (n) / 2) / 2; the gradient by the mean is
// dout; dspread may be dout
int32_t engram_sample_code_bwd_dx(engram_F_t dspread, engram_f_t dout, engram_f_t spread,
    engram_f_t noise, engram_fault_t *fault);

// dmean (B, Z) = mean (B, Z) / B; stats (1 + Z) = the sum of all, then of each unit, of mean**2
// / 2: the part of the means in the divergence from standard normal
int32_t engram_kl_mean(engram_F_t dmean, engram_F_t stats, engram_f_t mean, int32_t B, int32_t Z,
    engram_fault_t *fault);

// dspread (B, Z) = (exp(spread (B, Z)) - 1) / (2 B); stats (1 + Z) = the sum of all, then of
// each unit, of (exp(spread) - 1 - spread) / 2: the part of the variances in the divergence from
// standard normal
int32_t engram_kl_spread(engram_F_t dspread, engram_F_t stats, engram_f_t spread, int32_t B,
    int32_t Z, engram_fault_t *fault);

// dlogits (B, N) = (sigmoid(logits (B, N)) - target (B, N)) / (B N); stats (1) = sum over the
// batch of each sample's mean of log(1 + exp(logit)) - target * logit, the cross-entropy of
// values from 0 to 1; dlogits may be logits
int32_t engram_logistic_xent(engram_F_t dlogits, engram_F_t stats, engram_f_t logits,
    engram_f_t target, int32_t B, int32_t N, engram_fault_t *fault);

#endif
