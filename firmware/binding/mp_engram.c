// MicroPython face of the kernels: module _engram, firmware user module and native .mpy alike.
// Holds no numerics and no shape rule; it turns objects into engram_arg_t and back. A call and a
// tape that runs allocate nothing unless they raise; to bind one and to put a row takes memory.
#if defined(MICROPY_ENABLE_DYNRUNTIME) && MICROPY_ENABLE_DYNRUNTIME
#include "py/dynruntime.h"
#else
#include "py/objarray.h"
#include "py/runtime.h"
#endif
#include <string.h>

#include "engram_tape.h"

// A port that can count (instructions, microseconds) names a header that defines a type
// engram_mark_t and two functions: engram_mark(), now; engram_since(mark), the units that have
// passed since then, modulo 2**30 or a multiple.
#ifdef ENGRAM_TICKS_H
#include ENGRAM_TICKS_H
#else
typedef uint8_t engram_mark_t;
static inline engram_mark_t engram_mark(void) {
    return 0;
}
static inline uint32_t engram_since(engram_mark_t mark) {
    return mark;
}
#endif
#ifndef MP_NORETURN
#define MP_NORETURN NORETURN  // its name before 1.26
#endif
#define SPENT_MASK ((1u << 30) - 1)

typedef struct _kernel_obj_t {
    mp_obj_base_t base;
    const engram_kernel_t *kernel;
} kernel_obj_t;

// The bytearray's typecode is 1; everything else reports its letter.
#define BYTEARRAY_CODE 1

static bool code_fits(char letter, int code) {
    if (code == engram_element(letter)->codes[0]) {
        return true;  // as a rule
    }
    return engram_code_fits(letter, code == BYTEARRAY_CODE ? 'B' : code)
           && (code != 'l' || sizeof(long) == 4);
}

static bool refuse(engram_fault_t *fault, int arg, engram_fault_kind_t kind, const char *text) {
    fault->kind = kind;
    fault->arg = arg;
    fault->text = text;
    return false;
}

static const char *type_name(mp_obj_t obj) {
    return mp_obj_str_get_str(MP_OBJ_NEW_QSTR(mp_obj_get_type(obj)->name));
}

static bool refuse_type_of(engram_fault_t *fault, int arg, mp_obj_t obj) {
    return refuse(fault, arg, ENGRAM_FAULT_TYPE, type_name(obj));
}

#if defined(MICROPY_ENABLE_DYNRUNTIME) && MICROPY_ENABLE_DYNRUNTIME \
    || !(MICROPY_PY_ARRAY && MICROPY_PY_BUILTINS_BYTEARRAY && MICROPY_PY_BUILTINS_MEMORYVIEW)

// A native module cannot name these types; a port may lack one.
static inline bool get_array(char letter, mp_obj_t obj, engram_arg_t *out) {
    (void)letter;
    (void)obj;
    (void)out;
    return false;
}
static inline const mp_obj_array_t *known_array(mp_obj_t obj) {
    (void)obj;
    return NULL;
}

#if defined(MICROPY_ENABLE_DYNRUNTIME) && MICROPY_ENABLE_DYNRUNTIME
const mp_obj_type_t *engram_view_type;  // found by its name at import
#define IS_VIEW_TYPE(type) ((type) == engram_view_type)
#elif MICROPY_PY_BUILTINS_MEMORYVIEW
#define IS_VIEW_TYPE(type) ((type) == &mp_type_memoryview)
#else
#define IS_VIEW_TYPE(type) ((void)(type), false)
#endif
static inline bool is_view(mp_obj_t obj) {
    return IS_VIEW_TYPE(mp_obj_get_type(obj));
}

#else

// The object as an array, if it is one that may grow.
static inline const mp_obj_array_t *known_array(mp_obj_t obj) {
    const mp_obj_type_t *type = mp_obj_get_type(obj);
    return type == &mp_type_array || type == &mp_type_bytearray ? MP_OBJ_TO_PTR(obj) : NULL;
}

static inline bool is_view(mp_obj_t obj) {
    return mp_obj_is_type(obj, &mp_type_memoryview);
}

