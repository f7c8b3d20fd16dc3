"""Reads an INA219, INA226 or INA228 over I2C, on a second MicroPython board, and streams frames.

The host sends this text over the raw REPL and adds the line that starts run(). Plain MicroPython:
nothing of Engram is imported, and no hardware is touched before run() is called.

  frame   0xA5 | count u8 | count samples | crc32 u32        (little endian; the CRC covers all
  sample  ticks_us u32 (modulo 2**30) | shunt i24 | bus u24    before it, the 0xA5 included)

Registers and bits after TI's data sheets: INA219 SBOS448, INA226 SBOS547, INA228 SLYS021.
"""

import struct
from binascii import crc32

START = 0xA5
FRAME = 16  # samples
SAMPLE = 10  # bytes


def chip(name):
    """What differs: (configuration writes, shunt register, its bytes and shift, bus register, its
    bytes and shift)."""
    return {
        # 32 V; shunt +-320 mV (PGA /8); both 12 bit, 532 us; continuous
        "ina219": (((0x00, 0x399F),), (0x01, 2, 0), (0x02, 2, 3)),
        # no averaging; both conversions 140 us; continuous
        "ina226": (((0x00, 0x4007),), (0x01, 2, 0), (0x02, 2, 0)),
        # +-163.84 mV; shunt and bus continuous, 84 us each, no averaging
        "ina228": (((0x00, 0x0000), (0x01, 0xB240)), (0x04, 3, 4), (0x05, 3, 4)),
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
