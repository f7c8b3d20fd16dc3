# Engram's kernels as a MicroPython user C module for ports that build with CMake.
add_library(usermod_engram INTERFACE)
set(ENGRAM_FW ${CMAKE_CURRENT_LIST_DIR}/../..)
file(GLOB ENGRAM_KERNEL_SRC CONFIGURE_DEPENDS ${ENGRAM_FW}/kernels/*.c)
# Ports build for size. -ffp-contract=off keeps the bits of float32 results equal on all hosts.
set_source_files_properties(${ENGRAM_KERNEL_SRC} PROPERTIES COMPILE_OPTIONS "-O2;-ffp-contract=off")
file(GLOB ENGRAM_SIZE_SRC ${ENGRAM_FW}/kernels/*_some.c)
if(PICO_PLATFORM STREQUAL "rp2040")
    # The port leaves 640 KB for the program. Without an FPU the time of a float32 kernel is that of
    # the calls of its arithmetic, so these may be short; so may integers beside the loops of dense
    # and convolution, which stay unrolled.
    foreach(NAME activation conv conv_q8 copy curves dense depthwise depthwise_q8 elementwise few_q8
            fft int8 keep_q8 math optim pack pool q8 random scales_q8 softmax_s8 sums_q8 table
            terms_q8 tile train transposed transposed_s8 vae vibration window_pool replay)
        list(APPEND ENGRAM_SIZE_SRC ${ENGRAM_FW}/kernels/engram_${NAME}.c)
    endforeach()
endif()
set_source_files_properties(${ENGRAM_SIZE_SRC} PROPERTIES COMPILE_OPTIONS "-Os;-ffp-contract=off")
target_sources(usermod_engram INTERFACE ${ENGRAM_KERNEL_SRC} ${ENGRAM_FW}/binding/mp_engram.c)
target_include_directories(usermod_engram INTERFACE ${ENGRAM_FW}/kernels)
target_link_libraries(usermod INTERFACE usermod_engram)
