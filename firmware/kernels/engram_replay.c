// Replay: which records go into a mini-batch, and from flash into it.
#include <string.h>

#include "engram_check.h"
#include "engram_kernels.h"

// ---- the random picks ----------------------------------------------------------------------

// L'Ecuyer's combination of three 16-bit generators (CACM 31(6), 1988, fig. 3), as in
// continual/rng.py: the same picks on every host.
#define RANDOM_RANGE 32361

static const int32_t factors[3] = { 157, 146, 142 }, moduli[3] = { 32363, 31727, 31657 };

static int32_t draw(int32_t *s) {
    for (int i = 0; i < 3; i++) {
        s[i] = factors[i] * s[i] % moduli[i];
    }
    int32_t z = (s[0] - s[1] + s[2]) % 32362;
    z = z < 0 ? z + 32362 : z;
    return (z != 0 ? z : RANDOM_RANGE) - 1;  // 0 .. RANDOM_RANGE - 1
}

// An int in [0, n), 1 <= n <= 65535.
static int32_t below(int32_t *s, int32_t n) {
    if (n <= RANDOM_RANGE) {
        return draw(s) * n / RANDOM_RANGE;
    }
    int32_t high = n / RANDOM_RANGE + 1, value;
    do {
        value = draw(s) * high / RANDOM_RANGE * RANDOM_RANGE;
        value += draw(s);
    } while (value >= n);
    return value;
}

static void shuffle(int32_t *s, uint16_t *order, int32_t count) {
    for (int32_t i = count - 1; i > 0; i--) {
        int32_t j = below(s, i + 1);
        uint16_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

static bool random_ok(engram_fault_t *fault, int arg, engram_L_t random) {
    if (!engram_need(fault, arg, random.n, 3, 1, 1, 1)) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        if (random.p[i] < 1 || random.p[i] >= moduli[i]) {
            return engram_refuse_entry(fault, arg, i, 1, moduli[i] - 1, random.p[i]);
        }
    }
    return true;
}

static bool place_ok(engram_fault_t *fault, int arg, engram_L_t place) {
    if (!engram_need(fault, arg, place.n, 2, 1, 1, 1)) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (place.p[i] < 0 || place.p[i] > UINT16_MAX) {
            return engram_refuse_entry(fault, arg, i, 0, UINT16_MAX, place.p[i]);
        }
    }
    return true;
}

// start rises and ends within order; every class of present has a record
static bool classes_ok(engram_fault_t *fault, size_t order_n, engram_h_t start, engram_b_t present, int32_t groups) {
    size_t previous = 0;
    for (size_t i = 0; i < start.n; i++) {
        if (start.p[i] < previous || start.p[i] > order_n) {
            return engram_refuse_entry(fault, 4, (int32_t)i, (int64_t)previous, (int64_t)order_n, start.p[i]);
        }
        previous = start.p[i];
    }
    for (int32_t i = 0; i < groups; i++) {
        size_t c = (uint8_t)present.p[i];
        if (c + 1 >= start.n || start.p[c] == start.p[c + 1]) {
            return engram_refuse_value(fault, 5, "classes that have records by start");
        }
    }
    return true;
}

int32_t engram_draw_batch(engram_L_t slots, engram_L_t random, engram_L_t place, engram_H_t order,
    engram_h_t start, engram_b_t present, int32_t fresh, int32_t groups, engram_fault_t *fault) {
    if (!(random_ok(fault, 1, random) && place_ok(fault, 2, place)
          && engram_dim(fault, 6, fresh, 0) && engram_dim(fault, 7, groups, 0)
          && (start.n > 0 || engram_refuse_value(fault, 4, "at least one entry"))
          && ((size_t)groups <= present.n
              || engram_refuse_value(fault, 5, "at least as many classes as groups"))
          && classes_ok(fault, order.n, start, present, groups)
          && ((size_t)fresh <= slots.n || engram_refuse_value(fault, 6, "at most the batch"))
          && (fresh == 0 || start.p[0] > 0 || engram_refuse_value(fault, 6, "0 where nothing is new"))
          && ((size_t)fresh == slots.n || groups > 0
              || engram_refuse_value(fault, 7, "at least one class with old records")))) {
        return ENGRAM_FAULT;
    }
    int32_t fresh_count = start.p[0], next = place.p[0], turn = place.p[1];
    for (int32_t i = 0; i < fresh; i++) {
        if (next >= fresh_count) {
            shuffle(random.p, order.p, fresh_count);
            next = 0;
        }
        slots.p[i] = order.p[next++];
    }
    for (size_t i = (size_t)fresh; i < slots.n; i++) {
        turn = turn + 1 < groups ? turn + 1 : 0;
        size_t c = (uint8_t)present.p[turn];
        int32_t first = start.p[c];
        slots.p[i] = order.p[first + below(random.p, start.p[c + 1] - first)];
    }
    place.p[0] = next;
    place.p[1] = turn;
    return ENGRAM_OK;
}

