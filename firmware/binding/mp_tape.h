// Tapes on MicroPython, for mp_engram.c: bind(rows), run(tape, first, last), put(tape, at, row).

// Rows, and what keeps their buffers where they are. `held` has `moving` pairs of an object that
// may move its memory (an array that grows) and where that was when it was bound, then `fixed`
// memoryviews, whose address stays: what they look at must not grow while they are in use, here as
// anywhere in MicroPython. All of it is memory that the collector scans.
typedef struct _tape_obj_t {
    mp_obj_base_t base;
    size_t count;
    void **held;
    size_t moving, fixed;
    uintptr_t rows[];
} tape_obj_t;

MP_NORETURN static void raise_tape(const mp_obj_type_t *type, const char *place, int32_t row,
    const char *expected, const char *got) {
    char message[ENGRAM_MESSAGE_SIZE];
    raise_text(type, message, engram_tape_message(message, sizeof(message), place, row, expected, got));
}

MP_NORETURN static void raise_type(const char *place, int32_t row, const char *expected, mp_obj_t got) {
    raise_tape(&mp_type_TypeError, place, row, expected, type_name(got));
}

static tape_obj_t *get_tape(const char *place, mp_obj_t obj) {
    if (!is_tape_type(mp_obj_get_type(obj))) {
        raise_type(place, -1, "a tape", obj);
    }
    return MP_OBJ_TO_PTR(obj);
}

static size_t get_index(const char *place, mp_obj_t obj, mp_int_t low, mp_int_t high) {
    if (!mp_obj_is_small_int(obj)) {
        raise_type(place, -1, "an int", obj);
    }
    mp_int_t value = MP_OBJ_SMALL_INT_VALUE(obj);
    if (value < low || value > high) {
        char message[ENGRAM_MESSAGE_SIZE];
        raise_text(&mp_type_ValueError, message,
            engram_range_message(message, sizeof(message), place, low, high, value));
    }
    return value;
}

// ---- rows ----------------------------------------------------------------------------------

// A row as Python gives it.
typedef struct {
    const engram_kernel_t *kernel;
    size_t count;
    const mp_obj_t *args;
} source_t;

static source_t get_source(const char *place, size_t at, mp_obj_t row_in) {
    static const char expected[] = "a tuple of a kernel and its arguments";
    const mp_obj_tuple_t *row = MP_OBJ_TO_PTR(row_in);
    if (mp_obj_get_type(row_in) != &mp_type_tuple) {
        raise_type(place, at, expected, row_in);
    }
    if (row->len == 0) {
        raise_tape(&mp_type_TypeError, place, at, expected, "an empty one");
    }
    if (!is_kernel_type(mp_obj_get_type(row->items[0]))) {
        raise_type(place, at, "a kernel first", row->items[0]);
    }
    const kernel_obj_t *kernel = MP_OBJ_TO_PTR(row->items[0]);
    return (source_t) { kernel->kernel, row->len - 1, row->items + 1 };
}

static void get_row(const source_t *source, engram_arg_t *args) {
    engram_fault_t fault;
    if (!get_args(source->kernel, source->count, source->args, args, &fault)
        || !engram_buffers_ok(source->kernel, args, &fault)) {
        raise_fault(source->kernel, &fault);
    }
}

// Buffers come before ints.
static size_t buffers_of(const engram_kernel_t *kernel) {
    size_t n = 0;
    while (kernel->letters[n] != 'i' && kernel->letters[n] != '\0') {
        n++;
    }
    return n;
}

static engram_row_t *row_at(tape_obj_t *tape, size_t at) {
    return engram_row_at((engram_row_t *)tape->rows, at);
}

// ---- what a tape holds ---------------------------------------------------------------------

static const void *start_of(mp_obj_t obj) {
    mp_buffer_info_t info;
    const mp_obj_array_t *array = known_array(obj);
    return array != NULL ? array->items : mp_get_buffer(obj, &info, MP_BUFFER_READ) ? info.buf : NULL;
}

