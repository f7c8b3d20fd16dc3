// Module _board: what only C knows of a board. engram_board.py is the face the library uses.
#include "py/objstr.h"
#include "py/runtime.h"

#include "board_config.h"
#include "engram_port.h"

// Flash(start, length) is a block device over a part of the data flash: our own over a window of
// memory, or a function of a port that has a driver.
#ifdef ENGRAM_FLASH_OF_PORT
MP_DECLARE_CONST_FUN_OBJ_2(engram_flash_of_port_obj);
#define DATA_FLASH engram_flash_of_port_obj
#else
#include "nor_flash.h"
#define DATA_FLASH engram_flash_type
#endif

// counter() -> int, modulo 2**30
static mp_obj_t board_counter(void) {
    return MP_OBJ_NEW_SMALL_INT(engram_counter());
}
static MP_DEFINE_CONST_FUN_OBJ_0(board_counter_obj, board_counter);

// memory() -> dict of sizes in bytes: ram, data, bss, heap, stack, firmware
static mp_obj_t board_memory(void) {
    engram_memory_t m = engram_memory();
    const struct { qstr name; uint32_t bytes; } rows[] = {
        { MP_QSTR_ram, m.ram }, { MP_QSTR_data, m.data }, { MP_QSTR_bss, m.bss },
        { MP_QSTR_heap, m.heap }, { MP_QSTR_stack, m.stack }, { MP_QSTR_firmware, m.firmware },
    };
    mp_obj_t dict = mp_obj_new_dict(MP_ARRAY_SIZE(rows));
    for (size_t i = 0; i < MP_ARRAY_SIZE(rows); ++i) {
        mp_obj_dict_store(dict, MP_OBJ_NEW_QSTR(rows[i].name), mp_obj_new_int(rows[i].bytes));
    }
    return dict;
}
static MP_DEFINE_CONST_FUN_OBJ_0(board_memory_obj, board_memory);

static MP_DEFINE_STR_OBJ(name_obj, ENGRAM_BOARD_NAME);
static MP_DEFINE_STR_OBJ(counter_kind_obj, ENGRAM_COUNTER_KIND);
static MP_DEFINE_STR_OBJ(counter_unit_obj, ENGRAM_COUNTER_UNIT);

static const mp_rom_map_elem_t board_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__board) },
    { MP_ROM_QSTR(MP_QSTR_NAME), MP_ROM_PTR(&name_obj) },
    { MP_ROM_QSTR(MP_QSTR_COUNTER_KIND), MP_ROM_PTR(&counter_kind_obj) },
    { MP_ROM_QSTR(MP_QSTR_COUNTER_UNIT), MP_ROM_PTR(&counter_unit_obj) },
    { MP_ROM_QSTR(MP_QSTR_FS_BYTES), MP_ROM_INT(ENGRAM_FS_BYTES) },
    { MP_ROM_QSTR(MP_QSTR_STORE_BYTES), MP_ROM_INT(ENGRAM_STORE_BYTES) },
    { MP_ROM_QSTR(MP_QSTR_MAX_PAYLOAD_BYTES), MP_ROM_INT(ENGRAM_MAX_PAYLOAD_BYTES) },
    { MP_ROM_QSTR(MP_QSTR_ERASE_BYTES), MP_ROM_INT(ENGRAM_ERASE_BYTES) },
    { MP_ROM_QSTR(MP_QSTR_PROGRAM_BYTES), MP_ROM_INT(ENGRAM_PROGRAM_BYTES) },
    { MP_ROM_QSTR(MP_QSTR_PROGRAM_ONCE), ENGRAM_PROGRAM_ONCE ? MP_ROM_TRUE : MP_ROM_FALSE },
    { MP_ROM_QSTR(MP_QSTR_Flash), MP_ROM_PTR(&DATA_FLASH) },
    { MP_ROM_QSTR(MP_QSTR_counter), MP_ROM_PTR(&board_counter_obj) },
    { MP_ROM_QSTR(MP_QSTR_memory), MP_ROM_PTR(&board_memory_obj) },
    #ifdef ENGRAM_BOARD_EXTRA_GLOBALS
    ENGRAM_BOARD_EXTRA_GLOBALS
    #endif
};
static MP_DEFINE_CONST_DICT(board_globals, board_globals_table);

const mp_obj_module_t engram_board_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&board_globals,
};
MP_REGISTER_MODULE(MP_QSTR__board, engram_board_module);
