@ What the firmware can ask of the ROM (RP2040 datasheet, 2.8.3: bootrom contents), and where it is.

    .syntax unified
    .cpu cortex-m0plus

    .macro entry first, second, address
    .byte \first, \second
    .hword \address
    .endm

    .section .rodata.tables, "a"
    .balign 4
    .global rom_functions
rom_functions:
    entry 'P', '3', rom_popcount32 + 1
    entry 'R', '3', rom_reverse32 + 1
    entry 'L', '3', rom_clz32 + 1
    entry 'T', '3', rom_ctz32 + 1
    entry 'M', 'S', rom_memset + 1
    entry 'S', '4', rom_memset + 1
    entry 'M', 'C', rom_memcpy + 1
    entry 'C', '4', rom_memcpy + 1
    entry 'I', 'F', rom_flash_connect + 1
    entry 'E', 'X', rom_flash_leave_xip + 1
    entry 'R', 'E', rom_flash_erase + 1
    entry 'R', 'P', rom_flash_program + 1
    entry 'F', 'C', rom_flash_flush + 1
    entry 'C', 'X', rom_nothing + 1         @ slow reads are as good as fast ones here
    entry 'U', 'B', rom_usb_boot + 1
    .hword 0, 0
    .global rom_data
rom_data:
    entry 'S', 'F', rom_single
    entry 'S', 'D', rom_double
    .hword 0, 0

@ Arithmetic: 32 addresses each, with the number of bytes in the byte two before. What MicroPython
@ leaves alone (it has a mathematical library of its own) is a trap.
    .macro traps n
    .rept \n
    .word rom_trap + 1
    .endr
    .endm

    .balign 4
    .byte 0, 0, 0x20, 0x20
rom_single:
    .word __aeabi_fadd, __aeabi_fsub, __aeabi_fmul, __aeabi_fdiv
    traps 3                                 @ compares, square root
    .word rom_float_to_int
    traps 1                                 @ to fixed point
    .word rom_float_to_uint
    traps 1
    .word __aeabi_i2f
    traps 1                                 @ from fixed point
    .word __aeabi_ui2f
    traps 9                                 @ functions
    .word __aeabi_l2f
    traps 1
    .word __aeabi_ul2f
    traps 1
    .word rom_float_to_int64
    traps 1
    .word rom_float_to_uint64
    traps 1
    .word __aeabi_f2d

    .byte 0, 0, 0x20, 0x20
rom_double:
    .word __aeabi_dadd, __aeabi_dsub, __aeabi_dmul, __aeabi_ddiv
    traps 3
    .word rom_double_to_int
    traps 1
    .word rom_double_to_uint
    traps 1
    .word __aeabi_i2d
    traps 1
    .word __aeabi_ui2d
    traps 9
    .word __aeabi_l2d
    traps 1
    .word __aeabi_ul2d
    traps 5
    .word __aeabi_d2f
