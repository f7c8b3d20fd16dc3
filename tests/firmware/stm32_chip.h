// A chip's flash and what of the stm32 port board_stm32.c calls, for a library of this computer.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FLASH_BASE (0x08000000u)
#define IRQ_PRI_FLASH (6)

typedef struct { uint32_t SFR, ECCR; } flash_registers_t;
typedef struct { uintptr_t VTOR; } scb_t;
extern flash_registers_t flash_registers;
extern scb_t scb;
#define FLASH (&flash_registers)
#define SCB (&scb)
#define NonMaskableInt_IRQn (-14)
#define FLASH_ECCR_ECCD (1u << 31)
#ifdef RADIO
#define FLASH_SFR_SFSA_Pos (0)
#define FLASH_SFR_SFSA (0xffu)
#define FLASH_SFR_FSD (1u << 8)
#endif

extern uint32_t _etext, _sidata, _sdata, _edata, _sbss, _ebss, _heap_start, _heap_end, _sstack, _estack;

typedef struct { int unused; } mp_obj_type_t;
uint32_t mp_hal_ticks_us(void);
uint32_t raise_irq_pri(uint32_t level);
void restore_irq_pri(uint32_t level);
int flash_erase(uint32_t at);
int flash_write(uint32_t at, const uint32_t *from, uint32_t words);
