#include <string.h>

#include "py/mperrno.h"
#include "py/runtime.h"
#include "extmod/vfs.h"

#include "board_config.h"
#include "nor_flash.h"

typedef struct {
    mp_obj_base_t base;
    uint32_t start;     // offset into the data flash, bytes
    uint32_t length;    // bytes, a multiple of the erase unit
} flash_obj_t;

// Offset of the first byte of a transfer inside the data flash; raises OSError(EINVAL) outside.
static uint32_t locate(const flash_obj_t *self, mp_obj_t block, mp_int_t offset, size_t length) {
    mp_int_t number = mp_obj_get_int(block);
    if (number < 0 || number > (mp_int_t)(self->length / ENGRAM_ERASE_BYTES) || offset < 0
        || (mp_uint_t)offset > self->length) {
        mp_raise_OSError(MP_EINVAL);
    }
    uint64_t begin = (uint64_t)number * ENGRAM_ERASE_BYTES + (uint64_t)offset;
    if (begin + length > self->length) {
        mp_raise_OSError(MP_EINVAL);
    }
    return self->start + (uint32_t)begin;
}

// OSError for what the flash answers: 0, or a negative error number.
static void done(int answer) {
    if (answer != 0) {
        mp_raise_OSError(-answer);
    }
}

static void erase(uint32_t at) {
    #ifdef ENGRAM_FLASH_OF_CHIP
    done(engram_flash_erase(at));
    #else
    memset(engram_flash_base() + at, 0xff, ENGRAM_ERASE_BYTES);
    #endif
}

static void program(uint32_t at, const uint8_t *from, size_t length) {
    if (at % ENGRAM_PROGRAM_BYTES || length % ENGRAM_PROGRAM_BYTES) {
        mp_raise_OSError(MP_EINVAL);
    }
    const uint8_t *to = engram_flash_base() + at;
    for (size_t i = 0; i < length; ++i) {
        if (from[i] != 0xff && (from[i] & ~to[i])) {    // ones are padding: they leave bits alone
            mp_raise_OSError(MP_EIO);
        }
    }
    #ifdef ENGRAM_FLASH_OF_CHIP
    done(engram_flash_program(at, from, length));
    #else
    uint8_t *window = engram_flash_base() + at;
    for (size_t i = 0; i < length; ++i) {
        window[i] &= from[i];
    }
    #endif
}

static mp_obj_t flash_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw,
    const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 2, false);
    if (engram_flash_base() == NULL) {
        mp_raise_OSError(MP_ENODEV);
    }
    mp_int_t start = n_args > 0 ? mp_obj_get_int(args[0]) : 0;
    mp_int_t length = n_args > 1 ? mp_obj_get_int(args[1]) : ENGRAM_DATA_FLASH_BYTES - start;
    if (start < 0 || length <= 0 || start % ENGRAM_ERASE_BYTES || length % ENGRAM_ERASE_BYTES
        || start > ENGRAM_DATA_FLASH_BYTES || length > ENGRAM_DATA_FLASH_BYTES - start) {
        mp_raise_msg_varg(&mp_type_ValueError,
            MP_ERROR_TEXT("Flash(start, length): multiples of %d within %d bytes expected"),
            ENGRAM_ERASE_BYTES, ENGRAM_DATA_FLASH_BYTES);
    }
    flash_obj_t *self = mp_obj_malloc(flash_obj_t, type);
    self->start = start;
    self->length = length;
    return MP_OBJ_FROM_PTR(self);
}

static void flash_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    (void)kind;
    flash_obj_t *self = MP_OBJ_TO_PTR(self_in);
    mp_printf(print, "Flash(%u, %u)", (unsigned)self->start, (unsigned)self->length);
}

