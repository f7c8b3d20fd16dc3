// CPython face of the kernels: module _engram, limited API 3.11.
// Holds no numerics and no shape rule; it turns objects into engram_arg_t and back.
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <limits.h>
#include <string.h>

#include "engram_tape.h"

// The name of an object's type, or a stand-in; the caller copies it at once.
static void type_name(PyObject *obj, char *out, size_t size) {
    PyObject *name = PyType_GetName(Py_TYPE(obj));
    Py_ssize_t length = 0;
    const char *text = name ? PyUnicode_AsUTF8AndSize(name, &length) : NULL;
    size_t n = text ? (size_t)length : 0;
    n = n < size ? n : size - 1;
    if (n != 0) {
        memcpy(out, text, n);
    }
    out[n] = '\0';
    Py_XDECREF(name);
    PyErr_Clear();
}

typedef struct {
    engram_fault_t fault;
    char text[40];  // what fault.text points to, if it is not a constant
} trouble_t;

static int refuse(trouble_t *trouble, int arg, engram_fault_kind_t kind, const char *text) {
    trouble->fault.kind = (uint8_t)kind;
    trouble->fault.arg = (uint8_t)arg;
    trouble->fault.text = text;
    return -1;
}

static int refuse_type_of(trouble_t *trouble, int arg, PyObject *obj) {
    type_name(obj, trouble->text, sizeof(trouble->text));
    return refuse(trouble, arg, ENGRAM_FAULT_TYPE, trouble->text);
}

// Whether a buffer of this struct format, item size and length is what the letter asks for.
static int format_fits(char letter, const char *format, Py_ssize_t itemsize, Py_ssize_t bytes) {
    char code = 'B';  // no format means bytes
    if (format != NULL) {
        format += *format == '@' || *format == '=' || *format == '<';
        if (strlen(format) != 1) {
            return 0;
        }
        code = format[0];
    }
    if (itemsize == 1 && engram_bytes_fit(letter, code, (size_t)bytes)) {
        return 1;
    }
    return engram_code_fits(letter, code) && itemsize == (Py_ssize_t)1 << engram_element(letter)->shift;
}

static int get_int(PyObject *obj, int arg, engram_arg_t *out, trouble_t *trouble) {
    if (PyBool_Check(obj) || !PyIndex_Check(obj)) {
        return refuse_type_of(trouble, arg, obj);
    }
    PyObject *number = PyNumber_Index(obj);
    int overflow = 0;
    long long value = number ? PyLong_AsLongLongAndOverflow(number, &overflow) : -1;
    Py_XDECREF(number);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        return refuse_type_of(trouble, arg, obj);
    }
    if (overflow != 0 || value < ENGRAM_INT_MIN || value > ENGRAM_INT_MAX) {
        return refuse(trouble, arg, ENGRAM_FAULT_INT_RANGE, NULL);
    }
    out->i = (int32_t)value;
    return 0;
}

// On success the view is held, as on some failures: its obj is set.
static int get_buffer(char letter, PyObject *obj, int arg, engram_arg_t *out, Py_buffer *view, trouble_t *trouble) {
    if (letter == 'o' && obj == Py_None) {
        out->o.p = NULL;
        out->o.n = 0;
        return 0;
    }
    if (!PyObject_CheckBuffer(obj)) {
        return refuse_type_of(trouble, arg, obj);
    }
    if (PyObject_GetBuffer(obj, view, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) < 0) {
        PyErr_Clear();
        view->obj = NULL;
        return refuse(trouble, arg, ENGRAM_FAULT_TYPE, "one whose elements are not contiguous");
    }
    if (!format_fits(letter, view->format, view->itemsize, view->len)) {
        size_t n = view->format ? strlen(view->format) : 0;
        n = n < sizeof(trouble->text) - 12 ? n : sizeof(trouble->text) - 12;
        memcpy(trouble->text, "typecode '", 10);
        memcpy(trouble->text + 10, n ? view->format : "B", n ? n : 1);
        n = n ? n : 1;
        trouble->text[10 + n] = '\'';
        trouble->text[11 + n] = '\0';
        return refuse(trouble, arg, ENGRAM_FAULT_TYPE, trouble->text);
    }
    if (engram_writes(letter) && view->readonly) {
        return refuse(trouble, arg, ENGRAM_FAULT_TYPE, "a read-only one");
    }
    // All buffer members of the union have this layout.
    static int8_t empty[8];  // an exporter may give no address for no elements; NULL means None
    out->B.p = view->buf ? view->buf : empty;
    out->B.n = (size_t)view->len >> engram_element(letter)->shift;
    return 0;
}

