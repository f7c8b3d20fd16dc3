# The kernel sources, named once. Read by the user module and the native module; the
# CMake fragment and setup.py glob the same folder.
ENGRAM_KERNEL_SRC := \
	engram_activation.c \
	engram_conv.c \
	engram_conv_q8.c \
	engram_conv_some.c \
	engram_copy.c \
	engram_curves.c \
	engram_dense.c \
	engram_depthwise.c \
	engram_depthwise_q8.c \
	engram_elementwise.c \
	engram_few_q8.c \
	engram_fft.c \
	engram_int8.c \
	engram_keep_q8.c \
	engram_line.c \
	engram_math.c \
	engram_optim.c \
	engram_pack.c \
	engram_pool.c \
	engram_products_q8.c \
	engram_q8.c \
	engram_quant.c \
	engram_random.c \
	engram_replay.c \
	engram_s8.c \
	engram_scales_q8.c \
	engram_softmax_s8.c \
	engram_some.c \
	engram_sums_q8.c \
	engram_table.c \
	engram_tape.c \
	engram_terms_q8.c \
	engram_tile.c \
	engram_tile_s8.c \
	engram_tile_some.c \
	engram_train.c \
	engram_transposed.c \
	engram_transposed_s8.c \
	engram_vae.c \
	engram_vibration.c \
	engram_window_pool.c

# ENGRAM_SMALL=1, where flash is too little: for size too, those that take most room.
ENGRAM_SMALLER_SRC := $(if $(ENGRAM_SMALL),$(filter engram_%q8.c,$(ENGRAM_KERNEL_SRC)) \
	engram_table.c engram_fft.c engram_elementwise.c engram_transposed.c engram_activation.c engram_copy.c \
	engram_random.c engram_replay.c engram_vibration.c engram_window_pool.c engram_curves.c \
	engram_depthwise.c engram_math.c engram_some.c engram_train.c engram_vae.c)

# Compiled for size: their time goes into blocks of instructions, and into the loops of others.
ENGRAM_SIZE_SRC := $(filter %_some.c,$(ENGRAM_KERNEL_SRC)) $(ENGRAM_SMALLER_SRC)
