// What lies at an address, for everything but RAM, flash and ROM, which the processor reads itself;
// and the faults of an Armv6-M processor: an address that is no multiple of what is read or written
// there, and one at which there is nothing.

const ROM_END = 0x4000;
const FLASH = 0x10000000;
const FLASH_END = 0x14000000; // four windows onto the chip, that differ in the use of the cache
const RAM = 0x20000000;
const DPRAM = 0x50100000;
const DPRAM_END = 0x50101000;
const SIO = 0xd0000000;
const SIO_END = 0xd0000180;
const PRIVATE = 0xe000e000;
const PRIVATE_END = 0xe000f000;
const APB = 0x40000000;
const APB_END = 0x50000000;

export class Fault extends Error {
  constructor(address, what) {
    super(`${what} ${(address >>> 0).toString(16).padStart(8, "0")}`);
  }
}

export class Bus {
  constructor(mcu) {
    this.mcu = mcu;
    this.ramEnd = RAM + mcu.sram.length;
  }

  /** Cycles that an access takes beyond the instruction's one. */
  wait(address, writes) {
    if (address >= SIO && address < SIO_END) {
      return 0; // the port beside the processor
    }
    return address >= APB && address < APB_END ? (writes ? 4 : 3) : 1;
  }

  check(address, size) {
    if (address & (size - 1)) {
      throw new Fault(address, "unaligned address");
    }
    const isThere =
      address < ROM_END ||
      (address >= FLASH && address < FLASH_END) ||
      (address >= RAM && address < this.ramEnd) ||
      (address >= DPRAM && address < DPRAM_END) ||
      (address >= SIO && address < SIO_END) ||
      (address >= PRIVATE && address < PRIVATE_END) ||
      this.mcu.findPeripheral(address) !== undefined;
    if (!isThere) {
      throw new Fault(address, "no such address");
    }
  }

  load(address, size) {
    this.check(address, size);
    if (address >= FLASH && address < FLASH_END) {
      address = FLASH + (address & (this.mcu.flash.length - 1));
    }
    return LOAD[size].call(this.mcu, address);
  }

  store(address, value, size) {
    this.check(address, size);
    // Neither faults: the USB stack writes to address 0 on every Pico, once for each descriptor.
    if (address < ROM_END || (address >= FLASH && address < FLASH_END)) {
      return;
    }
    STORE[size].call(this.mcu, address, value);
  }
}

const LOAD = {
  1(address) {
    return this.readUint8(address);
  },
  2(address) {
    return this.readUint16(address);
  },
  4(address) {
    return this.readUint32(address);
  },
};
const STORE = {
  1(address, value) {
    this.writeUint8(address, value & 0xff);
  },
  2(address, value) {
    this.writeUint16(address, value & 0xffff);
  },
  4(address, value) {
    this.writeUint32(address, value >>> 0);
  },
};
