// The choice of what a sample's backward pass keeps, in fully quantized training.
#include <string.h>

#include "engram_select.h"
#include "engram_simd.h"
#include "engram_sums_q8.h"

enum { LARGEST, MEAN, KEPT_STATE };
enum { MOST_ERRORS = (1 << 24) - 1 };  // of a sample: their sum is below 2**31

// sums (M) = the sums of abs(dout (P, M)); returns the total
static int32_t sum_sizes(int32_t *sums, const int8_t *dout, size_t P, size_t M) {
    int32_t total = 0;
    size_t m = 0;
    #ifdef ENGRAM_PAIRS
    for (; P != 0 && M - m >= 4; m += 4) {
        int32_t four[4] = { 0 };
        const int8_t *at = dout + m;
        for (size_t left = P, n; left != 0; left -= n, at += n * M) {
            n = left < ENGRAM_SIZE_ROWS ? left : ENGRAM_SIZE_ROWS;
            engram_add_sizes(four, at, n, M);
        }
        memcpy(sums + m, four, sizeof(four));
        total += four[0] + four[1] + four[2] + four[3];
    }
    #endif
    for (; m < M; m++) {
        const int8_t *at = dout + m;
        int32_t sum = 0;
        for (size_t p = P; p != 0; p--, at += M) {
            sum += *at < 0 ? -*at : *at;
        }
        sums[m] = sum;
        total += sum;
    }
    return total;
}

// kept (M) = 1 at the k largest sums, of equal ones at the first, but 0 where the sum is 0
static void choose(int32_t *kept, const int32_t *sums, int32_t M, int32_t k) {
    int32_t least = 0, equals = k;
    if (k < M) {
        memcpy(kept, sums, (size_t)M * sizeof(int32_t));
        least = engram_kth_largest(kept, M, k);
        for (int32_t m = 0; m < k; m++) {
            equals -= kept[m] > least;  // what is larger comes before it
        }
    }
    for (int32_t m = 0; m < M; m++) {
        const bool largest = sums[m] > least || (sums[m] == least && equals-- > 0);
        kept[m] = largest && sums[m] != 0;
    }
}

// 0 over the channels of out (P, M) that have errors and are not kept; how many are kept
static int32_t leave_out(int8_t *out, const int32_t *sums, const int32_t *kept, int32_t P, int32_t M) {
    int32_t n = 0;
    for (int32_t m = 0; m < M; m++) {
        n += kept[m];
        if (sums[m] != 0 && kept[m] == 0) {
            int8_t *to = out + m;
            for (int32_t p = P; p > 0; p--, to += M) {
                *to = 0;
            }
        }
    }
    return n;
}

int32_t engram_keep_largest_q8(engram_B_t out, engram_F_t state, engram_L_t sums, engram_L_t kept, engram_b_t dout,
    engram_l_t sdout, engram_f_t shares, int32_t B, int32_t P, int32_t M, engram_fault_t *fault) {
    if (!(engram_dim(fault, 7, B, 0) && engram_dim(fault, 8, P, 0) && engram_dim(fault, 9, M, 0)
          && engram_need(fault, 0, out.n, B, P, M, 1) && engram_need(fault, 1, state.n, KEPT_STATE, 1, 1, 1)
          && engram_need(fault, 2, sums.n, M, 1, 1, 1) && engram_need(fault, 3, kept.n, M, 1, 1, 1)
          && engram_need(fault, 4, dout.n, B, P, M, 1)
          && engram_record_ok(fault, 5, sdout.p, sdout.n) && engram_need(fault, 6, shares.n, 2, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    if ((int64_t)P * M > MOST_ERRORS) {
        engram_refuse_value(fault, 9, "at most 16777215 errors of a sample");
        return ENGRAM_FAULT;
    }
    const float low = shares.p[0], high = shares.p[1], unit = engram_power_q8(-sdout.p[ENGRAM_EXPONENT]);
    if (!(low >= 0.0f && low <= high && high <= 1.0f)) {
        engram_refuse_value(fault, 6, "two shares from 0 to 1, the first not above the second");
        return ENGRAM_FAULT;
    }
    if (out.p != dout.p) {
        memcpy(out.p, dout.p, out.n);
    }
    // Divisions are long without an FPU: only where a number has changed.
    const int32_t fixed = low == high && M > 0 ? engram_kept_of(low, M) : 0;
    int32_t last = -1;
    float share = 0.0f;
    for (int32_t b = 0; b < B && M > 0; b++) {
        int8_t *own = out.p + (ptrdiff_t)b * P * M;
        const int32_t sum = sum_sizes(sums.p, own, (size_t)P, (size_t)M);
        int32_t k = M;
        if (sum > 0) {
            const float total = (float)sum * unit;
            if (total > state.p[LARGEST]) {
                state.p[LARGEST] = total;
            }
            k = fixed > 0 ? fixed
                : engram_kept_of(low + engram_divide(total, state.p[LARGEST]) * (high - low), M);
        }
        choose(kept.p, sums.p, M, k);
        const int32_t n = leave_out(own, sums.p, kept.p, P, M);
        if (n != last) {
            last = n, share = engram_divide((float)n, (float)M);
        }
        state.p[MEAN] += (share - state.p[MEAN]) * 0.015625f;
    }
    return ENGRAM_OK;
}
