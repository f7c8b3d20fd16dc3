// The call table, the checks every kernel shares, and the wording of faults.
#include "engram_check.h"
#include "engram_line.h"

#define ENGRAM_KERNEL(name, qstr, letters, args, call) \
    static int32_t call_##name(const engram_arg_t *a, engram_fault_t *fault) { return engram_##name call; }
#include ENGRAM_LIST_FILE
#undef ENGRAM_KERNEL

const engram_kernel_t engram_kernel_table[ENGRAM_KERNEL_COUNT] = {
#define ENGRAM_KERNEL(name, qstr, letters, args, call) { #name, letters, args, sizeof(letters) - 1, call_##name },
#include ENGRAM_LIST_FILE
#undef ENGRAM_KERNEL
};

const engram_element_t engram_elements[16] = {
    ['f' & 15] = { 2, { 'f' } },
    ['o' & 15] = { 2, { 'f' } },
    ['b' & 15] = { 0, { 'B', 'b', 'c' } },
    ['h' & 15] = { 1, { 'H' } },
    ['l' & 15] = { 2, { 'i', 'l' } },
};

// ---- argument names: "out=x x w" -----------------------------------------------------------

static const char *arg_name(const engram_kernel_t *kernel, int arg, size_t *length) {
    const char *p = kernel->args;
    for (; arg > 0; arg--) {
        while (*p++ != ' ') {
        }
    }
    size_t n = 0;
    while (p[n] != ' ' && p[n] != '=' && p[n] != '\0') {
        n++;
    }
    *length = n;
    return p;
}

static bool same_name(const char *a, size_t a_length, const char *b, size_t b_length) {
    if (a_length != b_length) {
        return false;
    }
    for (size_t i = 0; i < a_length; i++) {
        if (a[i] != b[i]) {
            return false;
        }
    }
    return true;
}

// Whether written argument `arg` is declared as "arg=other".
static bool may_be(const engram_kernel_t *kernel, int arg, int other) {
    size_t own, length, other_length;
    const char *name = arg_name(kernel, arg, &own);
    if (name[own] != '=') {
        return false;
    }
    name += own + 1;
    for (length = 0; name[length] != ' '; length++) {
    }
    const char *other_name = arg_name(kernel, other, &other_length);
    return same_name(name, length, other_name, other_length);
}

// ---- checks --------------------------------------------------------------------------------

// The bytes of a buffer, from start up to end.
typedef struct { uintptr_t start, end; } extent_t;

static inline extent_t extent_of(char letter, const engram_arg_t *arg) {
    uintptr_t start = (uintptr_t)arg->b.p;
    return (extent_t) { start, start + (arg->b.n << engram_element(letter)->shift) };
}

static inline bool share(extent_t a, extent_t b) {
    return a.start < b.end && b.start < a.end;
}

// Names the first pair that shares memory and must not; true if there is none.
static bool apart(const engram_kernel_t *kernel, const engram_arg_t *args, engram_fault_t *fault) {
    const char *letters = kernel->letters;
    for (int i = 0; engram_writes(letters[i]) && letters[i] != '\0'; i++) {
        extent_t written = extent_of(letters[i], &args[i]);
        for (int j = i + 1; letters[j] != 'i' && letters[j] != '\0'; j++) {
            extent_t other = extent_of(letters[j], &args[j]);
            if (share(written, other)
                && !(written.start == other.start && written.end == other.end && may_be(kernel, i, j))) {
                fault->at = j;
                return engram_refuse(fault, ENGRAM_FAULT_OVERLAP, i, 0, 0);
            }
        }
    }
    return true;
}

// One pass over the buffers: written ones are first, ints last.
static inline bool buffers_ok(const engram_kernel_t *kernel, const engram_arg_t *args, engram_fault_t *fault) {
    extent_t written[ENGRAM_MAX_ARGS], *past = written;
    bool shared = false;
    const char *letters = kernel->letters;
    const engram_arg_t *arg = args;
    for (char letter; (letter = *letters++) != 'i' && letter != '\0'; arg++) {
        extent_t extent = extent_of(letter, arg);
        uintptr_t element = (uintptr_t)1 << engram_element(letter)->shift;
        if ((extent.start & (element - 1)) != 0 && arg->b.n != 0) {
            fault->text = "one that is not aligned to its elements";
            return engram_refuse(fault, ENGRAM_FAULT_TYPE, (int)(arg - args), 0, 0);
        }
        for (const extent_t *w = written; w != past; w++) {
            shared |= share(*w, extent);
        }
        if (engram_writes(letter)) {
            *past++ = extent;
        }
    }
    return !shared || apart(kernel, args, fault);
}

bool engram_buffers_ok(const engram_kernel_t *kernel, const engram_arg_t *args, engram_fault_t *fault) {
    return buffers_ok(kernel, args, fault);
}

int32_t engram_call(const engram_kernel_t *kernel, const engram_arg_t *args, engram_fault_t *fault) {
    return buffers_ok(kernel, args, fault) ? kernel->call(args, fault) : ENGRAM_FAULT;
}

bool engram_need_any(engram_fault_t *fault, int arg, size_t n, int32_t d0, int32_t d1, int32_t d2, int32_t d3) {
    if (engram_is_product(n, d0, d1, d2, d3)) {
        return true;
    }
    size_t d[4] = { (size_t)d0, (size_t)d1, (size_t)d2, (size_t)d3 };
    size_t product = 1;
    bool fits = true, empty = false;
    for (int i = 0; i < 4; i++) {
        if (d[i] == 0) {
            empty = true;
        } else if ((product | d[i]) < 0x8000) {  // no division, which small cores lack, for small ones
            product *= d[i];
        } else if (product > ENGRAM_MAX_ELEMENTS / d[i]) {
            fits = false;
        } else {
            product *= d[i];
        }
    }
    if (empty) {
        product = 0;
    } else if (!fits) {
        return engram_refuse(fault, ENGRAM_FAULT_TOO_BIG, arg, 0, 0);
    }
    return n == product || engram_refuse(fault, ENGRAM_FAULT_LENGTH, arg, (int64_t)product, (int64_t)n);
}