// ---- from flash into the batch -------------------------------------------------------------

// CRC-32 of IEEE 802.3, as binascii.crc32: the remainders of all values of as many bits as are taken
// at a time, eight, or four with -DENGRAM_SMALL.
#ifdef ENGRAM_SMALL
static const uint32_t remainders[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};
#else
static const uint32_t remainders[256] = {
    0x00000000, 0x77073096, 0xee0e612c, 0x990951ba, 0x076dc419, 0x706af48f, 0xe963a535, 0x9e6495a3,
    0x0edb8832, 0x79dcb8a4, 0xe0d5e91e, 0x97d2d988, 0x09b64c2b, 0x7eb17cbd, 0xe7b82d07, 0x90bf1d91,
    0x1db71064, 0x6ab020f2, 0xf3b97148, 0x84be41de, 0x1adad47d, 0x6ddde4eb, 0xf4d4b551, 0x83d385c7,
    0x136c9856, 0x646ba8c0, 0xfd62f97a, 0x8a65c9ec, 0x14015c4f, 0x63066cd9, 0xfa0f3d63, 0x8d080df5,
    0x3b6e20c8, 0x4c69105e, 0xd56041e4, 0xa2677172, 0x3c03e4d1, 0x4b04d447, 0xd20d85fd, 0xa50ab56b,
    0x35b5a8fa, 0x42b2986c, 0xdbbbc9d6, 0xacbcf940, 0x32d86ce3, 0x45df5c75, 0xdcd60dcf, 0xabd13d59,
    0x26d930ac, 0x51de003a, 0xc8d75180, 0xbfd06116, 0x21b4f4b5, 0x56b3c423, 0xcfba9599, 0xb8bda50f,
    0x2802b89e, 0x5f058808, 0xc60cd9b2, 0xb10be924, 0x2f6f7c87, 0x58684c11, 0xc1611dab, 0xb6662d3d,
    0x76dc4190, 0x01db7106, 0x98d220bc, 0xefd5102a, 0x71b18589, 0x06b6b51f, 0x9fbfe4a5, 0xe8b8d433,
    0x7807c9a2, 0x0f00f934, 0x9609a88e, 0xe10e9818, 0x7f6a0dbb, 0x086d3d2d, 0x91646c97, 0xe6635c01,
    0x6b6b51f4, 0x1c6c6162, 0x856530d8, 0xf262004e, 0x6c0695ed, 0x1b01a57b, 0x8208f4c1, 0xf50fc457,
    0x65b0d9c6, 0x12b7e950, 0x8bbeb8ea, 0xfcb9887c, 0x62dd1ddf, 0x15da2d49, 0x8cd37cf3, 0xfbd44c65,
    0x4db26158, 0x3ab551ce, 0xa3bc0074, 0xd4bb30e2, 0x4adfa541, 0x3dd895d7, 0xa4d1c46d, 0xd3d6f4fb,
    0x4369e96a, 0x346ed9fc, 0xad678846, 0xda60b8d0, 0x44042d73, 0x33031de5, 0xaa0a4c5f, 0xdd0d7cc9,
    0x5005713c, 0x270241aa, 0xbe0b1010, 0xc90c2086, 0x5768b525, 0x206f85b3, 0xb966d409, 0xce61e49f,
    0x5edef90e, 0x29d9c998, 0xb0d09822, 0xc7d7a8b4, 0x59b33d17, 0x2eb40d81, 0xb7bd5c3b, 0xc0ba6cad,
    0xedb88320, 0x9abfb3b6, 0x03b6e20c, 0x74b1d29a, 0xead54739, 0x9dd277af, 0x04db2615, 0x73dc1683,
    0xe3630b12, 0x94643b84, 0x0d6d6a3e, 0x7a6a5aa8, 0xe40ecf0b, 0x9309ff9d, 0x0a00ae27, 0x7d079eb1,
    0xf00f9344, 0x8708a3d2, 0x1e01f268, 0x6906c2fe, 0xf762575d, 0x806567cb, 0x196c3671, 0x6e6b06e7,
    0xfed41b76, 0x89d32be0, 0x10da7a5a, 0x67dd4acc, 0xf9b9df6f, 0x8ebeeff9, 0x17b7be43, 0x60b08ed5,
    0xd6d6a3e8, 0xa1d1937e, 0x38d8c2c4, 0x4fdff252, 0xd1bb67f1, 0xa6bc5767, 0x3fb506dd, 0x48b2364b,
    0xd80d2bda, 0xaf0a1b4c, 0x36034af6, 0x41047a60, 0xdf60efc3, 0xa867df55, 0x316e8eef, 0x4669be79,
    0xcb61b38c, 0xbc66831a, 0x256fd2a0, 0x5268e236, 0xcc0c7795, 0xbb0b4703, 0x220216b9, 0x5505262f,
    0xc5ba3bbe, 0xb2bd0b28, 0x2bb45a92, 0x5cb36a04, 0xc2d7ffa7, 0xb5d0cf31, 0x2cd99e8b, 0x5bdeae1d,
    0x9b64c2b0, 0xec63f226, 0x756aa39c, 0x026d930a, 0x9c0906a9, 0xeb0e363f, 0x72076785, 0x05005713,
    0x95bf4a82, 0xe2b87a14, 0x7bb12bae, 0x0cb61b38, 0x92d28e9b, 0xe5d5be0d, 0x7cdcefb7, 0x0bdbdf21,
    0x86d3d2d4, 0xf1d4e242, 0x68ddb3f8, 0x1fda836e, 0x81be16cd, 0xf6b9265b, 0x6fb077e1, 0x18b74777,
    0x88085ae6, 0xff0f6a70, 0x66063bca, 0x11010b5c, 0x8f659eff, 0xf862ae69, 0x616bffd3, 0x166ccf45,
    0xa00ae278, 0xd70dd2ee, 0x4e048354, 0x3903b3c2, 0xa7672661, 0xd06016f7, 0x4969474d, 0x3e6e77db,
    0xaed16a4a, 0xd9d65adc, 0x40df0b66, 0x37d83bf0, 0xa9bcae53, 0xdebb9ec5, 0x47b2cf7f, 0x30b5ffe9,
    0xbdbdf21c, 0xcabac28a, 0x53b39330, 0x24b4a3a6, 0xbad03605, 0xcdd70693, 0x54de5729, 0x23d967bf,
    0xb3667a2e, 0xc4614ab8, 0x5d681b02, 0x2a6f2b94, 0xb40bbe37, 0xc30c8ea1, 0x5a05df1b, 0x2d02ef8d,
};
#endif
// crc32(m + crc32(m) as little-endian) of any m
#define CRC_RESIDUE 0x2144df1cu

