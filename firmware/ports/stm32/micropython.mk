# The board module for MicroPython's stm32 port, as a user C module, and how its flash is divided.
#
# BOARD_TOML names the board's facts, which become board_config.h and memory.ld. ENGRAM_SMALL=1: less of
# MicroPython (board/mpconfigboard.h) and smaller kernels (sources.mk), for little flash.
ENGRAM_STM32 := $(USERMOD_DIR)
ENGRAM_COMMON := $(abspath $(USERMOD_DIR)/../common)
ENGRAM_BOARD_OUT := $(BUILD)/board
ENGRAM_BOARD_NOTE := $(shell $(PYTHON) $(abspath $(USERMOD_DIR)/../../tools)/board_config.py \
	$(BOARD_TOML) $(ENGRAM_BOARD_OUT) && echo ok)
ifneq ($(ENGRAM_BOARD_NOTE),ok)
$(error board_config.py refused BOARD_TOML=$(BOARD_TOML))
endif
QSTR_GLOBAL_DEPENDENCIES += $(ENGRAM_BOARD_OUT)/board_config.h $(ENGRAM_STM32)/board/mpconfigboard.h
SRC_USERMOD_C += $(ENGRAM_COMMON)/modboard.c $(ENGRAM_COMMON)/nor_flash.c
SRC_USERMOD_LIB_C += $(ENGRAM_STM32)/board_stm32.c
# board/ comes before the port's own folder of the board. The kernels' face reads the counter through
# the header.
CFLAGS_USERMOD += -I$(ENGRAM_STM32)/board -I$(ENGRAM_COMMON) -I$(ENGRAM_BOARD_OUT) \
	-DENGRAM_TICKS_H='"engram_ticks.h"' -DENGRAM_FLASH_OF_CHIP=1 $(if $(ENGRAM_SMALL),-DENGRAM_SMALL)
# The port's linker scripts, but for the one that says where the sections go.
LD_FILES := $(filter-out boards/common_%,$(LD_FILES)) $(ENGRAM_BOARD_OUT)/memory.ld $(ENGRAM_STM32)/sections.ld
