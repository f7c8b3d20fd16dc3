// Records and steps of fully quantized training.
#include "engram_sums_q8.h"

#include "engram_simd.h"

// ---- checks --------------------------------------------------------------------------------

bool engram_record_ok(engram_fault_t *fault, int arg, const int32_t *record, size_t n) {
    if (!engram_need(fault, arg, n, ENGRAM_RECORD, 1, 1, 1)) {
        return false;
    }
    return (record[0] >= -ENGRAM_Q8_EXPONENTS && record[0] <= ENGRAM_Q8_EXPONENTS)
        || engram_refuse_entry(fault, arg, 0, -ENGRAM_Q8_EXPONENTS, ENGRAM_Q8_EXPONENTS, record[0]);
}

bool engram_notes_at_ok(engram_fault_t *fault, int arg, const int32_t *records, size_t at) {
    for (int i = ENGRAM_EXPONENT; i <= ENGRAM_COUNTED; i++) {
        const int32_t low = i == ENGRAM_EXPONENT ? -ENGRAM_Q8_EXPONENTS : 0;
        const int32_t high = i == ENGRAM_EXPONENT ? ENGRAM_Q8_EXPONENTS : ENGRAM_Q8_MOST;
        const int32_t v = records[at + (size_t)i];
        if (v < low || v > high) {
            return engram_refuse_entry(fault, arg, (int32_t)at + i, low, high, v);
        }
    }
    return true;
}

bool engram_notes_ok(engram_fault_t *fault, int arg, const int32_t *record, size_t n) {
    return engram_need(fault, arg, n, ENGRAM_RECORD, 1, 1, 1) && engram_notes_at_ok(fault, arg, record, 0);
}

bool engram_rates_ok(engram_fault_t *fault, int arg, engram_l_t rates) {
    static const int32_t low[ENGRAM_RATES] = { 0, -64, 0 }, high[ENGRAM_RATES] = { 127, 64, ENGRAM_MEASURE };
    if (!engram_need(fault, arg, rates.n, ENGRAM_RATES, 1, 1, 1)) {
        return false;
    }
    for (int i = 0; i < ENGRAM_RATES; i++) {
        if (rates.p[i] < low[i] || rates.p[i] > high[i]) {
            return engram_refuse_entry(fault, arg, i, low[i], high[i], rates.p[i]);
        }
    }
    return true;
}

bool engram_rest_ok(engram_fault_t *fault, int arg, size_t rest, size_t w) {
    return rest == 0 || rest == w || engram_refuse_value(fault, arg, "no element, or as many as w");
}

bool engram_products_ok(engram_fault_t *fault, int arg, int32_t a, int32_t b, int32_t c) {
    return (int64_t)a * b <= ENGRAM_Q8_PRODUCTS && (int64_t)a * b * c <= ENGRAM_Q8_PRODUCTS
        ? true : engram_refuse_value(fault, arg, "at most 65535 products in a sum");
}

// ---- values of a result --------------------------------------------------------------------

engram_store_q8_t engram_store_q8(int8_t *out, ptrdiff_t out_i, const int32_t *record, int32_t exponent) {
    engram_store_q8_t s = {
        .out = out, .out_i = out_i, .exponent = exponent,
        .right = record != NULL ? exponent - record[ENGRAM_EXPONENT] : 0,
    };
    s.down = s.right <= 0 ? 0 : (s.right < 32 ? s.right : 32) - 1;
    return s;
}

// The largest magnitude that is noted already and needs no clamp.
static uint32_t limit(uint32_t largest, uint32_t unclamped) {
    return largest < unclamped ? largest : unclamped;
}

int32_t engram_beyond_q8(engram_store_q8_t *s, int32_t acc) {
    const uint32_t size = acc < 0 ? -(uint32_t)acc : (uint32_t)acc;
    if (size > s->largest) {
        s->largest = size;
        if (s->right > 0) {  // below 127 and a half
            s->limit = limit(size, s->down < 24 ? (255u << s->down) - 1 : INT32_MAX);
        }
    }
    const int32_t v = engram_scale_q8(acc, s->right, 128);
    if (v > 127 || v < -127) {
        s->saturated++;
        return v > 0 ? 127 : -127;
    }
    return v;
}

