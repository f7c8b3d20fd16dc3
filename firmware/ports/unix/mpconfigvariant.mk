# A variant of MicroPython's unix port that behaves as a board on its standard input and output.
#
#   make -C <MicroPython>/ports/unix VARIANT_DIR=<this folder> BOARD_TOML=<board.toml> BUILD=<out> \
#       [STOCK=1]
#
# STOCK=1: as others would build it, without our kernels and library (stock/).
# engram_host/build calls it with these. No system library besides libc and libm is wanted.

FIRMWARE := $(abspath $(VARIANT_DIR)/../..)
COMMON := $(FIRMWARE)/ports/common
FROZEN_MANIFEST ?= $(VARIANT_DIR)/$(if $(STOCK),stock/)manifest.py
# Nothing comes from micropython-lib; its rule wants a folder with a README.
MPY_LIB_DIR = $(FIRMWARE)

MICROPY_PY_BTREE = 0
MICROPY_PY_FFI = 0
MICROPY_PY_SOCKET = 0
MICROPY_PY_THREAD = 0
MICROPY_PY_TERMIOS = 0
MICROPY_PY_SSL = 0
MICROPY_SSL_MBEDTLS = 0
MICROPY_VFS_FAT = 0
MICROPY_VFS_LFS1 = 0
MICROPY_VFS_LFS2 = 1

ifeq ($(STOCK),)
USER_C_MODULES ?= $(FIRMWARE)/usermod
endif

# Facts of the board: written only when they change.
BOARD_TOML ?= $(FIRMWARE)/../boards/unix/board.toml
BOARD_OUT = $(BUILD)/board
BOARD_NOTE := $(shell $(PYTHON) $(FIRMWARE)/tools/board_config.py $(BOARD_TOML) $(BOARD_OUT) $(STOCK) \
	&& echo ok)
ifneq ($(BOARD_NOTE),ok)
$(error board_config.py refused $(BOARD_TOML))
endif
QSTR_GLOBAL_DEPENDENCIES += $(BOARD_OUT)/board_config.h $(COMMON)/mpconfig_features.h

COPT ?= -O2 -DNDEBUG
CFLAGS += -I$(BOARD_OUT) -I$(COMMON) -I$(VARIANT_DIR) $(if $(STOCK),-DENGRAM_STOCK)
# The kernels' face reads the counter through this header.
CFLAGS += -DENGRAM_TICKS_H='"engram_ticks.h"'
CFLAGS += -fsingle-precision-constant -Wno-sign-compare
# One address and no unwinding: a third of the file would be tables for these.
CFLAGS += -fno-pie -fno-asynchronous-unwind-tables
LDFLAGS_EXTRA += -no-pie
# A warning that a newer compiler invents must not keep a user from building.
CFLAGS_EXTRA += -Wno-error

SRC_C += $(addprefix $(COMMON)/, modboard.c nor_flash.c session.c)
SHARED_SRC_C_EXTRA += runtime/pyexec.c

# The console is ours, not the port's: see console.c.
comma := ,
LDFLAGS_EXTRA += $(addprefix -Wl$(comma)--wrap=, \
	mp_hal_set_interrupt_char mp_hal_stdin_rx_chr mp_hal_stdout_tx_str mp_hal_stdout_tx_strn \
	mp_hal_stdout_tx_strn_cooked mp_hal_stdio_mode_orig mp_hal_stdio_mode_raw \
	mp_sys_stderr_obj mp_sys_stdin_obj mp_sys_stdout_obj)
