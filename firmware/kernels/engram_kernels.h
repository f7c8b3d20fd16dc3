// Numeric kernels for learning on a device: pure C99, no Python header.
//
// Rules every kernel keeps (tests/kernels holds them):
//   - no allocation, no static or global writable data, no libc but memcpy and memset
//   - all memory comes from the caller; n counts elements, never bytes
//   - arguments: written buffers, read buffers, scalars, dimensions
//   - everything is checked before the first store, so a fault writes nothing
//   - *_fwd and *_dx overwrite, *_dw accumulates (+=)
//   - sums run in index order from zero, a bias is added last; built without contraction
//     of a*b+c (-ffp-contract=off) the float32 kernels give the same bits on every host (but
//     for the sign of a zero in a weight gradient whose sums have one term)
//
// Dimensions: B batch  C in-channels  K out-channels or classes  H W height, width
//   OH OW of the output  R S of the kernel  N features in  M features out  P positions
// Layout: images NHWC, convolution weights OHWI (K,R,S,C), depthwise weights (R,S,C).
#ifndef ENGRAM_KERNELS_H
#define ENGRAM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Buffers as they reach a kernel, one type a letter of the list. A face also takes bytes for wider
// elements where they make up whole ones: windows of a block of memory that holds several types.
typedef struct { float *p; size_t n; } engram_F_t;          // float32, written
typedef struct { const float *p; size_t n; } engram_f_t;    // float32, read
typedef struct { const float *p; size_t n; } engram_o_t;    // float32, read; p is NULL for None
typedef struct { int8_t *p; size_t n; } engram_B_t;         // 8-bit, written
typedef struct { const int8_t *p; size_t n; } engram_b_t;   // 8-bit, read
typedef struct { int32_t *p; size_t n; } engram_L_t;        // int32, written
typedef struct { const int32_t *p; size_t n; } engram_l_t;  // int32, read
typedef struct { uint16_t *p; size_t n; } engram_H_t;       // uint16, written
typedef struct { const uint16_t *p; size_t n; } engram_h_t; // uint16, read

typedef union {
    engram_F_t F;
    engram_f_t f;
    engram_o_t o;
    engram_B_t B;
    engram_b_t b;
    engram_L_t L;
    engram_l_t l;
    engram_H_t H;
    engram_h_t h;
    int32_t i;
} engram_arg_t;

// What the elements of a buffer are, found by its letter in either case.
typedef struct {
    uint8_t shift;  // one has 1 << shift bytes
    char codes[3];  // Python's typecodes for it, the usual one first
} engram_element_t;

extern const engram_element_t engram_elements[16];

static inline const engram_element_t *engram_element(char letter) {
    return &engram_elements[letter & 15];  // the letters in use differ in these bits
}

// Capital letters are written buffers.
static inline int engram_writes(char letter) {
    return letter < 'a';
}

// Whether a buffer of this typecode is what the letter asks for.
static inline int engram_code_fits(char letter, int code) {
    const char *codes = engram_element(letter)->codes;
    return code == codes[0] || (code != '\0' && (code == codes[1] || code == codes[2]));
}

// Whether a buffer of so many bytes and this typecode is bytes that make up elements of the letter.
// That they are aligned is for engram_buffers_ok to see.
static inline int engram_bytes_fit(char letter, int code, size_t bytes) {
    return engram_code_fits('b', code) && (bytes & (((size_t)1 << engram_element(letter)->shift) - 1)) == 0;
}

// What was wrong, filled by whoever returns ENGRAM_FAULT.
typedef enum {
    ENGRAM_FAULT_LENGTH,      // elements expected, got
    ENGRAM_FAULT_TOO_BIG,     // product of dimensions beyond any memory
    ENGRAM_FAULT_DIM,         // int argument: at least expected, got
    ENGRAM_FAULT_ENTRY,       // element `at` outside expected..limit, got
    ENGRAM_FAULT_VALUE,       // text says what was expected
    ENGRAM_FAULT_OVERLAP,     // argument `at` shares memory with arg
    ENGRAM_FAULT_INT_RANGE,   // int argument too large to cross
    ENGRAM_FAULT_ARITY,       // TypeError from here on: arguments expected, got (no single argument)
    ENGRAM_FAULT_TYPE,        // text says what came
} engram_fault_kind_t;

typedef struct {
    uint8_t kind;
    uint8_t arg;     // index in the argument list
    int32_t at;
    int64_t expected;
    int64_t limit;
    int64_t got;
    const char *text;
} engram_fault_t;

enum { ENGRAM_OK = 0, ENGRAM_FAULT = -1 };

