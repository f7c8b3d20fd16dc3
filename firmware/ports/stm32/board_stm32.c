// What the board module needs of an STM32L4 or STM32WB under MicroPython's stm32 port: time, sizes,
// flash. Their flash is erased in pages and programmed in double words of 8 bytes with ECC, each
// once between erases; the processor sees it as memory.
#include <string.h>

#include "py/mperrno.h"
#include "py/mphal.h"
#include "flash.h"
#include "gccollect.h"
#include "irq.h"

#include "board_config.h"
#include "engram_port.h"
#include "nor_flash.h"

// ---------------------------------------------------------------- time, sizes

uint32_t engram_counter(void) {
    return mp_hal_ticks_us() & ENGRAM_COUNTER_MASK;
}

#define SPAN(from, to) ((uint32_t)((uint8_t *)&(to) - (uint8_t *)&(from)))

engram_memory_t engram_memory(void) {
    return (engram_memory_t) {
               .ram = ENGRAM_RAM_BYTES,
               .data = SPAN(_sdata, _edata),
               .bss = SPAN(_sbss, _ebss),
               .heap = SPAN(_heap_start, _heap_end),
               .stack = SPAN(_sstack, _estack),
               .firmware = (uint32_t)&_sidata + SPAN(_sdata, _edata) - FLASH_BASE,
    };
}

// ---------------------------------------------------------------- flash

#define DATA_FLASH (FLASH_BASE + ENGRAM_FIRMWARE_BYTES)
#define UNIT_BYTES (8u)

_Static_assert(ENGRAM_FIRMWARE_BYTES % FLASH_PAGE_SIZE == 0
    && ENGRAM_ERASE_BYTES % FLASH_PAGE_SIZE == 0,
    "[flash] firmware_bytes, erase_bytes: whole pages of the chip expected");
_Static_assert(ENGRAM_PROGRAM_BYTES % UNIT_BYTES == 0, "[flash] program_bytes: double words expected");
_Static_assert(ENGRAM_FIRMWARE_BYTES + ENGRAM_DATA_FLASH_BYTES <= ENGRAM_CHIP_FLASH_BYTES,
    "[flash]: no more than the chip has expected");

// A power cut leaves a double word whose ECC may not fit it. To read it raises an NMI until its flag
// is cleared, which the port's handler does not; what is read fails the check of its record.
static void on_nmi(void) {
    FLASH->ECCR |= FLASH_ECCR_ECCD;
}

uint8_t *engram_flash_base(void) {
    #ifdef FLASH_SFR_SFSA
    // The radio's core keeps pages from this one on for itself: of what the chip came with.
    uint32_t secure = (FLASH->SFR & FLASH_SFR_SFSA) >> FLASH_SFR_SFSA_Pos;
    uint32_t pages = (ENGRAM_FIRMWARE_BYTES + ENGRAM_DATA_FLASH_BYTES) / FLASH_PAGE_SIZE;
    if (!(FLASH->SFR & FLASH_SFR_FSD) && secure < pages) {
        return NULL;
    }
    #endif
    ((void (**)(void))SCB->VTOR)[NonMaskableInt_IRQn + 16] = on_nmi;     // the port keeps it in RAM
    return (uint8_t *)DATA_FLASH;
}

int engram_flash_erase(uint32_t at) {
    int answer = 0;
    for (uint32_t page = 0; page < ENGRAM_ERASE_BYTES && answer == 0; page += FLASH_PAGE_SIZE) {
        uint32_t level = raise_irq_pri(IRQ_PRI_FLASH);
        answer = flash_erase(DATA_FLASH + at + page);
        restore_irq_pri(level);
    }
    return answer;
}

// Double words of ones stay as they are, so that they can be programmed later.
int engram_flash_program(uint32_t at, const uint8_t *from, size_t length) {
    uint32_t to = DATA_FLASH + at;
    for (size_t i = 0; i < length; i += UNIT_BYTES) {
        uint64_t unit;                  // `from` need not be aligned
        memcpy(&unit, from + i, UNIT_BYTES);
        if (unit == UINT64_MAX) {
            continue;
        }
        uint32_t level = raise_irq_pri(IRQ_PRI_FLASH);
        int answer = flash_write(to + i, (const uint32_t *)&unit, UNIT_BYTES / 4);
        restore_irq_pri(level);
        if (answer != 0) {
            return answer;
        }
    }
    return 0;
}
