// Variational auto-encoders: the sampled code and the losses that go with it; float32.
#include "engram_check.h"
#include "engram_curves.h"
#include "engram_random.h"

enum { SEED, AT, WHICH, STREAM_ENTRIES };
enum { NONE, NEW, SAME };  // of WHICH

static bool stream_ok(engram_fault_t *fault, int arg, engram_L_t stream) {
    if (!engram_need(fault, arg, stream.n, STREAM_ENTRIES, 1, 1, 1)) {
        return false;
    }
    for (int i = 0; i < STREAM_ENTRIES; i++) {
        int32_t most = i == WHICH ? SAME : 0x3fffffff;
        if (stream.p[i] < 0 || stream.p[i] > most) {
            return engram_refuse_entry(fault, arg, i, 0, most, stream.p[i]);
        }
    }
    return true;
}

// out (n) = mean (n) + exp(spread (n) / 2) * noise (n)
int32_t engram_sample_code(engram_F_t out, engram_F_t noise, engram_L_t stream,
    engram_f_t mean, engram_f_t spread, engram_fault_t *fault) {
    if (!(engram_same(fault, 1, noise.n, out.n) && stream_ok(fault, 2, stream)
          && engram_same(fault, 3, mean.n, out.n) && engram_same(fault, 4, spread.n, out.n))) {
        return ENGRAM_FAULT;
    }
    uint32_t key = engram_stream_key(stream.p[SEED]), at = (uint32_t)stream.p[AT];
    int32_t which = stream.p[WHICH];
    for (size_t i = 0; i < out.n; i++) {
        if (which != SAME) {
            noise.p[i] = which == NEW ? engram_normal(key, at + (uint32_t)i) : 0.0f;
        }
        out.p[i] = mean.p[i] + engram_expf(0.5f * spread.p[i]) * noise.p[i];
    }
    if (which == NEW) {
        stream.p[AT] = (int32_t)((at + (uint32_t)out.n) & 0x3fffffffu);
    }
    return ENGRAM_OK;
}

// dspread (n) = dout (n) * noise (n) * exp(spread (n) / 2) / 2
int32_t engram_sample_code_bwd_dx(engram_F_t dspread, engram_f_t dout, engram_f_t spread,
    engram_f_t noise, engram_fault_t *fault) {
    if (!(engram_same(fault, 1, dout.n, dspread.n) && engram_same(fault, 2, spread.n, dspread.n)
          && engram_same(fault, 3, noise.n, dspread.n))) {
        return ENGRAM_FAULT;
    }
    for (size_t i = 0; i < dspread.n; i++) {
        dspread.p[i] = 0.5f * dout.p[i] * noise.p[i] * engram_expf(0.5f * spread.p[i]);
    }
    return ENGRAM_OK;
}

static bool kl_ok(engram_fault_t *fault, engram_F_t dx, engram_F_t stats, engram_f_t x, int32_t B, int32_t Z) {
    return engram_dim(fault, 3, B, 0) && engram_dim(fault, 4, Z, 1) && engram_need(fault, 0, dx.n, B, Z, 1, 1)
        && engram_need(fault, 1, stats.n, Z + 1, 1, 1, 1) && engram_need(fault, 2, x.n, B, Z, 1, 1);
}

static void clear(engram_F_t stats) {
    for (size_t i = 0; i < stats.n; i++) {
        stats.p[i] = 0.0f;
    }
}

static void add_up(engram_F_t stats) {
    for (size_t i = 1; i < stats.n; i++) {
        stats.p[0] += stats.p[i];
    }
}

// dmean (B, Z) = mean (B, Z) / B; stats (1 + Z)
int32_t engram_kl_mean(engram_F_t dmean, engram_F_t stats, engram_f_t mean, int32_t B, int32_t Z,
    engram_fault_t *fault) {
    if (!kl_ok(fault, dmean, stats, mean, B, Z)) {
        return ENGRAM_FAULT;
    }
    clear(stats);
    for (size_t at = 0; at < mean.n; at += (size_t)Z) {
        for (size_t z = 0; z < (size_t)Z; z++) {
            float m = mean.p[at + z];
            stats.p[1 + z] += 0.5f * m * m;
            dmean.p[at + z] = engram_divide(m, (float)B);
        }
    }
    add_up(stats);
    return ENGRAM_OK;
}

// dspread (B, Z) = (exp(spread (B, Z)) - 1) / (2 B); stats (1 + Z)
int32_t engram_kl_spread(engram_F_t dspread, engram_F_t stats, engram_f_t spread, int32_t B, int32_t Z,
    engram_fault_t *fault) {
    if (!kl_ok(fault, dspread, stats, spread, B, Z)) {
        return ENGRAM_FAULT;
    }
    clear(stats);
    for (size_t at = 0; at < spread.n; at += (size_t)Z) {
        for (size_t z = 0; z < (size_t)Z; z++) {
            float more = engram_expf(spread.p[at + z]) - 1.0f;
            stats.p[1 + z] += 0.5f * (more - spread.p[at + z]);
            dspread.p[at + z] = engram_divide(0.5f * more, (float)B);
        }
    }
    add_up(stats);
    return ENGRAM_OK;
}

// Factors from 1 to 2 whose product is surely a float, 2**64 at most; a power of two, as i % FACTORS
// must not be a division.
#define FACTORS 64u

// dlogits (B, N) = (sigmoid(logits (B, N)) - target (B, N)) / (B N); stats (1)
int32_t engram_logistic_xent(engram_F_t dlogits, engram_F_t stats, engram_f_t logits,
    engram_f_t target, int32_t B, int32_t N, engram_fault_t *fault) {
    if (!(engram_dim(fault, 4, B, 0) && engram_dim(fault, 5, N, 1)
          && engram_need(fault, 0, dlogits.n, B, N, 1, 1) && engram_need(fault, 1, stats.n, 1, 1, 1, 1)
          && engram_need(fault, 2, logits.n, B, N, 1, 1) && engram_need(fault, 3, target.n, B, N, 1, 1))) {
        return ENGRAM_FAULT;
    }
    // One exponential per value, e = exp(-|v|), is in the loss and in the sigmoid, and one
    // logarithm is that of many factors 1 + e: without an FPU these are most of the time.
    float total = 0.0f, share = engram_divide(1.0f, (float)B * (float)N);
    for (size_t at = 0; at < logits.n; at += (size_t)N) {  // sums of samples: short ones round less
        float sum = 0.0f, product = 1.0f;
        for (size_t i = 0; i < (size_t)N; i++) {
            float v = logits.p[at + i], t = target.p[at + i];
            float e = engram_expf(-engram_fabsf(v)), one = 1.0f + e;
            sum += (v > 0.0f ? v : 0.0f) - t * v;
            product *= one;
            if (i % FACTORS == FACTORS - 1u) {
                sum += engram_logf(product);
                product = 1.0f;
            }
            dlogits.p[at + i] = (engram_divide(v < 0.0f ? e : 1.0f, one) - t) * share;
        }
        total += sum + engram_logf(product);
    }
    stats.p[0] = engram_divide(total, (float)N);
    return ENGRAM_OK;
}