// geom (14) = H W C K R S stride_h stride_w pad_top pad_left dil_h dil_w OH OW
enum {
    ENGRAM_H, ENGRAM_W, ENGRAM_C, ENGRAM_K, ENGRAM_R, ENGRAM_S, ENGRAM_STRIDE_H, ENGRAM_STRIDE_W,
    ENGRAM_PAD_TOP, ENGRAM_PAD_LEFT, ENGRAM_DIL_H, ENGRAM_DIL_W, ENGRAM_OH, ENGRAM_OW, ENGRAM_GEOM
};

// ---- dense ---------------------------------------------------------------------------------

// out (B, M) = x (B, N) @ w (M, N).T + b (M) or None
int32_t engram_dense_fwd(engram_F_t out, engram_f_t x, engram_f_t w, engram_o_t b, int32_t B,
    int32_t N, int32_t M, engram_fault_t *fault);

// dx (B, N) = dout (B, M) @ w (M, N)
int32_t engram_dense_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t w, int32_t B, int32_t N,
    int32_t M, engram_fault_t *fault);

// dw (M, N) += dout (B, M).T @ x (B, N); db (M) += dout.sum(0)
int32_t engram_dense_bwd_dw(engram_F_t dw, engram_F_t db, engram_f_t dout, engram_f_t x,
    int32_t B, int32_t N, int32_t M, engram_fault_t *fault);

// ---- convolution ---------------------------------------------------------------------------

// out (B, OH, OW, K) = x (B, H, W, C) conv w (K, R, S, C) + b (K) or None; geom (14)
int32_t engram_conv2d_fwd(engram_F_t out, engram_f_t x, engram_f_t w, engram_o_t b,
    engram_l_t geom, int32_t B, engram_fault_t *fault);

// dx (B, H, W, C) = gradient of conv2d_fwd at dout (B, OH, OW, K), w (K, R, S, C); geom (14)
int32_t engram_conv2d_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t w, engram_l_t geom,
    int32_t B, engram_fault_t *fault);

// dw (K, R, S, C) += dout (B, OH, OW, K) corr x (B, H, W, C); db (K) += dout.sum(0, 1, 2); geom
// (14)
int32_t engram_conv2d_bwd_dw(engram_F_t dw, engram_F_t db, engram_f_t dout, engram_f_t x,
    engram_l_t geom, int32_t B, engram_fault_t *fault);

// ---- activations, pooling, loss ------------------------------------------------------------

// out (n) = max(x (n), 0), NaN stays NaN; out may be x
int32_t engram_relu_fwd(engram_F_t out, engram_f_t x, engram_fault_t *fault);

// dx (n) = dout (n) where out (n) > 0, else 0; dx may be dout
int32_t engram_relu_bwd_dx(engram_F_t dx, engram_f_t dout, engram_f_t out, engram_fault_t *fault);

// out (B, C) = mean over P of x (B, P, C)
int32_t engram_global_avgpool_fwd(engram_F_t out, engram_f_t x, int32_t B, int32_t P, int32_t C,
    engram_fault_t *fault);

// dx (B, P, C) = dout (B, C) / P
int32_t engram_global_avgpool_bwd_dx(engram_F_t dx, engram_f_t dout, int32_t B, int32_t P,
    int32_t C, engram_fault_t *fault);

// dlogits (B, K) = (softmax(logits (B, K)) - onehot(labels (B) uint8)) / B; stats (2) = sum of
// losses, number correct; rows of the label 254, none, are 0 and count nothing; dlogits may be
// logits
int32_t engram_softmax_xent(engram_F_t dlogits, engram_F_t stats, engram_f_t logits,
    engram_b_t labels, int32_t B, int32_t K, engram_fault_t *fault);

// out (B, K) = softmax(x (B, K)) over K; out may be x
int32_t engram_softmax_fwd(engram_F_t out, engram_f_t x, int32_t B, int32_t K,
    engram_fault_t *fault);

// ---- update and upkeep ---------------------------------------------------------------------

// v (n) = momentum * v + g (n) + weight_decay * p (n); p -= lr * v; hyper (3) = lr, momentum,
// weight_decay
int32_t engram_sgd_step(engram_F_t p, engram_F_t v, engram_f_t g, engram_f_t hyper,
    engram_fault_t *fault);

// p (n) -= lr * (g (n) + weight_decay * p): SGD without momentum, and so without a buffer for it;
// hyper (2) = lr, weight_decay
int32_t engram_sgd_plain(engram_F_t p, engram_f_t g, engram_f_t hyper, engram_fault_t *fault);

// out (n) = 0
int32_t engram_zero_f32(engram_F_t out, engram_fault_t *fault);

// out (n) = x (n); out may be x
int32_t engram_copy_f32(engram_F_t out, engram_f_t x, engram_fault_t *fault);

// returns how many of x (n) are NaN or infinite
int32_t engram_check_finite(engram_f_t x, engram_fault_t *fault);

