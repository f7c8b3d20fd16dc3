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

// Weight gradient, out += sum: the listed rows of a and of out, in the place of I rows.
void engram_some_outer(const engram_mm_t *t, engram_some_t some);

// Bias gradient: out (columns) += sum over the rows of a (rows, columns), the listed columns alone.
void engram_some_add_rows(float *out, const float *a, size_t rows, size_t columns, engram_some_t some);

// Every row of kept (B, M) names structures below M in rising order, then -1 to its end.
bool engram_kept(engram_fault_t *fault, int arg, engram_l_t kept, int32_t B, int32_t M);

// The list of sample b.
engram_some_t engram_some(engram_l_t kept, int32_t b, int32_t M);

#endif
