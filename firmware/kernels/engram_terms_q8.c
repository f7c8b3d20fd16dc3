// Sums where many numbers of `a` are 0, as a ReLU and what keeps some structures leave errors: those that
// are not become a list, each with its row of b, and all columns go by the list.
#include <string.h>

#include "engram_simd.h"
#include "engram_sums_q8.h"

enum { TERMS = 64, COLUMNS = 64 };  // terms (even) and columns at a time

// acc[c] += the sum of v * b[c]. terms has room for one more.
static void add_terms(int32_t *acc, engram_term_t *terms, size_t n, size_t columns) {
    size_t c = 0;
    #if defined(ENGRAM_PAIRS) || defined(ENGRAM_NARROW)
    if (n != 0 && columns >= 4) {
        terms[n].v = 0, terms[n].b = terms[n - 1].b;
        c = columns / 4 * 4;
        engram_terms_4((uint32_t *)acc, terms, terms + (n + 1) / 2 * 2, c);
    }
    for (; c < columns; c++) {
        int32_t sum = acc[c];
        for (size_t i = 0; i < n; i++) {
            sum += terms[i].v * terms[i].b[c];
        }
        acc[c] = sum;
    }
    #else
    for (; n != 0; n--, terms++) {
        const int32_t v = terms->v;
        const int8_t *b = terms->b;
        for (c = 0; c < columns; c++) {
            acc[c] += v * b[c];
        }
    }
    #endif
}

// A row of sums, up to COLUMNS columns, added to acc. samples: which of n2 pieces have others
// than 0, or NULL.
static __attribute__((noinline)) void add_row(const engram_sums_q8_t *t, const int8_t *a, const int8_t *b,
    size_t columns, int32_t *acc, const uint32_t *samples) {
    engram_term_t terms[TERMS + 1], *to = terms, *const end = terms + TERMS;
    const ptrdiff_t a0 = t->a0, b0 = t->b0;
    const uint8_t *list = t->channels;
    for (size_t n2 = 0; n2 < t->n2; n2++, a += t->a2, b += t->b2) {
        if (samples != NULL && (*samples >> n2 & 1) == 0) {
            continue;
        }
        const int8_t *at = a, *bt = b;
        for (size_t n1 = t->n1; n1 != 0; n1--) {
            const size_t all = list != NULL ? t->listed_channels : t->n0;
            for (size_t k = 0, n; k < all; k += n) {
                n = all - k < (size_t)(end - to) ? all - k : (size_t)(end - to);
                if (list != NULL) {
                    for (const uint8_t *c = list + k, *last = c + n; c != last; c++) {
                        const int32_t v = at[*c];
                        if (v != 0) {
                            to->v = v, to->b = bt + *c * b0;
                            to++;
                        }
                    }
                } else {
                    const int8_t *from = at + (ptrdiff_t)k * a0, *row = bt + (ptrdiff_t)k * b0;
                    for (size_t left = n; left != 0; left--, from += a0, row += b0) {
                        const int32_t v = *from;
                        if (v != 0) {
                            to->v = v, to->b = row;
                            to++;
                        }
                    }
                }
                if (to == end) {
                    add_terms(acc, terms, TERMS, columns);
                    to = terms;
                }
            }
            at += t->a1, bt += t->b1;
        }
    }
    add_terms(acc, terms, (size_t)(to - terms), columns);
}

void engram_axpy_terms_q8(const engram_sums_q8_t *t, engram_store_q8_t *s) {
    for (size_t j = 0, n; j < t->J; j += n) {
        int32_t start[COLUMNS], acc[COLUMNS];
        n = t->J - j < COLUMNS ? t->J - j : COLUMNS;
        for (size_t c = 0; c < n; c++) {
            start[c] = engram_start_q8(s, j + c);
        }
        const int8_t *a = t->a;
        int8_t *to = s->out + j;
        for (size_t i = t->I; i != 0; i--, a += t->a_i, to += s->out_i) {
            memcpy(acc, start, n * sizeof(int32_t));
            add_row(t, a, t->b + j, n, acc, NULL);
            for (size_t c = 0; c < n; c++) {
                engram_put_q8(s, to + c, acc[c]);
            }
        }
    }
}

void engram_outer_terms_q8(const engram_sums_q8_t *t, size_t first, engram_step_q8_t *u) {
    for (size_t i = 0; i < t->I; i++) {
        for (size_t j = 0, n; j < t->J; j += n) {
            int32_t acc[COLUMNS];
            n = t->J - j < COLUMNS ? t->J - j : COLUMNS;
            memset(acc, 0, n * sizeof(int32_t));
            add_row(t, t->a + (ptrdiff_t)i * t->a_i, t->b + j, n, acc, t->samples != NULL ? t->samples + i : NULL);
            engram_take_q8(u, first + i * (size_t)u->w_i + j, acc, 1, 0, n);
        }
    }
}