// Whether every buffer is where it was when it was bound.
static bool unmoved(const tape_obj_t *tape) {
    void **pair = tape->held;
    for (size_t n = tape->moving; n > 0; n--, pair += 2) {
        if (start_of(MP_OBJ_FROM_PTR(pair[0])) != pair[1]) {
            return false;
        }
    }
    return true;
}

static void check_unmoved(const tape_obj_t *tape) {
    if (!unmoved(tape)) {
        raise_tape(&mp_type_ValueError, "run: tape", -1, "buffers as they were bound",
            "one that has grown; put its rows anew");
    }
}

// What is being gathered: pairs from the front of the room, memoryviews from its end.
typedef struct {
    void **words;
    size_t room, moving, fixed;
} holding_t;

static void hold_pair(holding_t *holding, void *object, void *start) {
    void **pair = holding->words;
    for (size_t n = holding->moving; n > 0; n--, pair += 2) {
        if (pair[0] == object && pair[1] == start) {
            return;
        }
    }
    pair[0] = object;
    pair[1] = start;
    holding->moving++;
}

static void hold_view(holding_t *holding, void *view) {
    void **word = holding->words + holding->room;
    for (size_t n = holding->fixed; n > 0; n--) {
        if (*--word == view) {
            return;
        }
    }
    *--word = view;
    holding->fixed++;
}

static void hold_row(holding_t *holding, const source_t *source) {
    const mp_obj_t *arg = source->args;
    for (size_t n = buffers_of(source->kernel); n > 0; n--, arg++) {
        if (*arg == mp_const_none) {
            continue;
        }
        void *object = MP_OBJ_TO_PTR(*arg);
        if (is_view(*arg)) {
            hold_view(holding, object);
        } else {
            hold_pair(holding, object, (void *)start_of(*arg));
        }
    }
}

// Gives the room that is left back, and the tape what it holds now.
static void keep(tape_obj_t *tape, const holding_t *holding) {
    void **words = holding->words;
    const void *views = words + holding->room - holding->fixed;
    size_t used = 2 * holding->moving + holding->fixed;
    memmove(words + 2 * holding->moving, views, holding->fixed * sizeof(*words));
    tape->held = m_renew_maybe(void *, words, holding->room, used, false);
    tape->moving = holding->moving;
    tape->fixed = holding->fixed;
}

// Whether a row's argument points to this start of a buffer.
static bool refers(tape_obj_t *tape, const void *start) {
    engram_row_t *row = (engram_row_t *)tape->rows;
    for (size_t n = tape->count; n > 0; n--, row = engram_next_row(row)) {
        const engram_arg_t *arg = row->args;
        for (size_t left = buffers_of(row->kernel); left > 0; left--, arg++) {
            if (arg->b.p == start) {
                return true;
            }
        }
    }
    return false;
}

// ---- the three functions -------------------------------------------------------------------

// bind(rows): checks rows, a list or tuple of (kernel, argument, ...), and returns a tape of them.
static mp_obj_t bind(mp_obj_t rows_in) {
    const mp_obj_type_t *type = mp_obj_get_type(rows_in);
    if (type != &mp_type_list && type != &mp_type_tuple) {
        raise_type("bind: rows", -1, "a list or tuple of rows", rows_in);
    }
    size_t count, bytes = 0;
    mp_obj_t *rows;
    mp_obj_get_array(rows_in, &count, &rows);
    holding_t holding = { NULL, 0, 0, 0 };
    for (size_t i = 0; i < count; i++) {
        source_t source = get_source("bind: row", i, rows[i]);
        bytes += engram_row_bytes(source.kernel);
        holding.room += 2 * buffers_of(source.kernel);
    }
    tape_obj_t *tape = mp_obj_malloc_var(tape_obj_t, rows, byte, bytes, (const mp_obj_type_t *)&engram_type_tape);
    tape->count = count;
    tape->held = NULL;
    engram_row_t *row = (engram_row_t *)tape->rows;
    for (size_t i = 0; i < count; i++, row = engram_next_row(row)) {
        source_t source = get_source("bind: row", i, rows[i]);
        row->kernel = source.kernel;
        get_row(&source, row->args);
    }
    holding.words = m_new(void *, holding.room);
    for (size_t i = 0; i < count; i++) {
        source_t source = get_source("bind: row", i, rows[i]);
        hold_row(&holding, &source);
    }
    keep(tape, &holding);
    return MP_OBJ_FROM_PTR(tape);
}
static MP_DEFINE_CONST_FUN_OBJ_1(bind_obj, bind);

