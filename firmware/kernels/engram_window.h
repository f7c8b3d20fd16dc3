// Where a kernel window lies on its input along one axis. No bounds check is left for inner loops.
#ifndef ENGRAM_WINDOW_H
#define ENGRAM_WINDOW_H

#include "engram_kernels.h"

typedef struct {
    int32_t size, out, taps, stride, pad, dil;  // input size, output size, kernel taps
} engram_axis_t;

static inline engram_axis_t engram_axis(const int32_t *geom, int width) {
    engram_axis_t axis = {
        geom[ENGRAM_H + width], geom[ENGRAM_OH + width], geom[ENGRAM_R + width],
        geom[ENGRAM_STRIDE_H + width], geom[ENGRAM_PAD_TOP + width], geom[ENGRAM_DIL_H + width],
    };
    return axis;
}

typedef struct { int32_t from, to; } engram_range_t;  // from <= i < to

// ceil(a / b) for b > 0 and any a
static inline int32_t engram_ceil_div(int32_t a, int32_t b) {
    if (b == 1) {  // what it nearly always is, and some cores divide by a call
        return a;
    }
    return a >= 0 ? (a + b - 1) / b : -(-a / b);
}

static inline engram_range_t engram_clip(int32_t from, int32_t to, int32_t limit) {
    from = from < 0 ? 0 : from;
    to = to > limit ? limit : to;
    engram_range_t range = { from, to > from ? to : from };
    return range;
}

// The taps of output position o that meet the input: 0 <= o*stride - pad + tap*dil < size.
static inline engram_range_t engram_taps(const engram_axis_t *axis, int32_t o) {
    int32_t start = o * axis->stride - axis->pad;
    return engram_clip(engram_ceil_div(-start, axis->dil), engram_ceil_div(axis->size - start, axis->dil),
        axis->taps);
}

// The output positions whose tap `tap` meets the input.
static inline engram_range_t engram_outputs(const engram_axis_t *axis, int32_t tap) {
    int32_t start = tap * axis->dil - axis->pad;
    return engram_clip(engram_ceil_div(-start, axis->stride), engram_ceil_div(axis->size - start, axis->stride),
        axis->out);
}

// The output positions whose every tap meets the input.
static inline engram_range_t engram_whole(const engram_axis_t *axis) {
    int32_t last = axis->size - 1 + axis->pad - (axis->taps - 1) * axis->dil;  // where the last may start
    return engram_clip(engram_ceil_div(axis->pad, axis->stride), last < 0 ? 0 : last / axis->stride + 1, axis->out);
}

// The taps that reach input position i from an output position: first, first + step, ... and the
// outputs at, at - back, ...
typedef struct { int32_t first, step, n, at, back; } engram_reach_t;

static inline engram_reach_t engram_reach(const engram_axis_t *axis, int32_t i) {
    engram_reach_t found = { 0, 0, 0, 0, 0 };
    for (int32_t tap = 0, from = i + axis->pad; tap < axis->taps && from >= 0; tap++, from -= axis->dil) {
        int32_t at = from / axis->stride;
        if (at * axis->stride != from || at >= axis->out) {
            continue;
        }
        if (found.n == 0) {
            found.first = tap, found.at = at;
        } else if (found.n == 1) {  // stride divides dil * step: the rest are equally far apart
            found.step = tap - found.first, found.back = found.at - at;
        }
        found.n++;
    }
    return found;
}

// A run of output positions that see the same taps: all of `whole` at once, others one by one.
typedef struct { int32_t n; engram_range_t taps; } engram_run_t;

static inline engram_run_t engram_run(const engram_axis_t *axis, const engram_range_t *whole, int32_t o) {
    if (o == whole->from && whole->to > whole->from) {
        engram_run_t run = { whole->to - whole->from, { 0, axis->taps } };
        return run;
    }
    engram_run_t run = { 1, engram_taps(axis, o) };
    return run;
}

#endif
