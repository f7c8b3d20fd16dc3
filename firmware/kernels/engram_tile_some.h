// The inner loops of engram_tile.h over some of the structures of a layer (filters, rows of a dense
// layer), which a list names; and the lists themselves.
#ifndef ENGRAM_TILE_SOME_H
#define ENGRAM_TILE_SOME_H

#include <stdbool.h>

#include "engram_kernels.h"
#include "engram_tile.h"

// Structures in rising order. at is NULL where the n are all that there are: the dense loops of
// engram_tile.h, which are faster, take those.
typedef struct { const int32_t *at; size_t n; } engram_some_t;

// Input gradient, out = sum: the inner loop visits the listed elements of a (a0 = 1) and rows of b.
void engram_some_axpy(const engram_mm_t *t, engram_some_t some);

// Weight gradient of a structure: for each of down times right taps, side by side in out,
// out (columns) += the sum of value * x[at ...] over terms, those whose value is not 0.
enum { ENGRAM_TERMS = 48, ENGRAM_SAMPLES = 16 };
typedef struct {
    float *out;
    const float *x;
    size_t columns, n;  // n: terms that are not added yet
    int32_t down, right;
    ptrdiff_t x_down, x_right;  // from the input of a tap to that of the next
    float value[ENGRAM_TERMS];
    int32_t at[ENGRAM_TERMS];
} engram_terms_t;

// Values and what they are multiplied by: rows times columns of both, and the steps between them.
typedef struct { int32_t rows, columns; ptrdiff_t d_down, d_right, at_down, at_right; } engram_grid_t;

// One more term for each value of a grid, the first at d and `at`.
void engram_terms(engram_terms_t *t, const float *d, ptrdiff_t at, const engram_grid_t *g);

// Adds the terms to out, in order; then there are none.
void engram_terms_add(engram_terms_t *t);

// Structure by structure the samples from `first` on, ENGRAM_SAMPLES at most, whose lists have it.
typedef struct {
    const int32_t *kept;
    int32_t M, first, samples, m;  // m: the structure now
    size_t n;                      // its samples
    int32_t b[ENGRAM_SAMPLES], next[ENGRAM_SAMPLES];
} engram_keepers_t;

engram_keepers_t engram_keepers(engram_l_t kept, int32_t B, int32_t M, int32_t first);

// To the next structure that is in a list; false behind the last.
bool engram_keepers_next(engram_keepers_t *k);

// Bias gradient: out (columns) += sum over the rows of a (rows, columns), the listed columns alone.
void engram_some_add_rows(float *out, const float *a, size_t rows, size_t columns, engram_some_t some);

// Whether each list has all structures.
bool engram_all_kept(engram_l_t kept, int32_t B, int32_t M);

// Every row of kept (B, M) names structures below M in rising order, then -1 to its end.
bool engram_kept(engram_fault_t *fault, int arg, engram_l_t kept, int32_t B, int32_t M);

// The list of sample b; engram_some() has NULL for one of all.
engram_some_t engram_listed(engram_l_t kept, int32_t b, int32_t M);
engram_some_t engram_some(engram_l_t kept, int32_t b, int32_t M);

#endif
