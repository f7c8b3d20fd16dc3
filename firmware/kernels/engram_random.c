// Random numbers that a seed and a position alone decide: no state, the same on every host.
#include "engram_check.h"
#include "engram_curves.h"
#include "engram_random.h"

// A bijection of 32 bits in which every bit of v changes each result bit half the time.
static uint32_t mix(uint32_t v) {
    v = (v ^ v >> 16) * 0x7feb352du;
    v = (v ^ v >> 15) * 0x846ca68bu;
    return v ^ v >> 16;
}

uint32_t engram_stream_key(int32_t seed) {
    return mix((uint32_t)seed ^ 0x9e3779b9u);
}

static uint32_t random24(uint32_t key, uint32_t counter) {
    return mix(mix(counter) + key) >> 8;
}

static bool stream_ok(engram_fault_t *fault, int32_t seed, int32_t at) {
    return engram_dim(fault, 1, seed, 0) && engram_dim(fault, 2, at, 0);
}

int32_t engram_uniform_f32(engram_F_t out, int32_t seed, int32_t at, engram_fault_t *fault) {
    if (!stream_ok(fault, seed, at)) {
        return ENGRAM_FAULT;
    }
    uint32_t key = engram_stream_key(seed), counter = (uint32_t)at;
    for (size_t i = 0; i < out.n; i++) {
        out.p[i] = (float)(int32_t)random24(key, counter++) * 0x1p-24f;
    }
    return ENGRAM_OK;
}

// Minimax polynomials of the standard normal quantile of (1 + u) / 2, divided by u.
static float central(float w) {
    float p = 4.0354279917664826e-08f;
    p = p * w + 4.861034881287196e-07f;
    p = p * w + -4.990561137674376e-06f;
    p = p * w + -6.217987902346067e-06f;
    p = p * w + 0.00030915020033717155f;
    p = p * w + -0.0017730101244524121f;
    p = p * w + -0.005908171180635691f;
    p = p * w + 0.3488026559352875f;
    return p * w + 2.1233136653900146f;
}

static float tail(float w) {
    float p = -0.00025048834504559636f;
    p = p * w + 0.00013131579908076674f;
    p = p * w + 0.001862028962932527f;
    p = p * w + -0.005185503512620926f;
    p = p * w + 0.008137675933539867f;
    p = p * w + -0.010781479068100452f;
    p = p * w + 0.013345621526241302f;
    p = p * w + 1.416581153869629f;
    return p * w + 4.006434440612793f;
}

float engram_normal(uint32_t key, uint32_t counter) {
    // The middle of a step of 2**-24: exact in 24 bits, and never -1, 0 or 1.
    float u = (float)(2 * (int32_t)random24(key, counter) + 1 - 0x1000000) * 0x1p-24f;
    float w = -engram_logf((1.0f - u) * (1.0f + u));
    return u * (w < 5.0f ? central(w - 2.5f) : tail(engram_sqrtf(w) - 3.0f));
}

int32_t engram_gaussian_f32(engram_F_t out, int32_t seed, int32_t at, engram_fault_t *fault) {
    if (!stream_ok(fault, seed, at)) {
        return ENGRAM_FAULT;
    }
    uint32_t key = engram_stream_key(seed), counter = (uint32_t)at;
    for (size_t i = 0; i < out.n; i++) {
        out.p[i] = engram_normal(key, counter++);
    }
    return ENGRAM_OK;
}
