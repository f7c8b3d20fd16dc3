// Erasing and programming the flash chip, byte by byte over the QSPI controller as a serial port.
//
// The controller (RP2040 datasheet, 4.10: SSI) sends what is written to DR0 and receives as much.
// The chip's commands are those that every 25-series NOR flash has (Winbond W25Q16JV datasheet, 8).
// Between two commands its select line rises; the ROM moves that line itself, by the override of
// its pin (2.19.6.2: IO_QSPI), as a command is longer than the controller's queue.
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))
#define SSI 0x18000000u
#define SSI_CTRLR0 REG(SSI + 0x00)
#define SSI_SSIENR REG(SSI + 0x08)
#define SSI_SER REG(SSI + 0x10)
#define SSI_BAUDR REG(SSI + 0x14)
#define SSI_SR REG(SSI + 0x28)
#define SSI_DR0 REG(SSI + 0x60)
#define SSI_SPI_CTRLR0 REG(SSI + 0xf4)
#define SR_RECEIVED (1u << 3)
#define CTRLR0_BYTES (7u << 16)         // 8 bits a frame, one line, both directions
#define CLOCK_DIVIDER (6u)

#define SELECT_CTRL REG(0x4001800cu)
#define SELECT_OVERRIDE (3u << 8)
#define SELECT_AUTO (0u << 8)           // the controller moves it
#define SELECT_LOW (2u << 8)
#define SELECT_HIGH (3u << 8)

#define CACHE_FLUSH REG(0x14000004u)

enum { WRITE_ENABLE = 0x06, READ_STATUS = 0x05, PAGE_PROGRAM = 0x02, SECTOR_ERASE = 0x20 };
#define STATUS_BUSY (1u)
#define SECTOR_BYTES (4096u)
#define PAGE_BYTES (256u)

static void select(uint32_t level) {
    SELECT_CTRL = (SELECT_CTRL & ~SELECT_OVERRIDE) | level;
}

static uint8_t exchange(uint8_t byte) {
    SSI_DR0 = byte;
    while (!(SSI_SR & SR_RECEIVED)) {
    }
    return SSI_DR0;
}

static void begin(uint8_t command) {
    select(SELECT_LOW);
    exchange(command);
}

static void end(void) {
    select(SELECT_HIGH);
}

static void begin_at(uint8_t command, uint32_t address) {
    begin(WRITE_ENABLE);
    end();
    begin(command);
    exchange(address >> 16);
    exchange(address >> 8);
    exchange(address);
}

// Ends the command and waits until the chip has done it.
static void end_and_wait(void) {
    end();
    begin(READ_STATUS);
    while (exchange(0) & STATUS_BUSY) {
    }
    end();
}

// IF: the controller as a plain serial port. EX: the chip out of its mode for execution, which ours
// needs no command for.
void rom_flash_connect(void) {
    SSI_SSIENR = 0;
    SSI_BAUDR = CLOCK_DIVIDER;
    SSI_CTRLR0 = CTRLR0_BYTES;
    SSI_SPI_CTRLR0 = 0;
    SSI_SER = 1;
    SSI_SSIENR = 1;
}

void rom_flash_leave_xip(void) {
    end();
}

// FC: the controller gets the select line back, and the cache forgets what was read before.
void rom_flash_flush(void) {
    select(SELECT_AUTO);
    CACHE_FLUSH = 1;
    (void)CACHE_FLUSH;                  // a read waits until it has
}

// RE: count bytes from an address, both multiples of a sector. A whole block of block_bytes goes
// by block_command, where one is given: it takes less time than its sectors one by one.
void rom_flash_erase(uint32_t address, uint32_t count, uint32_t block_bytes, uint8_t block_command) {
    for (uint32_t done = 0; done < count;) {
        uint32_t here = address + done;
        uint32_t whole = block_command && block_bytes && !(here & (block_bytes - 1))
            && count - done >= block_bytes;
        begin_at(whole ? block_command : SECTOR_ERASE, here);
        end_and_wait();
        done += whole ? block_bytes : SECTOR_BYTES;
    }
}

// RP: count bytes to an address, both multiples of a page.
void rom_flash_program(uint32_t address, const uint8_t *data, uint32_t count) {
    for (uint32_t done = 0; done < count; done += PAGE_BYTES) {
        begin_at(PAGE_PROGRAM, address + done);
        for (uint32_t i = 0; i < PAGE_BYTES; ++i) {
            exchange(data[done + i]);
        }
        end_and_wait();
    }
}
