// Portable float32 inner loops over listed structures: tiles as in engram_tile.c, whose sums have
// the same order.
#include "engram_tile_some.h"

#include <string.h>

#include "engram_check.h"
#include "engram_math.h"
#include "engram_simd.h"

#define EACH_1(op) op(0)
#define EACH_4(op) op(0) op(1) op(2) op(3)
#define EACH_8(op) EACH_4(op) op(4) op(5) op(6) op(7)
#define EACH_1x1(op) op(0, 0)
#define EACH_1x4(op) op(0, 0) op(0, 1) op(0, 2) op(0, 3)
#define EACH_1x8(op) EACH_1x4(op) op(0, 4) op(0, 5) op(0, 6) op(0, 7)
#define EACH_4x1(op) op(0, 0) op(1, 0) op(2, 0) op(3, 0)
#define EACH_4x4(op) \
    op(0, 0) op(0, 1) op(0, 2) op(0, 3) op(1, 0) op(1, 1) op(1, 2) op(1, 3) \
    op(2, 0) op(2, 1) op(2, 2) op(2, 3) op(3, 0) op(3, 1) op(3, 2) op(3, 3)

#define SUM(i, j) float c##i##j = 0.0f;
#define MAC(i, j) c##i##j += x##i * y##j;
#define COLUMN(j) const float y##j = bt[j];

#define AXPY_ROW(i) const float *ap##i = a1 + i * t->a_i;
#define AXPY_TERM(i) const float x##i = ap##i[at];
#define AXPY_STORE(i, j) out[i * t->out_i + (ptrdiff_t)column + j] = c##i##j;

// I rows from `row`, columns in steps of W while there are so many; the first column left.
#define AXPY(I, W) \
    static size_t axpy_##I##x##W(const engram_mm_t *t, engram_some_t some, size_t row, size_t column) { \
        const float *a = t->a + (ptrdiff_t)row * t->a_i; \
        float *out = t->out + (ptrdiff_t)row * t->out_i; \
        for (; t->J - column >= W; column += W) { \
            EACH_##I##x##W(SUM) \
            const float *a2 = a, *b2 = t->b + column; \
            for (size_t n2 = t->n2; n2 != 0; n2--, a2 += t->a2, b2 += t->b2) { \
                const float *a1 = a2, *b1 = b2; \
                for (size_t n1 = t->n1; n1 != 0; n1--, a1 += t->a1, b1 += t->b1) { \
                    EACH_##I(AXPY_ROW) \
                    for (size_t k = 0; k < some.n; k++) { \
                        const ptrdiff_t at = some.at[k]; \
                        const float *bt = b1 + at * t->b0; \
                        EACH_##I(AXPY_TERM) \
                        EACH_##W(COLUMN) \
                        EACH_##I##x##W(MAC) \
                    } \
                } \
            } \
            EACH_##I##x##W(AXPY_STORE) \
        } \
        return column; \
    }

AXPY(4, 1)
AXPY(1, 8)
AXPY(1, 1)

#ifdef ENGRAM_FPU

static const float zeros[16];

static size_t axpy_4x4(const engram_mm_t *t, engram_some_t some, size_t row, size_t column) {
    for (; t->J - column >= 4; column += 4) {
        float sum[16];
        engram_copy_16(sum, zeros);
        const float *a2 = t->a + (ptrdiff_t)row * t->a_i, *b2 = t->b + column;
        for (size_t n2 = t->n2; n2 != 0; n2--, a2 += t->a2, b2 += t->b2) {
            const float *a1 = a2, *b1 = b2;
            for (size_t n1 = t->n1; n1 != 0; n1--, a1 += t->a1, b1 += t->b1) {
                engram_listed_axpy_4(sum, a1, t->a_i, b1, t->b0, some.at, some.n);
            }
        }
        float *out = t->out + (ptrdiff_t)row * t->out_i + (ptrdiff_t)column;
        for (size_t i = 0; i < 4; i++, out += t->out_i) {
            memcpy(out, sum + 4 * i, 4 * sizeof(float));
        }
    }
    return column;
}

static size_t axpy_1x16(const engram_mm_t *t, engram_some_t some, size_t row, size_t column) {
    for (; t->J - column >= 16; column += 16) {
        float sum[16];
        engram_copy_16(sum, zeros);
        const float *a2 = t->a + (ptrdiff_t)row * t->a_i, *b2 = t->b + column;
        for (size_t n2 = t->n2; n2 != 0; n2--, a2 += t->a2, b2 += t->b2) {
            const float *a1 = a2, *b1 = b2;
            for (size_t n1 = t->n1; n1 != 0; n1--, a1 += t->a1, b1 += t->b1) {
                engram_listed_axpy_1(sum, a1, b1, t->b0, some.at, some.n);
            }
        }
        engram_copy_16(t->out + (ptrdiff_t)row * t->out_i + (ptrdiff_t)column, sum);
    }
    return column;
}

#else

AXPY(4, 4)
#define axpy_1x16(t, some, i, column) (column)

#endif

void engram_some_axpy(const engram_mm_t *t, engram_some_t some) {
    if (some.at == NULL) {
        engram_mm_t all = *t;
        all.n0 = some.n, all.a0 = 1;
        engram_mm_axpy(&all);
        return;
    }
    size_t i = 0;
    for (; t->I - i >= 4; i += 4) {
        axpy_4x1(t, some, i, axpy_4x4(t, some, i, 0));
    }
    for (; i < t->I; i++) {
        axpy_1x1(t, some, i, axpy_1x8(t, some, i, axpy_1x16(t, some, i, 0)));
    }
}

