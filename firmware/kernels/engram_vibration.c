// Features of a window of vibration; float32. The samples are read again for each sum, so that no
// memory is needed for what lies between.
#include "engram_check.h"
#include "engram_curves.h"

enum { MOST_AXES = 6, LAGS = 3, OF_AN_AXIS = 3 + LAGS };

// The sum of products of axis a at i and axis b at i + lag, each less its mean, over i < n - lag.
static float products(const float *x, int32_t n, int32_t step, int32_t a, int32_t b, int32_t lag,
    const float *mean) {
    float sum = 0.0f;
    for (int32_t i = 0; i < n - lag; i++) {
        sum += (x[i * step + a] - mean[a]) * (x[(i + lag) * step + b] - mean[b]);
    }
    return sum;
}

// log(1 + v / floor) - 5
static float level(float v, float floor) {
    return engram_logf(1.0f + engram_divide(v, floor)) - 5.0f;
}

static bool floor_ok(engram_fault_t *fault, int arg, engram_f_t floor) {
    return engram_need(fault, arg, floor.n, 1, 1, 1, 1)
        && ((floor.p[0] >= 1e-6f && floor.p[0] <= 1e6f)
            || engram_refuse_value(fault, arg, "a number from 1e-6 to 1e6"));
}

// out (6 C + C (C - 1) / 2) = features of x (N, C)
int32_t engram_vibration_features(engram_F_t out, engram_f_t x, engram_f_t floor, int32_t N, int32_t C,
    engram_fault_t *fault) {
    if (!(engram_dim(fault, 3, N, 8)
          && (N <= 32768 || engram_refuse_value(fault, 3, "at most 32768 samples"))
          && engram_dim(fault, 4, C, 1) && (C <= MOST_AXES || engram_refuse_value(fault, 4, "at most 6 axes"))
          && engram_need(fault, 0, out.n, C * OF_AN_AXIS + C * (C - 1) / 2, 1, 1, 1)
          && engram_need(fault, 1, x.n, N, C, 1, 1) && floor_ok(fault, 2, floor))) {
        return ENGRAM_FAULT;
    }
    const float least = floor.p[0], share = engram_divide(1.0f, (float)N);
    float mean[MOST_AXES], spread[MOST_AXES];
    float *to = out.p;
    for (int32_t a = 0; a < C; a++) {
        const float *v = x.p + a;
        float sum = 0.0f, first = 0.0f, second = 0.0f;
        for (int32_t i = 0; i < N; i++) {
            sum += v[i * C];
        }
        for (int32_t i = 1; i < N; i++) {
            float rise = v[i * C] - v[(i - 1) * C];
            first += engram_fabsf(rise);
            if (i > 1) {
                second += engram_fabsf(rise - (v[(i - 1) * C] - v[(i - 2) * C]));
            }
        }
        mean[a] = sum * share;
        float variance = products(x.p, N, C, a, a, 0, mean) * share;
        float noisy = variance + least * least;
        spread[a] = engram_sqrtf(noisy);
        *to++ = level(engram_sqrtf(variance), least);
        *to++ = level(engram_divide(first, (float)(N - 1)), least);
        *to++ = level(engram_divide(second, (float)(N - 2)), least);
        for (int32_t lag = 1; lag <= LAGS; lag++) {
            *to++ = engram_divide(products(x.p, N, C, a, a, lag, mean) * share, noisy);
        }
    }
    for (int32_t a = 0; a < C; a++) {
        for (int32_t b = a + 1; b < C; b++) {
            float common = products(x.p, N, C, a, b, 0, mean) * share;
            *to++ = engram_divide(engram_divide(common, spread[a]), spread[b]);
        }
    }
    return ENGRAM_OK;
}
