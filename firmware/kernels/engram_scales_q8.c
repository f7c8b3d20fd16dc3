// Fully quantized training: element by element, to and from float32, and the scales.
#include <string.h>

#include "engram_simd.h"
#include "engram_sums_q8.h"

// out (n) = v (n) where x (n) > 0, else 0
static void where_positive(int8_t *out, const int8_t *v, const int8_t *x, size_t n) {
    #ifdef ENGRAM_PAIRS
    for (; n >= 4; n -= 4, v += 4, x += 4, out += 4) {
        const uint32_t four = engram_where_positive(engram_load4(v), engram_load4(x));
        memcpy(out, &four, 4);
    }
    #endif
    for (size_t i = 0; i < n; i++) {
        out[i] = x[i] > 0 ? v[i] : 0;
    }
}

int32_t engram_relu_fwd_q8(engram_B_t out, engram_b_t x, engram_fault_t *fault) {
    if (!engram_same(fault, 1, x.n, out.n)) {
        return ENGRAM_FAULT;
    }
    where_positive(out.p, x.p, x.p, out.n);
    return ENGRAM_OK;
}

int32_t engram_relu_bwd_dx_q8(engram_B_t dx, engram_b_t dout, engram_b_t out,
    engram_fault_t *fault) {
    if (!(engram_same(fault, 1, dout.n, dx.n) && engram_same(fault, 2, out.n, dx.n))) {
        return ENGRAM_FAULT;
    }
    where_positive(dx.p, dout.p, out.p, dx.n);
    return ENGRAM_OK;
}

// 6 in units of 2**-e, where that is a value, else 128.
static int32_t six(const int32_t *record) {
    const int32_t v = engram_scale_q8(6, -record[ENGRAM_EXPONENT], 128);
    return v < 128 ? v : 128;
}

int32_t engram_relu6_fwd_q8(engram_B_t out, engram_b_t x, engram_l_t sx, engram_fault_t *fault) {
    if (!(engram_same(fault, 1, x.n, out.n) && engram_record_ok(fault, 2, sx.p, sx.n))) {
        return ENGRAM_FAULT;
    }
    const int32_t top = six(sx.p);
    for (size_t i = 0; i < out.n; i++) {
        out.p[i] = (int8_t)(x.p[i] < 0 ? 0 : x.p[i] > top ? top : x.p[i]);
    }
    return ENGRAM_OK;
}

int32_t engram_relu6_bwd_dx_q8(engram_B_t dx, engram_b_t dout, engram_b_t out, engram_l_t sx,
    engram_fault_t *fault) {
    if (!(engram_same(fault, 1, dout.n, dx.n) && engram_same(fault, 2, out.n, dx.n)
          && engram_record_ok(fault, 3, sx.p, sx.n))) {
        return ENGRAM_FAULT;
    }
    const int32_t top = six(sx.p);
    for (size_t i = 0; i < dx.n; i++) {
        dx.p[i] = out.p[i] > 0 && out.p[i] < top ? dout.p[i] : 0;
    }
    return ENGRAM_OK;
}

int32_t engram_add_q8(engram_B_t out, engram_L_t so, engram_b_t a, engram_l_t sa, engram_b_t b,
    engram_l_t sb, engram_fault_t *fault) {
    if (!(engram_notes_ok(fault, 1, so.p, so.n) && engram_same(fault, 2, a.n, out.n)
          && engram_record_ok(fault, 3, sa.p, sa.n) && engram_same(fault, 4, b.n, out.n)
          && engram_record_ok(fault, 5, sb.p, sb.n))) {
        return ENGRAM_FAULT;
    }
    const int32_t ea = sa.p[ENGRAM_EXPONENT], eb = sb.p[ENGRAM_EXPONENT], e = ea > eb ? ea : eb;
    const int32_t left_a = e - ea < 20 ? e - ea : 20, left_b = e - eb < 20 ? e - eb : 20;
    engram_store_q8_t s = engram_store_q8(out.p, 0, so.p, e);
    for (size_t i = 0; i < out.n; i++) {
        engram_put_q8(&s, &out.p[i], a.p[i] * (1 << left_a) + b.p[i] * (1 << left_b));
    }
    engram_noted_q8(&s, so.p, out.n);
    return ENGRAM_OK;
}

