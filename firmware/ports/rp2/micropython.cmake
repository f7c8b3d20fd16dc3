# The board module for MicroPython's rp2 port, as a user C module: USER_C_MODULES=<here>/micropython.cmake
#
# BOARD_TOML names the board's facts, which become board_config.h when CMake configures.
add_library(usermod_engram_board INTERFACE)
set(ENGRAM_COMMON ${CMAKE_CURRENT_LIST_DIR}/../common)
set(ENGRAM_BOARD_OUT ${CMAKE_BINARY_DIR}/board)
set(ENGRAM_BOARD_TOOL ${CMAKE_CURRENT_LIST_DIR}/../../tools/board_config.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${BOARD_TOML} ${ENGRAM_BOARD_TOOL})
find_package(Python3 REQUIRED COMPONENTS Interpreter)
execute_process(
    COMMAND ${Python3_EXECUTABLE} ${ENGRAM_BOARD_TOOL} ${BOARD_TOML} ${ENGRAM_BOARD_OUT}
    RESULT_VARIABLE ENGRAM_BOARD_CODE
)
if(NOT ENGRAM_BOARD_CODE EQUAL 0)
    message(FATAL_ERROR "board_config.py refused BOARD_TOML=${BOARD_TOML}")
endif()
target_sources(usermod_engram_board INTERFACE
    ${ENGRAM_COMMON}/modboard.c
    ${CMAKE_CURRENT_LIST_DIR}/board_rp2.c
)
target_include_directories(usermod_engram_board INTERFACE
    ${CMAKE_CURRENT_LIST_DIR}/board ${CMAKE_CURRENT_LIST_DIR} ${ENGRAM_COMMON} ${ENGRAM_BOARD_OUT}
)
# The kernels' face reads the cycle counter through the header; flash has the port's own driver.
target_compile_definitions(usermod_engram_board INTERFACE
    ENGRAM_TICKS_H="engram_ticks.h" ENGRAM_FLASH_OF_PORT=1
)
target_link_libraries(usermod INTERFACE usermod_engram_board)
