@ The head of the ROM and the way to the firmware (RP2040 datasheet, 2.8: bootrom contents).
@
@ At power on the processor takes stack and entry from the first two words. The ROM copies the
@ second stage, the first 256 bytes of the flash, to RAM and calls it with a return address of 0;
@ that one sets up the flash for execution and enters the firmware by its vector table.

    .syntax unified
    .cpu cortex-m0plus
    .thumb

    .equ FLASH, 0x10000000
    .equ STAGE2, 0x20041f00         @ the last 256 bytes of RAM; the stack begins below
    .equ STAGE2_WORDS, 64

    .section .vectors, "a"
    .word STAGE2
    .word rom_reset
    .word rom_trap                  @ NMI
    .word rom_trap                  @ HardFault
    .byte 'M', 'u', 1               @ 0x10: how the SDK knows a boot ROM
    .byte 3                         @ its version, that of a chip of revision B2
    .hword rom_functions            @ 0x14
    .hword rom_data                 @ 0x16
    .hword rom_look_up + 1          @ 0x18
    .hword 0

    .macro function name
    .section .text.\name, "ax"
    .thumb_func
    .global \name
\name:
    .endm

    function rom_reset
    ldr r0, =FLASH
    ldr r1, =STAGE2
    adds r2, r1, #1                 @ Thumb
    movs r3, #STAGE2_WORDS
1:  ldmia r0!, {r4}
    stmia r1!, {r4}
    subs r3, #1
    bne 1b
    mov lr, r3
    bx r2

    @ Where no firmware should come: the emulator reports it.
    function rom_trap
    bkpt 0xfe
    b rom_trap

    @ reset_to_usb_boot: a Pico would now be a USB drive; the emulator starts the firmware anew.
    function rom_usb_boot
    bkpt 0xb0
    b rom_usb_boot

    function rom_nothing
    bx lr

    @ void *rom_look_up(const uint16_t (*table)[2], uint32_t code): rows (code, address), 0 ends.
    function rom_look_up
1:  ldrh r2, [r0]
    ldrh r3, [r0, #2]
    adds r0, #4
    cmp r2, r1
    beq 2f
    cmp r2, #0
    bne 1b
    mov r3, r2
2:  mov r0, r3
    bx lr
