// The unix port with the features of a board (see mpconfig_features.h).
#pragma once

#include "board_config.h"
#include "mpconfig_features.h"

#define MICROPY_HW_BOARD_NAME ENGRAM_BOARD_NAME
#define MICROPY_HW_MCU_NAME ENGRAM_CHIP_NAME
#define MICROPY_BANNER_MACHINE MICROPY_HW_BOARD_NAME " with " MICROPY_HW_MCU_NAME

#define MICROPY_PY_SYS_PATH_DEFAULT ".frozen"

// What the unix port's own files want.
#define MICROPY_STREAMS_POSIX_API (1)
#define MICROPY_READLINE_HISTORY_SIZE (8)
#define MICROPY_DEBUG_PRINTERS (1)     // main.c of the port refers to their switch
#define MICROPY_PY_OS_INCLUDEFILE "ports/unix/modos.c"
#define MICROPY_PY_OS_ERRNO (1)
#define MICROPY_PY_OS_GETENV_PUTENV_UNSETENV (1)
#define MICROPY_PY_OS_SYSTEM (0)
#define MICROPY_PY_OS_URANDOM (1)
#define MICROPY_PY_TIME_CUSTOM_SLEEP (1)
#define MICROPY_PY_TIME_INCLUDEFILE "ports/unix/modtime.c"

#define MICROPY_PY_MACHINE (1)
struct _mp_obj_fun_builtin_fixed_t;
extern const struct _mp_obj_fun_builtin_fixed_t engram_machine_reset_obj;
#define MICROPY_PY_MACHINE_EXTRA_GLOBALS \
    { MP_ROM_QSTR(MP_QSTR_reset), MP_ROM_PTR(&engram_machine_reset_obj) },

extern const struct _mp_obj_fun_builtin_fixed_t engram_board_serve_obj;
#define ENGRAM_BOARD_EXTRA_GLOBALS \
    { MP_ROM_QSTR(MP_QSTR_serve), MP_ROM_PTR(&engram_board_serve_obj) },