static inline uint32_t load32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static inline uint32_t step_byte(uint32_t crc) {
    #ifdef ENGRAM_SMALL
    crc = remainders[crc & 0xf] ^ crc >> 4;
    return remainders[crc & 0xf] ^ crc >> 4;
    #else
    return remainders[crc & 0xff] ^ crc >> 8;
    #endif
}

static uint32_t crc32(const uint8_t *p, size_t n) {
    uint32_t crc = 0xffffffffu;
    for (; n >= 4; n -= 4, p += 4) {
        crc = step_byte(step_byte(step_byte(step_byte(crc ^ load32(p)))));
    }
    while (n-- > 0) {
        crc = step_byte(crc ^ *p++);
    }
    return ~crc;
}

enum { SLOTS_A_UNIT, UNIT_STRIDE, FIRST_AT, SLOT_STRIDE, RECORD_AT, LATENT_AT, TARGETS_AT, END, LAYOUT };

// The number of bits that 2**bits codes take, 0 where it is none from 1 to 8.
static int32_t bits_of(size_t codes) {
    for (int32_t bits = 1; bits <= 8; bits++) {
        if (codes == (size_t)1 << bits) {
            return bits;
        }
    }
    return 0;
}

static bool layout_ok(engram_fault_t *fault, int arg, engram_l_t layout) {
    if (!engram_need(fault, arg, layout.n, LAYOUT, 1, 1, 1)) {
        return false;
    }
    for (int i = 0; i < LAYOUT; i++) {
        // label, session and sequence before the latent, crc32 behind it
        int32_t low = i == SLOTS_A_UNIT || i == RECORD_AT ? 1
            : i == LATENT_AT ? layout.p[RECORD_AT] + 7
            : i == TARGETS_AT ? layout.p[LATENT_AT]
            : i == END ? layout.p[TARGETS_AT] + 4 : 0;
        int32_t high = i == UNIT_STRIDE ? ENGRAM_INT_MAX : 1 << 20;
        if (layout.p[i] < low || layout.p[i] > high) {
            return engram_refuse_entry(fault, arg, i, low, high, layout.p[i]);
        }
    }
    return true;
}

