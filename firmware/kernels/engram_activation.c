// ReLU and softmax, float32.
#include "engram_check.h"
#include "engram_math.h"

int32_t engram_relu_fwd(engram_F_t out, engram_f_t x, engram_fault_t *fault) {
    if (out.n != x.n) {
        engram_refuse(fault, ENGRAM_FAULT_LENGTH, 1, (int64_t)out.n, (int64_t)x.n);
        return ENGRAM_FAULT;
    }
    for (size_t i = 0; i < out.n; i++) {
        float v = x.p[i];
        out.p[i] = v <= 0.0f ? 0.0f : v;
    }
    return ENGRAM_OK;
}

int32_t engram_relu_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t out, engram_fault_t *fault) {
    if (dout.n != dx.n) {
        engram_refuse(fault, ENGRAM_FAULT_LENGTH, 1, (int64_t)dx.n, (int64_t)dout.n);
        return ENGRAM_FAULT;
    }
    if (out.n != dx.n) {
        engram_refuse(fault, ENGRAM_FAULT_LENGTH, 2, (int64_t)dx.n, (int64_t)out.n);
        return ENGRAM_FAULT;
    }
    for (size_t i = 0; i < dx.n; i++) {
        dx.p[i] = out.p[i] > 0.0f ? dout.p[i] : 0.0f;
    }
    return ENGRAM_OK;
}

static size_t largest(const float *x, size_t n) {
    size_t best = 0;
    for (size_t k = 1; k < n; k++) {
        if (x[k] > x[best]) {
            best = k;
        }
    }
    return best;
}

// out[k] = exp(x[k] - max), returns their sum. out may be x.
static float exponentials(float *out, const float *x, float max, size_t n) {
    float sum = 0.0f;
    for (size_t k = 0; k < n; k++) {
        float e = engram_expf(x[k] - max);
        out[k] = e;
        sum += e;
    }
    return sum;
}

int32_t engram_softmax_fwd(engram_F_t out, engram_f_t x, int32_t B, int32_t K, engram_fault_t *fault) {
    if (!(engram_dim(fault, 2, B, 0) && engram_dim(fault, 3, K, 1)
          && engram_need(fault, 0, out.n, B, K, 1, 1) && engram_need(fault, 1, x.n, B, K, 1, 1))) {
        return ENGRAM_FAULT;
    }
    size_t classes = (size_t)K;
    for (size_t i = 0; i < (size_t)B; i++) {
        const float *row = x.p + i * classes;
        float *p = out.p + i * classes;
        float sum = exponentials(p, row, row[largest(row, classes)], classes);
        for (size_t k = 0; k < classes; k++) {
            p[k] = engram_divide(p[k], sum);
        }
    }
    return ENGRAM_OK;
}

int32_t engram_softmax_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t out, int32_t B, int32_t K,
    engram_fault_t *fault) {
    if (!(engram_dim(fault, 3, B, 0) && engram_dim(fault, 4, K, 1)
          && engram_need(fault, 0, dx.n, B, K, 1, 1) && engram_need(fault, 1, dout.n, B, K, 1, 1)
          && engram_need(fault, 2, out.n, B, K, 1, 1))) {
        return ENGRAM_FAULT;
    }
    const size_t classes = (size_t)K;
    for (size_t row = 0; row < dx.n; row += classes) {
        float sum = 0.0f;
        for (size_t k = row; k < row + classes; k++) {
            sum += dout.p[k] * out.p[k];
        }
        for (size_t k = row; k < row + classes; k++) {
            dx.p[k] = out.p[k] * (dout.p[k] - sum);
        }
    }
    return ENGRAM_OK;
}

enum { NO_LABEL = 254 };  // of a sample without an answer

int32_t engram_softmax_xent(engram_F_t dlogits, engram_F_t stats, engram_f_t logits,
    engram_b_t labels, int32_t B, int32_t K, engram_fault_t *fault) {
    if (!(engram_dim(fault, 4, B, 0) && engram_dim(fault, 5, K, 1)
          && engram_need(fault, 0, dlogits.n, B, K, 1, 1) && engram_need(fault, 1, stats.n, 2, 1, 1, 1)
          && engram_need(fault, 2, logits.n, B, K, 1, 1) && engram_need(fault, 3, labels.n, B, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    for (int32_t i = 0; i < B; i++) {
        int32_t label = (uint8_t)labels.p[i];
        if (label >= K && label != NO_LABEL) {
            engram_refuse_entry(fault, 3, i, 0, K - 1, label);
            return ENGRAM_FAULT;
        }
    }
    size_t classes = (size_t)K;
    float loss = 0.0f, correct = 0.0f;
    for (size_t i = 0; i < (size_t)B; i++) {
        const float *row = logits.p + i * classes;
        float *d = dlogits.p + i * classes;
        size_t label = (uint8_t)labels.p[i];
        if (label == NO_LABEL) {
            for (size_t k = 0; k < classes; k++) {
                d[k] = 0.0f;
            }
            continue;
        }
        size_t best = largest(row, classes);
        float above = row[best] - row[label];  // before d, which may be the row, is written
        float sum = exponentials(d, row, row[best], classes);
        loss += engram_logf(sum) + above;
        correct += best == label ? 1.0f : 0.0f;
        float scale = sum * (float)B;
        for (size_t k = 0; k < classes; k++) {
            d[k] = engram_divide(d[k], scale);
        }
        d[label] -= engram_divide(1.0f, (float)B);
    }
    stats.p[0] = loss;
    stats.p[1] = correct;
    return ENGRAM_OK;
}
