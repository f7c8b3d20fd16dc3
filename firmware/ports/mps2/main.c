// Power on, then one MicroPython session after another: each soft reset starts the next.
#include "py/builtin.h"
#include "py/cstack.h"
#include "py/gc.h"
#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/readline/readline.h"
#include "shared/runtime/gchelper.h"

#include "board_config.h"
#include "clock.h"
#include "engram_port.h"
#include "memory_map.h"
#include "mps2.h"
#include "nor_flash.h"
#include "session.h"
#include "uart.h"

extern uint8_t _data_start, _data_end, _bss_start, _bss_end, _heap_start, _heap_end;
extern uint8_t _stack_bottom, _stack_top, _firmware_size;

uint8_t *engram_flash_base(void) {
    return (uint8_t *)MACHINE_FLASH_BASE;
}

engram_memory_t engram_memory(void) {
    return (engram_memory_t) {
               .ram = ENGRAM_RAM_BYTES,
               .data = &_data_end - &_data_start,
               .bss = &_bss_end - &_bss_start,
               .heap = &_heap_end - &_heap_start,
               .stack = &_stack_top - &_stack_bottom,
               .firmware = (uint32_t)&_firmware_size,
    };
}

#if MICROPY_ENABLE_PYSTACK
static mp_obj_t pystack[1024];
#endif

static void session(void) {
    #if MICROPY_ENABLE_PYSTACK
    mp_pystack_init(pystack, pystack + MP_ARRAY_SIZE(pystack));
    #endif
    mp_cstack_init_with_top(&_stack_top, &_stack_top - &_stack_bottom);
    gc_init(&_heap_start, &_heap_end);
    mp_init();
    readline_init0();

    engram_session();
    gc_sweep_all();
    mp_deinit();
}

int main(void) {
    memory_map_init();
    clock_init();
    uart_init();
    for (;;) {
        session();
    }
}

void gc_collect(void) {
    gc_collect_start();
    gc_helper_collect_regs_and_stack();
    gc_collect_end();
}

// In a fault no interrupt comes, so this waits by looking.
static void fault_put(const char *text) {
    for (; *text; ++text) {
        while (UART_STATE & UART_STATE_TXFULL) {
        }
        UART_DATA = (uint8_t)*text;
    }
}

static void fault_put_hex(const char *name, uint32_t value) {
    char digits[] = "xxxxxxxx";
    for (int i = 0; i < 8; ++i) {
        digits[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    }
    fault_put(name);
    fault_put(digits);
}

static NORETURN void restart(void) {
    fault_put("; the board restarts\r\n");
    SCB_AIRCR = AIRCR_SYSRESET;
    for (;;) {
    }
}

// frame: r0-r3, r12, lr, pc, psr as stacked by the core
NORETURN void fault_report(const uint32_t *frame) {
    fault_put("\r\nFATAL: processor fault");
    fault_put_hex(", pc ", frame[6]);
    fault_put_hex(", lr ", frame[5]);
    fault_put_hex(", cause ", SCB_CFSR);
    fault_put_hex(", address ", SCB_MMFAR);
    restart();
}

NORETURN void nlr_jump_fail(void *val) {
    (void)val;
    fault_put("\r\nFATAL: exception without a handler");
    restart();
}
