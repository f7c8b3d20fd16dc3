// Latents in 1 to 8 bits an element: a stream of bits, first element first, lowest bit first.
#include "engram_check_s8.h"

static bool bits_ok(engram_fault_t *fault, int arg, int32_t bits) {
    return engram_dim(fault, arg, bits, 1)
        && (bits <= 8 || engram_refuse_value(fault, arg, "a number of bits from 1 to 8"));
}

// (n * bits + 7) / 8 without the product, which may be too large.
static size_t packed(size_t n, int32_t bits) {
    return n / 8 * (size_t)bits + (n % 8 * (size_t)bits + 7) / 8;
}

int32_t engram_packed_bytes(int32_t n, int32_t bits, engram_fault_t *fault) {
    if (!(engram_dim(fault, 0, n, 0) && bits_ok(fault, 1, bits))) {
        return ENGRAM_FAULT;
    }
    return (int32_t)packed((size_t)n, bits);
}

// v / 255 rounded down, 0 <= v < 65536: the multiplier is 2**31 / 255 rounded up.
static inline uint32_t over_255(uint32_t v) {
    return (uint32_t)((uint64_t)v * 0x808081u >> 31);
}

int32_t engram_pack_s8(engram_B_t out, engram_b_t x, int32_t bits, engram_fault_t *fault) {
    if (!(bits_ok(fault, 2, bits) && (packed(x.n, bits) == out.n
          || engram_refuse_value(fault, 1, "as many elements as fill out at this number of bits")))) {
        return ENGRAM_FAULT;
    }
    const uint32_t top = (1u << bits) - 1;
    uint32_t word = 0;
    int32_t held = 0;
    int8_t *o = out.p;
    for (size_t i = 0; i < x.n; i++) {
        word |= over_255((uint32_t)(x.p[i] + 128) * top + 127) << held;
        held += bits;
        if (held >= 8) {
            *o++ = (int8_t)(uint8_t)word;
            word >>= 8;
            held -= 8;
        }
    }
    if (held > 0) {
        *o = (int8_t)(uint8_t)word;
    }
    return ENGRAM_OK;
}

// The bits not yet taken of a packed buffer.
typedef struct { const int8_t *p; uint32_t word; int32_t held; } reader_t;

static inline uint32_t take(reader_t *in, int32_t bits, uint32_t top) {
    if (in->held < bits) {
        in->word |= (uint32_t)(uint8_t)*in->p++ << in->held;
        in->held += 8;
    }
    uint32_t v = in->word & top;
    in->word >>= bits;
    in->held -= bits;
    return v;
}

int32_t engram_unpack_s8(engram_B_t out, engram_b_t x, int32_t bits, engram_fault_t *fault) {
    if (!(bits_ok(fault, 2, bits) && engram_same(fault, 1, x.n, packed(out.n, bits)))) {
        return ENGRAM_FAULT;
    }
    const uint32_t top = (1u << bits) - 1;
    // (v * 255 + top / 2) / top as a product: 2**16 * 255 / top, rounded up, and half
    const uint32_t step = ((255u << 16) + top - 1) / top;
    reader_t in = { x.p, 0, 0 };
    for (size_t i = 0; i < out.n; i++) {
        out.p[i] = (int8_t)((int32_t)((take(&in, bits, top) * step + 0x8000u) >> 16) - 128);
    }
    return ENGRAM_OK;
}

int32_t engram_unpack_f32(engram_F_t out, engram_b_t x, engram_f_t qp, int32_t bits, engram_fault_t *fault) {
    if (!(bits_ok(fault, 3, bits) && engram_qp_ok(fault, 2, qp)
          && engram_same(fault, 1, x.n, packed(out.n, bits)))) {
        return ENGRAM_FAULT;
    }
    const uint32_t top = (1u << bits) - 1;
    const float scale = qp.p[0], zero = 128.0f + qp.p[1], step = engram_divide(255.0f, (float)(int32_t)top);
    reader_t in = { x.p, 0, 0 };
    for (size_t i = 0; i < out.n; i++) {
        out.p[i] = scale * (step * (float)(int32_t)take(&in, bits, top) - zero);
    }
    return ENGRAM_OK;
}