// readblocks(block, buffer[, offset])
static mp_obj_t flash_readblocks(size_t n_args, const mp_obj_t *args) {
    flash_obj_t *self = MP_OBJ_TO_PTR(args[0]);
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(args[2], &buffer, MP_BUFFER_WRITE);
    uint32_t at = locate(self, args[1], n_args == 4 ? mp_obj_get_int(args[3]) : 0, buffer.len);
    memcpy(buffer.buf, engram_flash_base() + at, buffer.len);
    return MP_OBJ_NEW_SMALL_INT(0);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(flash_readblocks_obj, 3, 4, flash_readblocks);

// writeblocks(block, buffer): erase whole blocks, then program.
// writeblocks(block, buffer, offset): program only.
static mp_obj_t flash_writeblocks(size_t n_args, const mp_obj_t *args) {
    flash_obj_t *self = MP_OBJ_TO_PTR(args[0]);
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(args[2], &buffer, MP_BUFFER_READ);
    uint32_t at = locate(self, args[1], n_args == 4 ? mp_obj_get_int(args[3]) : 0, buffer.len);
    if (n_args == 3) {
        if (buffer.len % ENGRAM_ERASE_BYTES) {
            mp_raise_OSError(MP_EINVAL);
        }
        for (size_t done = 0; done < buffer.len; done += ENGRAM_ERASE_BYTES) {
            erase(at + done);
        }
    }
    program(at, buffer.buf, buffer.len);
    return MP_OBJ_NEW_SMALL_INT(0);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(flash_writeblocks_obj, 3, 4, flash_writeblocks);

static mp_obj_t flash_ioctl(mp_obj_t self_in, mp_obj_t operation, mp_obj_t argument) {
    flash_obj_t *self = MP_OBJ_TO_PTR(self_in);
    switch (mp_obj_get_int(operation)) {
        case MP_BLOCKDEV_IOCTL_INIT:
        case MP_BLOCKDEV_IOCTL_DEINIT:
        case MP_BLOCKDEV_IOCTL_SYNC:    // nothing is ever held back
            return MP_OBJ_NEW_SMALL_INT(0);
        case MP_BLOCKDEV_IOCTL_BLOCK_COUNT:
            return MP_OBJ_NEW_SMALL_INT(self->length / ENGRAM_ERASE_BYTES);
        case MP_BLOCKDEV_IOCTL_BLOCK_SIZE:
            return MP_OBJ_NEW_SMALL_INT(ENGRAM_ERASE_BYTES);
        case MP_BLOCKDEV_IOCTL_BLOCK_ERASE:
            erase(locate(self, argument, 0, ENGRAM_ERASE_BYTES));
            return MP_OBJ_NEW_SMALL_INT(0);
        default:
            return mp_const_none;
    }
}
static MP_DEFINE_CONST_FUN_OBJ_3(flash_ioctl_obj, flash_ioctl);

static mp_int_t flash_get_buffer(mp_obj_t self_in, mp_buffer_info_t *info, mp_uint_t flags) {
    flash_obj_t *self = MP_OBJ_TO_PTR(self_in);
    if (flags != MP_BUFFER_READ) {
        return 1;
    }
    info->buf = engram_flash_base() + self->start;
    info->len = self->length;
    info->typecode = 'B';
    return 0;
}

static const mp_rom_map_elem_t flash_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_readblocks), MP_ROM_PTR(&flash_readblocks_obj) },
    { MP_ROM_QSTR(MP_QSTR_writeblocks), MP_ROM_PTR(&flash_writeblocks_obj) },
    { MP_ROM_QSTR(MP_QSTR_ioctl), MP_ROM_PTR(&flash_ioctl_obj) },
    // What the block-device protocol does not tell (engram/store/geometry.py).
    { MP_ROM_QSTR(MP_QSTR_program_bytes), MP_ROM_INT(ENGRAM_PROGRAM_BYTES) },
    { MP_ROM_QSTR(MP_QSTR_program_once), ENGRAM_PROGRAM_ONCE ? MP_ROM_TRUE : MP_ROM_FALSE },
};
static MP_DEFINE_CONST_DICT(flash_locals, flash_locals_table);

MP_DEFINE_CONST_OBJ_TYPE(
    engram_flash_type,
    MP_QSTR_Flash,
    MP_TYPE_FLAG_NONE,
    make_new, flash_make_new,
    print, flash_print,
    buffer, flash_get_buffer,
    locals_dict, &flash_locals
    );
