// Mean squared error, Adam, and the upkeep of gradients; float32.
#include "engram_check.h"
#include "engram_curves.h"

int32_t engram_mse(engram_F_t dpred, engram_F_t stats, engram_f_t pred, engram_f_t target,
    int32_t B, int32_t N, engram_fault_t *fault) {
    if (!(engram_dim(fault, 4, B, 0) && engram_dim(fault, 5, N, 1)
          && engram_need(fault, 0, dpred.n, B, N, 1, 1) && engram_need(fault, 1, stats.n, 1, 1, 1, 1)
          && engram_need(fault, 2, pred.n, B, N, 1, 1) && engram_need(fault, 3, target.n, B, N, 1, 1))) {
        return ENGRAM_FAULT;
    }
    float total = 0.0f, elements = (float)B * (float)N;
    for (size_t at = 0; at < pred.n; at += (size_t)N) {  // sums of samples: short ones round less
        float sum = 0.0f;
        for (size_t i = at; i < at + (size_t)N; i++) {
            float d = pred.p[i] - target.p[i];
            sum += d * d;
            dpred.p[i] = engram_divide(2.0f * d, elements);
        }
        total += sum;
    }
    stats.p[0] = engram_divide(total, (float)N);
    return ENGRAM_OK;
}

enum { LR, BETA1, BETA2, EPSILON, DECAY, C1, C2, ADAM_ENTRIES };

static bool adam_ok(engram_fault_t *fault, int arg, engram_f_t hyper) {
    if (!engram_need(fault, arg, hyper.n, ADAM_ENTRIES, 1, 1, 1)) {
        return false;
    }
    const float *h = hyper.p;
    bool ok = true;
    for (int i = 0; i < ADAM_ENTRIES; i++) {
        ok = ok && engram_is_finite(h[i]) && h[i] >= 0.0f;
    }
    return (ok && h[BETA1] < 1.0f && h[BETA2] < 1.0f && h[EPSILON] > 0.0f && h[C1] > 0.0f && h[C1] <= 1.0f
            && h[C2] > 0.0f && h[C2] <= 1.0f)
        || engram_refuse_value(fault, arg,
            "lr and weight_decay >= 0, 0 <= beta < 1, epsilon > 0, 0 < c <= 1, all finite");
}

int32_t engram_adam_step(engram_F_t p, engram_F_t m, engram_F_t v, engram_f_t g, engram_f_t hyper,
    engram_fault_t *fault) {
    if (!(engram_same(fault, 1, m.n, p.n) && engram_same(fault, 2, v.n, p.n)
          && engram_same(fault, 3, g.n, p.n) && adam_ok(fault, 4, hyper))) {
        return ENGRAM_FAULT;
    }
    const float *h = hyper.p;
    const float new1 = 1.0f - h[BETA1], new2 = 1.0f - h[BETA2];
    const float rate = engram_divide(h[LR], h[C1]), spread = engram_divide(1.0f, h[C2]);
    for (size_t i = 0; i < p.n; i++) {
        float grad = g.p[i] + h[DECAY] * p.p[i];
        float mean = h[BETA1] * m.p[i] + new1 * grad;
        float square = h[BETA2] * v.p[i] + new2 * (grad * grad);
        m.p[i] = mean;
        v.p[i] = square;
        p.p[i] -= engram_divide(rate * mean, engram_sqrtf(square * spread) + h[EPSILON]);
    }
    return ENGRAM_OK;
}

int32_t engram_axpy_f32(engram_F_t y, engram_f_t x, engram_f_t a, engram_fault_t *fault) {
    if (!(engram_same(fault, 1, x.n, y.n) && engram_need(fault, 2, a.n, 1, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    float factor = a.p[0];
    for (size_t i = 0; i < y.n; i++) {
        y.p[i] += factor * x.p[i];
    }
    return ENGRAM_OK;
}

int32_t engram_scale_f32(engram_F_t out, engram_f_t x, engram_f_t a, engram_fault_t *fault) {
    if (!(engram_same(fault, 1, x.n, out.n) && engram_need(fault, 2, a.n, 1, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    float factor = a.p[0];
    for (size_t i = 0; i < out.n; i++) {
        out.p[i] = factor * x.p[i];
    }
    return ENGRAM_OK;
}

int32_t engram_sum_squares(engram_F_t total, engram_f_t x, engram_fault_t *fault) {
    if (!engram_need(fault, 0, total.n, 1, 1, 1, 1)) {
        return ENGRAM_FAULT;
    }
    // Sums of 64 and then of those: the error grows with the number of blocks, not of elements.
    float sum = 0.0f;
    for (size_t at = 0; at < x.n;) {
        size_t end = x.n - at > 64 ? at + 64 : x.n;
        float block = 0.0f;
        for (; at < end; at++) {
            block += x.p[at] * x.p[at];
        }
        sum += block;
    }
    total.p[0] += sum;
    return ENGRAM_OK;
}

int32_t engram_clip_norm(engram_F_t g, engram_f_t total, engram_f_t limit, engram_fault_t *fault) {
    if (!(engram_need(fault, 1, total.n, 1, 1, 1, 1) && engram_need(fault, 2, limit.n, 1, 1, 1, 1)
          && ((limit.p[0] > 0.0f && engram_is_finite(limit.p[0]))
              || engram_refuse_value(fault, 2, "a finite number above 0")))) {
        return ENGRAM_FAULT;
    }
    float norm = engram_sqrtf(total.p[0]);
    if (norm > limit.p[0]) {
        float factor = engram_divide(limit.p[0], norm);
        for (size_t i = 0; i < g.n; i++) {
            g.p[i] *= factor;
        }
    }
    return ENGRAM_OK;
}