// Arrays, as nearly every buffer is one, without a call. False: get_buffer knows, or says what is
// wrong.
static inline bool get_array(char letter, mp_obj_t obj, engram_arg_t *out) {
    if (!mp_obj_is_obj(obj)) {
        return false;
    }
    const mp_obj_array_t *array = MP_OBJ_TO_PTR(obj);
    const mp_obj_type_t *type = array->base.type;
    int code = array->typecode;
    int8_t *p = array->items;
    if (type != &mp_type_array && type != &mp_type_bytearray) {
        if (type != &mp_type_memoryview || (engram_writes(letter) && !(code & MP_OBJ_ARRAY_TYPECODE_FLAG_RW))) {
            return false;
        }
        code &= ~MP_OBJ_ARRAY_TYPECODE_FLAG_RW;
        p += (size_t)array->free << engram_element(letter)->shift;
    }
    if (array->items == NULL || !code_fits(letter, code)) {
        return false;
    }
    out->B.p = p;
    out->B.n = array->len;
    return true;
}

#endif

static inline bool get_int(mp_obj_t obj, int arg, engram_arg_t *out, engram_fault_t *fault) {
    if (!mp_obj_is_small_int(obj)) {
        return mp_obj_get_type(obj) == &mp_type_int ? refuse(fault, arg, ENGRAM_FAULT_INT_RANGE, NULL)
            : refuse_type_of(fault, arg, obj);
    }
    mp_int_t value = MP_OBJ_SMALL_INT_VALUE(obj);
    if (value < ENGRAM_INT_MIN || value > ENGRAM_INT_MAX) {
        return refuse(fault, arg, ENGRAM_FAULT_INT_RANGE, NULL);
    }
    out->i = value;
    return true;
}

// "typecode 'h'" for every byte code there is, without composing text.
static const char *code_text(int code) {
    switch (code) {
        case 'f': return "typecode 'f'";
        case 'd': return "typecode 'd'";
        case 'b': return "typecode 'b'";
        case 'h': return "typecode 'h'";
        case 'H': return "typecode 'H'";
        case 'i': return "typecode 'i'";
        case 'I': return "typecode 'I'";
        case 'l': return "typecode 'l'";
        case 'L': return "typecode 'L'";
        case 'q': return "typecode 'q'";
        case 'Q': return "typecode 'Q'";
        case 'B':
        case BYTEARRAY_CODE: return "typecode 'B'";
        default: return "another typecode";
    }
}

static bool get_buffer(char letter, mp_obj_t obj, int arg, engram_arg_t *out, engram_fault_t *fault) {
    if (letter == 'o' && obj == mp_const_none) {
        out->o.p = NULL;
        out->o.n = 0;
        return true;
    }
    mp_buffer_info_t info;
    // str has a buffer here, but not in Python
    if (mp_obj_get_type(obj) == &mp_type_str || !mp_get_buffer(obj, &info, MP_BUFFER_READ)) {
        return refuse_type_of(fault, arg, obj);
    }
    int code = info.typecode == BYTEARRAY_CODE ? 'B' : info.typecode;
    if (!code_fits(letter, code) && !engram_bytes_fit(letter, code, info.len)) {
        return refuse(fault, arg, ENGRAM_FAULT_TYPE, code_text(info.typecode));
    }
    if (engram_writes(letter) && !mp_get_buffer(obj, &info, MP_BUFFER_WRITE)) {
        return refuse(fault, arg, ENGRAM_FAULT_TYPE, "a read-only one");
    }
    // All buffer members of the union have this layout. NULL means None.
    static const int32_t empty = 0;
    out->B.p = info.buf != NULL ? info.buf : (void *)&empty;
    out->B.n = info.len >> engram_element(letter)->shift;
    return true;
}

MP_NORETURN static void raise_text(const mp_obj_type_t *type, const char *text, size_t length) {
    nlr_raise(mp_obj_new_exception_arg1(type, mp_obj_new_str(text, length)));
}

MP_NORETURN static void raise_fault(const engram_kernel_t *kernel, const engram_fault_t *fault) {
    char message[ENGRAM_MESSAGE_SIZE];
    raise_text(fault->kind >= ENGRAM_FAULT_ARITY ? &mp_type_TypeError : &mp_type_ValueError, message,
        engram_message(message, sizeof(message), kernel, fault));
}

