"""Where acceleration comes from. Each source has

    .fill(window)   measures a window: float32 (64, 3) in g, x y z x y z ...; it takes 1.28 s
    .truth          the state's name where the source knows it, else None

simulated.World is one too. The objects of `machine` come in as arguments:

    sensor.Analog([ADC(26), ADC(27), ADC(28)])
    sensor.Mpu6050(I2C(0))
    sensor.Recorded("windows.npy")
"""

import time

PERIOD_US = 20_000  # between two samples: 50 a second


class _Read:
    """A sensor whose read() gives (x, y, z) in g, asked once a period."""

    truth = None

    def fill(self, window):
        due = time.ticks_us()
        for i in range(0, len(window), 3):
            while time.ticks_diff(due, time.ticks_us()) > 0:
                pass
            window[i], window[i + 1], window[i + 2] = self.read()
            due = time.ticks_add(due, PERIOD_US)


class Analog(_Read):
    """Three analogue outputs, one an axis, as an ADXL335 has them.

    adcs: three machine.ADC. zero, per_g: share of the ADC's range at 0 g, and a g more.
    """

    def __init__(self, adcs, zero=0.5, per_g=0.1):
        self._adcs, self._zero, self._per_g = adcs, zero, per_g

    def read(self):
        return [(adc.read_u16() / 65535 - self._zero) / self._per_g for adc in self._adcs]


class Mpu6050(_Read):
    """An MPU-6050 or MPU-9250 at its range of +-2 g. i2c: machine.I2C."""

    _WAKE, _AXES = 0x6B, 0x3B  # registers
    _PER_G = 16384

    def __init__(self, i2c, address=0x68):
        self._i2c, self._address, self._raw = i2c, address, bytearray(6)
        i2c.writeto_mem(address, self._WAKE, b"\x00")

    def read(self):
        raw = self._raw
        self._i2c.readfrom_mem_into(self._address, self._AXES, raw)
        words = [raw[i] << 8 | raw[i + 1] for i in (0, 2, 4)]
        return [(word - (word >> 15 << 16)) / self._PER_G for word in words]


class Recorded:
    """Windows from an .npy file of float32 (N, 64, 3), again and again."""

    truth = None

    def __init__(self, path):
        from engram.npy import NpyReader

        self._reader, self._at = NpyReader(open(path, "rb")), 0

    def fill(self, window):
        if self._at == self._reader.rows:
            self._reader.rewind()
            self._at = 0
        self._reader.read_row(window)
        self._at += 1
