"""Reads an INA219, INA226 or INA228 over I2C, on a second MicroPython board, and streams frames.

The host sends this text over the raw REPL and adds the line that starts run(). Plain MicroPython:
nothing of Engram is imported, and no hardware is touched before run() is called.

  frame   0xA5 | count u8 | count samples | crc32 u32        (little endian; the CRC covers all
  sample  ticks_us u32 (modulo 2**30) | shunt i24 | bus u24    before it, the 0xA5 included)

Registers and bits after TI's data sheets, as far as they are used here:

  INA219 SBOS448F  configuration: tables 5 (PG), 6 (BADC, SADC), 7 (MODE), default 0x399F; shunt
                   voltage 10 uV a bit; bus voltage in bits 15 to 3, 4 mV
  INA226 SBOS547   configuration: tables 3 (AVG), 4 (VBUSCT), 5 (VSHCT), 6 (MODE), default 0x4127;
                   shunt voltage 2.5 uV, bus voltage 1.25 mV
  INA228 SLYS021A  tables 7-3 (registers), 7-5 (CONFIG) and the next (ADC_CONFIG), default 0xFB68;
                   table 8-1: 312.5 nV, 195.3125 uV; both voltages in bits 23 to 4
"""

import struct
from binascii import crc32

START = 0xA5
FRAME = 16  # samples
SAMPLE = 10  # bytes


def chip(name):
    """The settings of a chip: (configuration writes, shunt register, its bytes and shift, bus
    register, its bytes and shift).

    The current changes fast and the voltage does not: where there is a choice, the shunt is
    converted for most of the time, so that little of a varying current goes unseen.
    """
    return {
        # BRNG 32 V, PG /8 (+-320 mV), BADC and SADC 12 bit (532 us each), both continuous
        "ina219": (((0x00, 1 << 13 | 3 << 11 | 3 << 7 | 3 << 3 | 7),), (0x01, 2, 0), (0x02, 2, 3)),
        # bit 14 is always set; AVG 1, VBUSCT 140 us, VSHCT 332 us, both continuous
        "ina226": (((0x00, 1 << 14 | 0 << 9 | 0 << 6 | 2 << 3 | 7),), (0x01, 2, 0), (0x02, 2, 0)),
        # ADCRANGE +-163.84 mV; MODE shunt and bus continuous, VBUSCT 50 us, VSHCT 540 us, AVG 1
        "ina228": (
            ((0x00, 0 << 4), (0x01, 0xB << 12 | 0 << 9 | 4 << 6 | 0)),
            (0x04, 3, 4),
            (0x05, 3, 4),
        ),
    }[name]


def value(raw, shift, signed):
    """The number in a register's bytes, highest first."""
    number = 0
    for byte in raw:
        number = number << 8 | byte
    top = 1 << 8 * len(raw)
    if signed and number & top >> 1:
        number -= top
    return number >> shift


def pack(out, at, ticks, shunt, bus):
    """One sample at an offset of a buffer."""
    struct.pack_into("<I", out, at, ticks & 0x3FFFFFFF)
    for i in range(3):
        out[at + 4 + i] = shunt >> 8 * i & 0xFF
        out[at + 7 + i] = bus >> 8 * i & 0xFF


def sealed(out, count):
    """The frame of `count` samples in `out`, which begin at its byte 2."""
    out[0] = START
    out[1] = count
    end = 2 + count * SAMPLE
    struct.pack_into("<I", out, end, crc32(memoryview(out)[:end]) & 0xFFFFFFFF)
    return memoryview(out)[: end + 4]


def configure(i2c, address, name):
    for register, word in chip(name)[0]:
        i2c.writeto_mem(address, register, bytes((word >> 8, word & 0xFF)))


def run(i2c, address, name, period_us, ticks_us, ticks_diff, write, stop):
    """Streams until stop() is true. i2c: machine.I2C. period_us: between two samples."""
    configure(i2c, address, name)
    _, shunt_at, bus_at = chip(name)
    shunt_raw = bytearray(shunt_at[1])
    bus_raw = bytearray(bus_at[1])
    out = bytearray(2 + FRAME * SAMPLE + 4)
    count = 0
    last = ticks_us()
    while not stop():
        while ticks_diff(ticks_us(), last) < period_us:
            pass
        last = ticks_us()
        i2c.readfrom_mem_into(address, shunt_at[0], shunt_raw)
        i2c.readfrom_mem_into(address, bus_at[0], bus_raw)
        pack(
            out,
            2 + count * SAMPLE,
            last,
            value(shunt_raw, shunt_at[2], True),
            value(bus_raw, bus_at[2], False),
        )
        count += 1
        if count == FRAME:
            write(sealed(out, count))
            count = 0
    if count:
        write(sealed(out, count))