static void note(int32_t *record, uint32_t largest, int32_t saturated, size_t counted) {
    const uint32_t most = ENGRAM_Q8_MOST;
    if (largest > (uint32_t)record[ENGRAM_LARGEST]) {
        record[ENGRAM_LARGEST] = (int32_t)(largest < most ? largest : most);
    }
    const uint32_t all = (uint32_t)record[ENGRAM_SATURATED] + (uint32_t)saturated;
    record[ENGRAM_SATURATED] = (int32_t)(all < most ? all : most);
    const size_t room = most - (uint32_t)record[ENGRAM_COUNTED];
    record[ENGRAM_COUNTED] = (int32_t)(counted < room ? (uint32_t)record[ENGRAM_COUNTED] + (uint32_t)counted : most);
}

void engram_noted_q8(const engram_store_q8_t *s, int32_t *record, size_t counted) {
    const int32_t right = s->right - 8;
    uint32_t largest = s->largest;
    if (right >= 0) {
        largest = right < 32 ? largest >> right : 0;
    } else {
        largest = largest > ((uint32_t)ENGRAM_Q8_MOST >> (-right < 31 ? -right : 31)) ? (uint32_t)ENGRAM_Q8_MOST
            : largest << (-right < 31 ? -right : 31);
    }
    note(record, largest, s->saturated, counted);
}

// ---- steps of weights ----------------------------------------------------------------------

engram_step_q8_t engram_step_q8(engram_B_t w, engram_B_t rest, ptrdiff_t w_i, const int32_t *sw, const int32_t *rates,
    int32_t exponent, size_t products) {
    engram_step_q8_t u = {
        .w = w.p, .rest = rest.n != 0 ? rest.p : NULL, .w_i = w_i,
        .mult = rates[ENGRAM_RATE_MULT], .rounding = rates[ENGRAM_ROUNDING], .exponent = exponent,
        .right = rates[ENGRAM_RATE_SHIFT] + exponent - sw[ENGRAM_EXPONENT] - (rest.n != 0 ? 8 : 0),
    };
    // The bits that round are the upper ones: a half where all weights round to nearest.
    if (u.rounding == ENGRAM_STOCHASTIC) {
        u.random = (uint32_t)sw[ENGRAM_RANDOM], u.spread = ENGRAM_Q8_SPREAD;
    } else if (u.rounding == ENGRAM_NEAREST) {
        u.random = 1u << 31;
    }
    u.quick = u.right > 0 && u.right <= 30
        && (int64_t)products * u.mult * (128 * 128) + ((int64_t)1 << u.right) <= INT32_MAX;
    return u;
}

// What a step takes from a weight, whatever its size.
static int32_t any_step(const engram_step_q8_t *u, int32_t acc, uint32_t random) {
    const int64_t most = ENGRAM_Q8_MOST, far = (int64_t)1 << 31;
    int64_t v = (int64_t)acc * u->mult;
    int32_t right = u->right < 63 ? u->right : 63;
    if (right <= 0) {
        v = (v < -far ? -far : v > far ? far : v) * ((int64_t)1 << (-right < 31 ? -right : 31));
    } else if (u->rounding == ENGRAM_NEAREST) {
        v = ((v >> (right - 1)) + 1) >> 1;
    } else if (u->rounding == ENGRAM_FLOOR) {
        v >>= right;
    } else {
        if (right > 32) {
            v >>= right - 32, right = 32;
        }
        v = (v + (int64_t)((uint64_t)random >> (32 - right))) >> right;
    }
    return (int32_t)(v < -most ? -most : v > most ? most : v);
}

// A weight beyond the limit: clamped, once it is noted.
static __attribute__((noinline)) int32_t beyond(engram_step_q8_t *u, int32_t v) {
    const int32_t most = u->rest != NULL ? 127 << 8 : 127;
    const uint32_t size = v < 0 ? -(uint32_t)v : (uint32_t)v;
    if (size > u->largest) {
        u->largest = size;
        u->limit = limit(size, (uint32_t)most);
    }
    if (size > (uint32_t)most) {
        u->saturated++;
        return v > 0 ? most : -most;
    }
    return v;
}

