// Tapes on CPython, for cp_engram.c: bind(rows), run(tape, first, last), put(tape, at, row).

// Rows, and a held view for every argument that is a buffer: none of them can move or go.
typedef struct {
    PyObject_HEAD
    Py_ssize_t count;
    engram_row_t *rows;
    Py_ssize_t args;   // of all rows
    Py_buffer *views;  // one an argument; obj is NULL where nothing is held
} tape_t;

static PyTypeObject *tape_type;

static void raise_tape(PyObject *type, const char *place, Py_ssize_t row, const char *expected, const char *got) {
    char message[ENGRAM_MESSAGE_SIZE];
    engram_tape_message(message, sizeof(message), place, (int32_t)row, expected, got);
    PyErr_SetString(type, message);
}

static void raise_tape_type(const char *place, Py_ssize_t row, const char *expected, PyObject *got) {
    char name[40];
    type_name(got, name, sizeof(name));
    raise_tape(PyExc_TypeError, place, row, expected, name);
}

static tape_t *get_tape(const char *place, PyObject *obj) {
    if (Py_TYPE(obj) != tape_type) {
        raise_tape_type(place, -1, "a tape", obj);
        return NULL;
    }
    return (tape_t *)obj;
}

// -1 with an error set.
static Py_ssize_t get_index(const char *place, PyObject *obj, Py_ssize_t low, Py_ssize_t high) {
    if (PyBool_Check(obj) || !PyLong_Check(obj)) {
        raise_tape_type(place, -1, "an int", obj);
        return -1;
    }
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(obj, &overflow);
    if (overflow != 0) {
        value = overflow < 0 ? LLONG_MIN : LLONG_MAX;
    }
    if (value < low || value > high) {
        char message[ENGRAM_MESSAGE_SIZE];
        engram_range_message(message, sizeof(message), place, low, high, value);
        PyErr_SetString(PyExc_ValueError, message);
        return -1;
    }
    return (Py_ssize_t)value;
}

// The kernel of a row, or NULL with an error set.
static const engram_kernel_t *get_kernel(const char *place, Py_ssize_t at, PyObject *row) {
    if (!PyTuple_Check(row)) {
        raise_tape_type(place, at, "a tuple of a kernel and its arguments", row);
        return NULL;
    }
    if (PyTuple_Size(row) == 0) {
        raise_tape(PyExc_TypeError, place, at, "a tuple of a kernel and its arguments", "an empty one");
        return NULL;
    }
    PyObject *first = PyTuple_GetItem(row, 0);
    if (!PyCFunction_Check(first) || PyCFunction_GetFunction(first) != KERNEL_FUNCTION) {
        raise_tape_type(place, at, "a kernel first", first);
        return NULL;
    }
    return PyCapsule_GetPointer(PyCFunction_GetSelf(first), NULL);
}

// What a tape holds in the place of an argument, as a new reference. A memoryview must not be held
// itself: the collector clears one that is in a cycle, whoever holds its buffer, and its release
// crashes then. A memoryview of our own onto the same memory is in no cycle.
static PyObject *held(PyObject *arg) {
    if (PyMemoryView_Check(arg)) {
        return PyMemoryView_FromObject(arg);
    }
    Py_INCREF(arg);
    return arg;
}

// Fills arguments and views from a row; -1 with an error set and nothing held.
static int get_row(const engram_kernel_t *kernel, PyObject *row, engram_arg_t *args, Py_buffer *views) {
    PyObject *objects[ENGRAM_MAX_ARGS] = { NULL };
    Py_ssize_t count = PyTuple_Size(row) - 1, own = 0;
    for (; own < count && own < ENGRAM_MAX_ARGS; own++) {
        objects[own] = held(PyTuple_GetItem(row, own + 1));
        if (objects[own] == NULL) {  // a memoryview that was released
            PyErr_Clear();
            objects[own] = PyTuple_GetItem(row, own + 1);
            Py_INCREF(objects[own]);
        }
    }
    trouble_t trouble;
    int err = get_args(kernel, objects, count, args, views, &trouble);
    while (own-- > 0) {
        Py_DECREF(objects[own]);  // the views hold what they need
    }
    if (err < 0) {
        raise_fault(kernel, &trouble.fault);
        return -1;
    }
    if (!engram_buffers_ok(kernel, args, &trouble.fault)) {
        release(views, kernel->arity);
        raise_fault(kernel, &trouble.fault);
        return -1;
    }
    return 0;
}

// ---- the type ------------------------------------------------------------------------------

static int tape_traverse(PyObject *self, visitproc visit, void *arg) {
    tape_t *tape = (tape_t *)self;
    Py_VISIT(Py_TYPE(self));
    for (Py_ssize_t i = 0; i < tape->args; i++) {
        if (tape->views[i].obj != NULL && !PyMemoryView_Check(tape->views[i].obj)) {
            Py_VISIT(tape->views[i].obj);
        }
    }
    return 0;
}

// A tape without its views has no rows.
static int tape_clear(PyObject *self) {
    tape_t *tape = (tape_t *)self;
    Py_ssize_t args = tape->args;
    tape->count = tape->args = 0;
    release(tape->views, args);
    return 0;
}