// ---- between float32 and q8 ----------------------------------------------------------------

int32_t engram_quantize_q8(engram_B_t out, engram_L_t so, engram_f_t x, engram_fault_t *fault) {
    if (!(engram_notes_ok(fault, 1, so.p, so.n) && engram_same(fault, 2, x.n, out.n))) {
        return ENGRAM_FAULT;
    }
    const float most = (float)(1 << 30), scale = engram_power_q8(so.p[ENGRAM_EXPONENT] + 8);
    engram_store_q8_t s = engram_store_q8(out.p, 0, so.p, so.p[ENGRAM_EXPONENT] + 8);
    for (size_t i = 0; i < out.n; i++) {
        const float v = x.p[i] * scale;
        int32_t down = 0;
        if (v >= most) {
            down = ENGRAM_Q8_MOST;
        } else if (v <= -most) {
            down = -ENGRAM_Q8_MOST;
        } else if (v == v) {
            down = (int32_t)v;
            down -= (float)down > v;
        }
        engram_put_q8(&s, &out.p[i], down);
    }
    engram_noted_q8(&s, so.p, out.n);
    return ENGRAM_OK;
}

int32_t engram_dequantize_q8(engram_F_t out, engram_b_t x, engram_l_t sx, engram_fault_t *fault) {
    if (!(engram_same(fault, 1, x.n, out.n) && engram_record_ok(fault, 2, sx.p, sx.n))) {
        return ENGRAM_FAULT;
    }
    const float scale = engram_power_q8(-sx.p[ENGRAM_EXPONENT]);
    for (size_t i = 0; i < out.n; i++) {
        out.p[i] = (float)x.p[i] * scale;
    }
    return ENGRAM_OK;
}

// ---- scales --------------------------------------------------------------------------------

static bool records_ok(engram_fault_t *fault, engram_L_t records) {
    if (records.n % ENGRAM_RECORD != 0) {
        return engram_refuse_value(fault, 0, "records of 6 entries");
    }
    for (size_t at = 0; at < records.n; at += ENGRAM_RECORD) {
        if (!engram_notes_at_ok(fault, 0, records.p, at)) {
            return false;
        }
    }
    return true;
}

int32_t engram_clear_q8(engram_L_t records, engram_fault_t *fault) {
    if (!records_ok(fault, records)) {
        return ENGRAM_FAULT;
    }
    for (int32_t *r = records.p; r < records.p + records.n; r += ENGRAM_RECORD) {
        r[ENGRAM_LARGEST] = r[ENGRAM_SATURATED] = r[ENGRAM_COUNTED] = 0;
    }
    return ENGRAM_OK;
}

// Whether more than 0.5 % were clamped.
static bool lost(const int32_t *r) {
    return (int64_t)r[ENGRAM_SATURATED] * 200 > r[ENGRAM_COUNTED];
}

// Moves an exponent; magnitudes are in units of the new one then.
static void change(int32_t *r, int32_t by) {
    static const uint8_t magnitudes[2] = { ENGRAM_LARGEST, ENGRAM_RANGE };
    for (int i = 0; i < 2; i++) {
        int32_t *v = &r[magnitudes[i]];
        if (by > 0) {
            *v = by > 30 || *v > ENGRAM_Q8_MOST >> by ? (*v != 0 ? ENGRAM_Q8_MOST : 0) : *v << by;
        } else {
            *v >>= -by < 31 ? -by : 31;
        }
    }
    r[ENGRAM_EXPONENT] += by;
}