static inline __attribute__((always_inline)) void take(engram_step_q8_t *u, size_t i, const int32_t *acc, size_t rows,
    size_t step, size_t n, bool wide, bool quick) {
    const int32_t mult = u->mult, right = u->right;
    const uint32_t spread = u->spread;
    uint32_t limit = u->limit;
    for (; rows != 0; rows--, i += (size_t)u->w_i, acc += step) {
        uint32_t random = u->random + (uint32_t)i * spread;
        int8_t *w = u->w + i, *rest = wide ? u->rest + i : NULL;
        for (const int32_t *p = acc, *end = acc + n; p != end; p++, w++, random += spread) {
            const int32_t by = quick ? (*p * mult + (int32_t)(random >> (32 - right))) >> right
                : any_step(u, *p, random);
            int32_t v = (wide ? 256 * *w + *rest : *w) - by;
            if ((uint32_t)v + limit > 2 * limit) {
                v = beyond(u, v), limit = u->limit;
            }
            if (wide) {
                *rest++ = (int8_t)v;
                v = (v + 128) >> 8;
            }
            *w = (int8_t)v;
        }
    }
}

#ifdef ENGRAM_NARROW
static void take_row(engram_step_q8_t *u, size_t i, const int32_t *acc, size_t n) {
    const bool wide = u->rest != NULL;
    engram_narrow_take_t t = {
        .acc = acc, .w = u->w + i, .to_rest = wide ? u->rest - u->w : 0, .n = n,
        .mult = u->mult, .right = u->right, .left = 32 - u->right,
        .random = u->random + (uint32_t)i * u->spread, .spread = u->spread, .limit = u->limit,
    };
    while (t.n != 0 && (wide ? engram_narrow_take_wide : engram_narrow_take)(&t) != 0) {
        take(u, (size_t)(t.w - u->w), t.acc, 1, 0, 1, wide, true);
        t.acc++, t.w++, t.n--, t.random += t.spread, t.limit = u->limit;
    }
}
#endif

// A sum is below 2**30, so that 16 squares fit.
static void measure(engram_step_q8_t *u, const int32_t *acc, size_t rows, size_t step, size_t n) {
    for (; rows != 0; rows--, acc += step) {
        uint64_t squares = 0;
        for (size_t i = 0; i < n; i++) {
            const uint32_t size = acc[i] < 0 ? -(uint32_t)acc[i] : (uint32_t)acc[i];
            squares += size < 1 << 16 ? size * size : (uint64_t)size * size;
        }
        u->squares += squares;
        u->squares_high += u->squares < squares;
    }
}

void engram_take_q8(engram_step_q8_t *u, size_t i, const int32_t *acc, size_t rows, size_t step, size_t n) {
    if (u->rounding == ENGRAM_MEASURE) {
        measure(u, acc, rows, step, n);
        return;
    }
    if (!u->quick) {
        take(u, i, acc, rows, step, n, u->rest != NULL, false);
        return;
    }
    #ifdef ENGRAM_NARROW
    for (; rows != 0; rows--, i += (size_t)u->w_i, acc += step) {
        take_row(u, i, acc, n);
    }
    #else
    if (u->rest != NULL) {
        take(u, i, acc, rows, step, n, true, true);
    } else {
        take(u, i, acc, rows, step, n, false, true);
    }
    #endif
}

int32_t engram_next_random_q8(int32_t state) {
    uint32_t random = (uint32_t)state;
    random ^= random << 13;
    random ^= random >> 17;
    return (int32_t)(random ^ random << 5);
}

// The same v * 2**-e with 30 bits, rounded up; 0 as it is.
static void thirty(uint64_t *v, int32_t *e) {
    for (; *v > ENGRAM_Q8_MOST; *e -= 1) {
        *v = (*v >> 1) + (*v & 1);
    }
    for (; *v != 0 && *v < 1 << 29; *e += 1) {
        *v <<= 1;
    }
}

// v / 2**right, rounded up; v has 30 bits
static uint64_t down(uint64_t v, int32_t right) {
    return right < 31 ? (v + ((uint64_t)1 << right) - 1) >> right : 1;
}

