// The float32 inner loops. Everything dense and convolutional is one shape of sum,
//     out[i][j] = sum over three nested loops of a[i] * b[j]
// engram_tile.c does it in portable C; a port with better instructions puts its own file
// with the same three functions in its place (sources.mk).
#ifndef ENGRAM_TILE_H
#define ENGRAM_TILE_H

#include <stddef.h>

// One matrix of outputs. Strides count elements.
typedef struct {
    float *out;
    ptrdiff_t out_i;    // between rows of out; columns are neighbours
    const float *bias;  // one a column, added last; or NULL (mm_dot only)
    const float *a;
    ptrdiff_t a_i;      // between rows of a
    const float *b;
    ptrdiff_t b_j;      // between columns of b
    size_t I, J;        // rows, columns
    size_t n2, n1, n0;  // the sum: outer, middle, inner
    ptrdiff_t a2, a1, a0;
    ptrdiff_t b2, b1, b0;
} engram_mm_t;

// Forward, out = sum + bias: a and b both lie along the inner loop (a0 = b0 = 1).
void engram_mm_dot(const engram_mm_t *t);

// Input gradient, out = sum: a lies along the inner loop (a0 = 1), columns of b are neighbours (b_j = 1).
void engram_mm_axpy(const engram_mm_t *t);

// Weight gradient, out += sum: rows of a and columns of b are neighbours (a_i = b_j = 1).
void engram_mm_outer(const engram_mm_t *t);

// Bias gradient: out (columns) += sum over the rows of a (rows, columns).
void engram_add_rows(float *out, const float *a, size_t rows, size_t columns);

#endif
