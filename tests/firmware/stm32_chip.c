// The flash of an STM32L4 or WB: pages, and double words that are programmed once between erases,
// which may not be done while the port's interrupts can come between.
#include <string.h>

#include "stm32_chip.h"
#include "board_config.h"

uint8_t chip[ENGRAM_CHIP_FLASH_BYTES];
uint8_t programmed[ENGRAM_CHIP_FLASH_BYTES / 8];
uint32_t interrupts_off, erases, programs;
uintptr_t vectors[16];
flash_registers_t flash_registers = { .SFR = 0xff };     // the radio keeps less than a page
scb_t scb = { (uintptr_t)vectors };
uint32_t _etext, _sidata, _sdata, _edata, _sbss, _ebss, _heap_start, _heap_end, _sstack, _estack;

uint32_t mp_hal_ticks_us(void) {
    return 0xc0000007u;
}

uint32_t raise_irq_pri(uint32_t level) {
    interrupts_off = level;
    return 0;
}

void restore_irq_pri(uint32_t level) {
    interrupts_off = level;
}

int flash_erase(uint32_t at) {
    at -= FLASH_BASE;
    if (interrupts_off != IRQ_PRI_FLASH || at % FLASH_PAGE_SIZE || at >= sizeof(chip)) {
        return -22;
    }
    memset(chip + at, 0xff, FLASH_PAGE_SIZE);
    memset(programmed + at / 8, 0, FLASH_PAGE_SIZE / 8);
    ++erases;
    return 0;
}

int flash_write(uint32_t at, const uint32_t *from, uint32_t words) {
    at -= FLASH_BASE;
    if (interrupts_off != IRQ_PRI_FLASH || at % 8 || words != 2 || at >= sizeof(chip)) {
        return -22;
    }
    if (programmed[at / 8]) {
        return -5;
    }
    memcpy(chip + at, from, 8);
    programmed[at / 8] = 1;
    ++programs;
    return 0;
}
