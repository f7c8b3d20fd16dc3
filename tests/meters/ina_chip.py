# An INA chip on an I2C bus that is not there, and the script over it. Plain Python: CPython and
# MicroPython run it alike, with ina_board.py beside it as the module `ina_board`.
import ina_board


class FakeChip:
    """registers: {register: bytes}. Keeps what was written; shows amps and volts of a list."""

    def __init__(self, name, rows):
        self.name = name
        self.rows = rows
        self.at = 0
        self.written = []

    def writeto_mem(self, address, register, data):
        self.written.append((address, register, bytes(data)))

    def readfrom_mem_into(self, address, register, buf):
        _, shunt, bus = ina_board.chip(self.name)
        row = self.rows[self.at % len(self.rows)]
        if register == shunt[0]:
            number = row[0] << shunt[2]
        elif register == bus[0]:
            number = row[1] << bus[2]
            self.at += 1
        else:
            raise OSError(19)
        for i in range(len(buf)):
            buf[i] = number >> 8 * (len(buf) - 1 - i) & 0xFF


def stream(name, rows, samples):
    """What run() writes for so many samples: bytes."""
    chip = FakeChip(name, rows)
    clock = [0x3FFFFF00]
    out = []

    def ticks_us():
        clock[0] = clock[0] + 100 & 0x3FFFFFFF
        return clock[0]

    def ticks_diff(end, start):
        return (end - start + 0x20000000 & 0x3FFFFFFF) - 0x20000000

    def write(data):
        out.append(bytes(data))

    def stop():
        return chip.at >= samples

    ina_board.run(chip, 0x40, name, 500, ticks_us, ticks_diff, write, stop)
    return b"".join(out), chip.written


def main():
    for name in ("ina219", "ina226", "ina228"):
        raw, written = stream(name, [(-5, 700), (1000, 701), (32, 4095)], 20)
        print(name, "".join([f"{b:02x}" for b in raw]))
        print(name, [(a, r, "".join([f"{b:02x}" for b in d])) for a, r, d in written])


if __name__ == "__main__":
    main()