// Two bits of the state byte are clear: one alone fell over.
static bool deleted(uint8_t state) {
    uint32_t zeros = state ^ 0xffu;
    return (zeros & (zeros - 1)) != 0;
}

static uint64_t slot_at(const int32_t *layout, int32_t slot) {
    int32_t unit = slot / layout[SLOTS_A_UNIT], index = slot % layout[SLOTS_A_UNIT];
    return (uint64_t)unit * (uint32_t)layout[UNIT_STRIDE]
        + (uint64_t)index * (uint32_t)layout[SLOT_STRIDE] + (uint32_t)layout[FIRST_AT];
}

// LOOK_UP(name, type): out (n) = codes (2**bits) at the elements of a packed latent at p. Eight of
// them lie in `bits` bytes, the second four from their middle on. The crc32 behind the latent takes
// what the last load reads beyond it. The usual widths have their shifts in the instructions.
#define LOOK_UP(name, type) \
    static inline void name##_four(type *out, uint32_t word, const type *codes, int32_t bits) { \
        const uint32_t top = (1u << bits) - 1; \
        out[0] = codes[word & top]; \
        out[1] = codes[word >> bits & top]; \
        out[2] = codes[word >> 2 * bits & top]; \
        out[3] = codes[word >> 3 * bits & top]; \
    } \
    static inline void name##_by(type *out, size_t n, const uint8_t *p, const type *codes, int32_t bits) { \
        const int32_t odd = bits % 2 * 4; \
        for (; n >= 8; n -= 8, p += bits, out += 8) { \
            name##_four(out, load32(p), codes, bits); \
            name##_four(out + 4, load32(p + bits / 2) >> odd, codes, bits); \
        } \
        for (size_t i = 0; i < n; i++) { \
            uint32_t word = i < 4 ? load32(p) : load32(p + bits / 2) >> odd; \
            out[i] = codes[word >> i % 4 * (size_t)bits & ((1u << bits) - 1)]; \
        } \
    } \
    static void name(type *out, size_t n, const uint8_t *p, const type *codes, int32_t bits) { \
        switch (bits) { \
            case 8: name##_by(out, n, p, codes, 8); break; \
            case 4: name##_by(out, n, p, codes, 4); break; \
            default: name##_by(out, n, p, codes, bits); break; \
        } \
    }
LOOK_UP(look_up, float)
LOOK_UP(look_up_codes, int8_t)

// Rows at .. at + count - 1 are among those of slots, and their records lie in raw. Called once a
// batch, so that its code need not be there twice.
static __attribute__((noinline)) bool rows_ok(engram_fault_t *fault, int slots_arg, int at_arg,
    engram_b_t raw, engram_l_t slots, engram_l_t layout, int32_t at, int32_t count) {
    if (!(engram_dim(fault, at_arg, at, 0) && engram_dim(fault, at_arg + 1, count, 0)
          && ((uint64_t)(uint32_t)at + (uint32_t)count <= slots.n
              || engram_refuse_value(fault, at_arg + 1, "at most the rows from `at` on")))) {
        return false;
    }
    for (int32_t i = at; i < at + count; i++) {
        if (slots.p[i] < 0 || slot_at(layout.p, slots.p[i]) + (uint32_t)layout.p[END] > raw.n) {
            return engram_refuse_value(fault, slots_arg, "slots that lie in raw");
        }
    }
    return true;
}

