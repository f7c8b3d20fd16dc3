// The optimiser's step, and upkeep of float32 buffers.
#include <string.h>

#include "engram_check.h"
#include "engram_math.h"

int32_t engram_sgd_step(engram_F_t p, engram_F_t v, engram_f_t g, engram_f_t hyper, engram_fault_t *fault) {
    bool ok = engram_need(fault, 3, hyper.n, 3, 1, 1, 1);
    if (ok && v.n != p.n) {
        ok = engram_refuse(fault, ENGRAM_FAULT_LENGTH, 1, (int64_t)p.n, (int64_t)v.n);
    }
    if (ok && g.n != p.n) {
        ok = engram_refuse(fault, ENGRAM_FAULT_LENGTH, 2, (int64_t)p.n, (int64_t)g.n);
    }
    for (int i = 0; ok && i < 3; i++) {
        if (!(hyper.p[i] >= 0.0f && engram_is_finite(hyper.p[i]))) {
            ok = engram_refuse_value(fault, 3, "lr, momentum and weight_decay to be finite and not negative");
        }
    }
    if (!ok) {
        return ENGRAM_FAULT;
    }
    float lr = hyper.p[0], momentum = hyper.p[1], weight_decay = hyper.p[2];
    for (size_t i = 0; i < p.n; i++) {
        float step = momentum * v.p[i] + g.p[i] + weight_decay * p.p[i];
        v.p[i] = step;
        p.p[i] -= lr * step;
    }
    return ENGRAM_OK;
}

int32_t engram_sgd_plain(engram_F_t p, engram_f_t g, engram_f_t hyper, engram_fault_t *fault) {
    if (!(engram_same(fault, 1, g.n, p.n) && engram_need(fault, 2, hyper.n, 2, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    const float lr = hyper.p[0], weight_decay = hyper.p[1];
    if (!(lr >= 0.0f && engram_is_finite(lr) && weight_decay >= 0.0f && engram_is_finite(weight_decay))) {
        engram_refuse_value(fault, 2, "lr and weight_decay to be finite and not negative");
        return ENGRAM_FAULT;
    }
    for (size_t i = 0; i < p.n; i++) {
        p.p[i] -= lr * (g.p[i] + weight_decay * p.p[i]);
    }
    return ENGRAM_OK;
}

int32_t engram_zero_f32(engram_F_t out, engram_fault_t *fault) {
    (void)fault;
    if (out.n != 0) {
        memset(out.p, 0, out.n * sizeof(float));
    }
    return ENGRAM_OK;
}

int32_t engram_check_finite(engram_f_t x, engram_fault_t *fault) {
    (void)fault;
    int32_t bad = 0;
    for (size_t i = 0; i < x.n; i++) {
        bad += !engram_is_finite(x.p[i]);
    }
    return bad;
}