bool engram_geom(engram_fault_t *fault, int arg, engram_l_t geom, bool channelwise) {
    if (!engram_need(fault, arg, geom.n, ENGRAM_GEOM, 1, 1, 1)) {
        return false;
    }
    const int32_t *g = geom.p;
    for (int i = 0; i < ENGRAM_GEOM; i++) {
        int32_t low = i == ENGRAM_PAD_TOP || i == ENGRAM_PAD_LEFT ? 0 : 1;
        // Below 2**15 every product of two entries, and every coordinate, fits an int32.
        if (g[i] < low || g[i] > 32767) {
            return engram_refuse_entry(fault, arg, i, low, 32767, g[i]);
        }
    }
    if (channelwise && g[ENGRAM_K] != g[ENGRAM_C]) {
        return engram_refuse_entry(fault, arg, ENGRAM_K, g[ENGRAM_C], g[ENGRAM_C], g[ENGRAM_K]);
    }
    for (int axis = 0; axis < 2; axis++) {  // height, then width: their entries are neighbours
        int32_t reach = (g[ENGRAM_R + axis] - 1) * g[ENGRAM_DIL_H + axis];
        int32_t pad = g[ENGRAM_PAD_TOP + axis];
        if (pad > reach) {  // the first window would miss the input
            return engram_refuse_entry(fault, arg, ENGRAM_PAD_TOP + axis, 0, reach, pad);
        }
        int32_t most = (g[ENGRAM_H + axis] - 1 + pad) / g[ENGRAM_STRIDE_H + axis] + 1;
        if (g[ENGRAM_OH + axis] > most) {  // the last window would
            return engram_refuse_entry(fault, arg, ENGRAM_OH + axis, 1, most, g[ENGRAM_OH + axis]);
        }
    }
    return true;
}

// ---- wording -------------------------------------------------------------------------------

static const char *expected_type(char letter) {
    switch (letter) {
        case 'F': return "a writable float32 buffer (array 'f')";
        case 'f': return "a float32 buffer (array 'f')";
        case 'o': return "a float32 buffer (array 'f') or None";
        case 'B': return "a writable 8-bit buffer (bytearray, array 'b' or 'B')";
        case 'b': return "an 8-bit buffer (bytes, bytearray, array 'b' or 'B')";
        case 'H': return "a writable uint16 buffer (array 'H')";
        case 'h': return "a uint16 buffer (array 'H')";
        case 'L': return "a writable int32 buffer (array 'i')";
        case 'l': return "an int32 buffer (array 'i')";
        default: return "an int";
    }
}

size_t engram_message(char *out, size_t size, const engram_kernel_t *kernel, const engram_fault_t *fault) {
    engram_line_t line = { out, size - 1, 0 };
    engram_put_text(&line, kernel->name);
    engram_put_text(&line, ": ");
    if (fault->kind == ENGRAM_FAULT_ARITY) {
        engram_put_text(&line, "expected ");
        engram_put_int(&line, fault->expected);
        engram_put_text(&line, " positional arguments, got ");
        engram_put_int(&line, fault->got);
        out[line.n] = '\0';
        return line.n;
    }
    size_t length;
    const char *name = arg_name(kernel, fault->arg, &length);
    engram_put(&line, name, length);
    engram_put_text(&line, ": ");
    switch (fault->kind) {
        case ENGRAM_FAULT_LENGTH:
            engram_put_text(&line, "expected ");
            engram_put_int(&line, fault->expected);
            engram_put_text(&line, " elements for its shape, got ");
            engram_put_int(&line, fault->got);
            break;
        case ENGRAM_FAULT_TOO_BIG:
            engram_put_text(&line, "its shape has more elements than memory can hold");
            break;
        case ENGRAM_FAULT_DIM:
            engram_put_text(&line, "expected an int of at least ");
            engram_put_int(&line, fault->expected);
            engram_put_text(&line, ", got ");
            engram_put_int(&line, fault->got);
            break;
        case ENGRAM_FAULT_ENTRY:
            engram_put_text(&line, "entry ");
            engram_put_int(&line, fault->at);
            engram_put_text(&line, ": expected ");
            engram_put_int(&line, fault->expected);
            engram_put_text(&line, " to ");
            engram_put_int(&line, fault->limit);
            engram_put_text(&line, ", got ");
            engram_put_int(&line, fault->got);
            break;
        case ENGRAM_FAULT_OVERLAP:
            engram_put_text(&line, "must not share memory with ");
            name = arg_name(kernel, fault->at, &length);
            engram_put(&line, name, length);
            break;
        case ENGRAM_FAULT_INT_RANGE:
            engram_put_text(&line, "expected an int from -2**30 to 2**30 - 1");
            break;
        case ENGRAM_FAULT_TYPE:
            engram_put_text(&line, "expected ");
            engram_put_text(&line, expected_type(kernel->letters[fault->arg]));
            engram_put_text(&line, ", got ");
            engram_put_text(&line, fault->text);
            break;
        default:
            engram_put_text(&line, "expected ");
            engram_put_text(&line, fault->text);
            break;
    }
    out[line.n] = '\0';
    return line.n;
}