// ---- between float32, uint8 and int8 -------------------------------------------------------

// out (n) = clamp(round_half_away(x (n) / scale) + zero_point, -128, 127), NaN gives zero_point;
// qp (2) = scale, zero_point
int32_t engram_quantize_s8(engram_B_t out, engram_f_t x, engram_f_t qp, engram_fault_t *fault);

// out (n) = scale * (x (n) - zero_point); qp (2) = scale, zero_point
int32_t engram_dequantize_s8(engram_F_t out, engram_b_t x, engram_f_t qp, engram_fault_t *fault);

// out (n) = x (n) ^ 0x80; out may be x
int32_t engram_u8_to_s8(engram_B_t out, engram_b_t x, engram_fault_t *fault);

// ---- int8, TensorFlow Lite's integer semantics ---------------------------------------------
// q (4) = in_zp out_zp act_min act_max; bias, mult, shift: one int32 an output channel.
// Accumulators are int32 and wrap; a valid model never gets there.

// out (B, OH, OW, K) = requantize(x (B, H, W, C) conv w (K, R, S, C) + bias (K)); mult (K), shift
// (K), geom (14), q (4)
int32_t engram_conv2d_s8(engram_B_t out, engram_b_t x, engram_b_t w, engram_l_t bias,
    engram_l_t mult, engram_l_t shift, engram_l_t geom, engram_l_t q, int32_t B,
    engram_fault_t *fault);

// out (B, OH, OW, C) = requantize(x (B, H, W, C) conv w (R, S, C) channel by channel + bias (C));
// mult (C), shift (C), geom (14) with K = C, q (4)
int32_t engram_depthwise_s8(engram_B_t out, engram_b_t x, engram_b_t w, engram_l_t bias,
    engram_l_t mult, engram_l_t shift, engram_l_t geom, engram_l_t q, int32_t B,
    engram_fault_t *fault);

// out (B, M) = requantize(x (B, N) @ w (M, N).T + bias (M)), rounded once, halves upwards; mult
// (M), shift (M), q (4)
int32_t engram_dense_s8(engram_B_t out, engram_b_t x, engram_b_t w, engram_l_t bias,
    engram_l_t mult, engram_l_t shift, engram_l_t q, int32_t B, int32_t N, int32_t M,
    engram_fault_t *fault);

// out (B, OH, OW, C) = mean of x (B, H, W, C) over each window, half away from zero, padding not
// counted, clamped; geom (14) with K = C, q (4)
int32_t engram_avgpool_s8(engram_B_t out, engram_b_t x, engram_l_t geom, engram_l_t q, int32_t B,
    engram_fault_t *fault);

// ---- the other families ---------------------------------------------------------------------

#include "engram_audio.h"
#include "engram_int8.h"
#include "engram_layers.h"
#include "engram_q8.h"
#include "engram_replay.h"
#include "engram_some.h"
#include "engram_train.h"
#include "engram_vae.h"

// ---- the table the bindings work from ------------------------------------------------------

typedef struct {
    const char *name;
    const char *letters;
    const char *args;  // argument names, separated by one space
    uint8_t arity;
    int32_t (*call)(const engram_arg_t *a, engram_fault_t *fault);
} engram_kernel_t;

// The list to work from; a module with part of the kernels names a list of its own.
#ifndef ENGRAM_LIST_FILE
#define ENGRAM_LIST_FILE "engram_kernels.def"
#endif

enum {
#define ENGRAM_KERNEL(name, qstr, letters, args, call) ENGRAM_ID_##name,
#include ENGRAM_LIST_FILE
#undef ENGRAM_KERNEL
    ENGRAM_KERNEL_COUNT
};

enum { ENGRAM_MAX_ARGS = 12, ENGRAM_MESSAGE_SIZE = 160 };
#define ENGRAM_INT_MIN (-(1 << 30))
#define ENGRAM_INT_MAX ((1 << 30) - 1)

extern const engram_kernel_t engram_kernel_table[ENGRAM_KERNEL_COUNT];

// Whether the buffers are aligned and share no memory but where they may; if not, *fault is filled.
bool engram_buffers_ok(const engram_kernel_t *kernel, const engram_arg_t *args, engram_fault_t *fault);

// Checks alignment and overlap of the buffers, then calls the kernel. ENGRAM_FAULT with
// *fault filled, or the kernel's result (0, or a count).
int32_t engram_call(const engram_kernel_t *kernel, const engram_arg_t *args, engram_fault_t *fault);

// Writes the fault as one line, ended by 0, and returns its length:
// "dense_fwd: w: expected 40 elements for its shape, got 39".
size_t engram_message(char *out, size_t size, const engram_kernel_t *kernel, const engram_fault_t *fault);

#endif
