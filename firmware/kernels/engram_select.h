// The largest of some numbers, for partial backward passes.
#ifndef ENGRAM_SELECT_H
#define ENGRAM_SELECT_H

#include <stdint.h>

// The k-th largest of n numbers, which change places: Hoare's selection. 1 <= k <= n
static inline int32_t engram_kth_largest(int32_t *v, int32_t n, int32_t k) {
    int32_t low = 0, high = n - 1;
    while (low < high) {
        const int32_t pivot = v[low + (high - low) / 2];
        int32_t i = low, j = high;
        while (i <= j) {
            while (v[i] > pivot) {
                i++;
            }
            while (v[j] < pivot) {
                j--;
            }
            if (i <= j) {
                const int32_t other = v[i];
                v[i++] = v[j];
                v[j--] = other;
            }
        }
        if (k - 1 <= j) {
            high = j;
        } else if (k - 1 >= i) {
            low = i;
        } else {
            break;
        }
    }
    return v[k - 1];
}

// How many of M structures a share of them is, at least 1. 1 <= M
static inline int32_t engram_kept_of(float share, int32_t M) {
    const int32_t k = share < 1.0f ? (int32_t)(share * (float)M + 0.001f) : M;
    return k < 1 ? 1 : k > M ? M : k;
}

#endif
