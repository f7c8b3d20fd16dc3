// A window that slides over every output position of a batch, channel by channel layers' shared
// loop: depthwise convolution and pools, float32 and int8. Offsets count elements.
#ifndef ENGRAM_SLIDE_H
#define ENGRAM_SLIDE_H

#include <stdbool.h>

#include "engram_window.h"

typedef struct {
    engram_axis_t h, w;
    ptrdiff_t C, x_row, x_image;
    int32_t B, i, oh, ow;
    engram_range_t r, s;
    // The window now: pixels inside the input, where the first is, and the steps to the others.
    int32_t rows, columns;
    ptrdiff_t x, x_down, x_right;    // in x (B, H, W, C)
    ptrdiff_t tap, tap_down;         // in weights (R, S, C); to the right it is C
    ptrdiff_t out;                   // in out (B, OH, OW, C)
} engram_slide_t;

static inline engram_slide_t engram_slide(const int32_t *geom, int32_t B) {
    engram_slide_t p = { .h = engram_axis(geom, 0), .w = engram_axis(geom, 1), .C = geom[ENGRAM_C], .B = B };
    p.x_row = p.w.size * p.C;
    p.x_image = p.h.size * p.x_row;
    p.x_down = p.h.dil * p.x_row;
    p.x_right = p.w.dil * p.C;
    p.tap_down = p.w.taps * p.C;
    p.ow = -1;
    p.out = -p.C;
    if (B > 0) {
        p.r = engram_taps(&p.h, 0);
        p.rows = p.r.to - p.r.from;
    }
    return p;
}

// To the next position; false behind the last.
static inline bool engram_slide_next(engram_slide_t *p) {
    if (++p->ow == p->w.out) {
        p->ow = 0;
        if (++p->oh == p->h.out) {
            p->oh = 0;
            p->i++;
        }
        p->r = engram_taps(&p->h, p->oh);
        p->rows = p->r.to - p->r.from;
    }
    p->s = engram_taps(&p->w, p->ow);
    p->columns = p->s.to - p->s.from;
    p->x = p->i * p->x_image + (p->oh * p->h.stride - p->h.pad + p->r.from * p->h.dil) * p->x_row
        + (p->ow * p->w.stride - p->w.pad + p->s.from * p->w.dil) * p->C;
    p->tap = p->r.from * p->tap_down + p->s.from * p->C;
    p->out += p->C;
    return p->i < p->B;
}

#endif
