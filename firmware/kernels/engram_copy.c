// Copies: whole buffers, channels, and images into and out of a padded one.
#include <string.h>

#include "engram_check.h"

int32_t engram_copy_f32(engram_F_t out, engram_f_t x, engram_fault_t *fault) {
    if (!engram_same(fault, 1, x.n, out.n)) {
        return ENGRAM_FAULT;
    }
    if (out.n != 0 && out.p != x.p) {
        memcpy(out.p, x.p, out.n * sizeof(float));
    }
    return ENGRAM_OK;
}

int32_t engram_copy_channels(engram_F_t out, engram_f_t x, int32_t P, int32_t M, int32_t N, int32_t to,
    int32_t at, int32_t C, engram_fault_t *fault) {
    const int32_t dims[6] = { P, M, N, to, at, C };
    for (int i = 0; i < 6; i++) {
        if (!engram_dim(fault, 2 + i, dims[i], 0)) {
            return ENGRAM_FAULT;
        }
    }
    // none is above 2**30, so the sums fit
    if (!((to + C <= M || engram_refuse_value(fault, 5, "to + C to be at most M"))
          && (at + C <= N || engram_refuse_value(fault, 6, "at + C to be at most N"))
          && engram_need(fault, 0, out.n, P, M, 1, 1) && engram_need(fault, 1, x.n, P, N, 1, 1))) {
        return ENGRAM_FAULT;
    }
    float *o = out.p + to;
    const float *i = x.p + at;
    for (int32_t p = C == 0 ? 0 : P; p > 0; p--, o += M, i += N) {
        for (int32_t c = 0; c < C; c++) {
            o[c] = i[c];
        }
    }
    return ENGRAM_OK;
}

// An image (H, W, C) in a padded one (OH, OW, C); lengths and offsets count bytes.
typedef struct {
    size_t images, rows, row;                         // of the image
    size_t padded_image, padded_row, first, padded;   // of the padded one: where the image begins, all of it
} frame_t;

// The ints B H W C OH OW top left, which begin at argument `arg`.
static bool frame_ok(engram_fault_t *fault, int arg, const int32_t d[8]) {
    for (int i = 0; i < 8; i++) {
        if (!engram_dim(fault, arg + i, d[i], 0)) {
            return false;
        }
    }
    // none is above 2**30, so the sums fit
    return (d[6] + d[1] <= d[4] || engram_refuse_value(fault, arg + 6, "top + H to be at most OH"))
        && (d[7] + d[2] <= d[5] || engram_refuse_value(fault, arg + 7, "left + W to be at most OW"));
}

static frame_t frame_of(const int32_t d[8], size_t element) {
    const size_t pixel = (size_t)d[3] * element;
    frame_t f = { .images = (size_t)d[0], .rows = (size_t)d[1], .row = (size_t)d[2] * pixel };
    f.padded_row = (size_t)d[5] * pixel;
    f.padded_image = (size_t)d[4] * f.padded_row;
    f.first = (size_t)d[6] * f.padded_row + (size_t)d[7] * pixel;
    f.padded = f.images * f.padded_image;
    return f;
}

static void pad(uint8_t *out, int value, const uint8_t *x, frame_t f) {
    if (f.padded == 0) {
        return;
    }
    memset(out, value, f.padded);
    for (size_t i = 0; i < f.images && f.row != 0; i++, out += f.padded_image) {
        for (size_t r = 0; r < f.rows; r++, x += f.row) {
            memcpy(out + f.first + r * f.padded_row, x, f.row);
        }
    }
}

int32_t engram_pad_fwd(engram_F_t out, engram_f_t x, int32_t B, int32_t H, int32_t W, int32_t C, int32_t OH,
    int32_t OW, int32_t top, int32_t left, engram_fault_t *fault) {
    const int32_t d[8] = { B, H, W, C, OH, OW, top, left };
    if (!(frame_ok(fault, 2, d) && engram_need(fault, 0, out.n, B, OH, OW, C)
          && engram_need(fault, 1, x.n, B, H, W, C))) {
        return ENGRAM_FAULT;
    }
    pad((uint8_t *)out.p, 0, (const uint8_t *)x.p, frame_of(d, sizeof(float)));
    return ENGRAM_OK;
}

int32_t engram_pad_bwd_dx(engram_F_t dx, engram_f_t dout, int32_t B, int32_t H, int32_t W, int32_t C, int32_t OH,
    int32_t OW, int32_t top, int32_t left, engram_fault_t *fault) {
    const int32_t d[8] = { B, H, W, C, OH, OW, top, left };
    if (!(frame_ok(fault, 2, d) && engram_need(fault, 0, dx.n, B, H, W, C)
          && engram_need(fault, 1, dout.n, B, OH, OW, C))) {
        return ENGRAM_FAULT;
    }
    const frame_t f = frame_of(d, sizeof(float));
    uint8_t *to = (uint8_t *)dx.p;
    const uint8_t *from = (const uint8_t *)dout.p;
    for (size_t i = 0; i < f.images && dx.n != 0; i++, from += f.padded_image) {
        for (size_t r = 0; r < f.rows; r++, to += f.row) {
            memcpy(to, from + f.first + r * f.padded_row, f.row);
        }
    }
    return ENGRAM_OK;
}