// total += v * 2**-e
static void add_squares(int32_t *total, uint64_t v, int32_t e) {
    if (v == 0) {
        return;
    }
    uint64_t before = (uint64_t)total[ENGRAM_LARGEST];
    int32_t before_e = total[ENGRAM_EXPONENT];
    thirty(&v, &e);
    if (before != 0) {
        thirty(&before, &before_e);
        const int32_t least = e < before_e ? e : before_e;
        v = down(v, e - least) + down(before, before_e - least), e = least;
        thirty(&v, &e);
    }
    if (e > ENGRAM_Q8_EXPONENTS) {
        v = down(v, e - ENGRAM_Q8_EXPONENTS), e = ENGRAM_Q8_EXPONENTS;
    } else if (e < -ENGRAM_Q8_EXPONENTS) {
        v = ENGRAM_Q8_MOST, e = -ENGRAM_Q8_EXPONENTS;
    }
    total[ENGRAM_LARGEST] = (int32_t)v, total[ENGRAM_EXPONENT] = e;
}

static void add_measured(const engram_step_q8_t *u, int32_t *total) {
    uint64_t low = u->squares;
    int32_t e = 2 * u->exponent;
    for (uint32_t high = u->squares_high; high != 0; high >>= 1, e--) {
        low = low >> 1 | (uint64_t)(high & 1) << 63 | (low & 1);  // the last bit says that there was more
    }
    add_squares(total, low, e);
}

void engram_stepped_q8(const engram_step_q8_t *u, int32_t *sw, size_t counted) {
    if (u->rounding == ENGRAM_MEASURE) {
        add_measured(u, sw);
        return;
    }
    const uint32_t most = ENGRAM_Q8_MOST;
    const uint32_t largest = u->rest != NULL ? u->largest : u->largest > most >> 8 ? most : u->largest << 8;
    note(sw, largest, u->saturated, counted);
    sw[ENGRAM_RANDOM] = engram_next_random_q8(sw[ENGRAM_RANDOM]);
}

// The sums of the first four columns of a matrix where a core takes four bytes at once, or of the
// first one; returns how many. `left` columns are there.
static size_t sum_columns(int32_t sums[4], const int8_t *p, size_t rows, size_t K, size_t left) {
    #ifdef ENGRAM_PAIRS
    if (left >= 4 && rows <= 255) {
        engram_columns_t four = { 0, 0 };
        for (; rows != 0; rows--, p += K) {
            engram_add_row(&four, p);
        }
        engram_column_sums(sums, &four);
        return 4;
    }
    #else
    (void)left;
    #endif
    sums[0] = 0;
    for (; rows != 0; rows--, p += K) {
        sums[0] += *p;
    }
    return 1;
}

void engram_bias_step_q8(int32_t *b, const int8_t *dout, size_t rows, size_t K, const int32_t *rates,
    int32_t exponent, int32_t *sw) {
    const int64_t far = (int64_t)1 << 31, most = ENGRAM_Q8_MOST;
    int32_t right = rates[ENGRAM_RATE_SHIFT] + exponent - ENGRAM_Q8_BIAS_EXPONENT;
    right = right < -31 ? -31 : right > 63 ? 63 : right;
    int32_t sums[4];
    uint64_t squares = 0;
    for (size_t k = 0, from = 0, ready = 0; k < K; k++) {
        if (k == ready) {
            from = k, ready += sum_columns(sums, dout + k, rows, K, K - k);
        }
        if (rates[ENGRAM_ROUNDING] == ENGRAM_MEASURE) {
            squares += (uint64_t)((int64_t)sums[k - from] * sums[k - from]);
            continue;
        }
        int64_t v = (int64_t)sums[k - from] * rates[ENGRAM_RATE_MULT];
        if (right > 0) {
            v = ((v >> (right - 1)) + 1) >> 1;
        } else {
            v = (v < -far ? -far : v > far ? far : v) * ((int64_t)1 << -right);
        }
        v = b[k] - v;
        b[k] = (int32_t)(v < -most ? -most : v > most ? most : v);
    }
    add_squares(sw, squares, 2 * exponent);
}
