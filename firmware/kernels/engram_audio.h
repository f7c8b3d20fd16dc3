// Prototypes of this family of kernels; included by engram_kernels.h, whose rules they keep.
// Front-ends: of sound (window, real FFT, mel bands, cepstrum) and of vibration.
#ifndef ENGRAM_AUDIO_H
#define ENGRAM_AUDIO_H

// out (n) = 0.5 - 0.5 cos(2 pi i / n), within 1e-6
int32_t engram_hann_window(engram_F_t out, engram_fault_t *fault);

// returns the elements of rfft's table for N samples; N a power of two, 4 to 32768
int32_t engram_rfft_table_size(int32_t N, engram_fault_t *fault);

// out (rfft_table_size(N)) = cos and sin of 2 pi k / N in turn, k < N / 2, within 2e-7; N a
// power of two, 4 to 32768
int32_t engram_rfft_table(engram_F_t out, int32_t N, engram_fault_t *fault);

// out (N + 2) = real and imaginary part in turn of sum over i of x (N)[i] exp(-2 pi j i k / N)
// for k = 0 to N / 2; table (N) from rfft_table; N a power of two, 4 to 32768
int32_t engram_rfft(engram_F_t out, engram_f_t x, engram_f_t table, int32_t N,
    engram_fault_t *fault);

// out (N / 2 + 1) = squared magnitudes of x (N + 2) from rfft; N a power of two, 4 to 32768
int32_t engram_power_spectrum(engram_F_t out, engram_f_t x, int32_t N, engram_fault_t *fault);

// out (N / 2 + 1) = where each bin of power_spectrum lies on the mel scale, 0 at low and M + 1
// at high Hz, -1 outside, within 1e-5 (M + 1); hyper (3) = sample rate, low, high; mel = 1127
// log(1 + Hz / 700)
int32_t engram_mel_table(engram_F_t out, engram_f_t hyper, int32_t N, int32_t M,
    engram_fault_t *fault);

// out (M) = log of the larger of floor (1) and band m's sum over bins of power (N / 2 + 1) *
// max(0, 1 - abs(table (N / 2 + 1) - 1 - m)): triangles on the mel scale; table from mel_table
int32_t engram_log_mel(engram_F_t out, engram_f_t power, engram_f_t table, engram_f_t floor,
    int32_t N, int32_t M, engram_fault_t *fault);

// out (K, M) = the first K rows of the orthonormal DCT-II of M points, within 3e-7: weights of
// a dense layer from log_mel to K cepstral coefficients
int32_t engram_dct_matrix(engram_F_t out, int32_t M, int32_t K, engram_fault_t *fault);

// out (6 C + C (C - 1) / 2) = of each axis of x (N, C): L(standard deviation), L(mean size of
// the first differences), L(of the second), autocorrelation at lags 1, 2, 3; then the
// correlation of each pair of axes. L(v) = log(1 + v / floor (1)) - 5; correlations are those
// under white noise of floor; 8 <= N <= 32768, C <= 6
int32_t engram_vibration_features(engram_F_t out, engram_f_t x, engram_f_t floor, int32_t N, int32_t C,
    engram_fault_t *fault);

#endif
