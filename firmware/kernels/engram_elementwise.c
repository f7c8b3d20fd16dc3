// Activations, elementary functions, and what else works element by element or channel by
// channel; float32.
#include "engram_check.h"
#include "engram_curves.h"
#include "engram_tile.h"

// One function over every element. It is inlined, and so is its argument.
static inline int32_t map(engram_F_t out, engram_f_t x, float (*function)(float), engram_fault_t *fault) {
    if (!engram_same(fault, 1, x.n, out.n)) {
        return ENGRAM_FAULT;
    }
    for (size_t i = 0; i < out.n; i++) {
        out.p[i] = function(x.p[i]);
    }
    return ENGRAM_OK;
}

// The gradient of an activation from its result: dx = dout * slope(out), or a choice of the two.
static inline int32_t map_gradient(engram_F_t dx, engram_f_t dout, engram_f_t out,
    float (*function)(float dout, float out), engram_fault_t *fault) {
    if (!(engram_same(fault, 1, dout.n, dx.n) && engram_same(fault, 2, out.n, dx.n))) {
        return ENGRAM_FAULT;
    }
    for (size_t i = 0; i < dx.n; i++) {
        dx.p[i] = function(dout.p[i], out.p[i]);
    }
    return ENGRAM_OK;
}

static inline float relu6(float x) {
    return x <= 0.0f ? 0.0f : x >= 6.0f ? 6.0f : x;
}

static inline float relu6_gradient(float dout, float out) {
    return out > 0.0f && out < 6.0f ? dout : 0.0f;
}

static inline float sigmoid_gradient(float dout, float out) {
    return dout * (out * (1.0f - out));
}

static inline float tanh_gradient(float dout, float out) {
    return dout * (1.0f - out * out);
}

int32_t engram_relu6_fwd(engram_F_t out, engram_f_t x, engram_fault_t *fault) {
    return map(out, x, relu6, fault);
}

int32_t engram_relu6_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t out, engram_fault_t *fault) {
    return map_gradient(dx, dout, out, relu6_gradient, fault);
}

int32_t engram_sigmoid_fwd(engram_F_t out, engram_f_t x, engram_fault_t *fault) {
    return map(out, x, engram_sigmoidf, fault);
}

int32_t engram_sigmoid_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t out, engram_fault_t *fault) {
    return map_gradient(dx, dout, out, sigmoid_gradient, fault);
}

int32_t engram_tanh_fwd(engram_F_t out, engram_f_t x, engram_fault_t *fault) {
    return map(out, x, engram_tanhf, fault);
}

int32_t engram_tanh_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t out, engram_fault_t *fault) {
    return map_gradient(dx, dout, out, tanh_gradient, fault);
}

int32_t engram_exp_f32(engram_F_t out, engram_f_t x, engram_fault_t *fault) {
    return map(out, x, engram_expf, fault);
}

int32_t engram_log_f32(engram_F_t out, engram_f_t x, engram_fault_t *fault) {
    return map(out, x, engram_logf, fault);
}

int32_t engram_sqrt_f32(engram_F_t out, engram_f_t x, engram_fault_t *fault) {
    return map(out, x, engram_sqrtf, fault);
}

// ---- hard-swish: Howard et al., "Searching for MobileNetV3" (ICCV 2019), section 5.2 ----------

int32_t engram_hard_swish_fwd(engram_F_t out, engram_f_t x, engram_fault_t *fault) {
    if (!engram_same(fault, 1, x.n, out.n)) {
        return ENGRAM_FAULT;
    }
    for (size_t i = 0; i < out.n; i++) {
        float v = x.p[i];
        out.p[i] = v <= -3.0f ? 0.0f : v >= 3.0f ? v : v * (v + 3.0f) * (1.0f / 6.0f);
    }
    return ENGRAM_OK;
}

int32_t engram_hard_swish_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t x,
    engram_fault_t *fault) {
    if (!(engram_same(fault, 1, dout.n, dx.n) && engram_same(fault, 2, x.n, dx.n))) {
        return ENGRAM_FAULT;
    }
    for (size_t i = 0; i < dx.n; i++) {
        float d = dout.p[i], v = x.p[i];
        dx.p[i] = v <= -3.0f ? 0.0f : v >= 3.0f ? d : d * (v * (1.0f / 3.0f) + 0.5f);
    }
    return ENGRAM_OK;
}

// ---- leaky ReLU: its slope is an argument -----------------------------------------------------

static bool slope_ok(engram_fault_t *fault, int arg, engram_f_t slope) {
    return engram_need(fault, arg, slope.n, 1, 1, 1, 1)
        && ((slope.p[0] >= 0.0f && engram_is_finite(slope.p[0]))
            || engram_refuse_value(fault, arg, "a finite number that is not negative"));
}