int32_t engram_follow_q8(engram_L_t records, engram_fault_t *fault) {
    const int32_t full = 127 << 8, narrow = 50 << 8;
    if (!records_ok(fault, records)) {
        return ENGRAM_FAULT;
    }
    int32_t moved = 0;
    for (int32_t *r = records.p; r < records.p + records.n; r += ENGRAM_RECORD) {
        if (r[ENGRAM_COUNTED] == 0) {
            continue;
        }
        const bool clamped = lost(r);
        int32_t width = r[ENGRAM_RANGE];
        width = width != 0 ? width + ((r[ENGRAM_LARGEST] - width) >> 3) : r[ENGRAM_LARGEST];
        if (clamped && width < r[ENGRAM_LARGEST] >> 1) {
            width = r[ENGRAM_LARGEST] >> 1;
        }
        r[ENGRAM_RANGE] = width;
        int32_t by = 0;
        while (width >> -by > full || (clamped && by == 0)) {
            by--;
        }
        while (by >= 0 && width != 0 && width << by < narrow) {
            by++;
        }
        int32_t e = r[ENGRAM_EXPONENT] + by;
        e = e < -ENGRAM_Q8_EXPONENTS ? -ENGRAM_Q8_EXPONENTS : e > ENGRAM_Q8_EXPONENTS ? ENGRAM_Q8_EXPONENTS : e;
        by = e - r[ENGRAM_EXPONENT];
        change(r, by);
        moved += by != 0;
    }
    return moved;
}

int32_t engram_rescale_q8(engram_B_t w, engram_B_t rest, engram_L_t sw, engram_fault_t *fault) {
    if (!(engram_rest_ok(fault, 1, rest.n, w.n) && engram_notes_ok(fault, 2, sw.p, sw.n))) {
        return ENGRAM_FAULT;
    }
    int32_t *r = sw.p;
    if (r[ENGRAM_COUNTED] == 0) {
        return ENGRAM_OK;
    }
    const bool down = lost(r) && r[ENGRAM_EXPONENT] > -ENGRAM_Q8_EXPONENTS, wide = rest.n != 0;
    if (!down && (r[ENGRAM_LARGEST] >= 40 << 8 || r[ENGRAM_EXPONENT] >= 24 || r[ENGRAM_LARGEST] == 0)) {
        return ENGRAM_OK;
    }
    const int32_t most = wide ? 127 << 8 : 127;
    for (size_t i = 0; i < w.n; i++) {
        int32_t v = wide ? 256 * w.p[i] + rest.p[i] : w.p[i];
        if (down) {
            v = (v + (int32_t)(((uint32_t)r[ENGRAM_RANDOM] + (uint32_t)i * ENGRAM_Q8_SPREAD) >> 31)) >> 1;
        } else {
            v = 2 * v < -most ? -most : 2 * v > most ? most : 2 * v;
        }
        if (wide) {
            const int32_t high = (v + 128) >> 8;
            rest.p[i] = (int8_t)(v - high * 256);
            v = high;
        }
        w.p[i] = (int8_t)v;
    }
    r[ENGRAM_RANDOM] = engram_next_random_q8(r[ENGRAM_RANDOM]);
    change(r, down ? -1 : 1);
    return ENGRAM_OK;
}

int32_t engram_decay_q8(engram_B_t w, engram_B_t rest, engram_L_t sw, engram_l_t rates,
    engram_fault_t *fault) {
    if (!(engram_rest_ok(fault, 1, rest.n, w.n) && engram_notes_ok(fault, 2, sw.p, sw.n)
          && engram_rates_ok(fault, 3, rates))) {
        return ENGRAM_FAULT;
    }
    const bool wide = rest.n != 0;
    engram_step_q8_t u = engram_step_q8(w, rest, 0, sw.p, rates.p, sw.p[ENGRAM_EXPONENT] + (wide ? 8 : 0), 3);
    for (size_t i = 0; i < w.n; i++) {
        const int32_t gradient = wide ? 256 * w.p[i] + rest.p[i] : w.p[i];
        engram_take_q8(&u, i, &gradient, 1, 0, 1);
    }
    if (w.n != 0) {
        engram_stepped_q8(&u, sw.p, w.n);
    }
    return ENGRAM_OK;
}

