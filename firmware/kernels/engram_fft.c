// Real FFT of a power of two of samples, its tables and its power; float32. The samples are taken
// as half as many complex numbers, transformed in the output's own memory, then told apart.
#include "engram_check.h"
#include "engram_curves.h"

static bool power_of_two(engram_fault_t *fault, int arg, int32_t N) {
    return engram_dim(fault, arg, N, 4)
        && ((N <= 32768 && (N & (N - 1)) == 0)
            || engram_refuse_value(fault, arg, "a power of two from 4 to 32768"));
}

int32_t engram_hann_window(engram_F_t out, engram_fault_t *fault) {
    if (out.n > 32768) {
        engram_refuse_value(fault, 0, "at most 32768 elements");
        return ENGRAM_FAULT;
    }
    for (size_t i = 0; i < out.n; i++) {
        float cosine, sine;
        engram_turn(&cosine, &sine, (int32_t)i, (int32_t)out.n);
        out.p[i] = 0.5f - 0.5f * cosine;
    }
    return ENGRAM_OK;
}

int32_t engram_rfft_table_size(int32_t N, engram_fault_t *fault) {
    return power_of_two(fault, 0, N) ? N : ENGRAM_FAULT;
}

int32_t engram_rfft_table(engram_F_t out, int32_t N, engram_fault_t *fault) {
    if (!(power_of_two(fault, 1, N) && engram_need(fault, 0, out.n, N, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    for (int32_t k = 0; k < N / 2; k++) {
        engram_turn(out.p + 2 * k, out.p + 2 * k + 1, k, N);
    }
    return ENGRAM_OK;
}

// In place over n complex numbers that lie in bit-reversed order. table has 2 * n steps a turn.
static void butterflies(float *z, const float *table, int32_t n) {
    for (int32_t half = 1, step = n; half < n; half *= 2, step /= 2) {
        for (int32_t k = 0; k < half; k++) {
            const float c = table[2 * k * step], s = table[2 * k * step + 1];
            for (int32_t i = k; i < n; i += 2 * half) {
                float *a = z + 2 * i, *b = a + 2 * half;
                float real = b[0] * c + b[1] * s, imaginary = b[1] * c - b[0] * s;
                b[0] = a[0] - real;
                b[1] = a[1] - imaginary;
                a[0] += real;
                a[1] += imaginary;
            }
        }
    }
}

int32_t engram_rfft(engram_F_t out, engram_f_t x, engram_f_t table, int32_t N, engram_fault_t *fault) {
    if (!(power_of_two(fault, 3, N) && engram_need(fault, 0, out.n, N + 2, 1, 1, 1)
          && engram_need(fault, 1, x.n, N, 1, 1, 1) && engram_need(fault, 2, table.n, N, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    const int32_t n = N / 2;
    float *z = out.p;
    for (int32_t i = 0, reversed = 0; i < n; i++) {
        z[2 * reversed] = x.p[2 * i];
        z[2 * reversed + 1] = x.p[2 * i + 1];
        int32_t bit = n >> 1;  // counts upwards from the highest bit
        for (; reversed & bit; bit >>= 1) {
            reversed ^= bit;
        }
        reversed |= bit;
    }
    butterflies(z, table.p, n);
    // Z = E + jO of even and odd samples: E and O are Z's parts that mirror, and X = E + O w.
    float even = z[0], odd = z[1];
    z[0] = even + odd;
    z[1] = 0.0f;
    z[N] = even - odd;
    z[N + 1] = 0.0f;
    for (int32_t k = 1; k <= n / 2; k++) {
        float *a = z + 2 * k, *b = z + 2 * (n - k);
        float e_real = 0.5f * (a[0] + b[0]), e_imaginary = 0.5f * (a[1] - b[1]);
        float o_real = 0.5f * (a[1] + b[1]), o_imaginary = 0.5f * (b[0] - a[0]);
        const float c = table.p[2 * k], s = table.p[2 * k + 1];
        float real = o_real * c + o_imaginary * s, imaginary = o_imaginary * c - o_real * s;
        b[0] = e_real - real;
        b[1] = imaginary - e_imaginary;
        a[0] = e_real + real;
        a[1] = e_imaginary + imaginary;
    }
    return ENGRAM_OK;
}

int32_t engram_power_spectrum(engram_F_t out, engram_f_t x, int32_t N, engram_fault_t *fault) {
    if (!(power_of_two(fault, 2, N) && engram_need(fault, 0, out.n, N / 2 + 1, 1, 1, 1)
          && engram_need(fault, 1, x.n, N + 2, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    for (size_t k = 0; k < out.n; k++) {
        out.p[k] = x.p[2 * k] * x.p[2 * k] + x.p[2 * k + 1] * x.p[2 * k + 1];
    }
    return ENGRAM_OK;
}

// ---- mel bands and cepstrum -------------------------------------------------------------------

int32_t engram_mel_table(engram_F_t out, engram_f_t hyper, int32_t N, int32_t M, engram_fault_t *fault) {
    if (!(power_of_two(fault, 2, N) && engram_dim(fault, 3, M, 1)
          && engram_need(fault, 0, out.n, N / 2 + 1, 1, 1, 1) && engram_need(fault, 1, hyper.n, 3, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    const float rate = hyper.p[0], low = hyper.p[1], high = hyper.p[2];
    if (!(engram_is_finite(rate) && engram_is_finite(high) && rate > 0.0f && low >= 0.0f && low < high)) {
        engram_refuse_value(fault, 1, "a sample rate above 0 and 0 <= low < high, all finite");
        return ENGRAM_FAULT;
    }
    const float bottom = engram_logf(1.0f + low * (1.0f / 700.0f));
    const float width = engram_logf(1.0f + high * (1.0f / 700.0f)) - bottom;
    for (int32_t k = 0; k <= N / 2; k++) {
        float hertz = rate * ((float)k * engram_divide(1.0f, (float)N));  // the fraction is exact
        float at = engram_divide(engram_logf(1.0f + hertz * (1.0f / 700.0f)) - bottom, width);
        out.p[k] = hertz > low && hertz < high ? at * (float)(M + 1) : -1.0f;
    }
    return ENGRAM_OK;
}

int32_t engram_log_mel(engram_F_t out, engram_f_t power, engram_f_t table, engram_f_t floor, int32_t N,
    int32_t M, engram_fault_t *fault) {
    if (!(power_of_two(fault, 4, N) && engram_dim(fault, 5, M, 1) && engram_need(fault, 0, out.n, M, 1, 1, 1)
          && engram_need(fault, 1, power.n, N / 2 + 1, 1, 1, 1)
          && engram_need(fault, 2, table.n, N / 2 + 1, 1, 1, 1) && engram_need(fault, 3, floor.n, 1, 1, 1, 1)
          && ((floor.p[0] >= 1.17549435e-38f && engram_is_finite(floor.p[0]))
              || engram_refuse_value(fault, 3, "a finite number of at least 1.1754944e-38")))) {
        return ENGRAM_FAULT;
    }
    for (int32_t m = 0; m < M; m++) {
        out.p[m] = 0.0f;
    }
    for (int32_t k = 0; k <= N / 2; k++) {
        float at = table.p[k];
        if (at >= 0.0f && at < (float)(M + 1)) {  // NaN is neither
            int32_t band = (int32_t)at;  // between the peaks of bands band - 1 and band
            float rise = at - (float)band;
            if (band < M) {
                out.p[band] += power.p[k] * rise;
            }
            if (band > 0) {
                out.p[band - 1] += power.p[k] * (1.0f - rise);
            }
        }
    }
    for (int32_t m = 0; m < M; m++) {
        float v = out.p[m];
        out.p[m] = engram_logf(v <= floor.p[0] ? floor.p[0] : v);
    }
    return ENGRAM_OK;
}

int32_t engram_dct_matrix(engram_F_t out, int32_t M, int32_t K, engram_fault_t *fault) {
    if (!(engram_dim(fault, 1, M, 1) && engram_dim(fault, 2, K, 0)
          && (M <= 32767 || engram_refuse_value(fault, 1, "at most 32767 points"))
          && (K <= M || engram_refuse_value(fault, 2, "at most M rows"))
          && engram_need(fault, 0, out.n, K, M, 1, 1))) {
        return ENGRAM_FAULT;
    }
    for (int32_t k = 0; k < K; k++) {
        float scale = engram_sqrtf(engram_divide(k == 0 ? 1.0f : 2.0f, (float)M));
        for (int32_t m = 0; m < M; m++) {
            float cosine, sine;
            // k < M and 2 m + 1 < 2 M < 2**16: the product fits 32 bits without a sign
            uint32_t turns = (uint32_t)k * (uint32_t)(2 * m + 1) % (uint32_t)(4 * M);
            engram_turn(&cosine, &sine, (int32_t)turns, 4 * M);
            out.p[k * M + m] = scale * cosine;
        }
    }
    return ENGRAM_OK;
}
