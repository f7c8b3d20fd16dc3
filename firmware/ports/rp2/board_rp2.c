// What the board module needs of an RP2040 or RP2350 under MicroPython's rp2 port: cycles, sizes, flash.
#include "py/runtime.h"
#include "modrp2.h"

#include "hardware/clocks.h"
#include "hardware/structs/systick.h"
#include "hardware/structs/timer.h"

#include "board_config.h"
#include "engram_port.h"

// ---------------------------------------------------------------- cycles

// SysTick counts processor cycles, but only 24 bits of them: it wraps every 134 ms at 125 MHz. The
// timer counts microseconds, in which a whole number of cycles passes; it tells how often SysTick
// has wrapped. Both run off one crystal, so the sum is exact.
//
// A change of the processor's clock, and machine.bitstream(), which restarts SysTick, begin a new
// count: a difference of two readings is right only where neither came between them.
#define SYSTICK_MASK (0x00ffffffu)
#define SYSTICK_RUN (5u)                // enabled, no interrupt, the processor's clock

static struct {
    uint32_t hz;                        // of the processor when the count began; 0: not yet
    uint32_t mhz;
    uint32_t began_us;
} count;

static void restart(uint32_t hz) {
    systick_hw->csr = 0;
    systick_hw->rvr = SYSTICK_MASK;
    systick_hw->cvr = 0;                // any write clears it
    systick_hw->csr = SYSTICK_RUN;
    count.hz = hz;
    count.mhz = hz / 1000000;
    count.began_us = timer_hw->timerawl;
}

uint32_t engram_counter(void) {
    uint32_t hz = clock_get_hz(clk_sys);
    if (hz != count.hz) {
        restart(hz);
    }
    uint32_t fine = -systick_hw->cvr & SYSTICK_MASK;    // it counts down
    uint32_t coarse = (timer_hw->timerawl - count.began_us) * count.mhz;
    // The two differ by whole wraps, but for the little between their readings.
    uint32_t wraps = (coarse - fine + (SYSTICK_MASK + 1) / 2) & ~SYSTICK_MASK;
    return (wraps + fine) & ENGRAM_COUNTER_MASK;
}

// ---------------------------------------------------------------- sizes

extern uint8_t __data_start__, __data_end__, __bss_start__, __bss_end__, __flash_binary_start;
extern uint8_t __flash_binary_end, __StackTop, __StackBottom, __GcHeapStart, __GcHeapEnd;

engram_memory_t engram_memory(void) {
    return (engram_memory_t) {
               .ram = ENGRAM_RAM_BYTES,
               .data = &__data_end__ - &__data_start__,
               .bss = &__bss_end__ - &__bss_start__,
               .heap = &__GcHeapEnd - &__GcHeapStart,
               .stack = &__StackTop - &__StackBottom,
               .firmware = &__flash_binary_end - &__flash_binary_start,
    };
}

// ---------------------------------------------------------------- flash

// board/mpconfigboard.h was found before the port's own, and the port leaves the firmware its room.
static_assert(MICROPY_HW_FLASH_STORAGE_BYTES == ENGRAM_FS_BYTES + ENGRAM_STORE_BYTES,
    "the port's data flash is that of board.toml");
static_assert(PICO_FLASH_SIZE_BYTES == ENGRAM_FIRMWARE_BYTES + MICROPY_HW_FLASH_STORAGE_BYTES,
    "firmware and data are all of the flash");

// Flash(start, length): the port's rp2.Flash over a part of what the port keeps for data, which
// begins behind the firmware. Erasing and programming stop the processor and its interrupts.
static mp_obj_t flash_part(mp_obj_t start, mp_obj_t length) {
    const mp_obj_t named[] = {
        MP_OBJ_NEW_QSTR(MP_QSTR_start), start, MP_OBJ_NEW_QSTR(MP_QSTR_len), length,
    };
    return mp_call_function_n_kw(MP_OBJ_FROM_PTR(&rp2_flash_type), 0, 2, named);
}
MP_DEFINE_CONST_FUN_OBJ_2(engram_flash_of_port_obj, flash_part);
