// Copies, float32 and int8: whole buffers, channels, and images into and out of a padded one.
#include <string.h>

#include "engram_check.h"

// out may be x.
static void copy(void *out, const void *x, size_t bytes) {
    if (bytes != 0 && out != x) {
        memcpy(out, x, bytes);
    }
}

int32_t engram_copy_f32(engram_F_t out, engram_f_t x, engram_fault_t *fault) {
    if (!engram_same(fault, 1, x.n, out.n)) {
        return ENGRAM_FAULT;
    }
    copy(out.p, x.p, out.n * sizeof(float));
    return ENGRAM_OK;
}

int32_t engram_copy_s8(engram_B_t out, engram_b_t x, engram_fault_t *fault) {
    if (!engram_same(fault, 1, x.n, out.n)) {
        return ENGRAM_FAULT;
    }
    copy(out.p, x.p, out.n);
    return ENGRAM_OK;
}

// The ints P M N to at C, which begin with the third argument, and the lengths of out and x.
static bool channels_ok(engram_fault_t *fault, size_t out, size_t x, const int32_t d[6]) {
    for (int i = 0; i < 6; i++) {
        if (!engram_dim(fault, 2 + i, d[i], 0)) {
            return false;
        }
    }
    // none is above 2**30, so the sums fit
    return (d[3] + d[5] <= d[1] || engram_refuse_value(fault, 5, "to + C to be at most M"))
        && (d[4] + d[5] <= d[2] || engram_refuse_value(fault, 6, "at + C to be at most N"))
        && engram_need(fault, 0, out, d[0], d[1], 1, 1) && engram_need(fault, 1, x, d[0], d[2], 1, 1);
}

static void copy_channels(uint8_t *out, const uint8_t *x, const int32_t d[6], size_t element) {
    const size_t row = (size_t)d[1] * element, x_row = (size_t)d[2] * element, piece = (size_t)d[5] * element;
    if (piece == 0) {
        return;
    }
    out += (size_t)d[3] * element;
    x += (size_t)d[4] * element;
    for (int32_t p = d[0]; p > 0; p--, out += row, x += x_row) {
        memcpy(out, x, piece);
    }
}

int32_t engram_copy_channels(engram_F_t out, engram_f_t x, int32_t P, int32_t M, int32_t N, int32_t to,
    int32_t at, int32_t C, engram_fault_t *fault) {
    const int32_t d[6] = { P, M, N, to, at, C };
    if (!channels_ok(fault, out.n, x.n, d)) {
        return ENGRAM_FAULT;
    }
    copy_channels((uint8_t *)out.p, (const uint8_t *)x.p, d, sizeof(float));
    return ENGRAM_OK;
}

int32_t engram_copy_channels_s8(engram_B_t out, engram_b_t x, int32_t P, int32_t M, int32_t N, int32_t to,
    int32_t at, int32_t C, engram_fault_t *fault) {
    const int32_t d[6] = { P, M, N, to, at, C };
    if (!channels_ok(fault, out.n, x.n, d)) {
        return ENGRAM_FAULT;
    }
    copy_channels((uint8_t *)out.p, (const uint8_t *)x.p, d, 1);
    return ENGRAM_OK;
}

// parts (n, 3) are to, at, C of pieces of rows of M and N elements.
static bool parts_ok(engram_fault_t *fault, engram_l_t parts, int32_t M, int32_t N) {
    if (parts.n % 3 != 0) {
        return engram_refuse_value(fault, 2, "parts of 3 entries");
    }
    for (size_t i = 0; i < parts.n; i++) {
        const int32_t *part = parts.p + i / 3 * 3;
        const int32_t rest = M - part[0] < N - part[1] ? M - part[0] : N - part[1];
        const int32_t most = i % 3 == 0 ? M : i % 3 == 1 ? N : rest;
        if (parts.p[i] < 0 || parts.p[i] > most) {
            return engram_refuse_entry(fault, 2, (int32_t)i, 0, most, parts.p[i]);
        }
    }
    return true;
}

int32_t engram_copy_parts_q8(engram_B_t out, engram_b_t x, engram_l_t parts, int32_t P, int32_t M, int32_t N,
    engram_fault_t *fault) {
    if (!(engram_dim(fault, 3, P, 0) && engram_dim(fault, 4, M, 0) && engram_dim(fault, 5, N, 0)
          && engram_need(fault, 0, out.n, P, M, 1, 1) && engram_need(fault, 1, x.n, P, N, 1, 1)
          && parts_ok(fault, parts, M, N))) {
        return ENGRAM_FAULT;
    }
    const int32_t *end = parts.p + parts.n;
    int8_t *to = out.p;
    const int8_t *from = x.p;
    for (int32_t p = P; p > 0; p--, to += M, from += N) {
        for (const int32_t *part = parts.p; part != end; part += 3) {
            for (int32_t c = 0; c < part[2]; c++) {
                to[part[0] + c] = from[part[1] + c];
            }
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

int32_t engram_pad_s8(engram_B_t out, engram_b_t x, engram_b_t value, int32_t B, int32_t H, int32_t W, int32_t C,
    int32_t OH, int32_t OW, int32_t top, int32_t left, engram_fault_t *fault) {
    const int32_t d[8] = { B, H, W, C, OH, OW, top, left };
    if (!(frame_ok(fault, 3, d) && engram_need(fault, 0, out.n, B, OH, OW, C)
          && engram_need(fault, 1, x.n, B, H, W, C) && engram_need(fault, 2, value.n, 1, 1, 1, 1))) {
        return ENGRAM_FAULT;
    }
    pad((uint8_t *)out.p, value.p[0], (const uint8_t *)x.p, frame_of(d, 1));
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
