// A tape: rows of a kernel and its arguments, one behind the other, which run without being parsed
// again. The faces bind them; engram_buffers_ok has seen the buffers of every row.
#ifndef ENGRAM_TAPE_H
#define ENGRAM_TAPE_H

#include "engram_kernels.h"

typedef struct {
    const engram_kernel_t *kernel;
    engram_arg_t args[];  // kernel->arity of them; behind them the next row
} engram_row_t;

static inline size_t engram_row_bytes(const engram_kernel_t *kernel) {
    return sizeof(engram_row_t) + kernel->arity * sizeof(engram_arg_t);
}

static inline engram_row_t *engram_next_row(engram_row_t *row) {
    return (engram_row_t *)&row->args[row->kernel->arity];
}

// Row number `at`, counted from `row`.
engram_row_t *engram_row_at(engram_row_t *row, size_t at);

// The two lines that can be wrong with a tape, ended by 0; they return their length. row is the
// number of a row, or -1.
// "bind: row 3: expected a kernel, got int"
size_t engram_tape_message(char *out, size_t size, const char *place, int32_t row,
    const char *expected, const char *got);
// "put: at: expected an int from 0 to 4, got 9"
size_t engram_range_message(char *out, size_t size, const char *place, int64_t low, int64_t high,
    int64_t got);

#endif