static void tape_dealloc(PyObject *self) {
    tape_t *tape = (tape_t *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    tape_clear(self);
    PyMem_Free(tape->views);
    PyMem_Free(tape->rows);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

#define SLOT(id, function) { id, (void *)(uintptr_t)(function) }  // ISO C has no straight way
static PyType_Slot tape_slots[] = {
    SLOT(Py_tp_traverse, tape_traverse),
    SLOT(Py_tp_clear, tape_clear),
    SLOT(Py_tp_dealloc, tape_dealloc),
    { 0, NULL },
};
static PyType_Spec tape_spec = {
    "_engram.tape", sizeof(tape_t), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, tape_slots,
};

// ---- the three functions -------------------------------------------------------------------

static int fill(tape_t *tape, PyObject *rows) {
    Py_ssize_t count = PyTuple_Size(rows), args = 0;
    size_t bytes = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        const engram_kernel_t *kernel = get_kernel("bind: row", i, PyTuple_GetItem(rows, i));
        if (kernel == NULL) {
            return -1;
        }
        bytes += engram_row_bytes(kernel);
        args += kernel->arity;
    }
    tape->rows = PyMem_Malloc(bytes);
    tape->views = PyMem_Calloc((size_t)args, sizeof(Py_buffer));
    if (tape->rows == NULL || tape->views == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    engram_row_t *row = tape->rows;
    for (; tape->count < count; tape->count++, row = engram_next_row(row)) {
        PyObject *source = PyTuple_GetItem(rows, tape->count);
        row->kernel = get_kernel("bind: row", tape->count, source);
        if (get_row(row->kernel, source, row->args, tape->views + tape->args) < 0) {
            return -1;
        }
        tape->args += row->kernel->arity;
    }
    return 0;
}

static PyObject *bind(PyObject *self, PyObject *rows) {
    (void)self;
    if (!PyList_Check(rows) && !PyTuple_Check(rows)) {
        raise_tape_type("bind: rows", -1, "a list or tuple of rows", rows);
        return NULL;
    }
    rows = PySequence_Tuple(rows);  // an int's __index__ might change the list
    tape_t *tape = rows ? PyObject_GC_New(tape_t, tape_type) : NULL;
    if (tape != NULL) {
        tape->count = tape->args = 0;
        tape->rows = NULL;
        tape->views = NULL;
        int err = fill(tape, rows);
        PyObject_GC_Track(tape);
        if (err < 0) {
            Py_CLEAR(tape);
        }
    }
    Py_XDECREF(rows);
    return (PyObject *)tape;
}

static PyObject *put(PyObject *self, PyObject *const *objects, Py_ssize_t count) {
    (void)self;
    if (count != 3) {
        PyErr_Format(PyExc_TypeError, "put: expected 3 positional arguments, got %zd", count);
        return NULL;
    }
    tape_t *tape = get_tape("put: tape", objects[0]);
    Py_ssize_t at = tape ? get_index("put: at", objects[1], 0, tape->count - 1) : -1;
    const engram_kernel_t *kernel = at >= 0 ? get_kernel("put: row", at, objects[2]) : NULL;
    if (kernel == NULL) {
        return NULL;
    }
    engram_row_t *row = tape->rows;
    Py_buffer *views = tape->views, old[ENGRAM_MAX_ARGS], new[ENGRAM_MAX_ARGS];
    for (Py_ssize_t i = 0; i < at; i++, row = engram_next_row(row)) {
        views += row->kernel->arity;
    }
    if (kernel != row->kernel) {
        raise_tape(PyExc_ValueError, "put: row", at, row->kernel->name, kernel->name);
        return NULL;
    }
    engram_arg_t args[ENGRAM_MAX_ARGS];
    if (get_row(kernel, objects[2], args, new) < 0) {
        return NULL;
    }
    memcpy(old, views, kernel->arity * sizeof(*views));
    memcpy(views, new, kernel->arity * sizeof(*views));
    memcpy(row->args, args, kernel->arity * sizeof(*args));
    release(old, kernel->arity);  // last, as it may run Python code
    Py_RETURN_NONE;
}

static PyObject *run(PyObject *self, PyObject *const *objects, Py_ssize_t count) {
    (void)self;
    if (count < 1 || count > 3) {
        PyErr_Format(PyExc_TypeError, "run: expected 1 to 3 positional arguments, got %zd", count);
        return NULL;
    }
    tape_t *tape = get_tape("run: tape", objects[0]);
    if (tape == NULL) {
        return NULL;
    }
    Py_ssize_t first = count > 1 ? get_index("run: first", objects[1], 0, tape->count) : 0;
    if (first < 0) {
        return NULL;
    }
    Py_ssize_t last = count > 2 ? get_index("run: last", objects[2], first, tape->count) : tape->count;
    if (last < 0) {
        return NULL;
    }
    engram_row_t *row = engram_row_at(tape->rows, (size_t)first);
    int32_t result = ENGRAM_OK;
    for (; first < last; first++, row = engram_next_row(row)) {
        engram_fault_t fault;
        result = row->kernel->call(row->args, &fault);
        if (result < 0) {
            raise_fault(row->kernel, &fault);
            return NULL;
        }
        if (PyErr_CheckSignals() < 0) {  // Ctrl-C
            return NULL;
        }
    }
    return PyLong_FromLong(result);
}
