// The process as a board: its flash file, its counter, and a restart by replacing the process.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "py/gc.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/readline/readline.h"
#include "shared/runtime/pyexec.h"

#include "board_config.h"
#include "console.h"
#include "engram_port.h"
#include "nor_flash.h"
#include "session.h"

// ---------------------------------------------------------------- flash

// Make the file if there is none; a shorter one gets blank flash behind what is there.
static bool complete(int file) {
    struct stat status;
    if (fstat(file, &status) != 0) {
        return false;
    }
    unsigned char blank[ENGRAM_ERASE_BYTES];
    memset(blank, 0xff, sizeof(blank));
    for (off_t at = status.st_size; at < ENGRAM_DATA_FLASH_BYTES;) {
        off_t left = ENGRAM_DATA_FLASH_BYTES - at;
        size_t part = left < (off_t)sizeof(blank) ? (size_t)left : sizeof(blank);
        ssize_t written = pwrite(file, blank, part, at);
        if (written <= 0) {
            return false;
        }
        at += written;
    }
    return true;
}

// The file is mapped shared: a store into it is in the system's keeping at once, so killing this
// process loses nothing.
uint8_t *engram_flash_base(void) {
    static uint8_t *base;
    const char *path = getenv("ENGRAM_FLASH");
    if (base == NULL && path != NULL) {
        int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (file < 0) {
            mp_raise_OSError(errno);
        }
        void *map = MAP_FAILED;
        if (complete(file)) {
            map = mmap(NULL, ENGRAM_DATA_FLASH_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        }
        int error = errno;
        close(file);
        if (map == MAP_FAILED) {
            mp_raise_OSError(error);
        }
        base = map;
    }
    return base;
}

// ---------------------------------------------------------------- counter and memory

uint32_t engram_counter(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t us = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
    return (uint32_t)us & ENGRAM_COUNTER_MASK;
}

engram_memory_t engram_memory(void) {
    gc_info_t info;
    gc_info(&info);
    return (engram_memory_t) { .heap = info.total };
}

// ---------------------------------------------------------------- restart

// What the next process needs to know comes by environment.
#define ENV_RAW_REPL "ENGRAM_RAW_REPL"
#define ENV_PENDING "ENGRAM_PENDING_INPUT"

static char *own_arguments[64];

static void read_own_arguments(void) {
    static char text[4096];
    FILE *file = fopen("/proc/self/cmdline", "r");
    size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file) {
        fclose(file);
    }
    size_t count = 0;
    for (size_t at = 0; at < length && count < MP_ARRAY_SIZE(own_arguments) - 1;) {
        own_arguments[count++] = text + at;
        at += strlen(text + at) + 1;
    }
}

static NORETURN void restart(bool raw_repl) {
    static unsigned char pending[ENGRAM_RECEIVE_RING_BYTES];
    static char hex[2 * sizeof(pending) + 1];
    size_t length = console_stop(pending, sizeof(pending));
    for (size_t i = 0; i < length; ++i) {
        snprintf(hex + 2 * i, 3, "%02x", pending[i]);
    }
    setenv(ENV_PENDING, hex, 1);
    setenv(ENV_RAW_REPL, raw_repl ? "1" : "", 1);
    execv("/proc/self/exe", own_arguments);
    perror("engram: restart");
    exit(1);
}

static size_t inherited_input(unsigned char *bytes, size_t size) {
    const char *hex = getenv(ENV_PENDING);
    size_t count = 0;
    unsigned value;
    while (hex != NULL && count < size && sscanf(hex + 2 * count, "%2x", &value) == 1) {
        bytes[count++] = value;
    }
    unsetenv(ENV_PENDING);
    return count;
}

static mp_obj_t machine_reset(void) {
    restart(false);
}
MP_DEFINE_CONST_FUN_OBJ_0(engram_machine_reset_obj, machine_reset);

// serve(): be a board until the console ends. Does not return.
static mp_obj_t board_serve(void) {
    read_own_arguments();
    static unsigned char pending[ENGRAM_RECEIVE_RING_BYTES];
    console_start(pending, inherited_input(pending, sizeof(pending)));

    const char *raw = getenv(ENV_RAW_REPL);
    if (raw != NULL && raw[0] == '1') {
        pyexec_mode_kind = PYEXEC_MODE_RAW_REPL;
    }
    readline_init0();
    // The session's names are those of __main__, not of the module that called.
    mp_globals_set(&MP_STATE_VM(dict_main));
    mp_locals_set(&MP_STATE_VM(dict_main));
    engram_session();
    restart(pyexec_mode_kind == PYEXEC_MODE_RAW_REPL);
}
MP_DEFINE_CONST_FUN_OBJ_0(engram_board_serve_obj, board_serve);
