# Engram's kernels as a MicroPython user C module: make USER_C_MODULES=<here>/..
ENGRAM_FW := $(abspath $(USERMOD_DIR)/../..)
include $(ENGRAM_FW)/kernels/sources.mk
# _LIB_C: compiled, but not scanned for qstrs or module registrations.
SRC_USERMOD_LIB_C += $(addprefix $(ENGRAM_FW)/kernels/,$(ENGRAM_KERNEL_SRC))
SRC_USERMOD_C += $(ENGRAM_FW)/binding/mp_engram.c
CFLAGS_USERMOD += -I$(ENGRAM_FW)/kernels
# Ports build for size. -ffp-contract=off keeps the bits of float32 results equal on all hosts.
$(BUILD)/$(ENGRAM_FW)/kernels/%.o: CFLAGS += -O2 -ffp-contract=off
$(addprefix $(BUILD)/$(ENGRAM_FW)/kernels/,$(ENGRAM_SIZE_SRC:.c=.o)): CFLAGS += -Os