int32_t engram_leaky_relu_fwd(engram_F_t out, engram_f_t x, engram_f_t slope, engram_fault_t *fault) {
    if (!(engram_same(fault, 1, x.n, out.n) && slope_ok(fault, 2, slope))) {
        return ENGRAM_FAULT;
    }
    float below = slope.p[0];
    for (size_t i = 0; i < out.n; i++) {
        float v = x.p[i];
        out.p[i] = v > 0.0f ? v : below * v;
    }
    return ENGRAM_OK;
}

int32_t engram_leaky_relu_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t out, engram_f_t slope,
    engram_fault_t *fault) {
    if (!(engram_same(fault, 1, dout.n, dx.n) && engram_same(fault, 2, out.n, dx.n)
          && slope_ok(fault, 3, slope))) {
        return ENGRAM_FAULT;
    }
    float below = slope.p[0];
    for (size_t i = 0; i < dx.n; i++) {
        float d = dout.p[i];
        dx.p[i] = out.p[i] > 0.0f ? d : below * d;
    }
    return ENGRAM_OK;
}

// ---- two buffers ------------------------------------------------------------------------------

int32_t engram_add_f32(engram_F_t out, engram_f_t a, engram_f_t b, engram_fault_t *fault) {
    if (!(engram_same(fault, 1, a.n, out.n) && engram_same(fault, 2, b.n, out.n))) {
        return ENGRAM_FAULT;
    }
    for (size_t i = 0; i < out.n; i++) {
        out.p[i] = a.p[i] + b.p[i];
    }
    return ENGRAM_OK;
}

int32_t engram_mul_f32(engram_F_t out, engram_f_t a, engram_f_t b, engram_fault_t *fault) {
    if (!(engram_same(fault, 1, a.n, out.n) && engram_same(fault, 2, b.n, out.n))) {
        return ENGRAM_FAULT;
    }
    for (size_t i = 0; i < out.n; i++) {
        out.p[i] = a.p[i] * b.p[i];
    }
    return ENGRAM_OK;
}

// ---- channel by channel -----------------------------------------------------------------------

int32_t engram_scale_shift_fwd(engram_F_t out, engram_f_t x, engram_f_t scale, engram_f_t shift,
    int32_t P, int32_t C, engram_fault_t *fault) {
    if (!(engram_dim(fault, 4, P, 0) && engram_dim(fault, 5, C, 0)
          && engram_need(fault, 0, out.n, P, C, 1, 1) && engram_need(fault, 1, x.n, P, C, 1, 1)
          && engram_need(fault, 2, scale.n, C, 1, 1, 1) && engram_need(fault, 3, shift.n, C, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    const size_t channels = (size_t)C;
    for (size_t at = 0; at < out.n; at += channels) {
        for (size_t c = 0; c < channels; c++) {
            out.p[at + c] = x.p[at + c] * scale.p[c] + shift.p[c];
        }
    }
    return ENGRAM_OK;
}

int32_t engram_scale_shift_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t scale, int32_t P, int32_t C,
    engram_fault_t *fault) {
    if (!(engram_dim(fault, 3, P, 0) && engram_dim(fault, 4, C, 0)
          && engram_need(fault, 0, dx.n, P, C, 1, 1) && engram_need(fault, 1, dout.n, P, C, 1, 1)
          && engram_need(fault, 2, scale.n, C, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    const size_t channels = (size_t)C;
    for (size_t at = 0; at < dx.n; at += channels) {
        for (size_t c = 0; c < channels; c++) {
            dx.p[at + c] = dout.p[at + c] * scale.p[c];
        }
    }
    return ENGRAM_OK;
}

int32_t engram_scale_shift_bwd_dw(engram_F_t dscale, engram_F_t dshift, engram_f_t dout, engram_f_t x,
    int32_t P, int32_t C, engram_fault_t *fault) {
    if (!(engram_dim(fault, 4, P, 0) && engram_dim(fault, 5, C, 0)
          && engram_need(fault, 0, dscale.n, C, 1, 1, 1) && engram_need(fault, 1, dshift.n, C, 1, 1, 1)
          && engram_need(fault, 2, dout.n, P, C, 1, 1) && engram_need(fault, 3, x.n, P, C, 1, 1))) {
        return ENGRAM_FAULT;
    }
    const size_t channels = (size_t)C;
    for (size_t c = 0; c < channels; c++) {
        float sum = 0.0f;
        for (size_t at = c; at < x.n; at += channels) {
            sum += dout.p[at] * x.p[at];
        }
        dscale.p[c] += sum;
    }
    engram_add_rows(dshift.p, dout.p, (size_t)P, channels);
    return ENGRAM_OK;
}