void engram_terms(engram_terms_t *t, const float *d, ptrdiff_t at, const engram_grid_t *g) {
    size_t n = t->n;
    for (int32_t y = g->rows; y > 0; y--, d += g->d_down, at += g->at_down) {
        const float *from = d;
        ptrdiff_t place = at;
        for (int32_t x = g->columns; x > 0; x--, from += g->d_right, place += g->at_right) {
            t->value[n] = *from;
            t->at[n] = (int32_t)place;
            n += engram_to_bits(*from) << 1 != 0;  // one of 0 is written over
            if (n == ENGRAM_TERMS) {
                t->n = n;
                engram_terms_add(t);
                n = 0;
            }
        }
    }
    t->n = n;
}

static void add_columns(const engram_terms_t *t, float *out, const float *x) {
    size_t j = 0;
    #ifdef ENGRAM_FPU
    for (; t->columns - j >= 16; j += 16) {
        engram_add_terms_16(out + j, x + j, t->value, t->at, t->n);
    }
    for (; t->columns - j >= 4; j += 4) {
        engram_add_terms_4(out + j, x + j, t->value, t->at, t->n);
    }
    #else
    for (; t->columns - j >= 4; j += 4) {
        float s0 = out[j], s1 = out[j + 1], s2 = out[j + 2], s3 = out[j + 3];
        for (size_t i = 0; i < t->n; i++) {
            const float *from = x + (t->at[i] + (ptrdiff_t)j);
            const float v = t->value[i];
            s0 += v * from[0];
            s1 += v * from[1];
            s2 += v * from[2];
            s3 += v * from[3];
        }
        out[j] = s0, out[j + 1] = s1, out[j + 2] = s2, out[j + 3] = s3;
    }
    #endif
    for (; j < t->columns; j++) {
        float sum = out[j];
        for (size_t i = 0; i < t->n; i++) {
            sum += t->value[i] * x[t->at[i] + (ptrdiff_t)j];
        }
        out[j] = sum;
    }
}

void engram_terms_add(engram_terms_t *t) {
    float *out = t->out;
    const float *row = t->x;
    for (int32_t r = t->n != 0 ? t->down : 0; r > 0; r--, row += t->x_down) {
        const float *x = row;
        for (int32_t s = t->right; s > 0; s--, x += t->x_right, out += t->columns) {
            add_columns(t, out, x);
        }
    }
    t->n = 0;
}

void engram_some_add_rows(float *out, const float *a, size_t rows, size_t columns, engram_some_t some) {
    for (size_t k = 0; k < some.n; k++) {
        const float *at = a + some.at[k];
        float sum = 0.0f;
        for (size_t i = rows; i != 0; i--, at += columns) {
            sum += *at;
        }
        out[some.at[k]] += sum;
    }
}

engram_keepers_t engram_keepers(engram_l_t kept, int32_t B, int32_t M, int32_t first) {
    engram_keepers_t k = { .kept = kept.p + (ptrdiff_t)first * M, .M = M, .first = first, .m = -1 };
    k.samples = B - first < ENGRAM_SAMPLES ? B - first : ENGRAM_SAMPLES;
    for (int32_t b = 0; b < k.samples; b++) {
        k.next[b] = 0;
    }
    return k;
}

bool engram_keepers_next(engram_keepers_t *k) {
    while (++k->m < k->M) {
        k->n = 0;
        const int32_t *list = k->kept;
        for (int32_t b = 0; b < k->samples; b++, list += k->M) {
            const int32_t at = k->next[b];
            if (at < k->M && list[at] == k->m) {
                k->next[b]++;
                k->b[k->n++] = k->first + b;
            }
        }
        if (k->n != 0) {
            return true;
        }
    }
    return false;
}

bool engram_all_kept(engram_l_t kept, int32_t B, int32_t M) {
    for (int32_t b = 0; b < B; b++) {
        if (M > 0 && kept.p[(ptrdiff_t)(b + 1) * M - 1] < 0) {
            return false;
        }
    }
    return true;
}

bool engram_kept(engram_fault_t *fault, int arg, engram_l_t kept, int32_t B, int32_t M) {
    for (int32_t row = 0, at = 0; row < B; row++) {
        int32_t low = 0;
        for (int32_t m = 0; m < M; m++, at++) {
            const int32_t v = kept.p[at];
            if (v == -1) {
                low = M;  // nothing follows
            } else if (v < low || v >= M) {
                return engram_refuse_entry(fault, arg, at, low < M ? low : -1, low < M ? M - 1 : -1, v);
            } else {
                low = v + 1;
            }
        }
    }
    return true;
}

engram_some_t engram_listed(engram_l_t kept, int32_t b, int32_t M) {
    engram_some_t some = { kept.p + (ptrdiff_t)b * M, 0 };
    while (some.n < (size_t)M && some.at[some.n] >= 0) {
        some.n++;
    }
    return some;
}

engram_some_t engram_some(engram_l_t kept, int32_t b, int32_t M) {
    engram_some_t some = engram_listed(kept, b, M);
    if (some.n == (size_t)M) {
        some.at = NULL;
    }
    return some;
}