uint32_t engram_spent_units;

static bool refuse_count(const engram_kernel_t *kernel, size_t count, engram_fault_t *fault) {
    fault->kind = ENGRAM_FAULT_ARITY;
    fault->expected = kernel->arity;
    fault->got = count;
    return false;
}

static inline bool get_args(const engram_kernel_t *kernel, size_t count, const mp_obj_t *objects,
    engram_arg_t *args, engram_fault_t *fault) {
    if (count != kernel->arity) {
        return refuse_count(kernel, count, fault);
    }
    const char *letters = kernel->letters;
    size_t i = 0;
    for (char letter; (letter = letters[i]) != 'i' && letter != '\0'; i++) {  // ints are last
        if (!get_array(letter, objects[i], &args[i]) && !get_buffer(letter, objects[i], i, &args[i], fault)) {
            return false;
        }
    }
    for (; i < count; i++) {
        if (!get_int(objects[i], i, &args[i], fault)) {
            return false;
        }
    }
    return true;
}

static mp_obj_t kernel_call(mp_obj_t self_in, size_t n_args, size_t n_kw, const mp_obj_t *objects) {
    const engram_kernel_t *kernel = ((kernel_obj_t *)MP_OBJ_TO_PTR(self_in))->kernel;
    engram_fault_t fault;
    engram_arg_t args[ENGRAM_MAX_ARGS];
    if (!(n_kw == 0 ? get_args(kernel, n_args, objects, args, &fault) : refuse_count(kernel, n_args, &fault))) {
        raise_fault(kernel, &fault);
    }
    engram_mark_t start = engram_mark();
    int32_t result = engram_call(kernel, args, &fault);
    engram_spent_units += engram_since(start);
    if (result < 0) {
        raise_fault(kernel, &fault);
    }
    return MP_OBJ_NEW_SMALL_INT(result);
}

// spent(): counter units spent inside kernels so far, modulo 2**30; 0 where nothing counts.
static mp_obj_t spent(void) {
    return MP_OBJ_NEW_SMALL_INT(engram_spent_units & SPENT_MASK);
}

#if defined(MICROPY_ENABLE_DYNRUNTIME) && MICROPY_ENABLE_DYNRUNTIME

// What GCC calls for copies and fills it recognises; a native module has no libc.
void *memcpy(void *to, const void *from, size_t n) {
    return mp_fun_table.memmove_(to, from, n);
}
void *memmove(void *to, const void *from, size_t n) {
    return mp_fun_table.memmove_(to, from, n);
}
void *memset(void *to, int value, size_t n) {
    return mp_fun_table.memset_(to, value, n);
}

static MP_DEFINE_CONST_FUN_OBJ_0(spent_obj, spent);

// A native module has no initialised data, so the objects are filled at import.
mp_obj_full_type_t engram_type_kernel;
kernel_obj_t engram_kernel_objs[ENGRAM_KERNEL_COUNT];

// Says how a kernel and a tape are laid out: modules that say the same share them.
static const char layout[] = "engram 1";

#ifndef ENGRAM_PART  // has kernels only; one of those that join to it has the tapes

mp_obj_full_type_t engram_type_tape;

// Whether a type is this module's, or that of the same name of another part. A class made in
// Python has a constructor and never comes as far as the text; the rest is C that names itself.
static bool is_type_of_parts(const mp_obj_type_t *type, const mp_obj_full_type_t *own) {
    if (type == (const mp_obj_type_t *)own) {
        return true;
    }
    const char *text = MP_OBJ_TYPE_GET_SLOT_OR_NULL(type, protocol);
    if (type->name != own->name || MP_OBJ_TYPE_HAS_SLOT(type, make_new) || text == NULL) {
        return false;
    }
    for (size_t i = 0; i < sizeof(layout); i++) {
        if (text[i] != layout[i]) {
            return false;
        }
    }
    return true;
}