// put(tape, at, row): replaces row `at` by another of its kernel.
static mp_obj_t put(mp_obj_t tape_in, mp_obj_t at_in, mp_obj_t row_in) {
    tape_obj_t *tape = get_tape("put: tape", tape_in);
    size_t at = get_index("put: at", at_in, 0, (mp_int_t)tape->count - 1);
    engram_row_t *row = row_at(tape, at);
    const engram_kernel_t *kernel = row->kernel;
    source_t source = get_source("put: row", at, row_in);
    if (source.kernel != kernel) {
        raise_tape(&mp_type_ValueError, "put: row", at, kernel->name, source.kernel->name);
    }
    engram_arg_t args[ENGRAM_MAX_ARGS];
    get_row(&source, args);
    holding_t holding = { NULL, 2 * (tape->moving + buffers_of(kernel)) + tape->fixed, 0, 0 };
    holding.words = m_new(void *, holding.room);
    memcpy(row->args, args, kernel->arity * sizeof(*args));  // nothing raises from here on
    void **word = tape->held;
    for (size_t n = tape->moving; n > 0; n--, word += 2) {
        if (refers(tape, word[1])) {
            hold_pair(&holding, word[0], word[1]);
        }
    }
    for (size_t n = tape->fixed; n > 0; n--, word++) {
        if (refers(tape, start_of(MP_OBJ_FROM_PTR(*word)))) {
            hold_view(&holding, *word);
        }
    }
    hold_row(&holding, &source);
    keep(tape, &holding);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_3(put_obj, put);

#if defined(MICROPY_ENABLE_DYNRUNTIME) && MICROPY_ENABLE_DYNRUNTIME

// What MicroPython gives a native module does not include a look for Ctrl-C: it waits for the end.
static inline bool is_pending(void) {
    return false;
}
static inline void handle_pending(void) {
}

#else

static inline bool is_pending(void) {
    #if MICROPY_ENABLE_SCHEDULER
    if (MP_STATE_VM(sched_state) == MP_SCHED_PENDING) {
        return true;
    }
    #endif
    return MP_STATE_THREAD(mp_pending_exception) != MP_OBJ_NULL;
}
static inline void handle_pending(void) {
    mp_handle_pending(true);
}

#endif

// run(tape), run(tape, first, last): runs rows first to last - 1, by default all of them; returns what
// the last kernel returns.
static mp_obj_t run(size_t n_args, const mp_obj_t *args) {
    tape_obj_t *tape = get_tape("run: tape", args[0]);
    size_t first = n_args > 1 ? get_index("run: first", args[1], 0, tape->count) : 0;
    size_t last = n_args > 2 ? get_index("run: last", args[2], first, tape->count) : tape->count;
    check_unmoved(tape);
    engram_row_t *row = row_at(tape, first);
    engram_fault_t fault;
    int32_t result = ENGRAM_OK;
    engram_mark_t start = engram_mark();
    for (size_t left = last - first; left > 0; left--, row = engram_next_row(row)) {
        result = row->kernel->call(row->args, &fault);
        if (result < 0) {
            break;
        }
        if (is_pending()) {  // Ctrl-C, or Python code that a port has scheduled
            engram_spent_units += engram_since(start);
            handle_pending();
            check_unmoved(tape);
            start = engram_mark();
        }
    }
    engram_spent_units += engram_since(start);
    if (result < 0) {
        raise_fault(row->kernel, &fault);
    }
    return MP_OBJ_NEW_SMALL_INT(result);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(run_obj, 1, 3, run);