// Latents as they come out of the log: float32, or bytes.
typedef struct {
    float *floats;
    int8_t *bytes;
    const float *float_codes;
    const int8_t *byte_codes;
    size_t n;
} latents_t;

static int32_t gather(const latents_t *out, size_t codes, engram_B_t labels, engram_b_t raw, engram_l_t slots,
    engram_l_t layout, int32_t at, int32_t count, engram_fault_t *fault) {
    const int32_t bits = bits_of(codes);
    if (!(layout_ok(fault, 4, layout) && engram_same(fault, 1, labels.n, slots.n)
          && (bits > 0 || engram_refuse_value(fault, 5, "2**bits codes, 1 to 8 bits"))
          && rows_ok(fault, 3, 6, raw, slots, layout, at, count))) {
        return ENGRAM_FAULT;
    }
    const size_t n = slots.n > 0 ? out->n / slots.n : 0;
    const size_t latent_bytes = (size_t)(layout.p[TARGETS_AT] - layout.p[LATENT_AT]);
    if (slots.n == 0 && out->n == 0) {
        return ENGRAM_OK;
    }
    if (n * slots.n != out->n || n / 8 * (size_t)bits + (n % 8 * (size_t)bits + 7) / 8 != latent_bytes) {
        engram_refuse_value(fault, 0, "a row a slot, of as many elements as a latent");
        return ENGRAM_FAULT;
    }
    for (int32_t i = at; i < at + count; i++) {
        const uint8_t *slot = (const uint8_t *)raw.p + (size_t)slot_at(layout.p, slots.p[i]);
        const uint8_t *record = slot + layout.p[RECORD_AT];
        if (deleted(*slot) || crc32(record, (size_t)(layout.p[END] - layout.p[RECORD_AT])) != CRC_RESIDUE) {
            return i;
        }
        labels.p[i] = (int8_t)*record;
        const uint8_t *latent = slot + layout.p[LATENT_AT];
        if (out->floats != NULL) {
            look_up(out->floats + (size_t)i * n, n, latent, out->float_codes, bits);
        } else {
            look_up_codes(out->bytes + (size_t)i * n, n, latent, out->byte_codes, bits);
        }
    }
    return at + count;
}

int32_t engram_gather_latents(engram_F_t out, engram_B_t labels, engram_b_t raw, engram_l_t slots,
    engram_l_t layout, engram_f_t codes, int32_t at, int32_t count, engram_fault_t *fault) {
    const latents_t latents = { .floats = out.p, .float_codes = codes.p, .n = out.n };
    return gather(&latents, codes.n, labels, raw, slots, layout, at, count, fault);
}

int32_t engram_gather_codes(engram_B_t out, engram_B_t labels, engram_b_t raw, engram_l_t slots,
    engram_l_t layout, engram_b_t codes, int32_t at, int32_t count, engram_fault_t *fault) {
    const latents_t latents = { .bytes = out.p, .byte_codes = codes.p, .n = out.n };
    return gather(&latents, codes.n, labels, raw, slots, layout, at, count, fault);
}

int32_t engram_gather_targets(engram_F_t out, engram_b_t raw, engram_l_t slots, engram_l_t layout,
    int32_t at, int32_t count, engram_fault_t *fault) {
    if (!(layout_ok(fault, 3, layout) && rows_ok(fault, 2, 4, raw, slots, layout, at, count))) {
        return ENGRAM_FAULT;
    }
    const size_t bytes = (size_t)(layout.p[END] - layout.p[TARGETS_AT] - 4);
    if (bytes % 4 != 0 || out.n != slots.n * (bytes / 4)) {
        engram_refuse_value(fault, 0, "a row a slot, of as many elements as a record has targets");
        return ENGRAM_FAULT;
    }
    for (int32_t i = at; i < at + count; i++) {
        const char *slot = (const char *)raw.p + (size_t)slot_at(layout.p, slots.p[i]);
        memcpy((char *)out.p + (size_t)i * bytes, slot + layout.p[TARGETS_AT], bytes);
    }
    return ENGRAM_OK;
}