static inline bool is_kernel_type(const mp_obj_type_t *type) {
    return is_type_of_parts(type, &engram_type_kernel);
}
static inline bool is_tape_type(const mp_obj_type_t *type) {
    return is_type_of_parts(type, &engram_type_tape);
}

#include "mp_tape.h"

#endif

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    MP_DYNRUNTIME_INIT_ENTRY

    engram_type_kernel.base.type = (void *)&mp_type_type;
    engram_type_kernel.name = MP_QSTR_kernel;
    MP_OBJ_TYPE_SET_SLOT(&engram_type_kernel, call, kernel_call, 0);
    MP_OBJ_TYPE_SET_SLOT(&engram_type_kernel, protocol, layout, 1);
    engram_spent_units = 0;

    #define ENGRAM_KERNEL(name, qstr, letters, args, call) \
    engram_kernel_objs[ENGRAM_ID_##name].base.type = (void *)&engram_type_kernel; \
    engram_kernel_objs[ENGRAM_ID_##name].kernel = &engram_kernel_table[ENGRAM_ID_##name]; \
    mp_store_global(qstr, MP_OBJ_FROM_PTR(&engram_kernel_objs[ENGRAM_ID_##name]));
    #include ENGRAM_LIST_FILE
    #undef ENGRAM_KERNEL
    mp_store_global(MP_QSTR_spent, MP_OBJ_FROM_PTR(&spent_obj));

    #ifndef ENGRAM_PART
    engram_type_tape.base.type = (void *)&mp_type_type;
    engram_type_tape.name = MP_QSTR_tape;
    MP_OBJ_TYPE_SET_SLOT(&engram_type_tape, protocol, layout, 0);
    engram_view_type = MP_OBJ_TO_PTR(mp_load_global(MP_QSTR_memoryview));
    mp_store_global(MP_QSTR_bind, MP_OBJ_FROM_PTR(&bind_obj));
    mp_store_global(MP_QSTR_run, MP_OBJ_FROM_PTR(&run_obj));
    mp_store_global(MP_QSTR_put, MP_OBJ_FROM_PTR(&put_obj));
    #endif

    MP_DYNRUNTIME_INIT_EXIT
}

#else

static MP_DEFINE_CONST_FUN_OBJ_0(spent_obj, spent);

static MP_DEFINE_CONST_OBJ_TYPE(
    engram_type_kernel,
    MP_QSTR_kernel,
    MP_TYPE_FLAG_NONE,
    call, kernel_call
    );
static MP_DEFINE_CONST_OBJ_TYPE(engram_type_tape, MP_QSTR_tape, MP_TYPE_FLAG_NONE);

static inline bool is_kernel_type(const mp_obj_type_t *type) {
    return type == &engram_type_kernel;
}
static inline bool is_tape_type(const mp_obj_type_t *type) {
    return type == &engram_type_tape;
}

#include "mp_tape.h"

#define ENGRAM_KERNEL(name, qstr, letters, args, call) \
    static const kernel_obj_t kernel_##name##_obj = { { &engram_type_kernel }, &engram_kernel_table[ENGRAM_ID_##name] };
#include ENGRAM_LIST_FILE
#undef ENGRAM_KERNEL

static const mp_rom_map_elem_t engram_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__engram) },
    { MP_ROM_QSTR(MP_QSTR_bind), MP_ROM_PTR(&bind_obj) },
    { MP_ROM_QSTR(MP_QSTR_run), MP_ROM_PTR(&run_obj) },
    { MP_ROM_QSTR(MP_QSTR_put), MP_ROM_PTR(&put_obj) },
    { MP_ROM_QSTR(MP_QSTR_spent), MP_ROM_PTR(&spent_obj) },
    #define ENGRAM_KERNEL(name, qstr, letters, args, call) { MP_ROM_QSTR(qstr), MP_ROM_PTR(&kernel_##name##_obj) },
    #include ENGRAM_LIST_FILE
    #undef ENGRAM_KERNEL
};
static MP_DEFINE_CONST_DICT(engram_globals, engram_globals_table);

const mp_obj_module_t engram_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&engram_globals,
};
MP_REGISTER_MODULE(MP_QSTR__engram, engram_module);

#endif