// w takes a step by `sign` times v.
static void step_by(engram_B_t w, int32_t *sw, const int8_t *v, int32_t sign, const int32_t *rates, int32_t exponent) {
    enum { SOME = 16 };
    const engram_B_t none = { 0 };
    engram_step_q8_t u = engram_step_q8(w, none, 0, sw, rates, exponent, 1);
    for (size_t i = 0, n; i < w.n; i += n) {
        int32_t gradients[SOME];
        n = w.n - i < SOME ? w.n - i : SOME;
        for (size_t k = 0; k < n; k++) {
            gradients[k] = sign * v[i + k];
        }
        engram_take_q8(&u, i, gradients, 1, 0, n);
    }
    if (w.n != 0) {
        engram_stepped_q8(&u, sw, w.n);
    }
}

// rate * v, rounded to nearest
static int64_t part(int32_t v, const int32_t *rates) {
    const int64_t far = (int64_t)1 << 31, all = (int64_t)v * rates[ENGRAM_RATE_MULT];
    int32_t right = rates[ENGRAM_RATE_SHIFT];
    if (right > 0) {
        return ((all >> ((right < 63 ? right : 63) - 1)) + 1) >> 1;
    }
    right = right < -31 ? -31 : right;
    return (all < -far ? -far : all > far ? far : all) * ((int64_t)1 << -right);
}

static int32_t most(int64_t v) {
    return (int32_t)(v < -ENGRAM_Q8_MOST ? -ENGRAM_Q8_MOST : v > ENGRAM_Q8_MOST ? ENGRAM_Q8_MOST : v);
}

int32_t engram_carry_q8(engram_B_t w, engram_L_t sw, engram_B_t v, engram_L_t sv, engram_L_t b,
    engram_L_t p, engram_l_t rates, engram_l_t drops, engram_fault_t *fault) {
    if (!(engram_notes_ok(fault, 1, sw.p, sw.n) && engram_same(fault, 2, v.n, w.n)
          && engram_notes_ok(fault, 3, sv.p, sv.n) && engram_same(fault, 5, p.n, b.n)
          && engram_rates_ok(fault, 6, rates) && engram_rates_ok(fault, 7, drops))) {
        return ENGRAM_FAULT;
    }
    const int32_t e = sv.p[ENGRAM_EXPONENT];
    step_by(w, sw.p, v.p, -1, rates.p, e);
    step_by(v, sv.p, v.p, 1, drops.p, e);
    for (size_t k = 0; k < b.n; k++) {
        b.p[k] = most(b.p[k] + part(p.p[k], rates.p));
        p.p[k] = most(p.p[k] - part(p.p[k], drops.p));
    }
    return ENGRAM_OK;
}

// Whether total > limit * 4**n, each largest * 2**-e.
static bool exceeds(const int32_t *total, const int32_t *limit, int32_t n) {
    const int32_t left = total[ENGRAM_EXPONENT] - limit[ENGRAM_EXPONENT] + 2 * n;
    const uint64_t v = (uint64_t)total[ENGRAM_LARGEST], most = (uint64_t)limit[ENGRAM_LARGEST];
    if (left >= 0) {
        return v > (left < 31 ? most << left : most != 0 ? v : 0);
    }
    return (left > -31 ? v << -left : v != 0 ? most + 1 : 0) > most;
}

int32_t engram_clip_q8(engram_L_t clipped, engram_l_t rates, engram_l_t total, engram_l_t limit,
    engram_fault_t *fault) {
    if (!(engram_need(fault, 0, clipped.n, ENGRAM_RATES, 1, 1, 1) && engram_rates_ok(fault, 1, rates)
          && engram_notes_ok(fault, 2, total.p, total.n) && engram_notes_ok(fault, 3, limit.p, limit.n))) {
        return ENGRAM_FAULT;
    }
    const int32_t most = 64;  // shift of a rate
    int32_t n = 0;
    while (n < most && exceeds(total.p, limit.p, n)) {
        n++;
    }
    const int32_t shift = rates.p[ENGRAM_RATE_SHIFT] + n;
    clipped.p[ENGRAM_RATE_MULT] = rates.p[ENGRAM_RATE_MULT];
    clipped.p[ENGRAM_RATE_SHIFT] = shift < most ? shift : most;
    clipped.p[ENGRAM_ROUNDING] = rates.p[ENGRAM_ROUNDING];
    return ENGRAM_OK;
}
