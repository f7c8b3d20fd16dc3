// Maximum and average pools over windows, float32.
#include <string.h>

#include "engram_check.h"
#include "engram_math.h"
#include "engram_slide.h"

// Argument `arg` is as large as out, or as x.
static bool pool_ok(engram_fault_t *fault, const int32_t *g, int32_t B, int arg, size_t n, bool is_out) {
    return is_out ? engram_need(fault, arg, n, B, g[ENGRAM_OH], g[ENGRAM_OW], g[ENGRAM_C])
        : engram_need(fault, arg, n, B, g[ENGRAM_H], g[ENGRAM_W], g[ENGRAM_C]);
}

// Offset from x of the first largest value in the window, or of the last NaN; -1: no window.
static ptrdiff_t largest(const float *x, const engram_slide_t *p) {
    ptrdiff_t best = -1;
    for (int32_t r = 0; r < p->rows; r++) {
        ptrdiff_t at = r * p->x_down;
        for (int32_t s = 0; s < p->columns; s++, at += p->x_right) {
            float v = x[at];
            if (best < 0 || v > x[best] || v != v) {
                best = at;
            }
        }
    }
    return best;
}

// That value alone, which is quicker to keep; 0: no window.
static float largest_value(const float *x, const engram_slide_t *p) {
    float best = p->rows > 0 && p->columns > 0 ? *x : 0.0f;
    for (int32_t r = p->rows; r > 0; r--, x += p->x_down) {
        const float *at = x;
        for (int32_t s = p->columns; s > 0; s--, at += p->x_right) {
            float v = *at;
            if (!(v <= best) && best == best) {  // larger, or the first NaN
                best = v;
            }
        }
    }
    return best;
}

int32_t engram_maxpool_fwd(engram_F_t out, engram_f_t x, engram_l_t geom, int32_t B,
    engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 3, B, 0) && engram_geom(fault, 2, geom, true)
          && pool_ok(fault, g, B, 0, out.n, true) && pool_ok(fault, g, B, 1, x.n, false))) {
        return ENGRAM_FAULT;
    }
    for (engram_slide_t p = engram_slide(g, B); engram_slide_next(&p);) {
        for (ptrdiff_t c = 0; c < p.C; c++) {
            out.p[p.out + c] = largest_value(x.p + (p.x + c), &p);
        }
    }
    return ENGRAM_OK;
}

int32_t engram_maxpool_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t x, engram_l_t geom,
    int32_t B, engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 4, B, 0) && engram_geom(fault, 3, geom, true)
          && pool_ok(fault, g, B, 0, dx.n, false) && pool_ok(fault, g, B, 1, dout.n, true)
          && pool_ok(fault, g, B, 2, x.n, false))) {
        return ENGRAM_FAULT;
    }
    if (dx.n != 0) {
        memset(dx.p, 0, dx.n * sizeof(float));
    }
    for (engram_slide_t p = engram_slide(g, B); engram_slide_next(&p);) {
        for (ptrdiff_t c = 0; c < p.C; c++) {
            ptrdiff_t best = largest(x.p + (p.x + c), &p);
            if (best >= 0) {
                dx.p[p.x + c + best] += dout.p[p.out + c];
            }
        }
    }
    return ENGRAM_OK;
}

int32_t engram_avgpool_fwd(engram_F_t out, engram_f_t x, engram_l_t geom, int32_t B,
    engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 3, B, 0) && engram_geom(fault, 2, geom, true)
          && pool_ok(fault, g, B, 0, out.n, true) && pool_ok(fault, g, B, 1, x.n, false))) {
        return ENGRAM_FAULT;
    }
    for (engram_slide_t p = engram_slide(g, B); engram_slide_next(&p);) {
        int32_t count = p.rows * p.columns;
        for (ptrdiff_t c = 0; c < p.C; c++) {
            float sum = 0.0f;
            for (int32_t r = 0; r < p.rows; r++) {
                const float *at = x.p + (p.x + c + r * p.x_down);
                for (int32_t s = p.columns; s > 0; s--, at += p.x_right) {
                    sum += *at;
                }
            }
            out.p[p.out + c] = count == 0 ? 0.0f : engram_divide(sum, (float)count);
        }
    }
    return ENGRAM_OK;
}

int32_t engram_avgpool_bwd_dx(engram_F_t dx, engram_f_t dout, engram_l_t geom, int32_t B,
    engram_fault_t *fault) {
    const int32_t *g = geom.p;
    if (!(engram_dim(fault, 3, B, 0) && engram_geom(fault, 2, geom, true)
          && pool_ok(fault, g, B, 0, dx.n, false) && pool_ok(fault, g, B, 1, dout.n, true))) {
        return ENGRAM_FAULT;
    }
    if (dx.n != 0) {
        memset(dx.p, 0, dx.n * sizeof(float));
    }
    for (engram_slide_t p = engram_slide(g, B); engram_slide_next(&p);) {
        int32_t count = p.rows * p.columns;
        for (ptrdiff_t c = 0; c < p.C && count != 0; c++) {
            float share = engram_divide(dout.p[p.out + c], (float)count);
            for (int32_t r = 0; r < p.rows; r++) {
                float *at = dx.p + (p.x + c + r * p.x_down);
                for (int32_t s = 0; s < p.columns; s++) {
                    at[s * p.x_right] += share;
                }
            }
        }
    }
    return ENGRAM_OK;
}