static void release(Py_buffer *views, Py_ssize_t count) {
    while (count-- > 0) {
        if (views[count].obj != NULL) {
            PyBuffer_Release(&views[count]);
        }
    }
}

// Fills the arguments and a view of each, which the caller releases; -1 with nothing held.
static int get_args(const engram_kernel_t *kernel, PyObject *const *objects, Py_ssize_t count,
    engram_arg_t *args, Py_buffer *views, trouble_t *trouble) {
    if (count != kernel->arity) {
        trouble->fault.kind = ENGRAM_FAULT_ARITY;
        trouble->fault.expected = kernel->arity;
        trouble->fault.got = count;
        return -1;
    }
    for (int i = 0; i < kernel->arity; i++) {
        char letter = kernel->letters[i];
        views[i].obj = NULL;
        int err = letter == 'i' ? get_int(objects[i], i, &args[i], trouble)
            : get_buffer(letter, objects[i], i, &args[i], &views[i], trouble);
        if (err != 0) {
            release(views, i + 1);
            return -1;
        }
    }
    return 0;
}

static void raise_fault(const engram_kernel_t *kernel, const engram_fault_t *fault) {
    char message[ENGRAM_MESSAGE_SIZE];
    engram_message(message, sizeof(message), kernel, fault);
    PyErr_SetString(fault->kind >= ENGRAM_FAULT_ARITY ? PyExc_TypeError : PyExc_ValueError, message);
}

static PyObject *kernel_call(PyObject *self, PyObject *const *objects, Py_ssize_t count) {
    const engram_kernel_t *kernel = PyCapsule_GetPointer(self, NULL);
    engram_arg_t args[ENGRAM_MAX_ARGS];
    Py_buffer views[ENGRAM_MAX_ARGS];
    trouble_t trouble;
    int32_t result = ENGRAM_FAULT;
    if (get_args(kernel, objects, count, args, views, &trouble) == 0) {
        result = engram_call(kernel, args, &trouble.fault);
        release(views, kernel->arity);
    }
    if (result < 0) {
        raise_fault(kernel, &trouble.fault);
        return NULL;
    }
    return PyLong_FromLong(result);
}
#define FASTCALL(function) ((PyCFunction)(void (*)(void))(function))
#define KERNEL_FUNCTION FASTCALL(kernel_call)

#include "cp_tape.h"

// No counter on a PC: kernels cost nothing that could be counted the same way twice.
static PyObject *spent(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    return PyLong_FromLong(0);
}

static PyMethodDef kernel_methods[ENGRAM_KERNEL_COUNT];

static PyMethodDef module_methods[] = {
    { "bind", bind, METH_O, "A tape of rows (kernel, argument, ...), checked once." },
    { "run", FASTCALL(run), METH_FASTCALL, "Runs rows first to last - 1 of a tape, by default all." },
    { "put", FASTCALL(put), METH_FASTCALL, "Replaces row `at` of a tape by another of its kernel." },
    { "spent", spent, METH_NOARGS, "Counter units spent inside kernels so far, modulo 2**30; always 0 here." },
    { NULL, NULL, 0, NULL },
};

static int add_kernels(PyObject *module) {
    for (int i = 0; i < ENGRAM_KERNEL_COUNT; i++) {
        const engram_kernel_t *kernel = &engram_kernel_table[i];
        kernel_methods[i].ml_name = kernel->name;
        kernel_methods[i].ml_meth = KERNEL_FUNCTION;
        kernel_methods[i].ml_flags = METH_FASTCALL;
        kernel_methods[i].ml_doc = kernel->args;
        PyObject *self = PyCapsule_New((void *)kernel, NULL, NULL);
        PyObject *function = self ? PyCFunction_NewEx(&kernel_methods[i], self, NULL) : NULL;
        int err = function ? PyModule_AddObjectRef(module, kernel->name, function) : -1;
        Py_XDECREF(function);
        Py_XDECREF(self);
        if (err < 0) {
            return -1;
        }
    }
    return 0;
}

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT, "_engram", "Numeric kernels for learning on a device.", -1,
    module_methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__engram(void) {
    PyObject *module = PyModule_Create(&module_def);
    if (module != NULL && tape_type == NULL) {
        tape_type = (PyTypeObject *)PyType_FromSpec(&tape_spec);
    }
    if (module != NULL && (tape_type == NULL || add_kernels(module) < 0)) {
        Py_CLEAR(module);
    }
    return module;
}
